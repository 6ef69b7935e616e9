use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Optimizer, Schedule,
    checkpoint::exact,
    error::Result,
    fit::{FitConfig, History, Precision, early_stopping::Watch, history::is_zero},
    gradient::LossScale,
};

/// Everything beside tensors that training continues from. Only counters: what is random is drawn
/// from seed and counters, so that no generator has a state to save.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    /// The epoch that goes on.
    pub(crate) epoch: usize,
    /// Its batches that are done.
    pub(crate) batch: usize,
    /// The batches of all epochs that are done.
    pub(crate) step: usize,
    /// The steps of the optimizer that are done.
    pub(crate) update: usize,
    /// The sum of the losses of this epoch's batches.
    #[serde(with = "exact::number")]
    pub(crate) loss_sum: f64,
    /// The last learning rate.
    #[serde(with = "exact::number")]
    pub(crate) learning_rate: f64,
    #[serde(with = "exact::map")]
    pub(crate) schedule: BTreeMap<String, f64>,
    pub(crate) watch: Watch,
    pub(crate) history: History,
    /// Where the network computes in f16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss_scale: Option<LossScale>,
    /// The steps of this epoch that were not taken.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) skipped: usize,
    /// What another run must share to continue this one.
    pub(crate) settings: BTreeMap<String, String>,
}

impl State {
    pub(crate) fn new(
        config: &FitConfig,
        optimizer: &dyn Optimizer,
        schedule: &dyn Schedule,
    ) -> Result<Self> {
        let is_scaled = config.precision == Precision::F16;
        Ok(Self {
            epoch: 0,
            batch: 0,
            step: 0,
            update: 0,
            loss_sum: 0.,
            learning_rate: optimizer.learning_rate(),
            schedule: schedule.state(),
            watch: Watch::new(&config.monitor),
            history: History::default(),
            loss_scale: is_scaled.then(|| LossScale::new(config.loss_scale)).transpose()?,
            skipped: 0,
            settings: settings(config, optimizer, schedule),
        })
    }

    /// The first setting in which another run differs, in words.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        let names = self.settings.keys().chain(other.settings.keys());
        let differs = |name: &&String| self.settings.get(*name) != other.settings.get(*name);
        names.into_iter().find(differs).map(|name| {
            let show = |state: &Self| match state.settings.get(name) {
                Some(value) => format!("`{value}`"),
                None => "not set".to_owned(),
            };
            format!("{name} was {}, is {}", show(self), show(other))
        })
    }
}

fn settings(
    config: &FitConfig,
    optimizer: &dyn Optimizer,
    schedule: &dyn Schedule,
) -> BTreeMap<String, String> {
    let own = [
        ("seed", config.seed.to_string()),
        ("accumulate", config.accumulate.to_string()),
        ("clip", format!("{:?}", config.clip)),
        ("monitor", format!("{:?}", config.monitor)),
        ("early stopping", format!("{:?}", config.early_stopping)),
        ("optimizer", optimizer.describe()),
        ("schedule", schedule.describe()),
    ];
    // None for f32, so that checkpoints from before there was a choice go on.
    let precision = match config.precision {
        Precision::F32 => None,
        Precision::Bf16 => Some("bf16".to_owned()),
        Precision::F16 => Some(format!("f16, {:?}", config.loss_scale)),
    };
    let precision = precision.map(|precision| ("precision", precision));
    let given = config.settings.iter().map(|(name, value)| (format!("setting {name}"), value));
    own.into_iter()
        .chain(precision)
        .map(|(name, value)| (name.to_owned(), value))
        .chain(given.map(|(name, value)| (name, value.clone())))
        .collect()
}
