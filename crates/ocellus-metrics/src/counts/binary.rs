use std::{
    iter::Sum,
    ops::{Add, AddAssign},
};

use crate::{Result, check};

/// How often a yes-or-no prediction was right and wrong, and every metric that follows.
///
/// ```text
///                    predicted negative   predicted positive
/// truly negative            tn                   fp
/// truly positive            fn                   tp
/// ```
///
/// A ratio whose denominator is zero is `None`. Counts of two parts of a data set add up to the
/// counts of the whole, so that batches can be counted apart and merged.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::BinaryCounts;
///
/// let truth = [true, true, true, false, false];
/// let scores = [0.9, 0.8, 0.3, 0.6, 0.1];
/// let counts = BinaryCounts::from_scores(&truth, &scores, 0.5)?;
/// assert_eq!(counts, BinaryCounts { tp: 2, fp: 1, fn_: 1, tn: 1 });
/// assert_eq!(counts.sensitivity(), Some(2. / 3.));
/// assert_eq!(counts.specificity(), Some(0.5));
///
/// let nobody_is_ill = BinaryCounts { tn: 7, ..Default::default() };
/// assert_eq!(nobody_is_ill.sensitivity(), None);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct BinaryCounts {
    /// True positives.
    pub tp: u64,
    /// False positives.
    pub fp: u64,
    /// False negatives.
    #[cfg_attr(feature = "serde", serde(rename = "fn"))]
    pub fn_: u64,
    /// True negatives.
    pub tn: u64,
}

impl BinaryCounts {
    /// Counts predictions against the truth; `true` is the positive class in both.
    ///
    /// # Errors
    ///
    /// If the slices are empty or differ in length.
    pub fn from_labels(truth: &[bool], predicted: &[bool]) -> Result<Self> {
        check::paired(("truth", truth), ("predicted", predicted))?;
        Ok(truth.iter().zip(predicted).map(|(&t, &p)| Self::one(t, p)).sum())
    }

    /// Counts scores against the truth: a score at or above `threshold` predicts the positive class.
    ///
    /// # Errors
    ///
    /// If the slices are empty or differ in length, a score is not finite or the threshold is NaN.
    pub fn from_scores(truth: &[bool], scores: &[f64], threshold: f64) -> Result<Self> {
        check::paired(("truth", truth), ("scores", scores))?;
        check::finite("scores", scores)?;
        if threshold.is_nan() {
            return Err(crate::Error::setting("threshold", threshold, "give a number"));
        }
        Ok(truth.iter().zip(scores).map(|(&t, &s)| Self::one(t, s >= threshold)).sum())
    }

    fn one(truth: bool, predicted: bool) -> Self {
        Self {
            tp: u64::from(truth && predicted),
            fp: u64::from(!truth && predicted),
            fn_: u64::from(truth && !predicted),
            tn: u64::from(!truth && !predicted),
        }
    }

    /// Counts one more prediction.
    pub fn add(&mut self, truth: bool, predicted: bool) {
        *self += Self::one(truth, predicted);
    }

