//! The settings that all programs have.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

#[derive(Args, Clone, Debug)]
pub(crate) struct CommonSettings {
    /// Epochs, instead of the protocol's.
    #[arg(long, global = true)]
    pub(crate) epochs: Option<usize>,
    /// Images a step, instead of the protocol's.
    #[arg(long, global = true)]
    pub(crate) batch_size: Option<usize>,
    /// Learning rate (of the backbone, where it starts from published weights), instead of the
    /// protocol's.
    #[arg(long, global = true)]
    pub(crate) learning_rate: Option<f64>,
    /// `cpu`, `cuda` or `cuda:N`.
    #[arg(long, global = true, default_value = "cpu")]
    pub(crate) device: String,
    /// The seed of everything random.
    #[arg(long, global = true, default_value_t = 42)]
    pub(crate) seed: u64,
    /// Where results go.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Continue a run that was stopped.
    #[arg(long, global = true)]
    pub(crate) resume: bool,
    /// Less data, fewer epochs: under a minute.
    #[arg(long, global = true)]
    pub(crate) quick: bool,
    /// A line an epoch on the standard error, for logs.
    #[arg(long, global = true)]
    pub(crate) verbose: bool,
}

impl CommonSettings {
    /// The folder for results, by default `runs/NAME`, made with these folders in it.
    pub(crate) fn out_folder(&self, name: &str, folders: &[&str]) -> Result<PathBuf> {
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(name));
        for folder in folders.iter().map(|folder| out.join(folder)).chain([out.clone()]) {
            std::fs::create_dir_all(folder).with_context(|| {
                format!("{} cannot be made: choose another --out", out.display())
            })?;
        }
        Ok(out)
    }

    /// Fails if a trained network is there already, and not to be trained further.
    pub(crate) fn require_new(&self, file: &Path) -> Result<()> {
        if file.exists() && !self.resume {
            bail!(
                "{} is there already: choose another --out, or continue with --resume",
                file.display()
            )
        }
        Ok(())
    }
}
