use candle_core::{CudaDevice, Device, Tensor};
use ocellus_ops::NcclComm;

use crate::{Communicator, Error, Ranks, Result, TcpCommunicator, TcpConfig, call::Call};

/// Ranks that are processes, each with a GPU: tensors there are exchanged by NVIDIA's library NCCL,
/// those of the CPU over TCP.
///
/// Before every exchange of GPUs the ranks agree over TCP that they are at the same operation: a rank
/// that is lost or elsewhere is an error, where NCCL would wait for ever. One that dies within an
/// exchange is not noticed; [`Launch`](crate::Launch) then ends the others. A loop must call from one
/// thread, whose stream of the GPU is used.
///
/// On one machine NCCL adds in the same order in every run; on several, and with another number of GPUs,
/// the order may be another.
///
/// It has been compiled, but no GPU has run it yet.
///
/// # Examples
///
/// ```no_run
/// use candle_core::{CudaDevice, backend::BackendDevice};
/// use ocellus_parallel::{NcclCommunicator, ProcessGroup, Ranks, TcpConfig};
///
/// let ranks = Ranks::from_env()?;
/// let device = CudaDevice::new(ranks.local_rank)?;
/// let group = ProcessGroup::new(NcclCommunicator::connect(&ranks, &device, &TcpConfig::default())?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct NcclCommunicator {
    tcp: TcpCommunicator,
    comm: NcclComm,
}

impl NcclCommunicator {
    /// Meets the other ranks, whose GPUs must not be this one.
    ///
    /// # Errors
    ///
    /// If the ranks do not meet ([`TcpCommunicator::connect`]), or the library fails.
    pub fn connect(ranks: &Ranks, device: &CudaDevice, config: &TcpConfig) -> Result<Self> {
        let tcp = TcpCommunicator::connect(ranks, config)?;
        let id = match ranks.rank {
            0 => NcclComm::unique_id().map_err(gpu),
            _ => Ok([0; 128]),
        };
        let id = id.inspect_err(|error| tcp.give_up(&error.to_string()))?;
        let shared = tcp.broadcast(&[Tensor::new(&id, &Device::Cpu)?], 0)?[0].to_vec1::<u8>()?;
        let mut id = [0; 128];
        id.copy_from_slice(&shared);
        let comm = NcclComm::new(device, ranks.rank, ranks.size, &id).map_err(gpu)?;
        Ok(Self { tcp, comm })
    }

    /// Whether the tensors are on a GPU; all of them must be in one place.
    fn on_gpu(tensors: &[Tensor]) -> Result<bool> {
        let gpus = tensors.iter().filter(|x| matches!(x.device(), Device::Cuda(_))).count();
        if gpus > 0 && gpus < tensors.len() {
            let message = "some tensors are on a GPU and some are not: exchange them in two calls";
            return Err(Error::Setting(message.to_owned()));
        }
        Ok(gpus > 0)
    }
}

fn gpu(error: candle_core::Error) -> Error {
    Error::Gpu(error.to_string())
}

impl Communicator for NcclCommunicator {
    fn rank(&self) -> usize {
        self.tcp.rank()
    }

    fn size(&self) -> usize {
        self.tcp.size()
    }

    fn all_reduce_sum(&self, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
        if !Self::on_gpu(tensors)? {
            return self.tcp.all_reduce_sum(tensors);
        }
        self.tcp.agree(&Call::sum(tensors)?)?;
        self.comm.all_reduce_sum(tensors).map_err(gpu)
    }

    fn broadcast(&self, tensors: &[Tensor], root: usize) -> Result<Vec<Tensor>> {
        if !Self::on_gpu(tensors)? {
            return self.tcp.broadcast(tensors, root);
        }
        self.tcp.agree(&Call::broadcast(tensors, root, self.size())?)?;
        self.comm.broadcast(tensors, root).map_err(gpu)
    }

    /// Of the processes; work that is in the GPUs' streams goes on.
    fn barrier(&self) -> Result<()> {
        self.tcp.barrier()
    }

    fn give_up(&self, reason: &str) {
        self.tcp.give_up(reason);
    }
}
