use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use candle_nn::{
    Init,
    init::{FanInOut, NonLinearity, NormalOrUniform},
};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Draws a parameter from the seed and its own path, so that the draw depends neither on the order
/// in which layers are built nor on the device.
///
/// Values are drawn in f64 and rounded to `dtype` once.
pub(crate) fn draw(
    seed: u64,
    path: &str,
    shape: &Shape,
    init: Init,
    dtype: DType,
    device: &Device,
) -> Result<Var> {
    let mut rng = stream(seed, path);
    let values = match init {
        Init::Const(value) => vec![value; shape.elem_count()],
        Init::Uniform { lo, up } => uniform(&mut rng, lo, up, path, shape)?,
        Init::Randn { mean, stdev } => normal(&mut rng, mean, stdev, path, shape)?,
        Init::Kaiming { dist, fan, non_linearity } => {
            let stdev = kaiming_stdev(fan, non_linearity, shape);
            match dist {
                NormalOrUniform::Normal => normal(&mut rng, 0., stdev, path, shape)?,
                NormalOrUniform::Uniform => {
                    let bound = 3f64.sqrt() * stdev;
                    uniform(&mut rng, -bound, bound, path, shape)?
                }
            }
        }
    };
    let tensor = Tensor::from_vec(values, shape.clone(), &Device::Cpu)?.to_dtype(dtype)?;
    Var::from_tensor(&tensor.to_device(device)?)
}

/// The key of the cipher holds seed and path side by side: no two pairs share a stream by an
/// arithmetic accident, as they could with a sum or an exclusive or.
fn stream(seed: u64, path: &str) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&fnv1a(FNV_START, path.as_bytes()).to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

fn kaiming_stdev(fan: FanInOut, non_linearity: NonLinearity, shape: &Shape) -> f64 {
    non_linearity.gain() / (fan.for_shape(shape) as f64).sqrt()
}

/// `lo + (up − lo) · u` with `u` of 53 random bits in `[0, 1)`.
fn uniform(rng: &mut ChaCha8Rng, lo: f64, up: f64, path: &str, shape: &Shape) -> Result<Vec<f64>> {
    if !(lo <= up && lo.is_finite() && up.is_finite()) {
        bail!("cannot draw `{path}` from {lo} to {up}: give finite bounds in ascending order")
    }
    let unit = 1. / (1u64 << 53) as f64;
    let mut value = || lo + (up - lo) * ((rng.next_u64() >> 11) as f64 * unit);
    Ok((0..shape.elem_count()).map(|_| value()).collect())
}

fn normal(
    rng: &mut ChaCha8Rng,
    mean: f64,
    stdev: f64,
    path: &str,
    shape: &Shape,
) -> Result<Vec<f64>> {
    if !(mean.is_finite() && stdev.is_finite() && stdev >= 0.) {
        bail!("cannot draw `{path}` with mean {mean} and deviation {stdev}: give finite ones")
    }
    let mut value = || {
        let z: f64 = StandardNormal.sample(rng);
        mean + stdev * z
    };
    Ok((0..shape.elem_count()).map(|_| value()).collect())
}

pub(crate) const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, whose value for given bytes never changes (`std`'s hashers promise no such thing).
pub(crate) fn fnv1a(start: u64, bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(start, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(seed: u64, path: &str, count: usize, init: Init) -> Result<Vec<f64>> {
        draw(seed, path, &count.into(), init, DType::F64, &Device::Cpu)?.to_vec1()
    }

    #[test]
    fn draws_never_change() -> Result<()> {
        // Written down once: a change here changes every published seed.
        let uniform = values(42, "head.weight", 3, Init::Uniform { lo: -1., up: 1. })?;
        let normal = values(42, "head.weight", 3, Init::Randn { mean: 0., stdev: 1. })?;
        let bits: Vec<u64> = uniform.iter().chain(&normal).map(|v| v.to_bits()).collect();
        let written = [
            0xbfe4_7239_1137_5612,
            0x3f94_5697_9ed8_d640,
            0x3fbb_30b8_6276_a870,
            0xbff5_b6ce_4644_21e0,
            0x3f8f_d583_c099_65ca,
            0x3fd2_0e69_2923_42ec,
        ];
        assert_eq!(bits, written, "{bits:#018x?}");
        Ok(())
    }

    #[test]
    fn hashes_as_published() {
        // Vectors of the reference implementation, isthe.com/chongo/tech/comp/fnv.
        assert_eq!(fnv1a(FNV_START, b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(FNV_START, b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(FNV_START, b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn seed_and_path_both_matter() -> Result<()> {
        let init = Init::Uniform { lo: 0., up: 1. };
        let one = values(1, "a", 4, init)?;
        assert_eq!(one, values(1, "a", 4, init)?);
        assert_ne!(one, values(2, "a", 4, init)?);
        assert_ne!(one, values(1, "b", 4, init)?);
        Ok(())
    }

    #[test]
    fn rejects_bounds_that_are_no_interval() {
        let error = values(0, "w", 1, Init::Uniform { lo: 1., up: f64::NAN }).unwrap_err();
        assert!(error.to_string().contains("`w` from 1 to NaN"), "{error}");
        let error = values(0, "w", 1, Init::Randn { mean: 0., stdev: -1. }).unwrap_err();
        assert!(error.to_string().contains("deviation -1"), "{error}");
    }

    #[test]
    fn single_precision_is_the_rounded_double() -> Result<()> {
        let init = Init::Randn { mean: 0., stdev: 1. };
        let double = values(5, "w", 100, init)?;
        let single = draw(5, "w", &100.into(), init, DType::F32, &Device::Cpu)?.to_vec1::<f32>()?;
        assert!(double.iter().zip(single).all(|(&d, s)| d as f32 == s));
        Ok(())
    }
}
