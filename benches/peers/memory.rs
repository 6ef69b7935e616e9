//! Peak memory, and what asking the system for memory costs.

use anyhow::Result;
use ocellus_benches::Case;

use crate::cli::Settings;
use crate::compare::OURS;
use crate::peer::Peer;
use crate::protocol::Request;
use crate::worker::Worker;

/// The training step whose memory is told unless another case is named.
const STEP: &str = "network_step/vgg16_32x3x128";
/// Runs before those that are counted: the first makes what stays, as momentum.
const WARM_UP: usize = 2;

pub(crate) fn memory(settings: &Settings) -> Result<()> {
    let mut settings = settings.clone();
    if settings.case.is_empty() {
        settings.case.push(STEP.to_owned());
    }
    println!(
        "{:46}{:16}{:>12}{:>12}{:>12}{:>12}",
        "a process; processor time and faults of a run",
        "",
        "MiB before",
        "MiB peak",
        "ms",
        "faults"
    );
    for case in settings.cases()? {
        let ours = Worker::ours(&settings)?;
        report(&case, OURS, ours, &settings)?;
        for &peer in &[Peer::Pytorch, Peer::ChannelsLast] {
            if peer.takes(&case) && settings.peers.contains(&peer) {
                let python = Worker::python(&settings)?;
                report(&case, peer.name(), python, &settings)?;
            }
        }
    }
    Ok(())
}

/// Runs the case in a fresh process.
fn report(case: &Case, variant: &str, mut worker: Worker, settings: &Settings) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let before = worker.ask(&Request::Memory)?.resident_bytes;
    if variant == OURS {
        worker.ask(&Request::load(case, None)?)?;
    } else {
        let load = Request::load(case, Some(folder.path().join("case.safetensors")))?;
        Worker::ours(settings)?.ask(&load)?;
        worker.ask(&load)?;
    }
    worker.ask(&Request::Build { variant: variant.to_owned() })?;
    let time = |runs| Request::Time { variant: variant.to_owned(), runs };
    worker.ask(&time(WARM_UP))?;
    worker.settle();
    let runs = settings.repetitions;
    let (cpu, faults) = (worker.cpu_nanoseconds(), worker.page_faults());
    worker.ask(&time(runs))?;
    let faults = (worker.page_faults() - faults) / runs as u64;
    let cpu = (worker.cpu_nanoseconds() - cpu) as f64 / 1e6 / runs as f64;
    let peak = worker.ask(&Request::Memory)?.peak_bytes;
    println!(
        "{:46}{variant:16}{:>12}{:>12}{cpu:>12.1}{faults:>12}",
        case.name(),
        before >> 20,
        peak >> 20
    );
    Ok(())
}
