use crate::{Result, check};

/// The area under a curve, if known, for checks and legends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    /// What it is called.
    pub(super) name: &'static str,
    pub(super) value: Option<f64>,
    pub(super) interval: Option<(f64, f64)>,
}

impl Area {
    pub(super) fn unknown(name: &'static str) -> Self {
        Self { name, value: None, interval: None }
    }

    pub(super) fn check(&self, model: &str) -> Result<()> {
        let ends = self.interval.into_iter().flat_map(|(low, high)| [low, high]);
        let values: Vec<_> = self.value.into_iter().chain(ends).collect();
        check::unit(&format!("the {} or its interval of {model:?}", self.name), &values)
    }

    /// `MODEL: AUC 0.900 [0.850, 0.940]`, as far as it is known.
    pub(super) fn legend(&self, model: &str) -> String {
        let value = self.value.map(|value| format!(": {} {value:.3}", self.name));
        let interval = self.interval.map(|(low, high)| format!(" [{low:.3}, {high:.3}]"));
        format!("{model}{}{}", value.unwrap_or_default(), interval.unwrap_or_default())
    }
}
