//! Grades the quality of OCTA images: UNO-QA of Chen et al. (2023).
#![allow(clippy::print_stdout, reason = "a program reports to its user")]

mod cli;
mod commands;
#[path = "../common"]
mod common {
    pub(crate) mod common_settings;
    pub(crate) mod device;
    pub(crate) mod files;
    pub(crate) mod image_files;
    pub(crate) mod outcome;
    pub(crate) mod progress;
}
mod comparison;
mod defects;
mod detectors;
mod drawings;
mod encoder;
mod examined;
mod grade;
mod images;
mod pretraining;
mod report;
mod run;
mod saved;
mod seeds;
mod sets;
mod surfaces;
mod tables;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use common::outcome::exit_code;
use ocellus::ops::{CachingAllocator, tune_threads};

/// Every operation allocates its result: without this, the system clears each page of it.
#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new();

fn main() -> ExitCode {
    tune_threads();
    let Cli { command, settings } = Cli::parse();
    let outcome = match command {
        None => commands::demo(&settings),
        Some(Command::Fit) => commands::fit(&settings),
        Some(Command::Table1) => seeds::table_1(&settings),
        Some(Command::Table2) => commands::table_2(&settings),
        Some(Command::Defects) => defects::defects(&settings),
        Some(Command::Grade { model, images }) => grade::grade(&settings, &model, &images),
    };
    exit_code(outcome)
}
