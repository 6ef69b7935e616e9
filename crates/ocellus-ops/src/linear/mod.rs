mod product;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Device, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use product::{Matrix, product};

use crate::backward::collect;
use crate::conv::grad_bias;
use crate::cpu::{Float, dispatch, read, view, widened};
use crate::cuda;
use crate::implementation::{Code, code};
use crate::parallel::GRAIN;
use crate::run::require_float;

const NAME: &str = "linear";

/// A linear map of the last dimension.
///
/// ```text
/// y = x Wᵀ + b
/// ```
///
/// As candle's `matmul` and `broadcast_add`, but the gradient by the weight is one product that is
/// written once: candle's is transposed, and added to zeros value by value, which takes longer than all
/// else where a layer has millions of weights.
///
/// # Shapes
///
/// - `x`: `(…, in)`
/// - `weight`: `(out, in)`; `bias`: `(out)`
/// - output: `(…, out)`
///
/// # Complexity
///
/// 2 · rows · in · out operations; each gradient as many.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::linear;
///
/// let x = Tensor::new(&[[1f32, 2.]], &Device::Cpu)?;
/// let weight = Tensor::new(&[[1f32, 0.], [0., 1.], [1., 1.]], &Device::Cpu)?;
/// let bias = Tensor::new(&[0f32, 0., 10.], &Device::Cpu)?;
/// assert_eq!(linear(&x, &weight, Some(&bias))?.to_vec2::<f32>()?, [[1., 2., 13.]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the shapes do not fit together, or type or device differ.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (outputs, inputs) = check(x, weight, bias)?;
    let dims = [&x.dims()[..x.rank() - 1], &[outputs]].concat();
    let rows = x.reshape(((), inputs))?;
    let y = match (code(NAME, x)?, bias) {
        (Code::Gpu(machine), _) => cuda::linear(machine, &rows, weight, bias)?,
        (Code::Composed, _) => composed(&rows, weight, bias)?,
        (Code::Processor, None) => widened(&[&rows, weight], |t| t[0].apply_op2(&t[1], Linear))?,
        (Code::Processor, Some(bias)) => {
            widened(&[&rows, weight, bias], |t| t[0].apply_op3(&t[1], &t[2], Linear))?
        }
    };
    y.reshape(dims)
}

