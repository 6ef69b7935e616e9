use ocellus_metrics::{
    max_f_beta_threshold, sensitivity_at_specificity, specificity_at_sensitivity, youden_threshold,
};

use crate::{Error, Result, ScoreDistribution, State};

/// By what rule a threshold was found: from normal images alone, or by an *oracle* that saw labels.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ThresholdRule {
    /// Given as a number.
    Given,
    /// The quantile of the scores of normal images.
    NormalQuantile(f64),
    /// So many standard deviations above the mean score of normal images.
    NormalSigmas(f64),
    /// The greatest F1 on labeled images.
    OracleF1,
    /// The greatest sensitivity + specificity on labeled images.
    OracleYouden,
    /// The greatest specificity of at least that sensitivity on labeled images.
    OracleSensitivity(f64),
    /// The greatest sensitivity of at least that specificity on labeled images.
    OracleSpecificity(f64),
}

impl ThresholdRule {
    /// Whether no label of an anomalous image was seen. What an oracle's threshold reaches on the
    /// images that it saw is no estimate of what it reaches on others.
    #[must_use]
    pub const fn is_label_free(self) -> bool {
        matches!(self, Self::Given | Self::NormalQuantile(_) | Self::NormalSigmas(_))
    }

    const fn name_and_value(self) -> (&'static str, f64) {
        match self {
            Self::Given => ("given", 0.),
            Self::NormalQuantile(q) => ("normal-quantile", q),
            Self::NormalSigmas(sigmas) => ("normal-sigmas", sigmas),
            Self::OracleF1 => ("oracle-f1", 0.),
            Self::OracleYouden => ("oracle-youden", 0.),
            Self::OracleSensitivity(least) => ("oracle-sensitivity", least),
            Self::OracleSpecificity(least) => ("oracle-specificity", least),
        }
    }

    fn of(name: &str, value: f64) -> Result<Self> {
        let all = [
            Self::Given,
            Self::NormalQuantile(value),
            Self::NormalSigmas(value),
            Self::OracleF1,
            Self::OracleYouden,
            Self::OracleSensitivity(value),
            Self::OracleSpecificity(value),
        ];
        let known = all.into_iter().find(|rule| rule.name_and_value().0 == name);
        known.ok_or_else(|| Error::Value(format!("has `{name}` as the rule of a threshold")))
    }
}

/// From where on a score is anomalous, and how that was found.
///
/// # Examples
///
/// ```
/// use ocellus_anomaly::{ScoreDistribution, Threshold};
///
/// // From normal images alone: one in a hundred of them will be called anomalous.
/// let mut normal = ScoreDistribution::exact();
/// normal.add(&[1., 2., 3., 4., 5.])?;
/// let threshold = Threshold::normal_quantile(&normal, 0.99)?;
/// assert!((threshold.value - 4.96).abs() < 1e-12 && threshold.rule.is_label_free());
///
/// // By labels.
/// let oracle = Threshold::oracle_f1(&[false, false, true], &[1., 2., 9.])?;
/// assert!(oracle.is_anomalous(9.) && !oracle.is_anomalous(2.));
/// assert!(!oracle.rule.is_label_free());
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Threshold {
    /// A score of this or more is anomalous.
    pub value: f64,
    /// How it was found.
    pub rule: ThresholdRule,
}

impl Threshold {
    /// A number that comes from elsewhere.
    #[must_use]
    pub const fn given(value: f64) -> Self {
        Self { value, rule: ThresholdRule::Given }
    }

    /// Label-free: the quantile of the scores of normal images, such as those of training.
    ///
    /// A share 1 − `q` of new normal images is expected above it, more if the detector was fitted
    /// on the very images that `normal` is of.
    ///
    /// # Errors
    ///
    /// If there is no score, or `q` is not in 0 to 1.
    pub fn normal_quantile(normal: &ScoreDistribution, q: f64) -> Result<Self> {
        Ok(Self { value: normal.quantile(q)?, rule: ThresholdRule::NormalQuantile(q) })
    }

    /// Label-free: the mean score of normal images and so many standard deviations.
    ///
    /// # Errors
    ///
    /// If there are fewer than two scores, or `sigmas` is not finite.
    pub fn normal_sigmas(normal: &ScoreDistribution, sigmas: f64) -> Result<Self> {
        if normal.count() < 2 || !sigmas.is_finite() {
            return Err(Error::Setting(format!(
                "{sigmas} standard deviations of {} scores: give a finite number, of 2 scores or more",
                normal.count()
            )));
        }
        let value = normal.mean() + sigmas * normal.std();
        Ok(Self { value, rule: ThresholdRule::NormalSigmas(sigmas) })
    }

