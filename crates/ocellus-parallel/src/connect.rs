use candle_core::Device;

use crate::{Error, ProcessGroup, Ranks, Result, TcpCommunicator, TcpConfig};

/// Meets the other ranks, whose tensors are on this device: over TCP for the CPU, and not at all for a
/// single rank.
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
/// If the ranks do not find each other, or there are several and the device is not the CPU.
pub fn connect(ranks: &Ranks, device: &Device, config: &TcpConfig) -> Result<ProcessGroup> {
    if ranks.size == 1 {
        return Ok(ProcessGroup::default());
    }
    match device {
        Device::Cpu => Ok(TcpCommunicator::connect(ranks, config)?.into()),
        other => Err(Error::Setting(format!(
            "{} ranks on {other:?}: there is a way between processes on the CPU alone",
            ranks.size
        ))),
    }
}
