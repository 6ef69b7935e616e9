//! How near the machine's limits our kernels come.

use anyhow::Result;

use crate::cli::Settings;
use crate::compare::{OURS, Turns};
use crate::machine::Machine;
use crate::protocol::{Reply, Request};
use crate::worker::Worker;

pub(crate) fn roofline(settings: &Settings) -> Result<()> {
    let cases = settings.cases()?;
    println!("{}, {} threads", Machine::read().describe(), settings.threads);
    let mut worker = Worker::ours(settings)?;
    let Reply { operations_per_second: peak, bytes_per_second: bandwidth, .. } =
        worker.ask(&Request::Peaks)?;
    println!("products at most {:.0} GFLOP/s, copying {:.1} GB/s", peak / 1e9, bandwidth / 1e9);
    println!(
        "{:46}{:>10}{:>10}{:>10}{:>10}{:>8}{:>8}{:>8}",
        "", "GFLOP", "MB", "ms", "GFLOP/s", "of peak", "GB/s", "of roof"
    );
    for case in cases {
        worker.ask(&Request::load(&case, None)?)?;
        let bytes = worker.ask(&Request::Traffic)?.traffic as f64;
        worker.ask(&Request::Build { variant: OURS.to_owned() })?;
        let mut turns = Turns::default();
        turns.warm_up(&mut worker, OURS)?;
        for _ in 0..settings.repetitions {
            turns.run(&mut worker, OURS)?;
        }
        let (seconds, operations) = (turns.times.min(), case.operations() as f64);
        let roof = (operations / peak).max(bytes / bandwidth);
        println!(
            "{:46}{:>10.2}{:>10.1}{:>10.3}{:>10.0}{:>7.0}%{:>8.1}{:>7.0}%",
            case.name(),
            operations / 1e9,
            bytes / 1e6,
            1e3 * seconds,
            operations / seconds / 1e9,
            100. * operations / seconds / peak,
            bytes / seconds / 1e9,
            100. * roof / seconds,
        );
    }
    Ok(())
}
