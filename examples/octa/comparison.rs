//! The cells of the paper's two tables, under both protocols.

use anyhow::Result;
use ocellus::{
    data::synthetic::OctaGrade,
    metrics::{Agreement, BootstrapConfig, BootstrapInterval, KappaWeights, Resampling},
    octa::{
        AblationFeatures, Clustering, Graded, Reduction, Represented, Subdivision, TABLE_1,
        TABLE_2, Table1Row,
    },
};
use serde::Serialize;

use crate::{
    examined::{Examined, Protocol},
    run::Run,
};

/// A figure and its 95 % interval, in percent.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl From<BootstrapInterval> for Estimate {
    fn from(BootstrapInterval { interval, .. }: BootstrapInterval) -> Self {
        let [value, low, high] =
            [interval.estimate, interval.lower, interval.upper].map(|share| 100. * share);
        Self { value, low, high }
    }
}

/// How grades agree with the truth.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Agreed {
    pub(crate) kappa: Estimate,
    pub(crate) accuracy: Estimate,
    /// How many images were not called outstanding.
    pub(crate) not_outstanding: usize,
}

/// A cell: a row and a column of a table, under a protocol; or why there is no figure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) row: String,
    pub(crate) column: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) agreed: Option<Agreed>,
    pub(crate) note: Option<String>,
}

impl Entry {
    fn new(row: String, column: &'static str, protocol: Protocol, outcome: Result<Agreed>) -> Self {
        let note = outcome.as_ref().err().map(|error| format!("{error:#}"));
        Self { row, column, protocol, agreed: outcome.ok(), note }
    }

    pub(crate) fn kappa(&self) -> f64 {
        self.agreed.map_or(f64::NEG_INFINITY, |agreed| agreed.kappa.value)
    }
}

/// Kappa and accuracy of three grades.
pub(crate) fn agreement(truth: &[OctaGrade], graded: &Graded, seed: u64) -> Result<Agreed> {
    let labels = |grades: &[OctaGrade]| grades.iter().map(|g| g.label()).collect::<Vec<_>>();
    let (truth, said) = (labels(truth), labels(graded.grades()));
    let agreed = Agreement::new(
        &truth,
        &said,
        OctaGrade::ALL.len(),
        KappaWeights::Unweighted,
        Resampling::Stratified(&truth),
        &BootstrapConfig::seeded(seed),
    )?;
    Ok(Agreed {
        kappa: agreed.kappa.into(),
        accuracy: agreed.accuracy.into(),
        not_outstanding: graded.rest().len(),
    })
}

/// Detectors × reductions × clusterings.
pub(crate) fn table_1(run: &Run, all: &[Examined]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for examined in all {
        for row in TABLE_1.iter().filter(|row| row.method == examined.method) {
            let reduction = reduction(run, row.nmf);
            let name = format!("{} + {}", examined.method.name(), reduction.name());
            for clustering in Table1Row::clusterings() {
                let settings = Subdivision::new(reduction.clone(), clustering.clone());
                for protocol in Protocol::ALL {
                    let found = graded(run, examined, &settings, &examined.images, protocol);
                    entries.push(Entry::new(name.clone(), clustering.name(), protocol, found));
                }
            }
        }
    }
    entries
}

/// The ablation: the score alone, the best scale by the grades, all scales.
pub(crate) fn table_2(run: &Run, examined: &Examined) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let score = examined.images.of_scores()?;
    for row in TABLE_2 {
        let images = match row.features {
            AblationFeatures::Score => &score,
            _ => &examined.images,
        };
        let name = match row.features {
            AblationFeatures::OracleSingleScale => format!("{} (an oracle's scale)", row.name),
            _ => row.name.to_owned(),
        };
        let reduction = if row.reduced { reduction(run, false) } else { Reduction::None };
        for protocol in Protocol::ALL {
            let scale = |scales| {
                let settings = Subdivision::new(reduction.clone(), Clustering::hierarchical())
                    .with_scales(scales);
                let found = graded(run, examined, &settings, images, protocol);
                Entry::new(name.clone(), Clustering::hierarchical().name(), protocol, found)
            };
            let tried = row.scales(images.widths().len()).into_iter().map(scale);
            entries.extend(tried.max_by(|a, b| a.kappa().total_cmp(&b.kappa())));
        }
    }
    Ok(entries)
}

fn reduction(run: &Run, nmf: bool) -> Reduction {
    let components = run.preset.components;
    if nmf { Reduction::nmf(components) } else { Reduction::pca(components) }
}

fn graded(
    run: &Run,
    examined: &Examined,
    settings: &Subdivision,
    images: &Represented,
    protocol: Protocol,
) -> Result<Agreed> {
    let graded = examined.grade(settings, images, protocol)?;
    agreement(&examined.grades, &graded, run.settings.common.seed)
}
