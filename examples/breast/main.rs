//! Classifies breast lesions in ultrasound images: the systems of Kalafi et al. (2021).
#![allow(clippy::print_stdout, reason = "a program reports to its user")]

mod cli;
mod commands;
#[path = "../common/mod.rs"]
mod common;
mod compare;
#[path = "../compared/mod.rs"]
mod compared;
mod dataset;
mod drawings;
mod explain;
mod fitting;
#[path = "../common/image_files.rs"]
mod image_files;
#[path = "../common/loading.rs"]
mod loading;
mod localization;
mod maps;
#[path = "../common/parallel.rs"]
mod parallel;
mod predict;
mod report;
mod run;
mod setup;
#[path = "../common/shares.rs"]
mod shares;
mod views;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use ocellus::ops::{CachingAllocator, tune_threads};

/// Every operation allocates its result: without this, the system clears each page of it.
#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new();

fn main() -> ExitCode {
    let Cli { command, settings } = Cli::parse();
    let trains = matches!(command, Some(Command::Train));
    if let Some(code) = settings.parallel.launch(trains) {
        return code;
    }
    tune_threads();
    let outcome = match command {
        None => commands::demo(&settings),
        Some(Command::Table1 { rows }) => commands::table_1(&settings, &rows),
        Some(Command::Ablate) => commands::ablate(&settings),
        Some(Command::Train) => commands::train(&settings),
        Some(Command::Evaluate { model }) => commands::evaluate(&settings, &model),
        Some(Command::Predict { model, images }) => predict::predict(&settings, &model, &images),
    };
    common::outcome::exit_code(outcome)
}
