use candle_core::Var;

use crate::{
    Error, ParamStore, Result,
    pattern::{matches, some_of},
};

/// Which parameters are trained with other settings than the rest.
///
/// ```
/// use ocellus_params::GroupRule;
///
/// let slow = GroupRule::new("features.*").with_lr_scale(0.1);
/// let no_decay = GroupRule::new("*.bias").with_weight_decay(0.);
/// assert_eq!((slow.lr_scale, no_decay.weight_decay), (0.1, Some(0.)));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GroupRule {
    /// The names it takes: `*` stands for any run of characters, dots included, `?` for any one.
    pub pattern: String,
    /// Factor on the learning rate, at least 0.
    pub lr_scale: f64,
    /// Weight decay; `None` leaves the optimizer's own.
    pub weight_decay: Option<f64>,
}

impl GroupRule {
    /// A rule for the names that fit `pattern`, which changes nothing yet.
    #[must_use]
    pub fn new(pattern: impl Into<String>) -> Self {
        Self { pattern: pattern.into(), lr_scale: 1., weight_decay: None }
    }

    /// Sets the factor on the learning rate.
    #[must_use]
    pub fn with_lr_scale(mut self, lr_scale: f64) -> Self {
        self.lr_scale = lr_scale;
        self
    }

    /// Sets the weight decay.
    #[must_use]
    pub fn with_weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = Some(weight_decay);
        self
    }
}

/// Parameters that an optimizer treats alike.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ParamGroup {
    /// The pattern of its rule, `default` for the rest.
    pub name: String,
    /// The parameters, sorted by name.
    pub params: Vec<(String, Var)>,
    /// Factor on the learning rate.
    pub lr_scale: f64,
    /// Weight decay; `None` leaves the optimizer's own.
    pub weight_decay: Option<f64>,
}

impl ParamGroup {
    /// A group of the given parameters under the optimizer's own settings.
    ///
    /// ```
    /// use candle_core::{DType, Device, Var};
    /// use ocellus_params::ParamGroup;
    ///
    /// let w = Var::zeros(2, DType::F32, &Device::Cpu)?;
    /// let group = ParamGroup::new("default", vec![("w".into(), w)]);
    /// assert_eq!((group.lr_scale, group.weight_decay), (1., None));
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, params: Vec<(String, Var)>) -> Self {
        Self { name: name.into(), params, lr_scale: 1., weight_decay: None }
    }
}

impl ParamStore {
    /// Splits the [trainable](Self::trainable) parameters into groups: each goes to the first rule
    /// that fits its name, the rest to a last group named `default`.
    ///
    /// No parameter is in two groups. A group that stays empty, because its parameters are frozen
    /// or an earlier rule took them, is left out.
    ///
    /// # Examples
    ///
    /// ```
    /// use candle_core::{DType, Device};
    /// use ocellus_params::{GroupRule, ParamStore};
    ///
    /// let params = ParamStore::seeded(0);
    /// let vb = params.var_builder(DType::F32, &Device::Cpu);
    /// candle_nn::linear(4, 3, vb.pp("features.0"))?;
    /// candle_nn::linear(3, 2, vb.pp("head"))?;
    ///
    /// let groups = params.groups(&[GroupRule::new("features.*").with_lr_scale(0.1)])?;
    /// let sizes: Vec<_> = groups.iter().map(|g| (g.name.as_str(), g.params.len())).collect();
    /// assert_eq!(sizes, [("features.*", 2), ("default", 2)]);
    /// # Ok::<(), ocellus_params::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a pattern fits no name in the store, or a factor or decay is negative or not finite.
    pub fn groups(&self, rules: &[GroupRule]) -> Result<Vec<ParamGroup>> {
        let names = self.names();
        for rule in rules {
            check(rule, &names)?;
        }
        let named = |rule: &GroupRule| ParamGroup {
            name: rule.pattern.clone(),
            params: vec![],
            lr_scale: rule.lr_scale,
            weight_decay: rule.weight_decay,
        };
        let mut groups: Vec<ParamGroup> = rules.iter().map(named).collect();
        groups.push(ParamGroup::new("default", vec![]));
        for (name, var) in self.trainable() {
            let first = rules.iter().position(|rule| matches(&rule.pattern, &name));
            groups[first.unwrap_or(rules.len())].params.push((name, var));
        }
        groups.retain(|group| !group.params.is_empty());
        Ok(groups)
    }
}

fn check(rule: &GroupRule, names: &[String]) -> Result<()> {
    let GroupRule { pattern, lr_scale, weight_decay } = rule;
    if !names.iter().any(|name| matches(pattern, name)) {
        let message = format!(
            "the pattern `{pattern}` of a parameter group fits no parameter; there are {}",
            some_of(names, 4)
        );
        return Err(Error::UnmatchedPattern { pattern: pattern.clone(), message });
    }
    for (what, value) in [("lr_scale", *lr_scale), ("weight_decay", weight_decay.unwrap_or(0.))] {
        if !(value.is_finite() && value >= 0.) {
            return Err(Error::InvalidSetting(format!(
                "{what} {value} of the group `{pattern}` is no finite number of at least 0"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::{BatchNormConfig, batch_norm, linear};

    use super::*;

    fn store() -> Result<ParamStore> {
        let params = ParamStore::seeded(0);
        let vb = params.var_builder(DType::F32, &Device::Cpu);
        linear(2, 2, vb.pp("features.0"))?;
        batch_norm(2, BatchNormConfig::default(), vb.pp("features.1"))?;
        linear(2, 1, vb.pp("head"))?;
        Ok(params)
    }

    fn names(group: &ParamGroup) -> Vec<&str> {
        group.params.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn the_first_rule_takes_a_parameter_and_no_other_does() -> Result<()> {
        let rules = [GroupRule::new("*.bias").with_weight_decay(0.), GroupRule::new("features.*")];
        let groups = store()?.groups(&rules)?;
        assert_eq!(names(&groups[0]), ["features.0.bias", "features.1.bias", "head.bias"]);
        assert_eq!(names(&groups[1]), ["features.0.weight", "features.1.weight"]);
        assert_eq!(names(&groups[2]), ["head.weight"]);
        assert_eq!((groups[0].weight_decay, groups[1].weight_decay), (Some(0.), None));
        Ok(())
    }

    #[test]
    fn frozen_parameters_and_buffers_are_in_no_group() -> Result<()> {
        let params = store()?;
        params.freeze("features.*");
        let groups = params.groups(&[GroupRule::new("features.*")])?;
        assert_eq!(groups.len(), 1);
        assert_eq!(names(&groups[0]), ["head.bias", "head.weight"]);
        Ok(())
    }

    #[test]
    fn rejects_a_pattern_that_fits_nothing_and_a_negative_rate() -> Result<()> {
        let params = store()?;
        let error = params.groups(&[GroupRule::new("feature.*")]).unwrap_err().to_string();
        assert!(error.contains("`feature.*`") && error.contains("`features.0.bias`"), "{error}");
        let error = params.groups(&[GroupRule::new("*").with_lr_scale(-1.)]).unwrap_err();
        assert!(error.to_string().contains("lr_scale -1"), "{error}");
        Ok(())
    }
}
