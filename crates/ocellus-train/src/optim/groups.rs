use std::collections::BTreeSet;

use candle_core::{Result, Var, bail};
use ocellus_params::ParamGroup;

/// The parameters that an optimizer moves, in groups with their own learning rate and weight decay.
///
/// Made from named parameters (one group), or from the groups of a
/// [`ParamStore`](ocellus_params::ParamStore).
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Var};
/// use ocellus_train::Groups;
///
/// let p = Var::new(&[1f32, 2.], &Device::Cpu)?;
/// let groups = Groups::from(vec![("head.weight".to_owned(), p)]);
/// assert_eq!(groups.names(), ["head.weight"]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Groups(pub(crate) Vec<ParamGroup>);

impl Groups {
    /// The names of all parameters, group by group.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().flat_map(|g| &g.params).map(|(name, _)| name.as_str()).collect()
    }

    /// Fails on a parameter that stands twice, and on scales that make no sense.
    pub(crate) fn check(&self) -> Result<()> {
        let mut seen = BTreeSet::new();
        for name in self.names() {
            if !seen.insert(name) {
                bail!("parameter `{name}` is in two groups: it would be moved twice a step")
            }
        }
        for ParamGroup { name, lr_scale, weight_decay, params, .. } in &self.0 {
            let decay = weight_decay.unwrap_or(0.);
            if !(lr_scale.is_finite() && *lr_scale >= 0. && decay.is_finite() && decay >= 0.) {
                bail!(
                    "group `{name}` has learning rate scale {lr_scale} and weight decay {decay}: \
                     both must be finite and not negative"
                )
            }
            for (name, var) in params {
                if !var.dtype().is_float() {
                    bail!("parameter `{name}` is of {:?}: only floats can be moved", var.dtype())
                }
            }
        }
        Ok(())
    }
}

impl From<Vec<ParamGroup>> for Groups {
    fn from(groups: Vec<ParamGroup>) -> Self {
        Self(groups)
    }
}

impl From<Vec<(String, Var)>> for Groups {
    fn from(params: Vec<(String, Var)>) -> Self {
        Self(vec![ParamGroup::new("default", params)])
    }
}
