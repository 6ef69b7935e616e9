use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor, WithDType};

use super::{Float, dispatch, read, view, widened};
use crate::backward::collect;
use crate::cuda::OnGpu;

/// A kernel of one tensor with an exact gradient, written once for all element types.
pub(crate) trait UnaryKernel: OnGpu + Send + Sync + 'static {
    /// The operation's name, for error messages.
    const NAME: &'static str;

    /// The output and its shape, from the input's elements in the order of its dimensions.
    fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)>;

    /// The gradient by the input, from the input, the output and the gradient by the output.
    fn backward<T: Float>(&self, x: &[T], y: &[T], grad: &[T], dims: &[usize]) -> Result<Vec<T>>;
}

/// Applies a kernel to a CPU tensor of any layout; f16 and bf16 are computed in f32.
pub(crate) fn apply_unary(x: &Tensor, kernel: impl UnaryKernel) -> Result<Tensor> {
    widened(&[x], |x| x[0].apply_op1(Unary(kernel)))
}

struct Unary<K>(K);

impl<K: UnaryKernel> CustomOp1 for Unary<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        dispatch!(storage.dtype(), K::NAME, T => {
            let (y, shape) = self.0.forward::<T>(&view(storage, layout)?, layout.dims())?;
            Ok((T::to_cpu_storage_owned(y), shape))
        })
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        dispatch!(x.dtype(), K::NAME, T => {
            let dx = self.0.backward::<T>(&read(x)?, &read(y)?, &read(grad)?, x.dims())?;
            collect(x, Tensor::from_vec(dx, x.shape(), &Device::Cpu)?)
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;
    use ocellus_testing::{check_op, fill};

    use super::*;

    struct Square;

    #[cfg(any(feature = "cuda", target_os = "linux"))]
    impl OnGpu for Square {}

    impl UnaryKernel for Square {
        const NAME: &'static str = "square";

        fn forward<T: Float>(&self, x: &[T], dims: &[usize]) -> Result<(Vec<T>, Shape)> {
            Ok((x.iter().map(|&x| x * x).collect(), dims.into()))
        }

        fn backward<T: Float>(&self, x: &[T], _: &[T], grad: &[T], _: &[usize]) -> Result<Vec<T>> {
            Ok(x.iter().zip(grad).map(|(&x, &g)| (x + x) * g).collect())
        }
    }

    #[test]
    fn a_kernel_becomes_an_operation() -> Result<()> {
        check_op(|x| apply_unary(&x[0], Square), &[fill((2, 3, 4), 0., DType::F64)?])
    }
}
