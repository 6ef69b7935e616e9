use std::str::FromStr;
use std::time::{Duration, Instant};

use ocellus::candle::{DType, Device, Error, Result, Tensor, cuda};
use ocellus::ops::{cuda_device, with_tf32};
use serde::{Deserialize, Serialize};

/// With how many bits products are computed. Weights, statistics and losses are in f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 24 bits.
    #[default]
    F32,
    /// 11 bits of the factors, where a GPU multiplies f32.
    Tf32,
    /// Activations and factors of 8 bits.
    Bf16,
}

impl Precision {
    /// Its name in commands.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        }
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        let all = [Self::F32, Self::Tf32, Self::Bf16];
        let found = all.into_iter().find(|precision| precision.name() == name);
        found.ok_or_else(|| format!("no precision `{name}`: give f32, tf32 or bf16"))
    }
}

/// Where work is done, and how exactly.
#[derive(Clone, Debug)]
pub struct Target {
    pub(crate) device: Device,
    pub(crate) precision: Precision,
}

impl Target {
    /// The CPU in f32.
    #[must_use]
    pub const fn cpu() -> Self {
        Self { device: Device::Cpu, precision: Precision::F32 }
    }

    /// The first GPU.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn gpu(precision: Precision) -> Result<Self> {
        Ok(Self { device: cuda_device(0)?, precision })
    }

    /// Runs `f` with products in this precision.
    pub(crate) fn within<T>(&self, f: impl FnOnce() -> T) -> T {
        let allowed = self.precision == Precision::Tf32;
        cuda::set_gemm_reduced_precision_f32(allowed);
        with_tf32(allowed, f)
    }

    /// What a network is given: on the device, and in the type in which it computes.
    pub(crate) fn input(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.to_device(&self.device)?;
        match self.precision {
            Precision::Bf16 if x.dtype() == DType::F32 => x.to_dtype(DType::BF16),
            _ => Ok(x),
        }
    }

    /// How long `runs` runs of `f` take: by the device's own clock, if it is a GPU.
    ///
    /// # Errors
    ///
    /// As `f`, or if the device fails.
    pub fn time(&self, runs: usize, mut f: impl FnMut() -> Result<()>) -> Result<Duration> {
        let mut all = || (0..runs).try_for_each(|_| f());
        #[cfg(feature = "cuda")]
        if let Device::Cuda(device) = &self.device {
            use ocellus::candle::cuda_backend::cudarc::driver::sys::CUevent_flags;
            let timed = Some(CUevent_flags::CU_EVENT_DEFAULT);
            let stream = device.cuda_stream();
            let start = stream.record_event(timed).map_err(Error::wrap)?;
            all()?;
            let end = stream.record_event(timed).map_err(Error::wrap)?;
            let milliseconds = start.elapsed_ms(&end).map_err(Error::wrap)?;
            return Ok(Duration::from_secs_f64(f64::from(milliseconds) / 1e3));
        }
        let start = Instant::now();
        all()?;
        self.device.synchronize().map_err(Error::wrap)?;
        Ok(start.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions_have_names_that_are_read() {
        for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
            assert_eq!(precision.name().parse(), Ok(precision));
        }
        assert!("f8".parse::<Precision>().unwrap_err().contains("`f8`"));
    }

    #[test]
    fn all_runs_are_timed() -> Result<()> {
        let mut count = 0;
        let took = Target::cpu().time(3, || {
            count += 1;
            std::thread::sleep(Duration::from_millis(2));
            Ok(())
        })?;
        assert!(count == 3 && took >= Duration::from_millis(6));
        Ok(())
    }
}
