//! Times our operations and networks beside those of PyTorch, ONNX Runtime, OpenVINO and
//! scikit-learn, in turns and on the same weights.
//!
//! `docs/performance.md` says how to set the others up. This program does not compute: it commands
//! two workers, itself in another process and `worker.py`, by lines of JSON over pipes.
#![allow(clippy::print_stdout, reason = "a program reports to its user")]

mod agreement;
mod cli;
mod compare;
mod machine;
mod memory;
mod peer;
mod protocol;
mod record;
mod roofline;
mod serve;
mod table;
mod worker;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(Cli { command, settings }: Cli) -> Result<()> {
    match command {
        Command::Compare => compare::compare(&settings),
        Command::Roofline => roofline::roofline(&settings),
        Command::Memory => memory::memory(&settings),
        Command::List => {
            for case in settings.cases()? {
                println!("{case}");
            }
            Ok(())
        }
        Command::Serve => serve::serve(&settings),
    }
}
