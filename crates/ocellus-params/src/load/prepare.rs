use candle_core::{DType, Device, Tensor};

use super::{LoadConfig, ReshapeOutcome, Reshaped, inflate_stem};
use crate::{Error, Result, WeightFile, element::non_finite};

/// A tensor of the file, fitted to a weight of the model.
#[derive(Debug)]
pub(crate) enum Prepared {
    Ready(Tensor, Option<Reshaped>),
    OtherShape(Reshaped),
}

/// The weight that asks: its name, and what it must become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) shape: &'a [usize],
    pub(crate) dtype: DType,
    pub(crate) device: &'a Device,
}

/// Reads `source` for the weight `wanted`.
pub(crate) fn prepare(
    file: &WeightFile,
    source: &str,
    wanted: Wanted,
    config: &LoadConfig,
) -> Result<Prepared> {
    let Some(shape) = file.shape(source) else {
        file.tensor(source)?; // Says why it cannot be read.
        return Err(Error::InvalidSetting(format!("`{source}` cannot be read")));
    };
    let reshaped = (shape != wanted.shape).then(|| Reshaped {
        name: wanted.name.to_owned(),
        file: shape.to_vec(),
        model: wanted.shape.to_vec(),
        outcome: outcome(shape, wanted, config),
    });
    let tensor = match &reshaped {
        Some(reshaped) if reshaped.outcome == ReshapeOutcome::Skipped => {
            return Ok(Prepared::OtherShape(reshaped.clone()));
        }
        Some(Reshaped { outcome: ReshapeOutcome::Inflated, .. }) => {
            inflate_stem(&file.tensor(source)?, wanted.shape[1])?
        }
        _ => file.tensor(source)?.reshape(wanted.shape)?,
    };
    let tensor = tensor.to_dtype(wanted.dtype)?;
    if !config.allow_non_finite {
        check_finite(file, source, &tensor)?;
    }
    Ok(Prepared::Ready(tensor.to_device(wanted.device)?, reshaped))
}

fn outcome(shape: &[usize], wanted: Wanted, config: &LoadConfig) -> ReshapeOutcome {
    if config.inflate_stem.as_deref() == Some(wanted.name)
        && let (&[out, inputs, height, width], &[o, channels, h, w]) = (shape, wanted.shape)
        && (out, height, width) == (o, h, w)
        && (inputs == 3 || channels == 1)
    {
        return ReshapeOutcome::Inflated;
    }
    let same_count = shape.iter().product::<usize>() == wanted.shape.iter().product::<usize>();
    let ranks = (shape.len(), wanted.shape.len());
    if config.flatten
        && same_count
        && shape.first() == wanted.shape.first()
        && matches!(ranks, (2, 4) | (4, 2))
    {
        return ReshapeOutcome::Flattened;
    }
    ReshapeOutcome::Skipped
}

fn check_finite(file: &WeightFile, source: &str, tensor: &Tensor) -> Result<()> {
    match non_finite(tensor)? {
        None => Ok(()),
        Some((count, first)) => Err(Error::NotFinite {
            path: file.path().to_path_buf(),
            name: source.to_owned(),
            dtype: tensor.dtype(),
            count,
            of: tensor.elem_count(),
            first,
        }),
    }
}
