//! Kernels on a GPU for tensors of the CPU, which go there for each kernel and come back.
//!
//! So every test of the family runs on a GPU as it stands: with `OCELLUS_MIRROR=1` operations of CPU
//! tensors are computed this way. It is slow, and for nothing else.

use std::env;
use std::sync::OnceLock;

use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::{CudaDevice, CudaStorage, Device, Result, Storage, Tensor, bail};

use super::device;
use super::launch::Grid;
use super::machine::{Argument, Changed, Memory, Output};
use super::source::Module;

/// The GPU that computes for tensors of the CPU, if that is asked for.
pub(crate) fn mirror() -> Result<Option<CudaDevice>> {
    static ASKED: OnceLock<bool> = OnceLock::new();
    static DEVICE: OnceLock<CudaDevice> = OnceLock::new();
    if !ASKED.get_or_init(|| env::var_os("OCELLUS_MIRROR").is_some_and(|value| value == "1")) {
        return Ok(None);
    }
    if let Some(device) = DEVICE.get() {
        return Ok(Some(device.clone()));
    }
    let Device::Cuda(device) = super::open(0)? else { bail!("OCELLUS_MIRROR: no CUDA device") };
    // Two threads may come here at once: one device stays.
    Ok(Some(DEVICE.get_or_init(|| device).clone()))
}

pub(super) fn launch(
    device: &CudaDevice,
    module: Module,
    name: &'static str,
    grid: Grid,
    arguments: &mut [Argument<'_>],
) -> Result<()> {
    let away = Device::Cuda(device.clone());
    let (mut inputs, mut changed) = (Vec::new(), Vec::new());
    for argument in arguments.iter() {
        match argument {
            Argument::In(x) => inputs.push(x.to_device(&away)?),
            Argument::Out(y) => changed.push(sent(device, &y.storage)?),
            Argument::Changed(Changed { memory: Memory::Cpu(storage), .. }) => {
                changed.push(device.storage_from_cpu_storage(storage)?);
            }
            _ => {}
        }
    }
    let mut there = replaced(arguments, &inputs, &mut changed);
    device::launch(device, module, name, grid, &mut there)?;
    drop(there);
    let mut changed = changed.into_iter();
    for argument in arguments {
        match argument {
            Argument::Out(y) => {
                let Some(storage) = changed.next() else { bail!("{name}: no output") };
                y.storage = Storage::Cpu(storage.to_cpu_storage()?);
            }
            Argument::Changed(Changed { memory: Memory::Cpu(to), .. }) => {
                let Some(storage) = changed.next() else { bail!("{name}: nothing changed") };
                **to = storage.to_cpu_storage()?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// What is there, since a kernel may write a part of it.
fn sent(device: &CudaDevice, storage: &Storage) -> Result<CudaStorage> {
    match storage {
        Storage::Cpu(storage) => device.storage_from_cpu_storage(storage),
        _ => bail!("a tensor of the CPU is on a device"),
    }
}

/// The arguments with tensors of the GPU in the place of those of the CPU.
fn replaced<'a>(
    arguments: &[Argument<'_>],
    inputs: &'a [Tensor],
    changed: &'a mut [CudaStorage],
) -> Vec<Argument<'a>> {
    let (mut inputs, mut changed) = (inputs.iter(), changed.iter_mut());
    let mut writable = |first, count| {
        let memory = Memory::Cuda(changed.next()?);
        Some(Argument::Changed(Changed { memory, first, count }))
    };
    let there = arguments.iter().filter_map(|argument| match argument {
        Argument::In(_) => inputs.next().map(Argument::In),
        Argument::Out(y) => writable(0, y.shape.elem_count()),
        Argument::Changed(c) => writable(c.first, c.count),
        Argument::Integer(value) => Some(Argument::Integer(*value)),
        Argument::Bits(value) => Some(Argument::Bits(*value)),
        Argument::Number(value) => Some(Argument::Number(*value)),
        Argument::Divisor(value) => Some(Argument::Divisor(*value)),
    });
    there.collect()
}

/// What `f` computes of tensors on the GPU, for tensors of the CPU.
pub(super) fn there(
    device: &CudaDevice,
    [a, b]: [&Tensor; 2],
    f: impl FnOnce(&Tensor, &Tensor) -> Result<Output>,
) -> Result<Output> {
    let away = Device::Cuda(device.clone());
    let Output { storage, shape } = f(&a.to_device(&away)?, &b.to_device(&away)?)?;
    let Storage::Cuda(storage) = storage else { bail!("the output is not on the GPU") };
    Ok(Output { storage: Storage::Cpu(storage.to_cpu_storage()?), shape })
}
