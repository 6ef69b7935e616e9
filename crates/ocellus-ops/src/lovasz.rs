use std::sync::OnceLock;

use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::cpu::{Float, UnaryKernel, read, widened};
use crate::parallel::{map_indexed, sum, tasks, wide};
use crate::relu::relu;
use crate::run::{require_float, run};

/// The Lovász extension of the Jaccard loss, along the last dimension: a convex surrogate of
/// `1 − IoU` of a set of pixels, from the error at each.
///
/// ```text
/// L = Σₖ max(mₖ, 0) · gₖ,   gₖ = J({1 … k}) − J({1 … k − 1})                  [1], Alg. 1
/// J(M) = |M| / |truth ∪ M|:  1 − IoU if the pixels M are mispredicted
/// ```
///
/// with the errors m in descending order, equal ones in the order of their indices. The gradient by
/// mₖ is gₖ where mₖ > 0, else 0.
///
/// # Shapes
///
/// - `errors` and `truth`: `(…, n)`, the same; the truth is 1 or 0, or negative where nothing is to
///   be counted
/// - output: `(…)`
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::lovasz;
///
/// // At errors of 0 and 1 it is 1 − IoU: one pixel is found, one is missed, one is a false alarm.
/// let errors = Tensor::new(&[[0f64, 1., 1., 0.]], &Device::Cpu)?;
/// let truth = Tensor::new(&[[1f64, 1., 0., 0.]], &Device::Cpu)?;
/// let loss = lovasz(&errors, &truth)?.to_vec1::<f64>()?[0];
/// assert!((loss - (1. - 1. / 3.)).abs() < 1e-15);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the shapes differ or are empty, there are 2³² elements in a row, or `errors` is of an integer
/// type.
///
/// # Complexity
///
/// O(n log n) a row; rows, and parts of long ones, are sorted in parallel.
///
/// # References
///
/// 1. M. Berman et al. *The Lovász-Softmax loss: a tractable surrogate for the optimization of the
///    intersection-over-union measure in neural networks.* CVPR 2018.
///    <https://arxiv.org/abs/1705.08790>
pub fn lovasz(errors: &Tensor, truth: &Tensor) -> Result<Tensor> {
    require_float(Lovasz::NAME, errors)?;
    let (n, outer) = match (errors.dims().split_last(), errors.dims() == truth.dims()) {
        (Some((&n, outer)), true) if errors.elem_count() > 0 && u32::try_from(n).is_ok() => {
            (n, outer.to_vec())
        }
        _ => bail!(
            "lovasz: errors {:?} and truth {:?} must be of one shape (…, n) that is not empty, \
             with n below 2³²",
            errors.dims(),
            truth.dims()
        ),
    };
    let rows = errors.elem_count() / n;
    let losses = widened(&[errors], |errors| {
        let truth = truth.to_dtype(errors[0].dtype())?.detach().reshape((rows, n))?;
        let errors = errors[0].reshape((rows, n))?;
        let kernel = Lovasz::new(truth.clone());
        run(&errors, kernel, |errors| composed(errors, &truth))
    })?;
    losses.reshape(outer)
}

pub(crate) struct Lovasz {
    pub(crate) truth: Tensor,
    /// The gradients by the errors: the forward pass finds them, the backward pass takes them.
    slopes: OnceLock<Vec<f64>>,
    /// The same on a GPU.
    #[cfg(any(feature = "cuda", all(test, target_os = "linux")))]
    pub(crate) on_device: OnceLock<Tensor>,
}

impl Lovasz {
    fn new(truth: Tensor) -> Self {
        Self {
            truth,
            slopes: OnceLock::new(),
            #[cfg(any(feature = "cuda", all(test, target_os = "linux")))]
            on_device: OnceLock::new(),
        }
    }
}

impl UnaryKernel for Lovasz {
    const NAME: &'static str = "lovasz";

