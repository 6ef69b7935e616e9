//! Where kernels run, and what they work on.

use candle_core::op::BackpropOp;
use candle_core::{CpuStorage, CudaStorage, DType, Result, Shape, Storage, Tensor, bail};

use super::launch::{Divisor, Grid};
use super::source::{Family, Module, Text};

/// What runs the kernels.
#[derive(Clone, Debug)]
pub(crate) enum Machine {
    #[cfg(feature = "cuda")]
    Cuda(candle_core::CudaDevice),
    /// That one for tensors of the CPU: see `cuda::mirror`.
    #[cfg(feature = "cuda")]
    Mirror(candle_core::CudaDevice),
    /// The processor, which runs what a GPU would: for tests.
    #[cfg(test)]
    Emulated,
}

/// A kernel: where it stands, and its name.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    text: Text,
    name: &'static str,
}

impl Kernel {
    pub(crate) fn of(family: Family, name: &'static str) -> Self {
        Self { text: Text::Family(family), name }
    }

    /// One that was written at run time.
    pub(crate) fn program(text: &str, name: &'static str) -> Self {
        Self { text: Text::Program(text.into()), name }
    }
}

/// The memory of a tensor that a kernel changes.
pub(crate) enum Memory<'a> {
    #[cfg_attr(not(test), allow(dead_code, reason = "read where kernels are emulated"))]
    Cpu(&'a mut CpuStorage),
    #[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "read where there is CUDA"))]
    Cuda(&'a mut CudaStorage),
}

/// What a kernel changes in place: `count` elements from the first on.
pub(crate) struct Changed<'a> {
    pub(crate) memory: Memory<'a>,
    pub(crate) first: usize,
    pub(crate) count: usize,
}

/// A tensor that kernels write: memory that is not cleared before.
pub(crate) struct Output {
    pub(crate) storage: Storage,
    pub(crate) shape: Shape,
}

impl Output {
    /// As a tensor without a graph.
    pub(crate) fn tensor(self) -> Tensor {
        Tensor::from_storage(self.storage, self.shape, BackpropOp::none(), false)
    }

    pub(crate) fn dtype(&self) -> DType {
        use candle_core::backend::BackendStorage;
        match &self.storage {
            Storage::Cpu(storage) => storage.dtype(),
            Storage::Cuda(storage) => storage.dtype(),
            Storage::Metal(storage) => storage.dtype(),
        }
    }
}

impl Argument<'_> {
    /// Appends its parameters; those of tensors are the given address.
    pub(super) fn append(&self, address: u64, values: &mut Vec<u64>) {
        match self {
            Self::In(_) | Self::Out(_) | Self::Changed(_) => values.push(address),
            Self::Integer(value) => values.push(*value as u64),
            Self::Bits(value) => values.push(*value),
            Self::Number(value) => values.push(value.to_bits()),
            Self::Divisor(divisor) => values.extend(divisor.values()),
        }
    }
}

/// What a kernel is given.
pub(crate) enum Argument<'a> {
    /// A contiguous tensor that it reads.
    In(&'a Tensor),
    Out(&'a mut Output),
    Changed(Changed<'a>),
    Integer(i64),
    Bits(u64),
    Number(f64),
    /// Two parameters.
    Divisor(Divisor),
}

impl<'a> From<&'a Tensor> for Argument<'a> {
    fn from(x: &'a Tensor) -> Self {
        Self::In(x)
    }
}

impl<'a> From<&'a mut Output> for Argument<'a> {
    fn from(y: &'a mut Output) -> Self {
        Self::Out(y)
    }
}

impl From<usize> for Argument<'_> {
    fn from(value: usize) -> Self {
        Self::Integer(value as i64)
    }
}

impl From<i64> for Argument<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u64> for Argument<'_> {
    fn from(value: u64) -> Self {
        Self::Bits(value)
    }
}

impl From<f64> for Argument<'_> {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<Divisor> for Argument<'_> {
    fn from(value: Divisor) -> Self {
        Self::Divisor(value)
    }
}

impl From<bool> for Argument<'_> {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

/// `launch!(machine, kernel, dtype, grid, [arguments])`, of any types that become an [`Argument`].
macro_rules! launch {
    ($machine:expr, $kernel:expr, $dtype:expr, $grid:expr, [$($argument:expr),* $(,)?]) => {
        $machine.launch($kernel, $dtype, $grid, &mut [$($crate::cuda::Argument::from($argument)),*])
    };
}
pub(crate) use launch;

impl Machine {
    /// What runs kernels on the tensors of `x`'s device; none for devices that have no kernels.
    pub(crate) fn of(x: &Tensor) -> Option<Self> {
        match x.device() {
            #[cfg(feature = "cuda")]
            candle_core::Device::Cuda(device) => Some(Self::Cuda(device.clone())),
            #[cfg(test)]
            candle_core::Device::Cpu => Some(Self::Emulated),
            _ => None,
        }
    }

    /// Memory for a tensor, to be written.
    pub(crate) fn output(&self, shape: impl Into<Shape>, dtype: DType) -> Result<Output> {
        let shape = shape.into();
        let storage = match self {
            #[cfg(feature = "cuda")]
            Self::Cuda(device) => {
                Storage::Cuda(super::device::uninitialized(device, &shape, dtype)?)
            }
            #[cfg(feature = "cuda")]
            Self::Mirror(_) => {
                use candle_core::backend::BackendDevice;
                Storage::Cpu(candle_core::cpu_backend::CpuDevice.zeros_impl(&shape, dtype)?)
            }
            #[cfg(test)]
            Self::Emulated => Storage::Cpu(super::emulator::uninitialized(&shape, dtype)?),
        };
        Ok(Output { storage, shape })
    }

    /// Runs a kernel for tensors of that type.
    pub(crate) fn launch(
        &self,
        kernel: Kernel,
        dtype: DType,
        grid: Grid,
        arguments: &mut [Argument<'_>],
    ) -> Result<()> {
        let mut largest = 0;
        for argument in arguments.iter() {
            let count = match argument {
                Argument::In(x) if !x.is_contiguous() => {
                    bail!("{}: a tensor {:?} is not contiguous", kernel.name, x.layout())
                }
                Argument::In(x) => x.elem_count(),
                Argument::Out(y) => y.shape.elem_count(),
                Argument::Changed(x) => x.count,
                _ => 0,
            };
            largest = largest.max(count);
        }
        let module = Module::new(kernel.text, dtype, largest);
        match self {
            #[cfg(feature = "cuda")]
            Self::Cuda(device) => {
                super::device::launch(device, module, kernel.name, grid, arguments)
            }
            #[cfg(feature = "cuda")]
            Self::Mirror(device) => {
                super::mirror::launch(device, module, kernel.name, grid, arguments)
            }
            #[cfg(test)]
            Self::Emulated => super::emulator::launch(module, kernel.name, grid, arguments),
        }
    }
}

/// The tensor as a kernel can read it, and without a graph.
pub(crate) fn settled(x: &Tensor) -> Result<Tensor> {
    x.detach().contiguous()
}
