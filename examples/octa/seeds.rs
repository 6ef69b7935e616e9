//! The same run with several seeds: means and standard deviations.

use anyhow::Result;
use serde::Serialize;

use crate::{
    cli::Settings,
    commands,
    common::{common_settings::CommonSettings, files},
    comparison::Entry,
    examined::Protocol,
};

/// The mean of the runs, and their standard deviation.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Spread {
    pub(crate) mean: f64,
    /// With n − 1; 0 of a single run.
    pub(crate) deviation: f64,
}

impl Spread {
    /// Of one value at least.
    pub(crate) fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self { mean, deviation: (squares / (count - 1.).max(1.)).sqrt() }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} ± {:.1}", self.mean, self.deviation)
    }
}

/// Settings of each seed, each with a folder of its own.
pub(crate) fn each(settings: &Settings, name: &str) -> Vec<Settings> {
    if settings.seeds <= 1 {
        return vec![settings.clone()];
    }
    let one = |n: u64| {
        let seed = settings.common.seed.wrapping_add(n);
        let out = settings.common.out_path(name).join(format!("seed-{seed}"));
        let common = CommonSettings { seed, out: Some(out), ..settings.common.clone() };
        Settings { common, seeds: 1, ..settings.clone() }
    };
    (0..settings.seeds).map(one).collect()
}

/// A cell over all seeds.
#[derive(Serialize)]
struct Repeated {
    row: String,
    column: &'static str,
    protocol: Protocol,
    kappa: Spread,
    accuracy: Spread,
    /// Of how many seeds: a cell of a run may have no figure.
    seeds: usize,
}

/// The paper's Table 1, repeated.
pub(crate) fn table_1(settings: &Settings) -> Result<()> {
    const NAME: &str = "octa-table1";
    let runs = each(settings, NAME);
    let tables = runs.iter().map(commands::table_1).collect::<Result<Vec<_>>>()?;
    let Some(first) = tables.first().filter(|_| tables.len() > 1) else { return Ok(()) };
    let cells: Vec<Repeated> = first.iter().filter_map(|cell| repeated(cell, &tables)).collect();
    for protocol in Protocol::ALL {
        println!(
            "\nTable 1 of {} seeds, {}: kappa, accuracy, percent",
            tables.len(),
            protocol.title()
        );
        for cell in cells.iter().filter(|cell| cell.protocol == protocol) {
            println!(
                "{:18}  {:10}  {:>14}  {:>14}",
                cell.row,
                cell.column,
                cell.kappa.to_string(),
                cell.accuracy.to_string()
            );
        }
    }
    let file = settings.common.out_path(NAME).join("seeds.json");
    files::write(&file, serde_json::to_vec_pretty(&cells)?)?;
    println!("results: {}", file.display());
    Ok(())
}

fn repeated(cell: &Entry, tables: &[Vec<Entry>]) -> Option<Repeated> {
    let same = |other: &&Entry| {
        other.row == cell.row && other.column == cell.column && other.protocol == cell.protocol
    };
    let agreed: Vec<_> =
        tables.iter().flatten().filter(same).filter_map(|entry| entry.agreed).collect();
    let spread = |of: fn(&crate::comparison::Agreed) -> f64| {
        Spread::of(&agreed.iter().map(of).collect::<Vec<_>>())
    };
    (!agreed.is_empty()).then(|| Repeated {
        row: cell.row.clone(),
        column: cell.column,
        protocol: cell.protocol,
        kappa: spread(|agreed| agreed.kappa.value),
        accuracy: spread(|agreed| agreed.accuracy.value),
        seeds: agreed.len(),
    })
}