    /// Oracle: the greatest F1 on labeled images (anomalous ones `true`).
    ///
    /// # Errors
    ///
    /// If the slices are empty or differ in length, a score is not finite, or all labels are the
    /// same.
    pub fn oracle_f1(anomalous: &[bool], scores: &[f64]) -> Result<Self> {
        let value = max_f_beta_threshold(anomalous, scores, 1.)?.threshold;
        Ok(Self { value, rule: ThresholdRule::OracleF1 })
    }

    /// Oracle: the greatest sensitivity + specificity.
    ///
    /// # Errors
    ///
    /// As [`oracle_f1`](Self::oracle_f1).
    pub fn oracle_youden(anomalous: &[bool], scores: &[f64]) -> Result<Self> {
        let value = youden_threshold(anomalous, scores)?.threshold;
        Ok(Self { value, rule: ThresholdRule::OracleYouden })
    }

    /// Oracle: at least that share of the anomalous ones is found, with the greatest specificity.
    ///
    /// # Errors
    ///
    /// As [`oracle_f1`](Self::oracle_f1), and if `least` is not in 0 to 1.
    pub fn oracle_sensitivity(anomalous: &[bool], scores: &[f64], least: f64) -> Result<Self> {
        let value = specificity_at_sensitivity(anomalous, scores, least)?.threshold;
        Ok(Self { value, rule: ThresholdRule::OracleSensitivity(least) })
    }

    /// Oracle: at least that share of the normal ones is passed, with the greatest sensitivity.
    ///
    /// # Errors
    ///
    /// As [`oracle_sensitivity`](Self::oracle_sensitivity).
    pub fn oracle_specificity(anomalous: &[bool], scores: &[f64], least: f64) -> Result<Self> {
        let value = sensitivity_at_specificity(anomalous, scores, least)?.threshold;
        Ok(Self { value, rule: ThresholdRule::OracleSpecificity(least) })
    }

    /// Whether the score is at or above it.
    #[must_use]
    pub fn is_anomalous(&self, score: f64) -> bool {
        score >= self.value
    }

    pub(super) fn save(&self) -> State {
        let (rule, value) = self.rule.name_and_value();
        let mut state = State::default();
        state.set("value", self.value);
        state.set("rule", rule);
        state.set("rule_value", value);
        state
    }

    pub(super) fn restore(state: &State) -> Result<Option<Self>> {
        let Some(value) = state.find("value")? else { return Ok(None) };
        let rule = ThresholdRule::of(&state.get::<String>("rule")?, state.get("rule_value")?)?;
        Ok(Some(Self { value, rule }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [bool; 8] = [false, false, true, true, false, true, false, true];
    const SCORES: [f64; 8] = [0.1, 0.4, 0.35, 0.8, 0.35, 0.7, 0.2, 0.9];

    #[test]
    fn both_sides_are_kept() -> Result<()> {
        let sensitive = Threshold::oracle_sensitivity(&LABELS, &SCORES, 1.)?;
        assert_eq!(sensitive.value, 0.35);
        let specific = Threshold::oracle_specificity(&LABELS, &SCORES, 1.)?;
        assert_eq!(specific.value, 0.7);
        assert_eq!(Threshold::oracle_youden(&LABELS, &SCORES)?.value, 0.7);
        Ok(())
    }

    #[test]
    fn sigmas_are_above_the_mean() -> Result<()> {
        let mut normal = ScoreDistribution::exact();
        assert!(Threshold::normal_sigmas(&normal, 3.).is_err());
        normal.add(&[1., 3.])?;
        let threshold = Threshold::normal_sigmas(&normal, 3.)?;
        assert!((threshold.value - (2. + 3. * 2f64.sqrt())).abs() < 1e-12);
        assert!(Threshold::normal_sigmas(&normal, f64::NAN).is_err());
        Ok(())
    }

    #[test]
    fn every_rule_comes_back() -> Result<()> {
        for rule in [
            ThresholdRule::Given,
            ThresholdRule::NormalQuantile(0.995),
            ThresholdRule::NormalSigmas(3.),
            ThresholdRule::OracleF1,
            ThresholdRule::OracleYouden,
            ThresholdRule::OracleSensitivity(0.95),
            ThresholdRule::OracleSpecificity(0.9),
        ] {
            let threshold = Threshold { value: 0.1 + 0.2, rule };
            assert_eq!(Threshold::restore(&threshold.save())?, Some(threshold));
        }
        assert_eq!(Threshold::restore(&State::default())?, None);
        let mut state = Threshold::given(1.).save();
        state.set("rule", "dice");
        assert!(Threshold::restore(&state).unwrap_err().to_string().contains("`dice`"));
        Ok(())
    }

    #[test]
    fn one_label_is_no_oracle() {
        assert!(Threshold::oracle_f1(&[true, true], &[1., 2.]).is_err());
    }
}
