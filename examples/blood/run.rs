//! What every command that learns needs: images, settings, and where results go.

use std::{
    cell::OnceCell,
    path::{Path, PathBuf},
};

use anyhow::Result;
use ocellus::{
    blood::{DcnnConfig, Protocol},
    candle::{Device, Tensor},
    data::{Fractions, Splitter},
    parallel::ProcessGroup,
};
use serde::{Deserialize, Serialize};

use crate::{
    cells::{self, Cells},
    cli::{FeatureChoice, NetworkChoice, Settings},
    method::Method,
};

/// Which images train, which choose the epoch of a network, which are reported on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Split {
    pub(crate) train: Vec<usize>,
    pub(crate) validation: Vec<usize>,
    pub(crate) test: Vec<usize>,
}

impl Split {
    /// What classical methods learn from: they choose their settings on folds of it.
    pub(crate) fn learned(&self) -> Vec<usize> {
        let mut all = [&self.train[..], &self.validation].concat();
        all.sort_unstable();
        all
    }
}

/// One run of the program.
pub(crate) struct Run {
    pub(crate) settings: Settings,
    pub(crate) cells: Cells,
    pub(crate) dcnn: DcnnConfig,
    protocol: Protocol,
    /// How VGG is trained: what is behind its frozen convolutions, or the whole of a small one.
    vgg: Protocol,
    /// Pixels that are chosen by chi² before the network.
    pub(crate) pixels: Option<usize>,
    pub(crate) device: Device,
    /// The processes that train together.
    pub(crate) group: ProcessGroup,
    pub(crate) out: PathBuf,
    /// What frozen layers say of the images, once it is known.
    frozen: OnceCell<Tensor>,
}

/// Height and width of the images that features are computed of; the network may see smaller ones.
const SIDE: usize = 128;

impl Run {
    /// Opens the folders of `--data` as one set.
    pub(crate) fn open(settings: &Settings, name: &str) -> Result<Self> {
        Self::of_folders(settings, &settings.data, &settings.common.out_path(name))
    }

    pub(crate) fn of_folders(settings: &Settings, data: &[PathBuf], out: &Path) -> Result<Self> {
        let (device, group) = settings.parallel.meet(&settings.training.device)?;
        let (dcnn, protocol) = network(settings);
        let vgg = match settings.weights {
            Some(_) => Protocol::transfer(),
            None => protocol.with_learning_rate(3e-4),
        };
        let vgg = adapted(vgg, settings);
        let side = if settings.common.quick { SIDE / 2 } else { SIDE };
        let cells = cells::open(settings, data, side)?;
        let dcnn = dcnn.with_classes(cells.classes.len()).with_seed(settings.common.seed);
        let mut common = settings.common.clone();
        common.out = Some(out.to_owned());
        let out = common.out_folder("", &["folds"])?;
        let pixels = if settings.paper { Some(1024) } else { settings.pixels };
        Ok(Self {
            settings: settings.clone(),
            cells,
            dcnn,
            protocol,
            vgg,
            pixels,
            device,
            group,
            out,
            frozen: OnceCell::new(),
        })
    }

    /// The class that sensitivity, precision and curves are about: the last one.
    pub(crate) fn positive(&self) -> (usize, &str) {
        let last = self.cells.classes.len() - 1;
        (last, &self.cells.classes[last])
    }

    /// What results depend on, but for the split.
    pub(crate) fn key(&self) -> String {
        let Settings { common, features, weights, .. } = &self.settings;
        let (seed, epochs) = (common.seed, common.epochs);
        format!(
            "{} {:?} {:?} {:?} {:?} {:?} {features:?} {weights:?} {seed} {epochs:?}{}",
            self.cells.fingerprint,
            self.cells.preparation,
            self.dcnn,
            self.protocol,
            self.vgg,
            self.pixels,
            self.settings.training.key()
        )
    }

