//! Several processes that train one network.

use std::{env, process::ExitCode, thread::available_parallelism};

use anyhow::{Result, bail};
use clap::Args;
use ocellus::{
    candle::Device,
    parallel::{Launch, ProcessGroup, Ranks, TcpConfig, connect, end_with_launcher},
};

use crate::common::{device::device, outcome::exit_code};

/// What says how many threads a process has.
const THREADS: &str = "RAYON_NUM_THREADS";

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct ParallelSettings {
    /// Processes that share every batch; with `--device cuda` each takes a GPU, on the CPU they share
    /// its cores. `torchrun` may start them as well. `train` only.
    #[arg(long, global = true, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) processes: usize,
}

impl ParallelSettings {
    /// Starts the program as several processes, if it is to be that and is none of them yet. Gives how
    /// it ended, or that it cannot.
    pub(crate) fn launch(self, trains: bool) -> Option<ExitCode> {
        self.ended(trains).unwrap_or_else(|error| Some(exit_code(Err(error))))
    }

    fn ended(self, trains: bool) -> Result<Option<ExitCode>> {
        let size = Ranks::from_env()?.size;
        if self.processes == 0 {
            bail!("--processes 0: give at least 1")
        }
        if !trains && self.processes.max(size) > 1 {
            bail!("several processes are for `train` alone: run this command in one")
        }
        if self.processes == 1 || size > 1 {
            return Ok(None);
        }
        let own = env::args_os().skip(1);
        let mut launch = Launch::new(env::current_exe()?, self.processes).with_arguments(own);
        if env::var_os(THREADS).is_none() {
            let cores = available_parallelism().map_or(1, usize::from);
            launch = launch.with_variable(THREADS, (cores / self.processes).max(1).to_string());
        }
        let status = launch.run()?;
        let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        Ok(Some(ExitCode::from(code)))
    }

    /// The device that `--device` names, of this process, and the processes that train together.
    pub(crate) fn meet(self, name: &str) -> Result<(Device, ProcessGroup)> {
        let ranks = Ranks::from_env()?;
        if ranks.size == 1 {
            return Ok((device(name)?, ProcessGroup::default()));
        }
        end_with_launcher();
        let device = match name {
            "cpu" => device(name)?,
            "cuda" => device(&format!("cuda:{}", ranks.local_rank))?,
            other => bail!(
                "{} processes with --device {other}: give `cuda`, of which each takes a GPU of its own, or `cpu`",
                ranks.size
            ),
        };
        let group = connect(&ranks, &device, &TcpConfig::default())?;
        Ok((device, group))
    }
}
