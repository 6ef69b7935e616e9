//! The settings of programs that train networks.

use std::{num::ParseIntError, path::Path};

use anyhow::bail;
use clap::Args;
use ocellus::train::Precision;

#[derive(Args, Clone, Debug)]
pub(crate) struct TrainingSettings {
    /// Images a step, instead of the protocol's.
    #[arg(long, global = true, value_parser = at_least_one)]
    pub(crate) batch_size: Option<usize>,
    /// Learning rate (of the backbone, where it starts from published weights), instead of the
    /// protocol's.
    #[arg(long, global = true)]
    pub(crate) learning_rate: Option<f64>,
    /// What networks compute in while they are trained: `f32`, `bf16`, or `f16`, in which the loss is scaled.
    /// Weights and all evaluation stay f32.
    #[arg(long, global = true, default_value_t = Precision::F32, value_name = "TYPE")]
    pub(crate) precision: Precision,
    /// `cpu`, `cuda`, `cuda:N`, or `auto`: a GPU where there is one, else the CPU.
    #[arg(long, global = true, default_value = "cpu")]
    pub(crate) device: String,
    /// Continue a run that was stopped.
    #[arg(long, global = true)]
    pub(crate) resume: bool,
    /// A line an epoch on the standard error, for logs.
    #[arg(long, global = true)]
    pub(crate) verbose: bool,
}

/// Steps of no image would be none.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("give at least 1".to_owned()),
        number => number.map_err(|error: ParseIntError| error.to_string()),
    }
}

impl TrainingSettings {
    /// What tells results in another precision than f32 apart from those that have always been.
    pub(crate) fn key(&self) -> String {
        match self.precision {
            Precision::F32 => String::new(),
            precision => format!(" {precision}"),
        }
    }

    /// Fails if a trained network is there already, and not to be trained further.
    pub(crate) fn require_new(&self, file: &Path) -> anyhow::Result<()> {
        if file.exists() && !self.resume {
            bail!(
                "{} is there already: choose another --out, or continue with --resume",
                file.display()
            )
        }
        Ok(())
    }
}
