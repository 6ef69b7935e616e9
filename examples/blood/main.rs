//! Tells kinds of blood cells apart: the systems of Kumar et al. (2020).
#![allow(clippy::print_stdout, reason = "a program reports to its user")]

mod cells;
mod classical;
mod cli;
mod commands;
#[path = "../common"]
mod common {
    pub(crate) mod common_settings;
    pub(crate) mod device;
    pub(crate) mod files;
    pub(crate) mod image_files;
    pub(crate) mod loading;
    pub(crate) mod outcome;
    pub(crate) mod progress;
    pub(crate) mod published;
    pub(crate) mod training_settings;
}
mod compare;
#[path = "../compared/mod.rs"]
mod compared;
mod fitting;
mod image_settings;
mod input;
mod layout;
mod leakage;
mod method;
mod network;
#[path = "../common/parallel.rs"]
mod parallel;
mod preparation;
mod report;
mod run;
mod saved;
#[path = "../common/shares.rs"]
mod shares;
mod sources;
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
        None => commands::table_2(&settings, "blood"),
        Some(Command::Table2) => commands::table_2(&settings, "blood-table2"),
        Some(Command::Table3) => commands::table_3(&settings),
        Some(Command::Leakage) => leakage::leakage(&settings),
        Some(Command::Train) => commands::train(&settings),
        Some(Command::Predict { model, images, masks }) => {
            commands::predict(&settings, &model, &images, masks.as_deref())
        }
    };
    common::outcome::exit_code(outcome)
}