    fn forward<T: Float>(&self, errors: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        let truth = read::<T>(&self.truth)?;
        let n = dims[1];
        let slopes = self.slopes.get_or_init(|| slopes(errors, &truth, n));
        let losses = tasks(dims[0], n, |row| {
            let range = row * n..(row + 1) * n;
            let errors: Vec<f64> = errors[range.clone()].iter().map(|&e| wide(e)).collect();
            // A slope is zero where the error is not positive.
            sum(
                &errors,
                &slopes[range],
                |error, slope| if slope == 0. { 0. } else { error * slope },
            )
        });
        Ok((losses.into_iter().map(T::from_f64).collect(), dims[0].into()))
    }

    fn backward<T: Float>(
        &self,
        errors: &[T],
        _: &[T],
        gradient: &[T],
        dims: &[usize],
    ) -> Result<Vec<T>> {
        let truth = read::<T>(&self.truth)?;
        let slopes = self.slopes.get_or_init(|| slopes(errors, &truth, dims[1]));
        Ok(map_indexed(errors, |i, _| gradient[i / dims[1]] * T::from_f64(slopes[i])))
    }
}

/// The slopes of all rows; NaN in a row whose errors hold one.
fn slopes<T: Float>(errors: &[T], truth: &[T], n: usize) -> Vec<f64> {
    let mut slopes = vec![0.; errors.len()];
    slopes.par_chunks_exact_mut(n).enumerate().for_each(|(row, slopes)| {
        let range = row * n..(row + 1) * n;
        slopes_of_row(&errors[range.clone()], &truth[range], slopes);
    });
    slopes
}

/// Each pixel of the truth that is mispredicted takes one from the intersection; each other one adds
/// one to the union. Nothing else has to be known of the order than what precedes a pixel.
fn slopes_of_row<T: Float>(errors: &[T], truth: &[T], slopes: &mut [f64]) {
    let counts = |&y: &T| y >= T::zero();
    let mut intersection = truth.iter().filter(|&&y| y > T::zero()).count() as f64;
    let mut union = intersection;
    if errors.iter().zip(truth).any(|(e, y)| e.is_nan() && counts(y)) {
        return slopes.fill(f64::NAN);
    }
    let positive = |(_, (e, y)): &(u32, (&T, &T))| **e > T::zero() && counts(y);
    // The bits of positive numbers are in their order; the index makes all keys different, so that
    // there is one order only.
    let mut order: Vec<(u64, u32)> = (0..)
        .zip(errors.iter().zip(truth))
        .filter(positive)
        .map(|(i, (&e, _))| (!wide(e).to_bits(), i))
        .collect();
    order.par_sort_unstable();
    for (_, i) in order {
        let i = i as usize;
        if truth[i] > T::zero() {
            slopes[i] = 1. / union;
            intersection -= 1.;
        } else if union == 0. {
            // The first false alarm where there is nothing: the loss leaps from 0 to 1.
            slopes[i] = 1.;
            union = 1.;
        } else {
            slopes[i] = intersection / (union * (union + 1.));
            union += 1.;
        }
    }
}

/// The slopes from the processor, as constants.
fn composed(errors: &Tensor, truth: &Tensor) -> Result<Tensor> {
    let host = |x: &Tensor| x.to_device(&Device::Cpu)?.to_dtype(DType::F64);
    let (on_host, truth) = (host(&errors.detach())?, host(truth)?);
    let slopes = slopes(&read::<f64>(&on_host)?, &read::<f64>(&truth)?, errors.dims()[1]);
    let slopes = Tensor::from_vec(slopes, errors.shape(), errors.device())?;
    // An infinite error that does not count would make 0 · ∞.
    let counts = truth.ge(&truth.zeros_like()?)?.to_device(errors.device())?;
    let errors = counts.where_cond(errors, &errors.zeros_like()?)?;
    (relu(&errors)? * slopes.to_dtype(errors.dtype())?)?.sum(1)
}

#[cfg(test)]
mod tests {
    use candle_core::Var;
    use ocellus_testing::{assert_close, fill};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{check_both, with_both};

