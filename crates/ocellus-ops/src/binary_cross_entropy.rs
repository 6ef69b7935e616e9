use candle_core::{Result, Shape, Tensor, bail};

use crate::Reduction;
use crate::cpu::{Float, UnaryKernel, read, widened};
use crate::parallel::{map_indexed, sum, wide};
use crate::relu::relu;
use crate::run::{require_float, run};
use crate::sigmoid::logistic;

/// Cross-entropy of a sigmoid, from logits.
///
/// ```text
/// Lᵢ = − [ w tᵢ log σ(xᵢ) + (1 − tᵢ) log (1 − σ(xᵢ)) ]
///    = (1 − tᵢ) xᵢ + (1 + (w − 1) tᵢ) · (log(1 + exp(−|xᵢ|)) + max(−xᵢ, 0))
/// ```
///
/// In the second form, which is the one computed, no logit overflows.
///
/// # Shapes
///
/// - logits and target: any, the same; targets are between 0 and 1, of any type
/// - `pos_weight`: broadcasts to that shape; `(classes,)` weighs the last dimension, 1 is no weight
/// - output: a scalar, or the shape of the logits with [`Reduction::None`]
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::{Reduction, binary_cross_entropy};
///
/// let logits = Tensor::new(&[0f32, 1e4, -1e4], &Device::Cpu)?;
/// let target = Tensor::new(&[1f32, 1., 1.], &Device::Cpu)?;
/// let losses = binary_cross_entropy(&logits, &target, None, Reduction::None)?;
/// assert_eq!(losses.to_vec1::<f32>()?, [2f32.ln(), 0., 1e4]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the shapes do not fit, the logits are of an integer type, or the mean is over nothing.
///
/// # Deviations
///
/// PyTorch returns NaN for the mean of nothing, and has no gradient for `pos_weight`.
pub fn binary_cross_entropy(
    logits: &Tensor,
    target: &Tensor,
    pos_weight: Option<&Tensor>,
    reduction: Reduction,
) -> Result<Tensor> {
    require_float(BinaryCrossEntropy::NAME, logits)?;
    if target.dims() != logits.dims() {
        bail!(
            "binary_cross_entropy: target {:?} is not of the shape of the logits {:?}",
            target.dims(),
            logits.dims()
        )
    }
    if logits.elem_count() == 0 && reduction == Reduction::Mean {
        bail!("binary_cross_entropy: logits {:?} are empty: they have no mean", logits.dims())
    }
    widened(&[logits], |x| single(&x[0], target, pos_weight, reduction))
}

/// The loss in f32 or f64.
fn single(
    x: &Tensor,
    target: &Tensor,
    pos_weight: Option<&Tensor>,
    reduction: Reduction,
) -> Result<Tensor> {
    let target = target.to_dtype(x.dtype())?;
    let weight = match pos_weight {
        Some(w) => Some(w.to_dtype(x.dtype())?.broadcast_as(x.shape())?),
        None => None,
    };
    // The kernel has no gradients for targets and weights: the composition has.
    if target.track_op() || weight.as_ref().is_some_and(Tensor::track_op) {
        return composed(x, &target, weight.as_ref(), reduction);
    }
    let kernel = BinaryCrossEntropy { target: target.clone(), weight: weight.clone(), reduction };
    run(x, kernel, |x| composed(x, &target, weight.as_ref(), reduction))
}

pub(crate) struct BinaryCrossEntropy {
    pub(crate) target: Tensor,
    pub(crate) weight: Option<Tensor>,
    pub(crate) reduction: Reduction,
}

impl BinaryCrossEntropy {
    /// `f(target, weight, x)` of each element.
    fn each<T: Float>(&self, x: &[T], f: impl Fn(usize, T, T, T) -> T + Sync) -> Result<Vec<T>> {
        let target = read::<T>(&self.target)?;
        let target: &[T] = &target;
        Ok(match &self.weight {
            Some(weight) => {
                let weight = read::<T>(weight)?;
                let weight: &[T] = &weight;
                map_indexed(x, |i, x| f(i, x, target[i], weight[i]))
            }
            None => map_indexed(x, |i, x| f(i, x, target[i], T::one())),
        })
    }
}

impl UnaryKernel for BinaryCrossEntropy {
    const NAME: &'static str = "binary_cross_entropy";

    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
        let half = T::from_f64(0.5);
        let losses = self.each(x, |_, x, target, weight| {
            let positive = T::one() + (weight - T::one()) * target;
            // In f64, where this is exact enough and several times faster than `ln_1p` in f32.
            let tail = T::from_f64((1. + wide((-x.abs()).exponential())).ln());
            let below = (x.abs() - x) * half; // max(−x, 0)
            (T::one() - target) * x + positive * (tail + below)
        })?;
        Ok(match self.reduction {
            Reduction::None => (losses, dims.into()),
            Reduction::Sum => (vec![T::from_f64(sum(&losses, &losses, |a, _| a))], ().into()),
            Reduction::Mean => {
                let mean = sum(&losses, &losses, |a, _| a) / losses.len() as f64;
                (vec![T::from_f64(mean)], ().into())
            }
        })
    }

    fn backward<T: Float>(&self, x: &[T], _: &[T], gradient: &[T], _: &[usize]) -> Result<Vec<T>> {
        let scale = match self.reduction {
            Reduction::Mean => T::from_f64(1. / x.len() as f64),
            _ => T::one(),
        };
        let each = self.reduction == Reduction::None;
        self.each(x, |i, x, target, weight| {
            let positive = T::one() + (weight - T::one()) * target;
            let slope = (T::one() - target) - positive * logistic(-x);
            gradient[if each { i } else { 0 }] * scale * slope
        })
    }
}

