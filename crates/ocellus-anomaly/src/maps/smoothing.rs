use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::{Error, Result, State, on_cpu::values};

/// Gaussian smoothing of maps.
///
/// ```text
/// y = g ∗ x along rows and columns,  g[i] = exp(−i² / (2 σ²)) / Σ,  |i| ≤ ⌊4 σ + ½⌋
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Smoothing {
    /// None.
    None,
    /// Mirrored beyond the edge without repeating it (`c b a b c`): anomalib's, with 2 ⌊4 σ + ½⌋ + 1
    /// taps. A map that is smaller than that is mirrored again.
    Reflected {
        /// The standard deviation in pixels.
        sigma: f64,
    },
    /// Mirrored beyond the edge with the edge repeated (`b a a b`): SciPy's `gaussian_filter` with
    /// its `truncate` of 4.
    Scipy {
        /// The standard deviation in pixels.
        sigma: f64,
    },
}

impl Smoothing {
    /// Smooths maps `(batch, channels, height, width)`.
    ///
    /// # Errors
    ///
    /// If σ is no positive number.
    pub fn apply(self, maps: &Tensor) -> Result<Tensor> {
        let (sigma, repeat) = match self {
            Self::None => return Ok(maps.clone()),
            Self::Reflected { sigma } => (sigma, false),
            Self::Scipy { sigma } => (sigma, true),
        };
        if !(sigma > 0. && sigma <= 1e4) {
            return Err(Error::Setting(format!(
                "smoothing by σ = {sigma}: give a positive number of pixels, or `Smoothing::None`"
            )));
        }
        let (_, _, height, width) = maps.dims4()?;
        let mut values = values(maps)?;
        let weights = gaussian(sigma);
        values.par_chunks_mut((height * width).max(1)).for_each(|plane| {
            smooth(plane, width, &weights, repeat);
        });
        let smoothed = Tensor::from_vec(values, maps.shape(), &Device::Cpu)?;
        Ok(smoothed.to_device(maps.device())?.to_dtype(maps.dtype())?)
    }

    pub(super) fn save(self, state: &mut State) {
        let (name, sigma) = match self {
            Self::None => ("none", 0.),
            Self::Reflected { sigma } => ("reflected", sigma),
            Self::Scipy { sigma } => ("scipy", sigma),
        };
        state.set("smoothing", name);
        state.set("sigma", sigma);
    }

    pub(super) fn restore(state: &State) -> Result<Self> {
        let (name, sigma): (String, f64) = (state.get("smoothing")?, state.get("sigma")?);
        match name.as_str() {
            "none" => Ok(Self::None),
            "reflected" => Ok(Self::Reflected { sigma }),
            "scipy" => Ok(Self::Scipy { sigma }),
            _ => Err(Error::Value(format!("has `{name}` as its `smoothing`"))),
        }
    }
}

/// The weights at 0, ±1, …, summing to 1.
fn gaussian(sigma: f64) -> Vec<f32> {
    let radius = (4. * sigma + 0.5) as usize;
    let at = |i: usize| (-0.5 * (i as f64 / sigma).powi(2)).exp();
    let sum: f64 = 1. + 2. * (1..=radius).map(at).sum::<f64>();
    (0..=radius).map(|i| (at(i) / sum) as f32).collect()
}

fn smooth(plane: &mut [f32], width: usize, weights: &[f32], repeat: bool) {
    let height = plane.len() / width.max(1);
    let rows: Vec<f32> =
        plane.chunks(width).flat_map(|row| smooth_row(row, weights, repeat)).collect();
    for (i, out) in plane.chunks_mut(width).enumerate() {
        out.fill(0.);
        let mut add = |row: usize, weight: f32| {
            for (y, x) in out.iter_mut().zip(&rows[row * width..][..width]) {
                *y += weight * x;
            }
        };
        add(i, weights[0]);
        for (distance, &weight) in weights.iter().enumerate().skip(1) {
            add(mirrored(i as isize - distance as isize, height, repeat), weight);
            add(mirrored((i + distance) as isize, height, repeat), weight);
        }
    }
}

fn smooth_row(row: &[f32], weights: &[f32], repeat: bool) -> Vec<f32> {
    let radius = weights.len() - 1;
    let beyond = |i: usize| row[mirrored(i as isize - radius as isize, row.len(), repeat)];
    let padded: Vec<f32> = (0..row.len() + 2 * radius).map(beyond).collect();
    let mut out: Vec<f32> = row.iter().map(|x| weights[0] * x).collect();
    for (distance, &weight) in weights.iter().enumerate().skip(1) {
        let (left, right) = (&padded[radius - distance..], &padded[radius + distance..]);
        for ((y, a), b) in out.iter_mut().zip(left).zip(right) {
            *y += weight * (a + b);
        }
    }
    out
}

/// The index that one beyond the edges stands for.
fn mirrored(i: isize, len: usize, repeat: bool) -> usize {
    let len = len as isize;
    if len == 1 {
        return 0;
    }
    let (period, shift) = if repeat { (2 * len, 1) } else { (2 * len - 2, 0) };
    let i = i.rem_euclid(period);
    (if i < len { i } else { period - shift - i }) as usize
}

#[cfg(test)]
mod tests {
    use candle_core::DType;
    use ocellus_testing::{Golden, assert_close, fill, with_threads};

    use super::*;

    #[test]
    fn mirrors_with_and_without_the_edge() {
        let places = |repeat| (-3..7).map(|i| mirrored(i, 4, repeat)).collect::<Vec<_>>();
        assert_eq!(places(false), [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]);
        assert_eq!(places(true), [2, 1, 0, 0, 1, 2, 3, 3, 2, 1]);
        assert_eq!(mirrored(-30, 1, false), 0);
    }

    #[test]
    fn matches_anomalib_and_scipy() -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "smoothing")?;
        let x = golden.get("input")?;
        for (name, smoothing) in [
            ("anomalib_4", Smoothing::Reflected { sigma: 4. }),
            ("anomalib_1", Smoothing::Reflected { sigma: 1. }),
            ("scipy_4", Smoothing::Scipy { sigma: 4. }),
            ("scipy_8", Smoothing::Scipy { sigma: 8. }),
        ] {
            assert_close(&smoothing.apply(x)?, golden.get(name)?, 2e-6)?;
        }
        Ok(())
    }

    #[test]
    fn a_constant_stays_and_threads_change_nothing() -> Result<()> {
        for smoothing in [Smoothing::Reflected { sigma: 2.5 }, Smoothing::Scipy { sigma: 2.5 }] {
            for (height, width) in [(1, 1), (1, 5), (3, 40), (33, 2)] {
                let ones = Tensor::ones((2, 1, height, width), DType::F32, &Device::Cpu)?;
                assert_close(&smoothing.apply(&ones)?, &ones, 1e-6)?;
            }
            let x = fill((5, 1, 31, 27), 0.3, DType::F32)?;
            let bits = |threads| {
                with_threads(threads, || -> Result<Vec<f32>> {
                    Ok(smoothing.apply(&x)?.flatten_all()?.to_vec1()?)
                })
            };
            assert_eq!(bits(1)?, bits(3)?);
        }
        Ok(())
    }

    #[test]
    fn rejects_a_sigma_that_is_no_width() -> Result<()> {
        let x = fill((1, 1, 4, 4), 0., DType::F32)?;
        for sigma in [0., -1., f64::NAN, f64::INFINITY] {
            assert!(Smoothing::Reflected { sigma }.apply(&x).is_err(), "{sigma}");
        }
        Ok(())
    }
}
