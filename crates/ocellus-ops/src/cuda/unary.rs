use candle_core::{Result, Tensor, bail};

use super::machine::{Machine, Output, settled};
use super::node::node;
use crate::backward::collect;
use crate::cpu::UnaryKernel;

/// What an operation of one tensor launches on a GPU. Arguments are contiguous.
pub(crate) trait OnGpu: Send + Sync + 'static {
    /// Whether it launches something; else its composition runs.
    const HAS_KERNEL: bool = false;

    /// The output.
    fn gpu_forward(&self, machine: &Machine, x: &Tensor) -> Result<Output> {
        let _ = (machine, x);
        bail!("no kernel for a GPU")
    }

    /// The gradient by the input.
    fn gpu_backward(
        &self,
        machine: &Machine,
        x: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<Output> {
        let _ = (machine, x, y, gradient);
        bail!("no kernel for a GPU")
    }
}

/// Applies a kernel to a tensor of any layout.
pub(crate) fn apply<K: UnaryKernel>(machine: Machine, x: &Tensor, kernel: K) -> Result<Tensor> {
    let output = OnGpu::gpu_forward(&kernel, &machine, &settled(x)?)?;
    node(K::NAME, &[x], output, move |arguments, y, gradient| {
        let x = arguments[0];
        let (y, gradient) = (settled(y)?, settled(gradient)?);
        let dx = OnGpu::gpu_backward(&kernel, &machine, &settled(x)?, &y, &gradient)?;
        Ok(vec![collect(x, dx.tensor())?])
    })
}
