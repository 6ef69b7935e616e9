use candle_core::{Result, Shape, Tensor, bail};

use crate::cpu::{Float, UnaryKernel};
use crate::parallel::{GRAIN, pieces};
use crate::run::{require_float, run};

/// Sets a random share of the elements to zero and scales the others up (inverted dropout).
///
/// ```text
/// yᵢ = xᵢ / (1 − p)  where hash(seed, i) ≥ p,  else 0
/// ```
///
/// Whether an element is kept depends on `seed` and on its row-major index alone: not on threads,
/// device, precision or memory layout. The backward pass computes the mask again, none is stored.
///
/// # Shapes
///
/// - input and output: any
///
/// # Parameters
///
/// - `probability`: of an element to be dropped, 0 to 1; 0 returns `x`, 1 zeros.
/// - `seed`: another seed is another mask; two calls with one seed drop the same elements.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_ops::dropout;
///
/// let x = Tensor::ones(1000, DType::F32, &Device::Cpu)?;
/// let y = dropout(&x, 0.25, 7)?.to_vec1::<f32>()?;
/// assert!(y.iter().all(|&v| v == 0. || v == 1. / 0.75));
/// assert_eq!(y, dropout(&x, 0.25, 7)?.to_vec1::<f32>()?);
/// assert_ne!(y, dropout(&x, 0.25, 8)?.to_vec1::<f32>()?);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If `probability` is not within 0 to 1, or `x` is of an integer type.
pub fn dropout(x: &Tensor, probability: f64, seed: u64) -> Result<Tensor> {
    dropout_slice(x, probability, seed, 0)
}

/// As [`dropout`] does with the elements of a larger tensor from `first` on, where `x` is a part of that:
/// the parts of a batch that several devices have lose the elements that the whole batch would.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_ops::{dropout, dropout_slice};
///
/// let x = Tensor::ones((5, 7), DType::F32, &Device::Cpu)?;
/// let whole = dropout(&x, 0.5, 3)?;
/// let rows = dropout_slice(&x.narrow(0, 3, 2)?, 0.5, 3, 3 * 7)?;
/// assert_eq!(rows.to_vec2::<f32>()?, whole.narrow(0, 3, 2)?.to_vec2::<f32>()?);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// As of [`dropout`].
pub fn dropout_slice(x: &Tensor, probability: f64, seed: u64, first: usize) -> Result<Tensor> {
    if !(0. ..=1.).contains(&probability) {
        bail!("dropout: the probability {probability} is not within 0 to 1")
    }
    require_float("dropout", x)?;
    if probability == 0. {
        return Ok(x.clone());
    }
    let mask = Dropout::new(probability, seed, first);
    run(x, mask, |x| composed(x, &mask))
}

#[derive(Clone, Copy)]
pub(crate) struct Dropout {
    pub(crate) key: u64,
    /// An element is kept if its 32 random bits are at least this.
    pub(crate) threshold: u64,
    /// What a kept element is multiplied by.
    pub(crate) scale: f64,
    /// The index of the first element in all.
    pub(crate) first: usize,
}

impl Dropout {
    fn new(probability: f64, seed: u64, first: usize) -> Self {
        let scale = if probability < 1. { 1. / (1. - probability) } else { 0. };
        let threshold = (probability * 2f64.powi(32)).round() as u64;
        Self { key: mix(seed.wrapping_add(GOLDEN)), threshold, scale, first }
    }

    /// Whether the two elements from `2 · pair` on are kept: one hash serves both.
    fn keeps(&self, pair: usize) -> [bool; 2] {
        let hash = mix(self.key.wrapping_add((pair as u64).wrapping_mul(GOLDEN)));
        [hash & 0xffff_ffff, hash >> 32].map(|bits| bits >= self.threshold)
    }

