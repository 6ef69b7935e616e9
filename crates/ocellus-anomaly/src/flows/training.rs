use candle_core::{Device, Tensor};
use ocellus_train::BoxError;

use crate::{Error, FeatureSource, Result, model::check_features};

/// Channels, height and width at each scale of what comes first.
pub(super) type Sizes = Vec<(usize, usize, usize)>;

/// The sizes of the features, and the device that they are on.
pub(super) fn sizes_and_device(features: &dyn FeatureSource) -> Result<(Sizes, Device)> {
    let Some(batch) = features.pass(0)?.next() else {
        return Err(Error::Value("no image to fit on: give normal ones".to_owned()));
    };
    let batch = batch?;
    check_features(&batch, &[])?;
    let size = |x: &Tensor| -> Result<_> {
        let (_, channels, height, width) = x.dims4()?;
        Ok((channels, height, width))
    };
    let device = batch.first().map_or(Device::Cpu, |x| x.device().clone());
    Ok((batch.iter().map(size).collect::<Result<_>>()?, device))
}

/// The batches of a pass, each checked against what came first.
pub(super) fn checked<'a>(
    features: &'a dyn FeatureSource,
    scales: &'a [(usize, usize, usize)],
    epoch: usize,
) -> Result<impl Iterator<Item = Result<Vec<Tensor>, BoxError>> + 'a, BoxError> {
    let batches = features.pass(epoch as u64)?;
    Ok(batches.map(move |batch| {
        let batch = batch?;
        check_features(&batch, scales)?;
        Ok(batch)
    }))
}

/// What a closure of ours returned comes back as it was.
pub(super) fn unwrapped(error: ocellus_train::Error) -> Error {
    match error {
        ocellus_train::Error::Closure { source, .. } => match source.downcast::<Error>() {
            Ok(error) => *error,
            Err(source) => Error::Source(source),
        },
        ocellus_train::Error::Tensor(error) => Error::Tensor(error),
        error => Error::Training(error),
    }
}
