//! Our worker: obeys commands on the standard input.

use std::collections::HashMap;
use std::io::{BufRead, Write, stdin, stdout};

use anyhow::{Context, Result};
use ocellus::candle::safetensors;
use ocellus::ops::tune_threads;
use ocellus_benches::{Case, Library, Prepared, Target, all_cases, gpu_cases};

use crate::cli::Settings;
use crate::machine;
use crate::protocol::{Reply, Request};

pub(crate) fn serve(settings: &Settings) -> Result<()> {
    tune_threads();
    let mut server =
        Server { target: settings.target()?, case: None, prepared: HashMap::default() };
    for line in stdin().lock().lines() {
        let request = serde_json::from_str(&line?)?;
        let reply = server.reply(request).unwrap_or_else(|error| Reply {
            error: Some(format!("{error:#}")),
            ..Reply::default()
        });
        writeln!(stdout(), "{}", serde_json::to_string(&reply)?)?;
    }
    Ok(())
}

#[derive(Debug)]
struct Server {
    target: Target,
    case: Option<Case>,
    prepared: HashMap<String, Prepared>,
}

impl Server {
    fn reply(&mut self, request: Request) -> Result<Reply> {
        let mut reply = Reply::default();
        match request {
            Request::Hello => {
                let version = env!("CARGO_PKG_VERSION").to_owned();
                reply.libraries = vec![("ocellus".to_owned(), version)];
            }
            Request::Load { name, file, .. } => {
                self.prepared.clear();
                let all = all_cases().into_iter().chain(gpu_cases());
                let case = all.into_iter().find(|case| case.name() == name);
                let case = case.with_context(|| format!("no case `{name}`"))?;
                if let Some(file) = file {
                    let prepared = Prepared::on(&self.target, &case, Library::Ocellus)?;
                    safetensors::save(&prepared.exchange()?, file)?;
                }
                self.case = Some(case);
            }
            Request::Build { variant } => {
                let case = self.case.context("no case is loaded")?;
                let library = if variant == "candle" { Library::Candle } else { Library::Ocellus };
                self.prepared.insert(variant, Prepared::on(&self.target, &case, library)?);
            }
            Request::Results { variant, file } => {
                safetensors::save(&self.prepared(&variant)?.results()?, file)?;
            }
            Request::Time { variant, runs } => {
                let took = self.prepared(&variant)?.time(runs)?;
                reply.nanoseconds = u64::try_from(took.as_nanos())?;
            }
            Request::Traffic => {
                let case = self.case.context("no case is loaded")?;
                reply.traffic = Prepared::new(&case, Library::Ocellus)?.traffic()?;
            }
            Request::Drop => {
                self.prepared.clear();
                self.case = None;
            }
            Request::Memory => (reply.resident_bytes, reply.peak_bytes) = machine::memory()?,
            Request::Peaks => {
                reply.operations_per_second = machine::product_peak()?;
                reply.bytes_per_second = machine::copy_peak();
            }
        }
        Ok(reply)
    }

    fn prepared(&mut self, variant: &str) -> Result<&mut Prepared> {
        self.prepared.get_mut(variant).with_context(|| format!("`{variant}` is not built"))
    }
}