/// An error unless all fit together; the outputs and inputs of the map.
fn check(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<(usize, usize)> {
    require_float(NAME, x)?;
    let &[outputs, inputs] = weight.dims() else {
        bail!("{NAME}: the weight is {:?}, not (out, in)", weight.dims())
    };
    if x.dims().last() != Some(&inputs) || x.elem_count() == 0 || outputs == 0 {
        bail!("{NAME}: {inputs} to {outputs} features got an input {:?}", x.dims())
    }
    for (what, tensor) in [("weight", Some(weight)), ("bias", bias)] {
        let Some(tensor) = tensor else { continue };
        if tensor.dtype() != x.dtype() {
            let types = (x.dtype(), tensor.dtype());
            bail!("{NAME}: the input is {:?}, the {what} {:?}: convert one", types.0, types.1)
        }
        if !tensor.device().same_device(x.device()) {
            bail!("{NAME}: the {what} is on another device than the input: move one")
        }
    }
    match bias {
        Some(bias) if bias.dims() != [outputs] => {
            bail!("{NAME}: the bias is {:?}, but there are {outputs} outputs", bias.dims())
        }
        _ => Ok((outputs, inputs)),
    }
}

/// The bias of half precision is added in f32: its gradient is a sum over the rows, which candle takes in
/// the type of the values.
fn composed(rows: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let y = rows.matmul(&weight.t()?)?;
    match bias {
        Some(bias) => widened(&[&y, bias], |t| t[0].broadcast_add(&t[1])),
        None => Ok(y),
    }
}

struct Linear;

impl Linear {
    fn run<T: Float>(
        x: &[T],
        weight: &[T],
        bias: Option<&[T]>,
        (x_dims, weight_dims): (&[usize], &[usize]),
    ) -> (CpuStorage, Shape) {
        let (rows, inputs, outputs) = (x_dims[0], x_dims[1], weight_dims[0]);
        let weight = Matrix::new(weight, outputs, inputs);
        let mut y = product(Matrix::new(x, rows, inputs), weight.transposed());
        if let Some(bias) = bias {
            let together = (GRAIN / outputs).max(1);
            y.par_chunks_mut(outputs).with_min_len(together).for_each(|row| {
                row.iter_mut().zip(bias).for_each(|(y, &b)| *y += b);
            });
        }
        (T::to_cpu_storage_owned(y), (rows, outputs).into())
    }

    /// The gradients by input and weight, each only if something asks for it.
    fn gradients<T: Float>(
        x: &Tensor,
        weight: &Tensor,
        grad: &[T],
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let ((rows, inputs), outputs) = (x.dims2()?, weight.dim(0)?);
        let grad = Matrix::new(grad, rows, outputs);
        let by_x = match x.track_op() {
            true => {
                let by_x = product(grad, Matrix::new(&read(weight)?, outputs, inputs));
                collect(x, Tensor::from_vec(by_x, x.shape(), &Device::Cpu)?)?
            }
            false => None,
        };
        let by_weight = match weight.track_op() {
            true => {
                let by_weight = product(grad.transposed(), Matrix::new(&read(x)?, rows, inputs));
                collect(weight, Tensor::from_vec(by_weight, weight.shape(), &Device::Cpu)?)?
            }
            false => None,
        };
        Ok((by_x, by_weight))
    }

    fn by_bias<T: Float>(bias: &Tensor, rows: usize, grad: &[T]) -> Result<Option<Tensor>> {
        if !bias.track_op() {
            return Ok(None);
        }
        let by_bias = grad_bias(grad, rows, bias.elem_count(), 1);
        collect(bias, Tensor::from_vec(by_bias, bias.shape(), &Device::Cpu)?)
    }
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let dims = (x_layout.dims(), weight_layout.dims());
        dispatch!(x.dtype(), NAME, T => {
            Ok(Self::run::<T>(&view(x, x_layout)?, &view(weight, weight_layout)?, None, dims))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        dispatch!(x.dtype(), NAME, T => Self::gradients::<T>(x, weight, &read(grad)?))
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let dims = (x_layout.dims(), weight_layout.dims());
        dispatch!(x.dtype(), NAME, T => {
            let bias = view(bias, bias_layout)?;
            let (x, weight) = (view(x, x_layout)?, view(weight, weight_layout)?);
            Ok(Self::run::<T>(&x, &weight, Some(&bias), dims))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        dispatch!(x.dtype(), NAME, T => {
            let grad = read::<T>(grad)?;
            let (by_x, by_weight) = Self::gradients(x, weight, &grad)?;
            Ok((by_x, by_weight, Self::by_bias(bias, x.dim(0)?, &grad)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Var};
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::testing::{BOTH, check_both};
    use crate::{backward, with_implementation};

    #[test]
    fn passes_the_suite() -> Result<()> {
        for dims in [&[4usize][..], &[3, 4], &[2, 3, 4]] {
            let x = fill(dims, 0.1, DType::F64)?;
            let (weight, bias) = (fill((5, 4), 0.2, DType::F64)?, fill(5, 0.3, DType::F64)?);
            check_both(|t| linear(&t[0], &t[1], None), &[x.clone(), weight.clone()])?;
            check_both(|t| linear(&t[0], &t[1], Some(&t[2])), &[x, weight, bias])?;
        }
        Ok(())
    }

    #[test]
    fn both_agree_on_more_than_a_block() -> Result<()> {
        let x = Var::from_tensor(&fill((37, 601), 0.1, DType::F32)?)?;
        let weight = Var::from_tensor(&fill((530, 601), 0.2, DType::F32)?)?;
        let bias = Var::from_tensor(&fill(530, 0.3, DType::F32)?)?;
        let [found, expected] = BOTH.map(|implementation| -> Result<Vec<Tensor>> {
            with_implementation(implementation, || {
                let y = linear(&x, &weight, Some(&bias))?;
                let gradients = backward(&y.sqr()?.sum_all()?)?;
                let of = |var: &Var| gradients.get(var).cloned();
                Ok([Some(y), of(&x), of(&weight), of(&bias)].into_iter().flatten().collect())
            })
        });
        let (found, expected) = (found?, expected?);
        assert_eq!(found.len(), 4);
        for (found, expected) in found.iter().zip(&expected) {
            assert_close(found, expected, 2e-5)?;
        }
        Ok(())
    }

    #[test]
    fn views_are_taken_as_they_are() -> Result<()> {
        let x = fill((4, 3), 0.1, DType::F32)?.t()?;
        let weight = fill((4, 5), 0.2, DType::F32)?.t()?;
        let expected = x.matmul(&weight.t()?)?;
        assert_close(&linear(&x, &weight, None)?, &expected, 1e-6)
    }

    #[test]
    fn refuses_what_does_not_fit() -> Result<()> {
        let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu);
        let (x, weight) = (zeros(&[2, 3])?, zeros(&[5, 3])?);
        let error = |x: &Tensor, weight: &Tensor, bias: Option<&Tensor>| {
            linear(x, weight, bias).unwrap_err().to_string()
        };
        assert!(error(&x, &zeros(&[5, 4])?, None).contains("4 to 5 features got an input [2, 3]"));
        assert!(error(&x, &zeros(&[5])?, None).contains("not (out, in)"));
        assert!(error(&zeros(&[0, 3])?, &weight, None).contains("[0, 3]"));
        assert!(error(&x, &weight, Some(&zeros(&[4])?)).contains("there are 5 outputs"));
        let wide = weight.to_dtype(DType::F64)?;
        assert!(error(&x, &wide, None).contains("F64"));
        Ok(())
    }
}
