//! The settings that all programs have.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

#[derive(Args, Clone, Debug)]
pub(crate) struct CommonSettings {
    /// Epochs of what is trained, instead of the protocol's.
    #[arg(long, global = true)]
    pub(crate) epochs: Option<usize>,
    /// The seed of everything random.
    #[arg(long, global = true, default_value_t = 42)]
    pub(crate) seed: u64,
    /// Where results go.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Less data, fewer epochs: under a minute.
    #[arg(long, global = true)]
    pub(crate) quick: bool,
}

impl CommonSettings {
    /// The folder for results, by default `runs/NAME`.
    pub(crate) fn out_path(&self, name: &str) -> PathBuf {
        self.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(name))
    }

    /// That folder, made with these folders in it.
    pub(crate) fn out_folder(&self, name: &str, folders: &[&str]) -> Result<PathBuf> {
        let out = self.out_path(name);
        for folder in folders.iter().map(|folder| out.join(folder)).chain([out.clone()]) {
            std::fs::create_dir_all(folder).with_context(|| {
                format!("{} cannot be made: choose another --out", out.display())
            })?;
        }
        Ok(out)
    }
}
