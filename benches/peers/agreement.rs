//! Whether two ways of doing the same work give the same.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use ocellus::candle::{DType, Tensor};
use ocellus_benches::Precision;

/// Above this, two results are not of the same work. Outputs differ by about 1e-6. Gradients through
/// many ReLUs, poolings and batch norms differ by up to 1e-2: where a value is nearly 0 or two nearly
/// tie, rounding decides which way a gradient takes (PyTorch's two layouts are as far from f64).
const TOLERANCE: f64 = 5e-2;

/// The tolerance where products are computed with so many bits. The fewer they are, the more often
/// rounding decides; the gradients of the first layers then have little more than their direction.
pub(crate) fn tolerance(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => TOLERANCE,
        Precision::Tf32 => 4. * TOLERANCE,
        Precision::Bf16 => 16. * TOLERANCE,
    }
}

type Tensors = HashMap<String, Tensor>;

/// The largest difference over all tensors, each as root mean square, relative to that of the
/// expected tensor. One that is nearly 0, as the gradient of a bias before batch normalization,
/// counts as a thousandth of the largest.
pub(crate) fn difference(actual: &Tensors, expected: &Tensors) -> Result<f64> {
    let mut largest = 0f64;
    let mut pairs = Vec::new();
    for (name, e) in expected {
        let a = actual.get(name).with_context(|| format!("the peer gives no `{name}`"))?;
        let (shape, theirs) = (e.dims(), a.dims());
        ensure!(shape == theirs, "`{name}` is {shape:?} here and {theirs:?} there");
        let size = root_mean_square(e)?;
        largest = largest.max(size);
        pairs.push((root_mean_square(&(a.to_dtype(DType::F32)? - e)?)?, size));
    }
    ensure!(largest > 0. && largest.is_finite(), "ours is {largest} everywhere");
    let relative = |(difference, size): (f64, f64)| difference / size.max(1e-3 * largest);
    // `f64::max` would pass over what is not a number.
    let larger = |a: f64, b: f64| if a.is_nan() || a > b { a } else { b };
    Ok(pairs.into_iter().map(relative).fold(0., larger))
}

fn root_mean_square(x: &Tensor) -> Result<f64> {
    Ok(f64::from(x.sqr()?.mean_all()?.to_scalar::<f32>()?).sqrt())
}

#[cfg(test)]
mod tests {
    use ocellus::candle::Device;

    use super::*;

    fn tensors(values: &[(&str, [f32; 2])]) -> Result<Tensors> {
        let tensor = |(name, values): &(&str, [f32; 2])| {
            Ok(((*name).to_owned(), Tensor::new(values, &Device::Cpu)?))
        };
        values.iter().map(tensor).collect()
    }

    #[test]
    fn the_largest_relative_difference_counts() -> Result<()> {
        let expected = tensors(&[("a", [3., 4.]), ("b", [0.3, 0.4]), ("zero", [1e-9, 0.])])?;
        assert!(difference(&expected, &expected)? == 0.);
        let mut actual = expected.clone();
        actual.extend(tensors(&[("b", [0.3, 0.9]), ("zero", [0., 1e-9])])?);
        assert!((difference(&actual, &expected)? - 1.).abs() < 1e-5);
        Ok(())
    }

    #[test]
    fn what_is_not_a_number_is_not_passed_over() -> Result<()> {
        let expected = tensors(&[("a", [3., 4.]), ("b", [1., 2.])])?;
        for name in ["a", "b"] {
            let mut actual = expected.clone();
            actual.extend(tensors(&[(name, [f32::NAN, 4.])])?);
            assert!(difference(&actual, &expected)?.is_nan());
        }
        assert!(difference(&expected, &tensors(&[("a", [0., 0.])])?).is_err());
        Ok(())
    }

    #[test]
    fn rejects_other_shapes_and_names() -> Result<()> {
        let expected = tensors(&[("a", [3., 4.])])?;
        assert!(difference(&Tensors::new(), &expected).is_err());
        let other = HashMap::from([("a".to_owned(), Tensor::new(1f32, &Device::Cpu)?)]);
        assert!(difference(&other, &expected).is_err());
        Ok(())
    }
}
