#![allow(unsafe_code, reason = "the driver's memory and events are set")]

//! See [`cuda_device`](crate::cuda_device).

use std::ptr;

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{result, sys};
use candle_core::{CudaDevice, Device, Result};

pub(crate) fn open(ordinal: usize) -> Result<Device> {
    let device = CudaDevice::new_with_stream(ordinal)?;
    // SAFETY: the device has one stream, in which all tensors are made, used and given back, in order.
    unsafe { device.disable_event_tracking() };
    keep_memory(&device)?;
    Ok(Device::Cuda(device))
}

/// Has the driver keep all memory that is given back, where it keeps any.
fn keep_memory(device: &CudaDevice) -> Result<()> {
    let stream = device.cuda_stream();
    let context = stream.context();
    if !context.has_async_alloc() {
        return Ok(());
    }
    context.bind_to_thread().w()?;
    let mut all = u64::MAX;
    // SAFETY: the device is the context's, the pool is the device's own, and its threshold a `u64`,
    // which is read before the call returns.
    unsafe {
        let pool = result::device::get_default_mem_pool(context.cu_device()).w()?;
        result::mem_pool::set_attribute(
            pool,
            sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
            ptr::from_mut(&mut all).cast(),
        )
        .w()
    }
}
