use candle_core::{DType, Device, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};
use ocellus_ops::{Conv2dConfig, concat, conv2d};

use super::Mixing;
use super::rotation::{is_orthogonal, rotation_of};

/// How a block mixes its channels: buffers of the weights, saved and loaded with them.
#[derive(Clone, Debug)]
pub(crate) enum Mixer {
    /// Sort keys: output channel i is the channel with the i-th smallest key. Keys can be drawn as
    /// weights are, from seed and name, where a permutation could not.
    Hard(Tensor),
    /// The matrix of a rotation.
    Soft(Tensor),
}

impl Mixer {
    pub(crate) fn new(mixing: Mixing, channels: usize, vb: &VarBuilder) -> Result<Self> {
        match mixing {
            Mixing::Hard => {
                let keys = Init::Uniform { lo: 0., up: 1. };
                Ok(Self::Hard(vb.get_with_hints(channels, "permutation", keys)?))
            }
            Mixing::Soft => {
                let gaussian = Init::Randn { mean: 0., stdev: 1. };
                let matrix = vb.get_with_hints((channels, channels), "rotation", gaussian)?;
                make_rotation(&matrix, channels)?;
                Ok(Self::Soft(matrix.detach()))
            }
        }
    }

    /// The permutation, if it is one.
    pub(crate) fn permutation(&self) -> Result<Option<Vec<u32>>> {
        let Self::Hard(keys) = self else { return Ok(None) };
        let keys = keys.to_dtype(DType::F64)?.to_device(&Device::Cpu)?.to_vec1::<f64>()?;
        let mut order: Vec<u32> = (0..keys.len() as u32).collect();
        order.sort_by(|&i, &j| keys[i as usize].total_cmp(&keys[j as usize]));
        Ok(Some(order))
    }

    /// Rotates the channels of a state, whose last one stays.
    pub(crate) fn mix_state(&self, state: &Tensor) -> Result<Tensor> {
        let Self::Soft(matrix) = self else { return Ok(state.clone()) };
        let channels = matrix.dim(0)?;
        let rotated =
            conv2d(&state.narrow(1, 0, channels)?, matrix, None, &Conv2dConfig::default())?;
        concat(&rotated, &state.narrow(1, channels, 1)?, 1)
    }

    /// Undoes the mixing of plain channels.
    pub(crate) fn unmix(&self, y: &Tensor) -> Result<Tensor> {
        if let Self::Soft(matrix) = self {
            return conv2d(y, &matrix.t()?.contiguous()?, None, &Conv2dConfig::default());
        }
        let Some(order) = self.permutation()? else { return Ok(y.clone()) };
        let mut places = vec![0u32; order.len()];
        for (place, &channel) in (0..).zip(&order) {
            places[channel as usize] = place;
        }
        y.contiguous()?.index_select(&Tensor::new(places, y.device())?, 1)
    }
}

/// Sort keys that give a permutation: `order[i]` is the channel at place i.
pub(crate) fn keys_of(order: &[u32]) -> Result<Tensor> {
    let mut keys = vec![f32::NAN; order.len()];
    for (place, &channel) in order.iter().enumerate() {
        match keys.get_mut(channel as usize) {
            Some(key) if key.is_nan() => *key = place as f32,
            _ => bail!("{channel} is out of place in a permutation of {}", order.len()),
        }
    }
    Tensor::new(keys, &Device::Cpu)
}

/// Turns a freshly drawn Gaussian matrix into a rotation, in its own memory; leaves a rotation.
fn make_rotation(matrix: &Tensor, n: usize) -> Result<()> {
    let plain = matrix.detach();
    let on_cpu = plain.to_dtype(DType::F64)?.to_device(&Device::Cpu)?;
    let values = on_cpu.flatten_all()?.to_vec1::<f64>()?;
    // A builder that only counts parameters gives zeros, and no memory of its own.
    if is_orthogonal(&values, n) || values.iter().all(|&v| v == 0.) {
        return Ok(());
    }
    let rotation = Tensor::from_vec(rotation_of(&values, n), (n, n), &Device::Cpu)?;
    let rotation = rotation.to_dtype(plain.dtype())?.to_device(plain.device())?;
    plain.slice_set(&rotation, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_give_back_the_permutation_they_came_from() -> Result<()> {
        let order = vec![3, 0, 4, 1, 2];
        let mixer = Mixer::Hard(keys_of(&order)?);
        assert_eq!(mixer.permutation()?, Some(order));
        assert!(keys_of(&[0, 2]).is_err() && keys_of(&[1, 1]).is_err());
        Ok(())
    }
}