    fn mask<T: Float>(&self, x: &[T]) -> Vec<T> {
        // A table, not a choice: a branch on random bits is predicted wrongly half the time.
        let factors = [T::zero(), T::from_f64(self.scale)];
        let mut y = vec![T::zero(); x.len()];
        pieces(&mut y, GRAIN, |block, y| {
            let (x, first) = (&x[block * GRAIN..], self.first + block * GRAIN);
            // The second of a pair whose first is not there.
            let lone = first % 2;
            if lone == 1 {
                y[0] = x[0] * factors[usize::from(self.keeps(first / 2)[1])];
            }
            let pairs = y[lone..].chunks_mut(2).zip(x[lone..].chunks(2));
            for (pair, (y, x)) in pairs.enumerate() {
                let kept = self.keeps(first.div_ceil(2) + pair);
                for ((y, &x), kept) in y.iter_mut().zip(x).zip(kept) {
                    *y = x * factors[usize::from(kept)];
                }
            }
        });
        y
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of `SplitMix64`: a bijection whose bits all depend on all bits of `z`.
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl UnaryKernel for Dropout {
    const NAME: &'static str = "dropout";

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        Ok((self.mask(x), dims.into()))
    }

    fn backward<T: Float>(&self, _: &[T], _: &[T], gradient: &[T], _: &[usize]) -> Result<Vec<T>> {
        Ok(self.mask(gradient))
    }
}

/// The same mask, made on the CPU and sent to the device of `x`.
fn composed(x: &Tensor, mask: &Dropout) -> Result<Tensor> {
    let factors = mask.mask(&vec![1f64; x.elem_count()]);
    x * Tensor::from_vec(factors, x.shape(), x.device())?.to_dtype(x.dtype())?
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{assert_close, fill};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{BOTH, all, check_both};
    use crate::with_implementation;

    #[test]
    fn passes_the_suite() -> Result<()> {
        let x = fill((3, 5, 7), 0.3, DType::F64)?;
        check_both(|x| dropout(&x[0], 0.4, 11), &[x])
    }

    #[test]
    fn every_implementation_drops_the_same_elements() -> Result<()> {
        let x = fill((7, 11_111), 0.3, DType::F32)?;
        let [a, b] = BOTH.map(|i| with_implementation(i, || dropout(&x, 0.3, 5)));
        assert_close(&a?, &b?, 0.)
    }

    #[test]
    fn a_slice_loses_what_the_whole_does_wherever_it_begins() -> Result<()> {
        let x = fill(3 * GRAIN, 0.3, DType::F32)?;
        let whole = dropout(&x, 0.4, 5)?;
        for implementation in all() {
            for (first, len) in [(0, 7), (1, 1), (1, GRAIN + 2), (GRAIN - 1, 5), (6, 2 * GRAIN)] {
                let part = x.narrow(0, first, len)?;
                let part =
                    with_implementation(implementation, || dropout_slice(&part, 0.4, 5, first))?;
                assert_close(&part, &whole.narrow(0, first, len)?, 0.)?;
            }
        }
        Ok(())
    }

    #[test]
    fn certain_dropout_gives_zeros_and_none_the_input() -> Result<()> {
        let x = Tensor::new(&[1f32, -2.], &Device::Cpu)?;
        for implementation in all() {
            with_implementation(implementation, || {
                assert_eq!(dropout(&x, 1., 0)?.to_vec1::<f32>()?, [0., 0.]);
                assert_eq!(dropout(&x, 0., 0)?.to_vec1::<f32>()?, [1., -2.]);
                Ok::<_, candle_core::Error>(())
            })?;
        }
        Ok(())
    }

    #[test]
    fn neighboring_seeds_give_independent_masks() {
        let (a, b) = (Dropout::new(0.5, 41, 0), Dropout::new(0.5, 42, 0));
        let n = 50_000;
        let bits = |mask: Dropout| -> Vec<bool> { (0..n).flat_map(|i| mask.keeps(i)).collect() };
        let (a, b) = (bits(a), bits(b));
        for shift in 0..4 {
            let agree = a[shift..].iter().zip(&b).filter(|(a, b)| a == b).count();
            let share = agree as f64 / (a.len() - shift) as f64;
            assert!((share - 0.5).abs() < 0.01, "{share} agree at shift {shift}");
        }
    }

    #[test]
    fn rejects_a_probability_that_is_none() -> Result<()> {
        let x = Tensor::zeros(2, DType::F32, &Device::Cpu)?;
        for bad in [-0.1, 1.5, f64::NAN] {
            let message = dropout(&x, bad, 0).unwrap_err().to_string();
            assert!(message.contains(&format!("{bad} is not within 0 to 1")), "{message}");
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn keeps_the_expected_share_and_the_mean(p in 0.05f64..0.95, seed: u64) {
            let n = 40_000;
            let x = Tensor::ones(n, DType::F64, &Device::Cpu).unwrap();
            let y = dropout(&x, p, seed).unwrap().to_vec1::<f64>().unwrap();
            let kept = y.iter().filter(|&&v| v > 0.).count() as f64 / n as f64;
            let deviation = (p * (1. - p) / n as f64).sqrt();
            prop_assert!((kept - (1. - p)).abs() < 5. * deviation, "{kept} kept at p = {p}");
            let mean = y.iter().sum::<f64>() / n as f64;
            prop_assert!((mean - 1.).abs() < 5. * deviation / (1. - p), "mean {mean}");
        }
    }
}
