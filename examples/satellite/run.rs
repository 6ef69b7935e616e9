//! What every command that trains or evaluates needs: areas, settings, and where results go.

use std::path::PathBuf;

use anyhow::{Result, bail};
use ocellus::{
    candle::Device,
    parallel::ProcessGroup,
    satellite::{Config, NetworkConfig, Objective, ResidualSegNetConfig},
};

use crate::{
    areas::Areas,
    cli::{ClassWeights, Form, Settings},
    fitting::{POSITIVE, Place},
};

/// One run of the program.
pub(crate) struct Run {
    pub(crate) settings: Settings,
    /// What is trained and how.
    pub(crate) config: Config,
    pub(crate) areas: Areas,
    pub(crate) device: Device,
    /// The processes that train together.
    pub(crate) group: ProcessGroup,
    pub(crate) out: PathBuf,
}

impl Run {
    /// Opens the areas.
    pub(crate) fn open(settings: &Settings, name: &str) -> Result<Self> {
        let out = settings.common.out_folder(name, &["networks", "maps"])?;
        let config = config(settings);
        let areas = Areas::open(settings, &config.protocol)?;
        let mut config =
            config.with_bands(areas.bands).with_classes(areas.classes.clone(), POSITIVE);
        config.class_weights = match &settings.class_weights {
            None => Vec::new(),
            Some(ClassWeights::Given(weights)) => weights.clone(),
            Some(ClassWeights::Balanced) => areas.balancing_weights()?,
        };
        let (device, group) = settings.parallel.meet(&settings.training.device)?;
        let objective = config.protocol.objective;
        if !(group.is_alone() || [Objective::CrossEntropy, Objective::Focal].contains(&objective)) {
            bail!(
                "--loss {}: a ratio over all pixels of a batch is not the sum of those of its shares: give `ce` or \
                 `focal`, or one process",
                objective.slug()
            )
        }
        config.loss(&device)?; // Wrong weights are told before hours of training.
        config.protocol.patches().check()?;
        Ok(Self { settings: settings.clone(), config, areas, device, group, out })
    }

    /// Where a training keeps its checkpoints, and what it is called.
    pub(crate) fn place(&self, label: &str, folder: Option<PathBuf>) -> Place {
        let training = &self.settings.training;
        let (resume, verbose) = (training.resume, training.verbose);
        // Of several processes one speaks.
        let verbose = verbose && self.group.rank() == 0;
        let (group, precision) = (self.group.clone(), training.precision);
        Place { folder, resume, label: label.to_owned(), verbose, group, precision }
    }

    /// The network of that name instead of the run's own.
    pub(crate) fn config_of(&self, name: &str, form: Form) -> Result<Config> {
        let Some(mut network) = NetworkConfig::named(name) else {
            bail!(
                "there is no network `{name}`: choose from unet-19, unet-35, prop-18, prop-34, prop-50, \
                 prop-101, prop-152 and prop-200"
            )
        };
        if let (Form::Authors, NetworkConfig::Residual(residual)) = (form, network) {
            network = ResidualSegNetConfig::authors(residual.encoder).into();
        }
        let channels = self.settings.channels.unwrap_or(self.config.network.channels());
        let network = network.with_channels(channels).with_bands(self.areas.bands);
        Ok(self.config.clone().with_network(network))
    }
}

/// The preset that fits, with the changes that the command line asks for.
fn config(settings: &Settings) -> Config {
    let mut config = match (settings.paper, settings.data.is_empty()) {
        (true, _) => Config::paper(),
        (false, false) => Config::practical(),
        (false, true) => Config::tiny(),
    };
    let (protocol, common) = (&mut config.protocol, &settings.common);
    if common.quick {
        protocol.epochs = protocol.epochs.min(2);
        protocol.refinement.epochs = protocol.refinement.epochs.min(2);
    }
    protocol.epochs = common.epochs.unwrap_or(protocol.epochs);
    protocol.batch_size = settings.training.batch_size.unwrap_or(protocol.batch_size);
    protocol.learning_rate = settings.training.learning_rate.unwrap_or(protocol.learning_rate);
    protocol.objective = settings.loss;
    *protocol = protocol.with_jitter(settings.brightness, settings.contrast, settings.color);
    config
        .with_pretrained(settings.weights.is_some())
        .with_frozen_stages(settings.frozen_stages)
        .with_seed(common.seed)
}