    #[test]
    fn passes_the_suite() -> Result<()> {
        let shape = (2, 3, 9);
        let errors = fill(shape, 0.3, DType::F64)?;
        let truth = (fill(shape, 0.7, DType::F64)? * 1.5)?.round()?;
        check_both(|x| lovasz(&x[0], &truth.to_dtype(x[0].dtype())?), &[errors])
    }

    #[test]
    fn is_the_example_of_two_pixels_by_hand() -> Result<()> {
        // Sorted: 0.8 (no building), 0.5 (building): J = 1/2, 1; slopes 1/2, 1/2.
        with_both(|| {
            let errors = Var::new(&[[0.5f64, 0.8]], &Device::Cpu)?;
            let truth = Tensor::new(&[[1f64, 0.]], &Device::Cpu)?;
            let loss = lovasz(&errors, &truth)?;
            assert_close(&loss, &Tensor::new(&[0.65], &Device::Cpu)?, 1e-15)?;
            let gradients = loss.sum_all()?.backward()?;
            let expected = Tensor::new(&[[0.5, 0.5]], &Device::Cpu)?;
            assert_close(gradients.get(&errors).unwrap(), &expected, 1e-15)
        })
    }

    #[test]
    fn without_truth_the_largest_error_is_the_loss() -> Result<()> {
        with_both(|| {
            let errors = Var::new(&[[0.2f32, 0.7, -3., 0.7]], &Device::Cpu)?;
            let truth = Tensor::zeros((1, 4), DType::F32, &Device::Cpu)?;
            let loss = lovasz(&errors, &truth)?;
            assert_eq!(loss.to_vec1::<f32>()?, [0.7]);
            let gradients = loss.sum_all()?.backward()?;
            // Of equal errors the first.
            let gradient = gradients.get(&errors).unwrap().to_vec2::<f32>()?;
            assert_eq!(gradient, [[0., 1., 0., 0.]]);
            Ok(())
        })
    }

    #[test]
    fn a_nan_shows_and_what_does_not_count_may_be_one() -> Result<()> {
        with_both(|| {
            let truth = Tensor::new(&[[1f32, 0.], [1., -1.], [1., -1.]], &Device::Cpu)?;
            let errors = Tensor::new(
                &[[0.5f32, f32::NAN], [0.5, f32::NAN], [0.5, f32::INFINITY]],
                &Device::Cpu,
            )?;
            let losses = lovasz(&errors, &truth)?.to_vec1::<f32>()?;
            assert!(losses[0].is_nan() && losses[1..] == [0.5, 0.5], "{losses:?}");
            Ok(())
        })
    }

    #[test]
    fn rejects_what_does_not_fit() -> Result<()> {
        let errors = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
        let message = lovasz(&errors, &errors.narrow(0, 0, 1)?).unwrap_err().to_string();
        assert!(message.contains("lovasz: errors [2, 3] and truth [1, 3]"), "{message}");
        let none = errors.narrow(1, 0, 0)?;
        assert!(lovasz(&none, &none).is_err());
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn at_errors_of_0_and_1_it_is_one_less_the_jaccard_index(
            pixels in prop::collection::vec((any::<bool>(), any::<bool>()), 1..40),
        ) {
            let truth: Vec<f64> = pixels.iter().map(|p| f64::from(u8::from(p.0))).collect();
            let errors: Vec<f64> = pixels.iter().map(|p| f64::from(u8::from(p.0 != p.1))).collect();
            let shared = pixels.iter().filter(|p| p.0 && p.1).count() as f64;
            let either = pixels.iter().filter(|p| p.0 || p.1).count() as f64;
            let expected = if either == 0. { 0. } else { 1. - shared / either };
            let row = |x: Vec<f64>| Tensor::from_vec(x, (1, pixels.len()), &Device::Cpu).unwrap();
            let loss = lovasz(&row(errors), &row(truth)).unwrap().to_vec1::<f64>().unwrap()[0];
            prop_assert!((loss - expected).abs() < 1e-12, "{loss}, expected {expected}");
        }
    }
}
