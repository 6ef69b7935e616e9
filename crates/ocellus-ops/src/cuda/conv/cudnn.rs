#![allow(unsafe_code, reason = "cuDNN is called")]

//! Products of convolutions by cuDNN. Descriptors and algorithms are found once for each shape, type
//! and precision, and kept; what algorithms work in is one piece of memory for all.

mod prepared;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use candle_core::cuda_backend::cudarc::cudnn::{result, sys};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaStream};
use candle_core::cuda_backend::{DeviceId, WrapErr};
use candle_core::{CudaDevice, DType, Error, Result, Tensor};

use self::prepared::Prepared;
use super::plan::{Direction, Plan};
use crate::cuda::machine::{Machine, Output};

/// What a prepared convolution is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    plan: Plan,
    direction: Direction,
    dtype: DType,
    tf32: bool,
}

/// Convolutions kept at most: a network needs a few hundred.
const MOST: usize = 4096;

thread_local! {
    /// cuDNN's handles belong to a thread.
    static LIBRARIES: RefCell<HashMap<DeviceId, Library>> = RefCell::default();
}

struct Library {
    handle: Handle,
    prepared: HashMap<Key, Rc<Prepared>>,
    /// Grown when more is asked for; kernels of a stream use it one after the other.
    workspace: Option<CudaSlice<u8>>,
}

struct Handle(sys::cudnnHandle_t);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle was created by cuDNN, and is not used any more.
        let _ = unsafe { result::destroy_handle(self.0) };
    }
}

impl Library {
    fn new(stream: &CudaStream) -> Result<Self> {
        stream.context().bind_to_thread().w()?;
        let handle = Handle(result::create_handle().map_err(Error::wrap)?);
        // SAFETY: handle and stream live; the stream belongs to the device, which outlives the handle.
        unsafe { result::set_stream(handle.0, stream.cu_stream().cast()) }.map_err(Error::wrap)?;
        Ok(Self { handle, prepared: HashMap::new(), workspace: None })
    }

    fn prepared(&mut self, key: Key) -> Result<Rc<Prepared>> {
        if let Some(prepared) = self.prepared.get(&key) {
            return Ok(prepared.clone());
        }
        if self.prepared.len() == MOST {
            self.prepared.clear();
        }
        let prepared = Rc::new(Prepared::new(&self.handle, key)?);
        self.prepared.insert(key, prepared.clone());
        Ok(prepared)
    }

    fn workspace(&mut self, stream: &std::sync::Arc<CudaStream>, bytes: usize) -> Result<()> {
        let has = self.workspace.as_ref().map_or(0, CudaSlice::num_bytes);
        if has < bytes {
            self.workspace = None;
            // SAFETY: algorithms read of it what they have written.
            self.workspace = Some(unsafe { stream.alloc::<u8>(bytes) }.w()?);
        }
        Ok(())
    }
}

/// The product of `a` and `b`: see [`Direction`].
pub(super) fn compute(
    device: &CudaDevice,
    plan: &Plan,
    direction: Direction,
    tf32: bool,
    a: &Tensor,
    b: &Tensor,
) -> Result<Output> {
    let (a, b) = (&aligned(a)?, &aligned(b)?);
    let dtype = a.dtype();
    let shape = match direction {
        Direction::Forward => plan.y,
        Direction::ByInput => plan.x,
        Direction::ByWeight => plan.weight,
    };
    let mut output = Machine::Cuda(device.clone()).output(shape.as_slice(), dtype)?;
    let key = Key { plan: *plan, direction, dtype, tf32: tf32 && dtype == DType::F32 };
    let stream = device.cuda_stream();
    LIBRARIES.with_borrow_mut(|libraries| {
        let library = match libraries.entry(device.id()) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(Library::new(&stream)?)
            }
        };
        let prepared = library.prepared(key)?;
        library.workspace(&stream, prepared.workspace)?;
        prepared.run(library, &stream, [a, b], &mut output)
    })?;
    Ok(output)
}

/// The tensor where loads of 16 bytes can read it, as algorithms may: a view may begin anywhere.
fn aligned(x: &Tensor) -> Result<Tensor> {
    let first = x.layout().start_offset() * x.dtype().size_in_bytes();
    if first.is_multiple_of(16) { Ok(x.clone()) } else { x.force_contiguous() }
}
