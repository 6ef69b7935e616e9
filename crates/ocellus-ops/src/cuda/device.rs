#![allow(unsafe_code, reason = "kernels are launched")]

//! Kernels on a GPU.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};

use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaStream, DevicePtr, DevicePtrMut, DeviceRepr, LaunchConfig, PushKernelArg,
    SyncOnDrop,
};
use candle_core::cuda_backend::cudarc::nvrtc::{
    CompileError, CompileOptions, compile_ptx_with_opts,
};
use candle_core::cuda_backend::{CudaStorageSlice, DeviceId, WrapErr};
use candle_core::{CudaDevice, CudaStorage, DType, Result, Shape, Storage, Tensor, bail};

use super::launch::{Grid, Params};
use super::machine::{Argument, Changed, Memory};
use super::source::{ARCHITECTURE, Module};

// SAFETY: `Params` is an array of integers, laid out as the kernels' `struct Params`.
unsafe impl DeviceRepr for Params {}

/// Memory that is not cleared; for an element at least, since there is no memory of none.
pub(crate) fn uninitialized(
    device: &CudaDevice,
    shape: &Shape,
    dtype: DType,
) -> Result<CudaStorage> {
    let shape = if shape.elem_count() == 0 { &Shape::from(1) } else { shape };
    // SAFETY: what is asked for is the output of a kernel that writes all of it.
    unsafe { device.alloc_uninit(shape, dtype) }
}

/// Puts a kernel into the device's stream.
pub(crate) fn launch<'a>(
    device: &CudaDevice,
    module: Module,
    name: &'static str,
    grid: Grid,
    arguments: &mut [Argument<'a>],
) -> Result<()> {
    let stream = device.cuda_stream();
    // Locks of what is read, and records of all use: they last until the kernel is in the stream.
    let mut inputs = Vec::new();
    for argument in arguments.iter() {
        if let Argument::In(x) = argument {
            let x: &'a Tensor = x;
            inputs.push(x.storage_and_layout());
        }
    }
    let mut inputs = inputs.iter();
    let mut uses = Vec::new();
    let mut values = Vec::with_capacity(arguments.len());
    for argument in arguments.iter_mut() {
        let address = match argument {
            Argument::In(_) => {
                let Some((storage, layout)) = inputs.next() else { bail!("{name}: no storage") };
                let Storage::Cuda(storage) = &**storage else {
                    bail!("{name}: a tensor is not on the CUDA device of the others: move it")
                };
                let (address, used) = read(&storage.slice, &stream)?;
                uses.push(used);
                address + (layout.start_offset() * storage.dtype().size_in_bytes()) as u64
            }
            Argument::Out(y) => {
                let Storage::Cuda(storage) = &mut y.storage else {
                    bail!("{name}: no CUDA output")
                };
                let (address, used) = written(&mut storage.slice, &stream)?;
                uses.push(used);
                address
            }
            Argument::Changed(Changed { memory: Memory::Cuda(storage), first, .. }) => {
                let size = storage.dtype().size_in_bytes();
                let (address, used) = written(&mut storage.slice, &stream)?;
                uses.push(used);
                address + (*first * size) as u64
            }
            Argument::Changed(_) => bail!("{name}: a variable is not on the CUDA device: move it"),
            number => {
                number.append(0, &mut values);
                continue;
            }
        };
        values.push(address);
    }
    let values = Params::new(&values)?;
    let function = function(device, module, name)?;
    let config = LaunchConfig {
        grid_dim: (grid.blocks, 1, 1),
        block_dim: (grid.threads, 1, 1),
        shared_mem_bytes: 0,
    };
    let mut builder = stream.launch_builder(&function);
    builder.arg(&values);
    // SAFETY: the kernel takes `Params` alone; the tensors live, are on this device, and the
    // emulation has shown that the kernel stays within tensors of such sizes.
    unsafe { builder.launch(config) }.w()?;
    Ok(())
}

/// `$f` of the slice, whatever its type.
macro_rules! any {
    ($storage:expr, $slice:ident => $f:expr) => {
        match $storage {
            CudaStorageSlice::U8($slice) => $f,
            CudaStorageSlice::U32($slice) => $f,
            CudaStorageSlice::I64($slice) => $f,
            CudaStorageSlice::BF16($slice) => $f,
            CudaStorageSlice::F16($slice) => $f,
            CudaStorageSlice::F32($slice) => $f,
            CudaStorageSlice::F64($slice) => $f,
            _ => bail!("a kernel takes u8, u32, i64, f16, bf16, f32 or f64: convert with to_dtype"),
        }
    };
}

/// The address of what is read, once everything that wrote it is in the stream.
pub(super) fn read<'a>(
    slice: &'a CudaStorageSlice,
    stream: &'a CudaStream,
) -> Result<(u64, SyncOnDrop<'a>)> {
    Ok(any!(slice, slice => slice.device_ptr(stream)))
}

/// The address of what is written, likewise.
pub(super) fn written<'a>(
    slice: &'a mut CudaStorageSlice,
    stream: &'a CudaStream,
) -> Result<(u64, SyncOnDrop<'a>)> {
    Ok(any!(slice, slice => slice.device_ptr_mut(stream)))
}

/// The kernel on that device, loaded when it is first asked for.
fn function(device: &CudaDevice, module: Module, name: &'static str) -> Result<CudaFunction> {
    type Key = (DeviceId, Module, &'static str);
    static LOADED: LazyLock<RwLock<HashMap<Key, CudaFunction>>> = LazyLock::new(RwLock::default);
    let key = (device.id(), module, name);
    if let Some(function) = LOADED.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(function.clone());
    }
    let ptx = compiled(&key.1)?;
    let function = device.get_or_load_custom_func(name, &key.1.name(), &ptx)?.into_cuda_function();
    let mut loaded = LOADED.write().unwrap_or_else(PoisonError::into_inner);
    loaded.insert(key, function.clone());
    Ok(function)
}

/// The module as PTX, compiled when it is first asked for.
fn compiled(module: &Module) -> Result<Arc<str>> {
    static COMPILED: LazyLock<Mutex<HashMap<Module, Arc<str>>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(ptx) = compiled.get(module) {
        return Ok(ptx.clone());
    }
    let options = CompileOptions {
        arch: Some(ARCHITECTURE),
        name: Some(format!("{}.cu", module.name())),
        ..CompileOptions::default()
    };
    let ptx: Arc<str> = match compile_ptx_with_opts(module.source()?, options) {
        Ok(ptx) => ptx.to_src().into(),
        Err(CompileError::CompileError { log, .. }) => {
            bail!("{}: NVRTC says {}", module.name(), log.to_string_lossy())
        }
        Err(error) => bail!("{}: NVRTC: {error:?}", module.name()),
    };
    compiled.insert(module.clone(), ptx.clone());
    Ok(ptx)
}
