//! Segments satellite images: the systems of Ghassemi et al. (2018).
#![allow(clippy::print_stdout, reason = "a program reports to its user")]

mod areas;
mod baseline;
mod cli;
mod commands;
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod drawings;
mod fitting;
mod network;
mod overview;
#[path = "../common/parallel.rs"]
mod parallel;
mod products;
mod report;
mod run;
mod scale;
mod scoring;
mod segment;
mod synthesize;

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
        Some(Command::Table2 { rows }) => commands::table_2(&settings, &rows),
        Some(Command::Table3 { rows }) => commands::table_3(&settings, &rows),
        Some(Command::Train) => commands::train(&settings),
        Some(Command::Evaluate { model }) => commands::evaluate(&settings, &model),
        Some(Command::Refine { model, share }) => commands::refine(&settings, &model, share),
        Some(Command::Synthesize { width, height }) => {
            synthesize::synthesize(&settings, width, height)
        }
        Some(Command::Segment { model, scene, tiles }) => {
            segment::segment(&settings, &model, &scene, &tiles)
        }
    };
    common::outcome::exit_code(outcome)
}
