use candle_core::{Result, Shape, Tensor, bail};

use crate::cpu::{Float, UnaryKernel, read, widened};
use crate::parallel::{GRAIN, map_indexed, sums, tasks, wide};
use crate::run::{require_float, run};

/// How far probabilities and targets overlap: the soft counts that Dice, Jaccard and Tversky
/// losses are ratios of. See [`soft_overlap`].
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::soft_overlap;
///
/// let p = Tensor::new(&[[0.75f32, 0.5, 0.9]], &Device::Cpu)?;
/// let target = Tensor::new(&[[1f32, 0., -1.]], &Device::Cpu)?; // The last one does not count.
/// let counts = soft_overlap(&p, &target)?;
/// assert_eq!(counts.shared.to_vec1::<f32>()?, [0.75]);
/// assert_eq!(counts.predicted.to_vec1::<f32>()?, [1.25]);
/// assert_eq!(counts.expected.to_vec1::<f32>()?, [1.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SoftOverlap {
    /// `Σ min(p, y)`: the soft true positives.
    pub shared: Tensor,
    /// `Σ p`: true and false positives.
    pub predicted: Tensor,
    /// `Σ y`: true positives and false negatives. It has no gradient.
    pub expected: Tensor,
}

/// Sums of probabilities, of targets and of what they share, along the last dimension.
///
/// ```text
/// shared = Σ min(pᵢ, yᵢ),   predicted = Σ pᵢ,   expected = Σ yᵢ                      [1]
/// ```
///
/// over all i whose target is not negative. For targets 0 and 1 what is shared is `Σ pᵢ yᵢ`.
/// Sums are taken in f64.
///
/// # Shapes
///
/// - `p` and `target`: `(…, n)`, the same; probabilities, and targets between 0 and 1, or negative
///   where nothing is to be counted
/// - output: three times `(…)`
///
/// # Examples
///
/// See [`SoftOverlap`].
///
/// # Errors
///
/// If the shapes differ or are empty, or `p` is of an integer type.
///
/// # References
///
/// 1. Z. Wang et al. *Jaccard metric losses: optimizing the Jaccard index with soft labels.*
///    NeurIPS 2023. <https://arxiv.org/abs/2302.05666>
pub fn soft_overlap(p: &Tensor, target: &Tensor) -> Result<SoftOverlap> {
    require_float(SoftOverlapSums::NAME, p)?;
    let (n, outer) = match (p.dims().split_last(), p.dims() == target.dims()) {
        (Some((&n, outer)), true) if p.elem_count() > 0 => (n, outer.to_vec()),
        _ => bail!(
            "soft_overlap: probabilities {:?} and target {:?} must be of one shape (…, n) that is \
             not empty",
            p.dims(),
            target.dims()
        ),
    };
    let rows = p.elem_count() / n;
    let sums = widened(&[p], |p| {
        let target = target.to_dtype(p[0].dtype())?.detach().reshape((rows, n))?;
        let p = p[0].reshape((rows, n))?;
        run(&p, SoftOverlapSums { target: target.clone() }, |p| composed(p, &target))
    })?;
    let sum = |i: usize| sums.narrow(0, i, 1)?.reshape(outer.as_slice());
    Ok(SoftOverlap { shared: sum(0)?, predicted: sum(1)?, expected: sum(2)?.detach() })
}

/// The three sums of each row, `(3, rows)`.
pub(crate) struct SoftOverlapSums {
    pub(crate) target: Tensor,
}

impl UnaryKernel for SoftOverlapSums {
    const NAME: &'static str = "soft_overlap";

    fn forward<T: Float>(&self, p: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        let target = read::<T>(&self.target)?;
        let (rows, n) = (dims[0], dims[1]);
        let blocks = n.div_ceil(GRAIN);
        let parts = tasks(rows * blocks, n.min(GRAIN), |task| {
            let (row, first) = (task / blocks, task % blocks * GRAIN);
            let range = row * n + first..row * n + n.min(first + GRAIN);
            sums(&p[range.clone()], &target[range], |p, y| {
                let (p, y) = (wide(p), wide(y));
                if y < 0. { [0.; 3] } else { [if p > y { y } else { p }, p, y] }
            })
        });
        let mut totals = vec![T::zero(); 3 * rows];
        for (row, parts) in parts.chunks_exact(blocks).enumerate() {
            for (i, total) in totals.iter_mut().skip(row).step_by(rows).enumerate() {
                *total = T::from_f64(parts.iter().map(|part| part[i]).sum());
            }
        }
        Ok((totals, (3, rows).into()))
    }