    /// The number of samples.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.tp, self.fp, self.fn_, self.tn].into_iter().fold(0, u64::saturating_add)
    }

    /// The counts with the negative class as the positive one.
    #[must_use]
    pub fn flipped(&self) -> Self {
        Self { tp: self.tn, fp: self.fn_, fn_: self.fp, tn: self.tp }
    }

    /// `(tp + tn) / (tp + fp + fn + tn)`.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        let [tp, fp, fn_, tn] = self.floats();
        ratio(tp + tn, tp + fp + fn_ + tn)
    }

    /// The mean of sensitivity and specificity; `None` where either is.
    #[must_use]
    pub fn balanced_accuracy(&self) -> Option<f64> {
        Some((self.sensitivity()? + self.specificity()?) / 2.)
    }

    /// `tp / (tp + fn)`: the share of the positives that are found. Also called recall, or true
    /// positive rate.
    #[must_use]
    pub fn sensitivity(&self) -> Option<f64> {
        let [tp, _, fn_, _] = self.floats();
        ratio(tp, tp + fn_)
    }

    /// The same as [`sensitivity`](Self::sensitivity).
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        self.sensitivity()
    }

    /// `tn / (tn + fp)`: the share of the negatives that are left alone.
    #[must_use]
    pub fn specificity(&self) -> Option<f64> {
        self.flipped().sensitivity()
    }

    /// `tp / (tp + fp)`: the share of the alarms that are right. Also called positive predictive
    /// value.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        let [tp, fp, ..] = self.floats();
        ratio(tp, tp + fp)
    }

    /// Negative predictive value, `tn / (tn + fn)`.
    #[must_use]
    pub fn npv(&self) -> Option<f64> {
        self.flipped().precision()
    }

    /// `2 tp / (2 tp + fp + fn)`, the harmonic mean of precision and recall; the Dice coefficient
    /// of two masks.
    #[must_use]
    pub fn f1(&self) -> Option<f64> {
        self.f_beta(1.)
    }

    /// ```text
    /// F_β = (1 + β²) tp / ((1 + β²) tp + β² fn + fp)
    /// ```
    ///
    /// A `beta` above 1 weighs recall more than precision. Zero where there are positives and no
    /// true positive; `None` without a positive in truth and prediction, or if `beta` is negative
    /// or not finite.
    #[must_use]
    pub fn f_beta(&self, beta: f64) -> Option<f64> {
        if !(beta >= 0. && beta.is_finite()) {
            return None;
        }
        let [tp, fp, fn_, _] = self.floats();
        let b2 = beta * beta;
        ratio((1. + b2) * tp, (1. + b2) * tp + b2 * fn_ + fp)
    }

    /// `tp / (tp + fp + fn)`: the intersection over the union of two masks.
    #[must_use]
    pub fn jaccard(&self) -> Option<f64> {
        let [tp, fp, fn_, _] = self.floats();
        ratio(tp, tp + fp + fn_)
    }

    /// Matthews's correlation coefficient, between −1 and 1.
    ///
    /// ```text
    /// MCC = (tp · tn − fp · fn) / √((tp + fp)(tp + fn)(tn + fp)(tn + fn))
    /// ```
    ///
    /// `None` if truth or prediction has one class only.
    #[must_use]
    pub fn mcc(&self) -> Option<f64> {
        let [tp, fp, fn_, tn] = self.floats();
        let scale = ((tp + fp) * (tn + fn_)).sqrt() * ((tp + fn_) * (tn + fp)).sqrt();
        ratio(tp * tn - fp * fn_, scale)
    }

    /// Cohen's kappa: agreement beyond chance. `None` if chance alone agrees fully.
    ///
    /// ```text
    /// κ = 2 (tp · tn − fp · fn) / ((tp + fp)(fp + tn) + (tp + fn)(fn + tn))
    /// ```
    #[must_use]
    pub fn kappa(&self) -> Option<f64> {
        let [tp, fp, fn_, tn] = self.floats();
        ratio(2. * (tp * tn - fp * fn_), (tp + fp) * (fp + tn) + (tp + fn_) * (fn_ + tn))
    }

    /// Youden's index, sensitivity + specificity − 1; `None` where either is.
    #[must_use]
    pub fn youden(&self) -> Option<f64> {
        Some(self.sensitivity()? + self.specificity()? - 1.)
    }

    /// The share of positives in the truth.
    #[must_use]
    pub fn prevalence(&self) -> Option<f64> {
        let [tp, fp, fn_, tn] = self.floats();
        ratio(tp + fn_, tp + fp + fn_ + tn)
    }

    fn floats(&self) -> [f64; 4] {
        [self.tp, self.fp, self.fn_, self.tn].map(|n| n as f64)
    }
}

/// `a / b`, or `None` over zero.
pub(super) fn ratio(a: f64, b: f64) -> Option<f64> {
    (b != 0.).then(|| a / b)
}

impl Add for BinaryCounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            tp: self.tp.saturating_add(other.tp),
            fp: self.fp.saturating_add(other.fp),
            fn_: self.fn_.saturating_add(other.fn_),
            tn: self.tn.saturating_add(other.tn),
        }
    }
}

impl AddAssign for BinaryCounts {
    fn add_assign(&mut self, other: Self) {
        *self = Add::add(*self, other);
    }
}

