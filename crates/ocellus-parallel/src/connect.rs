use candle_core::Device;

use crate::{Error, ProcessGroup, Ranks, Result, TcpCommunicator, TcpConfig};

/// Meets the other ranks, whose tensors are on this device: over TCP for the CPU, over NCCL for GPUs,
/// and not at all for a single rank.
///
/// # Examples
///
/// ```
/// use candle_core::Device;
/// use ocellus_parallel::{Ranks, TcpConfig, connect};
///
/// let group = connect(&Ranks::alone(), &Device::Cpu, &TcpConfig::default())?;
/// assert!(group.is_alone());
/// # Ok::<(), ocellus_parallel::Error>(())
/// ```
///
/// # Errors
///
/// If the ranks do not find each other, or the device is a GPU and the crate was built without the
/// feature `nccl`.
pub fn connect(ranks: &Ranks, device: &Device, config: &TcpConfig) -> Result<ProcessGroup> {
    if ranks.size == 1 {
        return Ok(ProcessGroup::default());
    }
    match device {
        Device::Cpu => Ok(TcpCommunicator::connect(ranks, config)?.into()),
        #[cfg(feature = "nccl")]
        Device::Cuda(device) => Ok(crate::NcclCommunicator::connect(ranks, device, config)?.into()),
        other => Err(Error::Setting(format!(
            "{} ranks on {other:?}: GPUs work together where the program was built with the feature `nccl`; \
             the CPU always does",
            ranks.size
        ))),
    }
}
