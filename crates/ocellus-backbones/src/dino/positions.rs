//! Positions of patches, for images of any size.

use candle_core::{DType, Device, Result, Tensor};

/// PyTorch's coefficient of cubic interpolation.
const A: f64 = -0.75;

/// Resizes positions `(1, side · side, width)` to `(1, height · width, width)`, bicubically as
/// PyTorch's `interpolate` with the factor (height + 0.1) / side, which is the authors' way.
pub(super) fn resize(
    positions: &Tensor,
    side: usize,
    (height, width): (usize, usize),
) -> Result<Tensor> {
    if (height, width) == (side, side) {
        return Ok(positions.clone());
    }
    let channels = positions.dim(2)?;
    let values = positions.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
    let values = values.flatten_all()?.to_vec1::<f32>()?;
    let (rows, columns) = (taps(side, height), taps(side, width));
    let mut out = Vec::with_capacity(height * width * channels);
    for row in &rows {
        for column in &columns {
            let mut sums = vec![0f64; channels];
            for (y, wy) in row {
                for (x, wx) in column {
                    let place = (y * side + x) * channels;
                    for (sum, value) in sums.iter_mut().zip(&values[place..place + channels]) {
                        *sum += wy * wx * f64::from(*value);
                    }
                }
            }
            out.extend(sums.iter().map(|sum| *sum as f32));
        }
    }
    let out = Tensor::from_vec(out, (1, height * width, channels), &Device::Cpu)?;
    out.to_device(positions.device())?.to_dtype(positions.dtype())
}

/// For each of `size` places the four of `side` that it is made of, with their weights.
fn taps(side: usize, size: usize) -> Vec<[(usize, f64); 4]> {
    let scale = side as f64 / (size as f64 + 0.1);
    let last = side as f64 - 1.;
    let tap = |i: usize| {
        let place = (i as f64 + 0.5) * scale - 0.5;
        let (floor, t) = (place.floor(), place - place.floor());
        let weights = [outer(1. + t), inner(t), inner(1. - t), outer(2. - t)];
        let at = |k: usize| ((floor + k as f64 - 1.).clamp(0., last) as usize, weights[k]);
        [at(0), at(1), at(2), at(3)]
    };
    (0..size).map(tap).collect()
}

/// The weight of a neighbor at a distance of at most 1.
fn inner(x: f64) -> f64 {
    ((A + 2.) * x - (A + 3.)) * x * x + 1.
}

/// The weight of a neighbor at a distance of 1 to 2.
fn outer(x: f64) -> f64 {
    ((A * x - 5. * A) * x + 8. * A) * x - 4. * A
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_a_place_add_up_to_one() {
        for (side, size) in [(37, 16), (5, 9), (1, 3), (4, 4)] {
            for tap in taps(side, size) {
                assert!((tap.iter().map(|(_, w)| w).sum::<f64>() - 1.).abs() < 1e-12);
                assert!(tap.iter().all(|(place, _)| *place < side));
            }
        }
    }

    #[test]
    fn constant_positions_stay_what_they_are() -> Result<()> {
        let x = Tensor::full(0.5f32, (1, 25, 3), &Device::Cpu)?;
        let y = resize(&x, 5, (4, 7))?;
        assert_eq!(y.dims(), [1, 28, 3]);
        for value in y.flatten_all()?.to_vec1::<f32>()? {
            assert!((value - 0.5).abs() < 1e-6);
        }
        Ok(())
    }
}