impl Sum for BinaryCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::golden::close;

    #[test]
    fn reproduces_the_matrix_of_a_published_table() {
        let counts = BinaryCounts { tp: 99, fp: 5, fn_: 0, tn: 78 };
        close(counts.accuracy().unwrap(), 0.972527, 5e-7);
        close(counts.precision().unwrap(), 0.951923, 5e-7);
        assert_eq!(counts.recall(), Some(1.));
        close(counts.specificity().unwrap(), 0.939759, 5e-7);
        close(counts.f1().unwrap(), 0.975369, 5e-7);
        close(counts.mcc().unwrap(), 0.945822, 5e-7);
        let other_class = counts.flipped();
        assert_eq!(other_class.precision(), Some(1.));
        close(other_class.recall().unwrap(), 78. / 83., 1e-15);
    }

    #[test]
    fn no_samples_define_nothing() {
        let none = BinaryCounts::default();
        let metrics = [
            none.accuracy(),
            none.balanced_accuracy(),
            none.sensitivity(),
            none.specificity(),
            none.precision(),
            none.npv(),
            none.f1(),
            none.jaccard(),
            none.mcc(),
            none.kappa(),
            none.youden(),
            none.prevalence(),
        ];
        assert_eq!(metrics, [None; 12]);
    }

    #[test]
    fn one_class_leaves_the_other_undefined() {
        let counts = BinaryCounts { tp: 3, fn_: 1, ..Default::default() };
        assert_eq!(counts.specificity(), None);
        assert_eq!(counts.balanced_accuracy(), None);
        assert_eq!(counts.mcc(), None);
        assert_eq!(counts.npv(), Some(0.));
        let missed = BinaryCounts { fn_: 2, tn: 5, ..Default::default() };
        assert_eq!(missed.precision(), None);
        assert_eq!(missed.f1(), Some(0.));
        assert_eq!(missed.f_beta(-1.), None);
        assert_eq!(missed.f_beta(f64::NAN), None);
    }

    #[test]
    fn huge_counts_do_not_overflow() {
        let n = u64::MAX / 2;
        let counts = BinaryCounts { tp: n, fp: n, fn_: n, tn: n };
        assert_eq!(counts.mcc(), Some(0.));
        assert_eq!((counts + counts + counts).total(), u64::MAX);
    }

    #[test]
    fn rejects_slices_that_do_not_match() {
        let error = BinaryCounts::from_labels(&[true], &[true, false]).unwrap_err().to_string();
        assert_eq!(error, "truth has 1 entries, predicted has 2: give one each per sample");
        assert!(BinaryCounts::from_labels(&[], &[]).is_err());
        let error = BinaryCounts::from_scores(&[true], &[f64::NAN], 0.5).unwrap_err().to_string();
        assert!(error.starts_with("scores[0] is NaN"), "{error}");
        assert!(BinaryCounts::from_scores(&[true], &[0.5], f64::NAN).is_err());
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serializes_under_the_usual_names() {
        let counts = BinaryCounts { tp: 1, fp: 2, fn_: 3, tn: 4 };
        let json = serde_json::to_string(&counts).unwrap();
        assert_eq!(json, r#"{"tp":1,"fp":2,"fn":3,"tn":4}"#);
    }

    fn counts() -> impl Strategy<Value = BinaryCounts> {
        (0u64..50, 0u64..50, 0u64..50, 0u64..50).prop_map(|(tp, fp, fn_, tn)| BinaryCounts {
            tp,
            fp,
            fn_,
            tn,
        })
    }

    proptest! {
        #[test]
        fn mcc_and_kappa_do_not_care_which_class_is_positive(c in counts()) {
            prop_assert_eq!(c.mcc().map(f32_of), c.flipped().mcc().map(f32_of));
            prop_assert_eq!(c.kappa(), c.flipped().kappa());
        }

        #[test]
        fn all_metrics_stay_in_their_range(c in counts()) {
            let shares = [c.accuracy(), c.sensitivity(), c.specificity(), c.precision(), c.npv(),
                c.f1(), c.f_beta(2.), c.jaccard(), c.balanced_accuracy()];
            for value in shares.into_iter().flatten() {
                prop_assert!((0. ..=1.).contains(&value));
            }
            for value in [c.mcc(), c.kappa(), c.youden()].into_iter().flatten() {
                prop_assert!((-1. - 1e-15..=1. + 1e-15).contains(&value));
            }
        }

        #[test]
        fn dice_follows_from_jaccard(c in counts()) {
            if let (Some(dice), Some(jaccard)) = (c.f1(), c.jaccard()) {
                prop_assert!((dice - 2. * jaccard / (1. + jaccard)).abs() < 1e-14);
            }
        }
    }

    fn f32_of(x: f64) -> f32 {
        x as f32
    }
}