fn composed(
    x: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    reduction: Reduction,
) -> Result<Tensor> {
    let softplus = ((x.abs()?.neg()?.exp()? + 1.)?.log()? + relu(&x.neg()?)?)?;
    let positive = match weight {
        Some(weight) => (((weight - 1.)? * target)? + 1.)?,
        None => target.ones_like()?,
    };
    let losses = ((target.affine(-1., 1.)? * x)? + (positive * softplus)?)?;
    reduction.apply(&losses)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{Golden, assert_close, fill};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{check_both, check_golden, with_both};

    const REDUCTIONS: [(&str, Reduction); 3] =
        [("mean", Reduction::Mean), ("sum", Reduction::Sum), ("none", Reduction::None)];

    #[test]
    fn passes_the_suite() -> Result<()> {
        let x = (fill((3, 4, 5), 0.3, DType::F64)? * 4.)?;
        let target = fill((3, 4, 5), 0.9, DType::F64)?.affine(0.5, 0.5)?;
        let weight = fill((4, 1), 0.1, DType::F64)?.affine(1., 1.5)?;
        for (_, reduction) in REDUCTIONS {
            check_both(
                |x| binary_cross_entropy(&x[0], &target.to_dtype(x[0].dtype())?, None, reduction),
                std::slice::from_ref(&x),
            )?;
            check_both(
                |x| binary_cross_entropy(&x[0], &target, Some(&weight), reduction),
                std::slice::from_ref(&x),
            )?;
            // Targets and weights that track gradients get them.
            check_both(
                |x| binary_cross_entropy(&x[0], &x[1], Some(&x[2]), reduction),
                &[x.clone(), target.clone(), weight.clone()],
            )?;
        }
        Ok(())
    }

    #[test]
    fn matches_pytorch() -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "cross_entropy")?;
        let weight = golden.get("param.pos_weight")?;
        for (name, reduction) in REDUCTIONS {
            for (case, weight) in [("bce", None), ("bce_weighted", Some(weight))] {
                let case = format!("{case}_{name}");
                check_golden(&golden, &case, &["x", "y"], 1e-6, |x| {
                    binary_cross_entropy(&x[0], &x[1], weight, reduction)
                })?;
                let y = golden.get(&format!("input.{case}.y"))?;
                check_golden(&golden, &case, &["x"], 1e-6, |x| {
                    binary_cross_entropy(&x[0], y, weight, reduction)
                })?;
            }
        }
        Ok(())
    }

    #[test]
    fn rejects_what_does_not_fit() -> Result<()> {
        let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
        let loss = |x: &Tensor, t: &Tensor| {
            binary_cross_entropy(x, t, None, Reduction::Mean).unwrap_err().to_string()
        };
        let message = loss(&x, &x.narrow(1, 0, 2)?);
        assert!(message.contains("target [2, 2] is not of the shape"), "{message}");
        let message = loss(&x.narrow(0, 0, 0)?, &x.narrow(0, 0, 0)?);
        assert!(message.contains("are empty"), "{message}");
        let message = loss(&x.to_dtype(DType::I64)?, &x);
        assert!(message.contains("binary_cross_entropy takes f32"), "{message}");
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn is_finite_and_not_negative(x in -1e4f32..1e4, t in 0f32..=1., w in 0.1f32..10.) {
            with_both(|| {
                let x = Tensor::new(&[x, -x], &Device::Cpu)?;
                let target = Tensor::new(&[t, 1.], &Device::Cpu)?;
                let weight = Tensor::new(&[w], &Device::Cpu)?;
                let x = candle_core::Var::from_tensor(&x)?;
                let loss = binary_cross_entropy(&x, &target, Some(&weight), Reduction::None)?;
                for value in loss.to_vec1::<f32>()? {
                    assert!((0. ..=1e5 + 1.).contains(&value), "{value}");
                }
                let dx = loss.sum_all()?.backward()?.get(&x).unwrap().to_vec1::<f32>()?;
                assert!(dx.iter().all(|g| g.is_finite()), "{dx:?}");
                Ok(())
            }).unwrap();
        }

        #[test]
        fn hard_targets_are_two_classes(x in -30f64..30.) {
            let logits = Tensor::new(&[x], &Device::Cpu).unwrap();
            let one = Tensor::new(&[1u8], &Device::Cpu).unwrap();
            let loss = binary_cross_entropy(&logits, &one, None, Reduction::Mean).unwrap();
            let two = Tensor::new(&[[0., x]], &Device::Cpu).unwrap();
            let expected = crate::cross_entropy(&two, &one, &Default::default()).unwrap();
            assert_close(&loss, &expected, 1e-12).unwrap();
        }
    }
}
