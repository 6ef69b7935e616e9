#![allow(unsafe_code, reason = "the library's communicator is a pointer")]

use std::ffi::c_char;
use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::cuda_backend::CudaDType;
use candle_core::cuda_backend::cudarc::driver::CudaSlice;
use candle_core::cuda_backend::cudarc::nccl::{
    Comm, Id, NcclType, ReduceOp, group_end, group_start, result::NcclError,
};
use candle_core::{
    CpuStorage, CudaDevice, CudaStorage, DType, InplaceOp1, Layout, Result, Tensor, bail,
};

/// A GPU's place among those of other processes, by NVIDIA's library NCCL.
///
/// Work goes into candle's stream of the calling thread: the thread that computes what is exchanged must
/// be the one that calls. All ranks must call the same methods in the same order, with tensors of the
/// same forms; else they wait for each other for ever. `ocellus_parallel::NcclCommunicator` sees to that.
///
/// No GPU has run it yet.
///
/// # Examples
///
/// ```no_run
/// use candle_core::{CudaDevice, DType, Device, Tensor, backend::BackendDevice};
/// use ocellus_ops::NcclComm;
///
/// let device = CudaDevice::new(0)?;
/// let comm = NcclComm::new(&device, 0, 1, &NcclComm::unique_id()?)?;
/// let x = Tensor::ones(4, DType::F32, &Device::Cuda(device))?;
/// let sums = comm.all_reduce_sum(&[x])?;
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug)]
pub struct NcclComm {
    comm: Mutex<Sendable>,
    device: CudaDevice,
}

#[derive(Debug)]
struct Sendable(Comm);

// SAFETY: NCCL lets any thread call for a communicator, as long as one does at a time
// (https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/usage/threadsafety.html): the mutex sees to that. The
// communicator's other field, cudarc's stream, can be sent.
unsafe impl Send for Sendable {}

impl NcclComm {
    /// What all ranks of a group must know to find each other: one rank makes it.
    ///
    /// # Errors
    ///
    /// If the library fails.
    pub fn unique_id() -> Result<[u8; 128]> {
        Ok(Id::new().map_err(failed("the id"))?.internal().map(|x| x as u8))
    }

    /// Joins a group of `size` ranks. Returns when all have.
    ///
    /// # Errors
    ///
    /// If the library fails.
    pub fn new(device: &CudaDevice, rank: usize, size: usize, id: &[u8; 128]) -> Result<Self> {
        if rank >= size || i32::try_from(size).is_err() {
            bail!("NCCL: rank {rank} of {size}: they count from 0")
        }
        let stream = device.cuda_stream();
        bound(&stream)?;
        let id = Id::uninit(id.map(|x| x as c_char));
        let comm = Comm::from_rank(stream, rank, size, id).map_err(failed("joining"))?;
        Ok(Self { comm: Mutex::new(Sendable(comm)), device: device.clone() })
    }

    /// The sums of all ranks' tensors, in one launch.
    ///
    /// # Errors
    ///
    /// If a tensor is not of floats on the group's device, or the library fails.
    pub fn all_reduce_sum(&self, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
        if let Some(x) = tensors.iter().find(|x| !x.dtype().is_float()) {
            bail!("NCCL: sums over ranks are of floats, got {:?}", x.dtype())
        }
        self.run(tensors, What::Sum)
    }

    /// The tensors of rank `root`, in one launch.
    ///
    /// # Errors
    ///
    /// If a tensor is not on the group's device, or the library fails.
    pub fn broadcast(&self, tensors: &[Tensor], root: usize) -> Result<Vec<Tensor>> {
        let size = self.lock().0.world_size();
        if root >= size {
            bail!("NCCL: broadcast from rank {root} of {size}: they count from 0")
        }
        self.run(tensors, What::Broadcast(root as i32))
    }

    fn lock(&self) -> MutexGuard<'_, Sendable> {
        self.comm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, tensors: &[Tensor], what: What) -> Result<Vec<Tensor>> {
        let here = |x: &Tensor| matches!(x.device(), candle_core::Device::Cuda(d) if d.id() == self.device.id());
        if let Some(x) = tensors.iter().find(|x| !here(x)) {
            bail!("NCCL: a tensor is on {:?}, the group on {:?}: move it", x.device(), self.device)
        }
        // Allocated before the group begins, and alive until it is launched.
        let results = tensors.iter().map(|x| x.detach().force_contiguous());
        let results = results.collect::<Result<Vec<_>>>()?;
        let comm = self.lock();
        bound(&self.device.cuda_stream())?;
        let op = InPlace { comm: &comm.0, what };
        group_start().map_err(failed("a group"))?;
        let put =
            results.iter().filter(|x| x.elem_count() > 0).try_for_each(|x| x.inplace_op1(&op));
        let launched = group_end().map_err(failed("a launch"));
        put?;
        launched?;
        Ok(results)
    }
}

/// Makes the device the one of this thread, as the library expects.
fn bound(stream: &candle_core::cuda_backend::cudarc::driver::CudaStream) -> Result<()> {
    stream.context().bind_to_thread().map_err(candle_core::Error::wrap)
}

fn failed(what: &'static str) -> impl Fn(NcclError) -> candle_core::Error {
    move |error| {
        let message = format!(
            "NCCL: {what} failed ({:?}); NCCL_DEBUG=INFO makes the library say more",
            error.0
        );
        candle_core::Error::Msg(message)
    }
}

#[derive(Clone, Copy)]
enum What {
    Sum,
    Broadcast(i32),
}

struct InPlace<'a> {
    comm: &'a Comm,
    what: What,
}

impl InPlace<'_> {
    fn put<T: NcclType + CudaDType>(&self, storage: &mut CudaStorage) -> Result<()> {
        let slice: &mut CudaSlice<T> = storage.as_cuda_slice_mut()?;
        let status = match self.what {
            What::Sum => self.comm.all_reduce_in_place(slice, &ReduceOp::Sum),
            What::Broadcast(root) => self.comm.broadcast_in_place(slice, root),
        };
        status.map(drop).map_err(failed("an operation"))
    }
}

impl InplaceOp1 for InPlace<'_> {
    fn name(&self) -> &'static str {
        "nccl"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout) -> Result<()> {
        bail!("NCCL: a tensor is on the CPU: move it to the group's GPU")
    }

    fn cuda_fwd(&self, storage: &mut CudaStorage, _: &Layout) -> Result<()> {
        use candle_core::backend::BackendStorage;
        match storage.dtype() {
            DType::F32 => self.put::<f32>(storage),
            DType::F64 => self.put::<f64>(storage),
            DType::F16 => self.put::<half::f16>(storage),
            DType::BF16 => self.put::<half::bf16>(storage),
            DType::U8 => self.put::<u8>(storage),
            DType::U32 => self.put::<u32>(storage),
            DType::I64 => self.put::<i64>(storage),
            other => bail!("NCCL exchanges u8, u32, i64, f16, bf16, f32 and f64, got {other:?}"),
        }
    }
}
