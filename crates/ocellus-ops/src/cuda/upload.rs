#![allow(unsafe_code, reason = "page-locked memory is filled and copied from")]

//! Values on their way to a GPU: see [`filled_tensor`](crate::filled_tensor).

use std::collections::HashMap;
use std::slice;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use candle_core::cuda_backend::cudarc::driver::{CudaContext, CudaEvent, PinnedHostSlice, result};
use candle_core::cuda_backend::{DeviceId, WrapErr};
use candle_core::{CudaDevice, Result, Shape, Storage, Tensor, WithDType};

use super::buffers::{Buffer, Choice, choose};
use super::device::{uninitialized, written};
use super::machine::Output;

/// Page-locked memory, and when the device has fetched what was last written there.
struct Locked {
    memory: PinnedHostSlice<u8>,
    fetched: Option<CudaEvent>,
}

/// Buffers are made in whole pieces of this size, so that tensors of nearly one size share them.
const PIECE: usize = 1 << 20;

impl Locked {
    fn new(context: &Arc<CudaContext>, bytes: usize) -> Result<Self> {
        // SAFETY: it is written before it is read.
        let memory = unsafe {
            context.alloc_pinned_with_flags::<u8>(bytes.max(1).next_multiple_of(PIECE), 0).w()?
        };
        Ok(Self { memory, fetched: None })
    }

    fn describe(&self) -> Buffer {
        let idle = self.fetched.as_ref().is_none_or(CudaEvent::is_complete);
        Buffer { bytes: self.memory.len(), idle }
    }

    fn wait(&self) -> Result<()> {
        self.fetched.as_ref().map_or(Ok(()), |fetched| fetched.synchronize().w())
    }
}

/// Buffers that nobody fills, by device, in the order in which they were filled.
static WAITING: LazyLock<Mutex<HashMap<DeviceId, Vec<Locked>>>> = LazyLock::new(Mutex::default);

fn take(device: &CudaDevice, bytes: usize) -> Result<Locked> {
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    let buffers = waiting.entry(device.id()).or_default();
    let known: Vec<Buffer> = buffers.iter().map(Locked::describe).collect();
    let taken = match choose(&known, bytes) {
        Choice::Take(index) | Choice::Wait(index) => Some(buffers.remove(index)),
        Choice::Make => None,
        Choice::Replace(index) => {
            buffers.remove(index).wait()?;
            None
        }
    };
    drop(waiting);
    match taken {
        Some(buffer) => buffer.wait().map(|()| buffer),
        None => Locked::new(device.cuda_stream().context(), bytes),
    }
}

pub(crate) fn upload<T: WithDType>(
    device: &CudaDevice,
    shape: Shape,
    fill: impl FnOnce(&mut [T]),
) -> Result<Tensor> {
    let (stream, count) = (device.cuda_stream(), shape.elem_count());
    let mut storage = uninitialized(device, &shape, T::DTYPE)?;
    let mut buffer = take(device, count * size_of::<T>())?;
    let memory = buffer.memory.as_mut_ptr().w()?.cast::<T>();
    // SAFETY: the memory is aligned to a page, large enough, and the device has fetched all that it was
    // to fetch there; of zeros every number is made.
    let values = unsafe {
        memory.write_bytes(0, count);
        slice::from_raw_parts_mut(memory, count)
    };
    fill(values);
    {
        let (address, _used) = written(&mut storage.slice, &stream)?;
        // SAFETY: both are of `count` values, and the memory stays as it is until `fetched`.
        unsafe { result::memcpy_htod_async(address, values, stream.cu_stream()) }.w()?;
    }
    buffer.fetched = Some(stream.record_event(None).w()?);
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    waiting.entry(device.id()).or_default().push(buffer);
    Ok(Output { storage: Storage::Cuda(storage), shape }.tensor())
}