    /// How a network is trained.
    pub(crate) fn protocol(&self, method: Method) -> &Protocol {
        if method == Method::Vgg { &self.vgg } else { &self.protocol }
    }

    /// Height and width of the images.
    pub(crate) fn side(&self) -> usize {
        self.cells.images.first().map_or(0, |image| image.dims().1)
    }

    /// Height and width of what VGG sees: it is trained whole on smaller images.
    pub(crate) fn vgg_side(&self) -> usize {
        if self.settings.weights.is_some() { self.side() } else { self.side().min(SIDE / 2) }
    }

    /// What frozen layers say of the images: computed once for all folds.
    pub(crate) fn frozen(&self, compute: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
        if let Some(known) = self.frozen.get() {
            return Ok(known.clone());
        }
        let features = compute()?;
        Ok(self.frozen.get_or_init(|| features).clone())
    }

    /// What a method truly is in this run.
    pub(crate) fn name(&self, method: Method) -> String {
        let features = match self.settings.features {
            FeatureChoice::Vgg if !method.is_network() => ", VGG's vectors",
            _ => "",
        };
        match (method, &self.settings.weights) {
            (Method::Vgg, None) => "VGG11/8, trained whole".to_owned(),
            _ => format!("{}{features}", method.name()),
        }
    }

    pub(crate) fn methods(&self) -> Vec<Method> {
        let wanted = &self.settings.methods;
        Method::ALL.into_iter().filter(|m| wanted.is_empty() || wanted.contains(m)).collect()
    }

    /// A part held out, and one that chooses epochs.
    pub(crate) fn holdout(&self) -> Result<Split> {
        let seed = self.settings.common.seed;
        let all = Splitter::new(&self.cells.labels).with_groups(&self.cells.groups)?;
        let parts = all.with_seed(seed).holdout(Fractions::new(0.7, 0.1, 0.2)?)?;
        Ok(Split { train: parts.train, validation: parts.validation, test: parts.test })
    }

    /// Folds of whole groups, each with an inner part that chooses epochs.
    pub(crate) fn splits(&self) -> Result<Vec<Split>> {
        let seed = self.settings.common.seed;
        let labels = &self.cells.labels;
        let all = Splitter::new(labels).with_groups(&self.cells.groups)?.with_seed(seed);
        let inner = Fractions::new(0.85, 0.15, 0.)?;
        let folds = all.k_fold(self.settings.folds)?.into_iter().enumerate();
        folds
            .map(|(n, fold)| {
                let rest = all.within(&fold.train)?.with_seed(seed.wrapping_add(1 + n as u64));
                let parts = rest.holdout(inner)?;
                Ok(Split { train: parts.train, validation: parts.validation, test: fold.test })
            })
            .collect()
    }
}

/// The small network and how it is trained.
fn network(settings: &Settings) -> (DcnnConfig, Protocol) {
    let literal = settings.paper || settings.network == NetworkChoice::Literal;
    let small = settings.data.is_empty() || settings.common.quick;
    let (config, protocol) = match (settings.paper, literal, small) {
        (true, ..) => (DcnnConfig::paper_literal(), Protocol::paper()),
        (false, true, _) => (DcnnConfig::paper_literal(), Protocol::practical()),
        (false, false, true) => (
            DcnnConfig::tiny(),
            Protocol::practical().with_learning_rate(2e-3).with_iterations(800),
        ),
        (false, false, false) => (DcnnConfig::practical(), Protocol::practical()),
    };
    (config, adapted(protocol, settings))
}

/// With what the command line says.
fn adapted(mut protocol: Protocol, settings: &Settings) -> Protocol {
    if settings.common.quick {
        protocol = protocol.with_iterations(30);
    }
    let training = &settings.training;
    protocol.batch_size = training.batch_size.unwrap_or(protocol.batch_size);
    protocol.learning_rate = training.learning_rate.unwrap_or(protocol.learning_rate);
    protocol
}
