//! Anomaly detectors as modules.

use std::{cell::RefCell, rc::Rc};

use ocellus::anomaly::{ChannelSelection, FeatureModel, FitFeatures, Padim, PadimModel};
use ocellus::candle::{Result, Tensor};

use crate::module::Forward;

/// Features of normal images to means.
pub(crate) fn padim_fit() -> Forward {
    Rc::new(|x, _| Ok(vec![padim(&x[0])?.mean()?]))
}

/// Features of images, and of normal ones that a model is fitted on the first time, to distances.
pub(crate) fn padim_score() -> Forward {
    let fitted: RefCell<Option<PadimModel>> = RefCell::default();
    Rc::new(move |x, _| {
        let mut fitted = fitted.borrow_mut();
        let model = match &*fitted {
            Some(model) => model,
            None => fitted.insert(padim(&x[1])?),
        };
        let evidence = model.evidence(&x[..1])?;
        Ok(evidence.scales.into_iter().filter_map(|scale| scale.distance).collect())
    })
}

fn padim(features: &Tensor) -> Result<PadimModel> {
    let channels = features.dim(1)?;
    let all = ChannelSelection::Given((0..channels).collect());
    let settings = Padim::anomalib(channels, 0).with_selection(all);
    Ok(settings.fit(&vec![vec![features.clone()]])?)
}
