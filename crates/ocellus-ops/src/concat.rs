#![allow(unsafe_code, reason = "results are written to memory that is not cleared before")]

use std::mem::MaybeUninit;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::cpu::{Float, dispatch, view, widened};
use crate::cuda;
use crate::implementation::{Code, code};
use crate::parallel::{GRAIN, filled};
use crate::run::require_float;

/// Two tensors, one behind the other along a dimension.
///
/// As candle's [`Tensor::cat`], in parallel, and without clearing the memory before.
///
/// # Shapes
///
/// - `a`, `b`: the same but for dimension `dim`
/// - output: the sum of both there
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::concat;
///
/// let a = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
/// let b = Tensor::new(&[[5f32], [6.]], &Device::Cpu)?;
/// assert_eq!(concat(&a, &b, 1)?.to_vec2::<f32>()?, [[1., 2., 5.], [3., 4., 6.]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the tensors differ in type, device or another dimension, or have no dimension `dim`.
pub fn concat(a: &Tensor, b: &Tensor, dim: usize) -> Result<Tensor> {
    require_float("concat", a)?;
    let others = |x: &Tensor| {
        let mut dims = x.dims().to_vec();
        (dim < dims.len()).then(|| dims.remove(dim)).map(|_| dims)
    };
    if others(a).is_none() || others(a) != others(b) {
        bail!("concat: {:?} and {:?} may differ in dimension {dim} alone", a.dims(), b.dims())
    }
    if a.dtype() != b.dtype() {
        bail!("concat: {:?} and {:?}: convert one", a.dtype(), b.dtype())
    }
    match code("concat", a)? {
        Code::Processor => widened(&[a, b], |t| t[0].apply_op2(&t[1], Concat { dim })),
        Code::Gpu(machine) => cuda::concat(machine, a, b, dim),
        Code::Composed => Tensor::cat(&[a, b], dim),
    }
}

struct Concat {
    dim: usize,
}

impl Concat {
    fn run<T: Float>(&self, a: &[T], b: &[T], dims: [&[usize]; 2]) -> (CpuStorage, Shape) {
        let [rows_a, rows_b] = dims.map(|dims| dims[self.dim..].iter().product::<usize>());
        let fill = |block: usize, mut y: &mut [MaybeUninit<T>]| {
            let mut at = block * GRAIN;
            while !y.is_empty() {
                let (row, place) = (at / (rows_a + rows_b), at % (rows_a + rows_b));
                let from = match place.checked_sub(rows_a) {
                    None => &a[row * rows_a..(row + 1) * rows_a][place..],
                    Some(place) => &b[row * rows_b..(row + 1) * rows_b][place..],
                };
                let (to, rest) = y.split_at_mut(from.len().min(y.len()));
                for (y, &x) in to.iter_mut().zip(from) {
                    y.write(x);
                }
                at += to.len();
                y = rest;
            }
        };
        // SAFETY: every element of a piece is written.
        let y = unsafe { filled(a.len() + b.len(), GRAIN, fill) };
        let mut shape = dims[0].to_vec();
        shape[self.dim] += dims[1][self.dim];
        (T::to_cpu_storage_owned(y), shape.into())
    }
}

impl CustomOp2 for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!(a.dtype(), "concat", T => {
            let dims = [a_layout.dims(), b_layout.dims()];
            Ok(self.run::<T>(&view(a, a_layout)?, &view(b, b_layout)?, dims))
        })
    }

    /// Views of the gradient: what follows reads them as they are.
    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [len_a, len_b] = [a.dim(self.dim)?, b.dim(self.dim)?];
        let part = |x: &Tensor, from, len| {
            x.track_op().then(|| grad.narrow(self.dim, from, len)).transpose()
        };
        Ok((part(a, 0, len_a)?, part(b, len_a, len_b)?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::fill;

    use super::*;
    use crate::testing::check_both;

    #[test]
    fn passes_the_suite_along_every_dimension() -> Result<()> {
        for dim in 0..3 {
            let mut dims = [3, 4, 5];
            let a = fill(&dims, 0.1, DType::F64)?;
            dims[dim] = 2;
            let b = fill(&dims, 0.2, DType::F64)?;
            check_both(|x| concat(&x[0], &x[1], dim), &[a, b])?;
        }
        Ok(())
    }

    #[test]
    fn equals_candles_on_large_tensors() -> Result<()> {
        let (a, b) =
            (fill((2, 3, 97, 91), 0.1, DType::F32)?, fill((2, 5, 97, 91), 0.2, DType::F32)?);
        let (a, b) = (a.transpose(2, 3)?, b.transpose(2, 3)?);
        let bits = |x: Tensor| x.flatten_all()?.to_vec1::<f32>();
        assert_eq!(bits(concat(&a, &b, 1)?)?, bits(Tensor::cat(&[&a, &b], 1)?)?);
        let empty = Tensor::zeros((2, 0, 91, 97), DType::F32, &Device::Cpu)?;
        assert_eq!(bits(concat(&empty, &a, 1)?)?, bits(a)?);
        Ok(())
    }

    #[test]
    fn refuses_what_does_not_fit() -> Result<()> {
        let a = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
        let error = |b: &Tensor, dim| concat(&a, b, dim).unwrap_err().to_string();
        assert!(error(&Tensor::zeros((3, 3), DType::F32, &Device::Cpu)?, 1).contains("[3, 3]"));
        assert!(error(&a, 2).contains("dimension 2"));
        assert!(error(&a.to_dtype(DType::F64)?, 0).contains("F64"));
        Ok(())
    }
}
