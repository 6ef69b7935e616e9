//! What the machine is, and what it can do at most.

use std::fs;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, Result};
use ocellus::candle::{DType, Device, Tensor};
use rayon::prelude::*;
use serde::Serialize;

/// What a table of times must say about where it was taken.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    /// Runnable tasks in the last minute, before the run: more than about 0.2 makes times doubtful.
    load: f64,
}

impl Machine {
    pub(crate) fn read() -> Self {
        let text = |file| fs::read_to_string(file).unwrap_or_default();
        let cpu = text("/proc/cpuinfo");
        let model =
            cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        let load = text("/proc/loadavg");
        let load = load.split(' ').next().and_then(|load| load.parse().ok());
        Self {
            processor: model.unwrap_or(std::env::consts::ARCH).to_owned(),
            load: load.unwrap_or(f64::NAN),
        }
    }

    /// Processor and load, with a warning where the load makes times doubtful.
    pub(crate) fn describe(&self) -> String {
        let Self { processor, load } = self;
        let busy = if *load > 0.2 { ": BUSY, times are doubtful" } else { "" };
        format!("{processor}, load {load:.2}{busy}")
    }
}

/// Resident and peak resident bytes of this process.
pub(crate) fn memory() -> Result<(u64, u64)> {
    let status = fs::read_to_string("/proc/self/status").context("needs Linux")?;
    let bytes = |key: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let number = line.and_then(|line| line.split_whitespace().next());
        let kibibytes: u64 = number.with_context(|| format!("no {key}"))?.parse()?;
        Ok(kibibytes << 10)
    };
    Ok((bytes("VmRSS:")?, bytes("VmHWM:")?))
}

/// The best rate of f32 products by `gemm` through candle, in operations per second. The inner size
/// is large, so that allocating the result does not count.
pub(crate) fn product_peak() -> Result<f64> {
    let mut best = 0f64;
    for (outer, inner) in [(768, 4096), (1024, 4096), (1536, 4096), (2048, 2048)] {
        let a = Tensor::ones((outer, inner), DType::F32, &Device::Cpu)?;
        let b = Tensor::ones((inner, outer), DType::F32, &Device::Cpu)?;
        let operations = 2. * (outer * outer * inner) as f64;
        for _ in 0..10 {
            let start = Instant::now();
            black_box(a.matmul(&b)?);
            best = best.max(operations / start.elapsed().as_secs_f64());
        }
    }
    Ok(best)
}

/// The best rate of copying half a gibibyte, in bytes per second, reading and writing each counted.
pub(crate) fn copy_peak() -> f64 {
    const LEN: usize = 1 << 27;
    let threads = rayon::current_num_threads();
    let (from, mut to) = (vec![1f32; LEN], vec![0f32; LEN]);
    let chunk = LEN.div_ceil(threads);
    let mut best = 0f64;
    for _ in 0..10 {
        let start = Instant::now();
        to.par_chunks_mut(chunk).zip(from.par_chunks(chunk)).for_each(|(to, from)| {
            to.copy_from_slice(from);
        });
        black_box(&to);
        best = best.max((8 * LEN) as f64 / start.elapsed().as_secs_f64());
    }
    best
}