    fn backward<T: Float>(
        &self,
        p: &[T],
        _: &[T],
        gradient: &[T],
        dims: &[usize],
    ) -> Result<Vec<T>> {
        let target = read::<T>(&self.target)?;
        let target: &[T] = &target;
        let (rows, n) = (dims[0], dims[1]);
        let half = T::from_f64(0.5);
        Ok(map_indexed(p, |i, p| {
            let (y, row) = (target[i], i / n);
            let (shared, predicted) = (gradient[row], gradient[rows + row]);
            if y < T::zero() {
                T::zero()
            } else if p < y {
                shared + predicted
            } else if p == y {
                shared * half + predicted
            } else {
                predicted
            }
        }))
    }
}

fn composed(p: &Tensor, target: &Tensor) -> Result<Tensor> {
    let zeros = p.zeros_like()?;
    let counts = target.ge(&zeros)?;
    let shared = p.gt(target)?.where_cond(target, p)?;
    let sum = |x: &Tensor| counts.where_cond(x, &zeros)?.sum(1);
    Tensor::stack(&[sum(&shared)?, sum(p)?, sum(target)?], 0)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::testing::{check_both, with_both};

    /// Targets of 0, 1 and −1 by turns, or soft ones.
    fn targets(shape: (usize, usize, usize), soft: bool) -> Result<Tensor> {
        let x = fill(shape, 0.7, DType::F64)?;
        if soft {
            return x.abs();
        }
        ((x * 1.5)?.round()?) * 1.
    }

    #[test]
    fn passes_the_suite() -> Result<()> {
        let shape = (2, 3, 7);
        let p = fill(shape, 0.3, DType::F64)?.affine(0.5, 0.5)?;
        for soft in [false, true] {
            let target = targets(shape, soft)?;
            check_both(
                |x| {
                    let sums = soft_overlap(&x[0], &target.to_dtype(x[0].dtype())?)?;
                    Tensor::stack(&[sums.shared, sums.predicted], 0)
                },
                std::slice::from_ref(&p),
            )?;
        }
        Ok(())
    }

    #[test]
    fn long_rows_are_summed_in_full_precision() -> Result<()> {
        let n = 3 * GRAIN + 11;
        with_both(|| {
            let p = Var::from_tensor(&Tensor::full(0.1f64, (2, n), &Device::Cpu)?)?;
            let target = Tensor::ones((2, n), DType::F64, &Device::Cpu)?;
            let sums = soft_overlap(&p, &target)?;
            let expected = Tensor::full(0.1 * n as f64, 2, &Device::Cpu)?;
            assert_close(&sums.shared, &expected, 1e-12)?;
            assert_close(&sums.predicted, &expected, 1e-12)?;
            let gradients = (sums.shared.sum_all()? * 2.)?.backward()?;
            assert_close(gradients.get(&p).unwrap(), &target.affine(2., 0.)?, 0.)
        })?;
        let p = Tensor::full(0.1f32, (1, 1 << 20), &Device::Cpu)?;
        let predicted = soft_overlap(&p, &p.ones_like()?)?.predicted.to_vec1::<f32>()?[0];
        assert_eq!(predicted, (f64::from(0.1f32) * f64::from(1 << 20)) as f32);
        Ok(())
    }

    #[test]
    fn what_does_not_count_may_be_anything() -> Result<()> {
        with_both(|| {
            let p = Var::new(&[[0.5f32, f32::NAN, f32::INFINITY]], &Device::Cpu)?;
            let target = Tensor::new(&[[1f32, -1., -1.]], &Device::Cpu)?;
            let sums = soft_overlap(&p, &target)?;
            assert_eq!(sums.predicted.to_vec1::<f32>()?, [0.5]);
            let gradients = (sums.shared + sums.predicted)?.sum_all()?.backward()?;
            let gradient = gradients.get(&p).unwrap().to_vec2::<f32>()?;
            assert_eq!(gradient, [[2., 0., 0.]]);
            Ok(())
        })
    }

    #[test]
    fn rejects_what_does_not_fit() -> Result<()> {
        let p = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
        for target in [p.narrow(1, 0, 2)?, p.flatten_all()?] {
            let message = soft_overlap(&p, &target).unwrap_err().to_string();
            assert!(message.contains("soft_overlap: probabilities [2, 3]"), "{message}");
        }
        let none = p.narrow(1, 0, 0)?;
        assert!(soft_overlap(&none, &none).is_err());
        let message = soft_overlap(&p.to_dtype(DType::U8)?, &p).unwrap_err().to_string();
        assert!(message.contains("takes f32"), "{message}");
        Ok(())
    }
}
