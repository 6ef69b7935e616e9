//! Where tensors live.

use anyhow::{Context, Result, bail};
use ocellus::candle::Device;

/// The device that `--device` names.
pub(crate) fn device(name: &str) -> Result<Device> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "cuda" => cuda(0),
        _ => match name.strip_prefix("cuda:").map(str::parse) {
            Some(Ok(ordinal)) => cuda(ordinal),
            _ => bail!("there is no device `{name}`: give `cpu`, `cuda` or `cuda:N`"),
        },
    }
}

fn cuda(ordinal: usize) -> Result<Device> {
    Device::new_cuda(ordinal).with_context(|| {
        format!(
            "no CUDA device {ordinal}: it needs an NVIDIA driver and a program built with \
             `--features cuda`; `--device cpu` works everywhere"
        )
    })
}
