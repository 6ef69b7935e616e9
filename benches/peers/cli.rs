//! The command line.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use clap::{Args, Parser, Subcommand};
use ocellus_benches::{Case, Precision, Target, all_cases, gpu_cases};

use crate::peer::Peer;

/// Times our operations and networks beside those of PyTorch, ONNX Runtime, OpenVINO and scikit-learn.
#[derive(Debug, Parser)]
#[command(name = "peers", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Times ours and the peers in turns, compares the results, prints a table of ratios.
    Compare,
    /// Times ours, beside the machine's measured peak of products and of copying.
    Roofline,
    /// Peak memory, processor time and page faults in a fresh process: ours, and PyTorch.
    Memory,
    /// The names of the cases.
    List,
    /// Obeys commands on the standard input.
    #[command(hide = true)]
    Serve,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Settings {
    /// Cases whose name holds any of these; for `compare`, `roofline` and `list` all by default.
    #[arg(long, global = true, value_delimiter = ',', value_name = "TEXT")]
    pub(crate) case: Vec<String>,
    /// Peers, in that order.
    #[arg(
        long,
        global = true,
        value_delimiter = ',',
        value_enum,
        default_value = "pytorch,channels-last,fused,onnxruntime,openvino,anomalib,scikit-learn"
    )]
    pub(crate) peers: Vec<Peer>,
    /// Timed runs, or blocks of short runs, of each.
    #[arg(long, global = true, default_value_t = 10, value_name = "N")]
    pub(crate) repetitions: usize,
    /// Threads of ours and of each peer.
    #[arg(long, global = true, default_value_t = 2, value_name = "N")]
    pub(crate) threads: usize,
    /// Lets the C library of the peers keep freed memory: no page faults on large results. Ours runs with
    /// `CachingAllocator` in any case.
    #[arg(long, global = true)]
    pub(crate) keep_memory: bool,
    /// `cpu`, or `cuda`: the first GPU, with cases of its own sizes.
    #[arg(long, global = true, default_value = "cpu", value_parser = ["cpu", "cuda"])]
    pub(crate) device: String,
    /// `f32`; on a GPU also `tf32`, `bf16`: of products alone, weights are f32.
    #[arg(long, global = true, default_value = "f32", value_name = "NAME")]
    pub(crate) precision: Precision,
    /// The folder of `worker.py`.
    #[arg(long, global = true, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/peers"), value_name = "DIR")]
    pub(crate) scripts: PathBuf,
    /// The Python interpreter that has the peers.
    #[arg(long, global = true, default_value = "../ocellus-peers/bin/python", value_name = "FILE")]
    pub(crate) python: PathBuf,
    /// Where all figures are written.
    #[arg(long, global = true, default_value = "target/peers.json", value_name = "FILE")]
    pub(crate) json: PathBuf,
}

impl Settings {
    /// Where ours runs.
    pub(crate) fn target(&self) -> Result<Target> {
        match (self.device.as_str(), self.precision) {
            ("cuda", precision) => Ok(Target::gpu(precision)?),
            (_, Precision::F32) => Ok(Target::cpu()),
            (_, other) => bail!("--precision {}: the CPU is compared in f32", other.name()),
        }
    }

    /// The cases whose names fit.
    pub(crate) fn cases(&self) -> Result<Vec<Case>> {
        let fits = |case: &Case| {
            self.case.is_empty() || self.case.iter().any(|part| case.name().contains(part))
        };
        let all = if self.device == "cuda" { gpu_cases() } else { all_cases() };
        let cases: Vec<Case> = all.into_iter().filter(fits).collect();
        ensure!(!cases.is_empty(), "no case holds {:?}: see `list`", self.case.join(", "));
        Ok(cases)
    }
}
