//! Where tensors live.

use anyhow::{Error, Result, anyhow, bail};
use ocellus::{
    candle::{self, Device, utils::cuda_is_available},
    ops::cuda_device,
};

/// What `--device` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Cpu,
    Cuda(u16),
    Auto,
}

impl std::str::FromStr for Choice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match (name, name.strip_prefix("cuda:").map(str::parse)) {
            ("cpu", _) => Ok(Self::Cpu),
            ("auto", _) => Ok(Self::Auto),
            ("cuda", _) => Ok(Self::Cuda(0)),
            (_, Some(Ok(ordinal))) => Ok(Self::Cuda(ordinal)),
            _ => bail!("there is no device `{name}`: give `cpu`, `cuda`, `cuda:N` or `auto`"),
        }
    }
}

/// The device that `--device` names. Which one `auto` takes goes to the standard error.
pub(crate) fn device(name: &str) -> Result<Device> {
    match name.parse()? {
        Choice::Cpu => Ok(Device::Cpu),
        Choice::Cuda(ordinal) => cuda(ordinal),
        Choice::Auto => {
            let (device, said) = best(cuda(0));
            eprintln!("{said}");
            Ok(device)
        }
    }
}

/// The first GPU if there is one, else the CPU, and what is to be said of it.
fn best(gpu: Result<Device>) -> (Device, String) {
    match gpu {
        Ok(device) => (device, "device: CUDA 0".to_owned()),
        Err(error) => (Device::Cpu, format!("device: the CPU, for {error:#}")),
    }
}

fn cuda(ordinal: u16) -> Result<Device> {
    opened(ordinal, cuda_is_available(), cuda_device)
}

/// A device of a program that was built with CUDA or not.
fn opened(
    ordinal: u16,
    built: bool,
    open: impl FnOnce(usize) -> candle::Result<Device>,
) -> Result<Device> {
    if !built {
        bail!(
            "this program was built without `--features cuda`, which CUDA device {ordinal} needs: build it so, \
             or give `--device cpu`"
        )
    }
    open(ordinal.into()).map_err(|error| anyhow!(reason(ordinal, &error.to_string())))
}

/// Why a device does not open, by the name of the driver's error.
fn reason(ordinal: u16, said: &str) -> String {
    let (what, remedy) = if said.contains("CUDA_ERROR_STUB_LIBRARY") {
        (
            "the library of NVIDIA's driver, libcuda.so.1, is missing".to_owned(),
            "a toolkit's stub was found in its place: install the driver, and keep stubs out of LD_LIBRARY_PATH",
        )
    } else if said.contains("CUDA_ERROR_INVALID_DEVICE") {
        (
            format!("there is no CUDA device {ordinal}"),
            "they count from 0, `nvidia-smi -L` lists them and CUDA_VISIBLE_DEVICES hides some",
        )
    } else if said.contains("CUDA_ERROR_NO_DEVICE") {
        (
            "NVIDIA's driver sees no device".to_owned(),
            "see what `nvidia-smi` says, and whether CUDA_VISIBLE_DEVICES hides them",
        )
    } else if said.contains("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH") {
        (
            "the library of NVIDIA's driver is not of the driver that runs".to_owned(),
            "restart the machine after an update, or give a container the host's libcuda.so.1",
        )
    } else {
        (format!("CUDA device {ordinal} cannot be used"), "`--device cpu` works everywhere")
    };
    format!("{what}: {remedy} ({said})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str) -> String {
        name.parse::<Choice>().unwrap_err().to_string()
    }

    #[test]
    fn names_are_read() {
        let read = |name: &str| name.parse::<Choice>().unwrap();
        assert_eq!(read("cpu"), Choice::Cpu);
        assert_eq!(read("auto"), Choice::Auto);
        assert_eq!(read("cuda"), Choice::Cuda(0));
        assert_eq!(read("cuda:0"), Choice::Cuda(0));
        assert_eq!(read("cuda:11"), Choice::Cuda(11));
    }

    #[test]
    fn other_names_are_refused_and_named() {
        // The driver counts in 32 bits: 2³² would be device 0.
        for name in ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:x", "cuda:4294967296", "cuda1"] {
            let said = refused(name);
            assert!(said.contains(&format!("`{name}`")) && said.contains("`cuda:N`"), "{said}");
        }
    }

    #[test]
    fn a_program_without_cuda_says_so_and_opens_nothing() {
        let open = |_| -> candle::Result<Device> { panic!("opened") };
        let said = opened(3, false, open).unwrap_err().to_string();
        assert!(said.contains("without `--features cuda`") && said.contains("device 3"), "{said}");
    }

    #[test]
    fn each_failure_of_the_driver_has_a_message_of_its_own() {
        let message = |name: &str| {
            let fails = |_| Err(candle::Error::Msg(format!("DriverError({name}, \"text\")")));
            let said = opened(7, true, fails).unwrap_err().to_string();
            assert!(said.contains(name), "{said}");
            said
        };
        let missing = message("CUDA_ERROR_STUB_LIBRARY");
        assert!(missing.contains("libcuda.so.1") && missing.contains("missing"), "{missing}");
        let ordinal = message("CUDA_ERROR_INVALID_DEVICE");
        assert!(ordinal.starts_with("there is no CUDA device 7: "), "{ordinal}");
        assert!(message("CUDA_ERROR_NO_DEVICE").contains("sees no device"));
        assert!(message("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH").contains("the driver that runs"));
        let other = message("CUDA_ERROR_OUT_OF_MEMORY");
        assert!(other.starts_with("CUDA device 7 cannot be used: "), "{other}");
    }

    #[test]
    fn the_ordinal_that_was_asked_for_is_opened() {
        let mut asked = None;
        let open = |ordinal| {
            asked = Some(ordinal);
            Ok(Device::Cpu)
        };
        opened(5, true, open).unwrap();
        assert_eq!(asked, Some(5));
    }

    #[test]
    fn auto_takes_a_gpu_that_opens_and_else_the_cpu_and_says_which() {
        // No GPU is needed to see that what opened is taken.
        assert_eq!(best(Ok(Device::Cpu)).1, "device: CUDA 0");
        let (device, said) = best(Err(anyhow!("no reason at all")));
        assert!(device.is_cpu());
        assert_eq!(said, "device: the CPU, for no reason at all");
    }

    #[test]
    fn auto_is_the_cpu_without_cuda() {
        if cuda_is_available() {
            eprintln!("built with CUDA: skipped");
            return;
        }
        assert!(device("auto").unwrap().is_cpu());
        assert!(device("cpu").unwrap().is_cpu());
        let said = device("cuda").unwrap_err().to_string();
        assert!(said.contains("without `--features cuda`"), "{said}");
    }
}
