use std::cell::Cell;

use candle_core::{Result, Tensor, bail};

use crate::cuda::Machine;
use crate::scoped::scoped;

/// Which code computes an operation: see [`with_implementation`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Implementation {
    /// The kernel where the tensors' device has one, else the composition.
    #[default]
    Auto,
    /// On the CPU, the kernel for GPUs: see `cuda::emulator`.
    #[cfg(all(test, target_os = "linux"))]
    Emulated,
    /// The kernel; an error on a device that has none.
    Kernel,
    /// A composition of candle's own operations, slower, on any device.
    Composed,
}

thread_local! {
    static CURRENT: Cell<Implementation> = const { Cell::new(Implementation::Auto) };
}

/// Runs `f` with that choice of code for the operations called on this thread.
///
/// Every operation of this crate exists as a kernel for the CPU and as a composition of candle
/// operations for any device, most also as a kernel for CUDA. All have the right gradients. The choice is made when
/// an operation is called; the gradient follows the choice of its forward pass.
///
/// # Examples
///
/// ```
/// use ocellus_ops::{Implementation, with_implementation};
///
/// let sum = with_implementation(Implementation::Composed, || 1 + 1);
/// assert_eq!(sum, 2);
/// ```
pub fn with_implementation<T>(implementation: Implementation, f: impl FnOnce() -> T) -> T {
    scoped(&CURRENT, implementation, f)
}

/// The code that is to compute an operation.
pub(crate) enum Code {
    /// The CPU kernel.
    Processor,
    /// The kernel for a GPU.
    Gpu(Machine),
    /// The composition.
    Composed,
}

/// What computes the operation `op`, which has a kernel for GPUs, on `x`.
pub(crate) fn code(op: &str, x: &Tensor) -> Result<Code> {
    #[cfg(all(test, target_os = "linux"))]
    if CURRENT.get() == Implementation::Emulated {
        return Ok(Machine::of(x).map_or(Code::Composed, Code::Gpu));
    }
    if CURRENT.get() == Implementation::Composed {
        return Ok(Code::Composed);
    }
    #[cfg(feature = "cuda")]
    if x.device().is_cpu()
        && CURRENT.get() == Implementation::Auto
        && let Some(device) = crate::cuda::mirror()?
    {
        return Ok(Code::Gpu(Machine::Mirror(device)));
    }
    match Machine::of(x) {
        Some(machine) if !x.device().is_cpu() => Ok(Code::Gpu(machine)),
        _ if use_kernel(op, x)? => Ok(Code::Processor),
        _ => Ok(Code::Composed),
    }
}

/// Whether the operation `op` on `x` is to run as a CPU kernel (else as a composition).
pub(crate) fn use_kernel(op: &str, x: &Tensor) -> Result<bool> {
    let on_cpu = x.device().is_cpu();
    match CURRENT.get() {
        Implementation::Auto => Ok(on_cpu),
        Implementation::Composed => Ok(false),
        #[cfg(all(test, target_os = "linux"))]
        Implementation::Emulated => Ok(false),
        Implementation::Kernel if on_cpu => Ok(true),
        Implementation::Kernel => bail!(
            "{op} has no kernel for {:?}: use Implementation::Auto, or move the tensors to the CPU",
            x.device().location()
        ),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn the_choice_ends_with_the_closure() -> Result<()> {
        let x = Tensor::zeros(1, DType::F32, &Device::Cpu)?;
        assert!(use_kernel("test", &x)?);
        with_implementation(Implementation::Composed, || -> Result<()> {
            assert!(!use_kernel("test", &x)?);
            with_implementation(Implementation::Kernel, || -> Result<()> {
                assert!(use_kernel("test", &x)?);
                Ok(())
            })?;
            assert!(!use_kernel("test", &x)?);
            Ok(())
        })?;
        assert!(use_kernel("test", &x)?);
        Ok(())
    }

    #[test]
    fn the_choice_is_put_back_after_a_panic() -> Result<()> {
        let unwound = std::panic::catch_unwind(|| {
            with_implementation(Implementation::Composed, || panic!("on purpose"))
        });
        assert!(unwound.is_err());
        assert!(use_kernel("test", &Tensor::zeros(1, DType::F32, &Device::Cpu)?)?);
        Ok(())
    }
}
