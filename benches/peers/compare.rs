//! Ours and the peers in turns.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use ocellus::candle::{Device, safetensors};
use ocellus_benches::Case;
use tempfile::TempDir;

use crate::agreement;
use crate::cli::Settings;
use crate::machine::Machine;
use crate::peer::Peer;
use crate::protocol::{Reply, Request};
use crate::record::{Compared, Measured, Record, Times};
use crate::table;
use crate::worker::Worker;

/// The name of ours among the variants of our worker.
pub(crate) const OURS: &str = "ocellus";
/// Work shorter than this is run several times for one time.
const BLOCK: f64 = 0.02;

pub(crate) fn compare(settings: &Settings) -> Result<()> {
    let cases = settings.cases()?;
    let machine = Machine::read();
    let Settings { threads, device, precision, .. } = settings;
    println!("{}, {threads} threads, {device}, {}", machine.describe(), precision.name());
    let mut workers = Workers::start(settings)?;
    let libraries = workers.hello()?;
    let names: Vec<String> =
        libraries.iter().map(|(name, version)| format!("{name} {version}")).collect();
    println!("{}", names.join(", "));
    println!("{}", table::header(&settings.peers));
    let mut record = Record {
        machine,
        threads: settings.threads,
        repetitions: settings.repetitions,
        keep_memory: settings.keep_memory,
        device: settings.device.clone(),
        precision: settings.precision,
        libraries,
        cases: Vec::new(),
    };
    for case in cases {
        let measured = workers.measure(&case, settings).with_context(|| case.name())?;
        println!("{}", table::row(&measured, &settings.peers));
        record.cases.push(measured);
        save(&record, &settings.json)?;
    }
    println!("all times: {}", settings.json.display());
    Ok(())
}

fn save(record: &Record, file: &Path) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, serde_json::to_string_pretty(record)?)
        .with_context(|| format!("{}", file.display()))
}

struct Workers {
    ours: Worker,
    python: Option<Worker>,
    folder: TempDir,
}

impl Workers {
    fn start(settings: &Settings) -> Result<Self> {
        let python = settings.peers.iter().any(|peer| !peer.is_rust());
        Ok(Self {
            ours: Worker::ours(settings)?,
            python: python.then(|| Worker::python(settings)).transpose()?,
            folder: tempfile::tempdir()?,
        })
    }

    fn hello(&mut self) -> Result<Vec<(String, String)>> {
        let mut libraries = self.ours.ask(&Request::Hello)?.libraries;
        if let Some(python) = &mut self.python {
            libraries.extend(python.ask(&Request::Hello)?.libraries);
        }
        Ok(libraries)
    }

    fn of(&mut self, peer: Peer) -> Result<&mut Worker> {
        if peer.is_rust() {
            return Ok(&mut self.ours);
        }
        self.python.as_mut().context("no Python worker runs")
    }

    fn measure(&mut self, case: &Case, settings: &Settings) -> Result<Measured> {
        let file = self.folder.path().join("case.safetensors");
        let load = Request::load(case, Some(file))?;
        self.ours.ask(&load)?;
        if let Some(python) = &mut self.python {
            python.ask(&load)?;
        }
        let build = |variant: &str| Request::Build { variant: variant.to_owned() };
        self.ours.ask(&build(OURS))?;
        let expected = self.folder.path().join("ours.safetensors");
        self.ours.ask(&Request::Results { variant: OURS.to_owned(), file: expected })?;
        let mut ours = Turns::default();
        ours.warm_up(&mut self.ours, OURS)?;
        let mut peers = Vec::new();
        for &peer in settings.peers.iter().filter(|peer| peer.takes(case)) {
            match self.ready(peer, agreement::tolerance(settings.precision)) {
                Ok((turns, difference)) => peers.push((peer, turns, difference)),
                Err(error) => eprintln!("{case}: without {}: {error:#}", peer.name()),
            }
        }
        for _ in 0..settings.repetitions {
            ours.run(&mut self.ours, OURS)?;
            for (peer, turns, _) in &mut peers {
                turns.run(self.of(*peer)?, peer.name())?;
            }
        }
        self.ours.ask(&Request::Drop)?;
        if let Some(python) = &mut self.python {
            python.ask(&Request::Drop)?;
        }
        let peers = peers.into_iter();
        let peers = peers.map(|(peer, turns, difference)| Compared {
            peer,
            times: turns.times,
            difference,
            agrees: difference < agreement::tolerance(settings.precision),
        });
        let mut measured =
            Measured { case: case.name(), ours: ours.times, peers: peers.collect(), ratio: None };
        measured.compare();
        Ok(measured)
    }

    /// Builds the peer's variant of the case, compares its results with ours and warms it up.
    fn ready(&mut self, peer: Peer, tolerance: f64) -> Result<(Turns, f64)> {
        let variant = peer.name().to_owned();
        let file = self.folder.path().join("peer.safetensors");
        let expected = self.folder.path().join("ours.safetensors");
        let worker = self.of(peer)?;
        worker.ask(&Request::Build { variant: variant.clone() })?;
        worker.ask(&Request::Results { variant, file: file.clone() })?;
        let load = |file: &Path| safetensors::load(file, &Device::Cpu);
        let difference = agreement::difference(&load(&file)?, &load(&expected)?)?;
        if !(difference < tolerance || peer.is_coarse()) {
            eprintln!("{}: DIFFERS by {difference:.0e} from ours, does not count", peer.name());
        }
        let mut turns = Turns::default();
        turns.warm_up(worker, peer.name())?;
        Ok((turns, difference))
    }
}

/// The repetitions of one variant.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    runs: usize,
    pub(crate) times: Times,
}

impl Turns {
    /// Finds how many runs make a block.
    pub(crate) fn warm_up(&mut self, worker: &mut Worker, variant: &str) -> Result<()> {
        time(worker, variant, 1)?;
        let seconds = time(worker, variant, 1)?;
        self.runs = ((BLOCK / seconds) as usize).clamp(1, 1000);
        Ok(())
    }

    /// Times one block, after the threads of all before have come to rest.
    pub(crate) fn run(&mut self, worker: &mut Worker, variant: &str) -> Result<()> {
        if self.runs > 1 {
            time(worker, variant, self.runs.div_ceil(4))?;
        }
        let seconds = time(worker, variant, self.runs)?;
        worker.settle();
        self.times.0.push(seconds);
        Ok(())
    }
}

/// Seconds per run.
fn time(worker: &mut Worker, variant: &str, runs: usize) -> Result<f64> {
    let Reply { nanoseconds, .. } =
        worker.ask(&Request::Time { variant: variant.to_owned(), runs })?;
    Ok(nanoseconds as f64 / 1e9 / runs as f64)
}
