//! A fitted detector, what it says of the images to be graded, and the thresholds.

use std::time::Instant;

use anyhow::{Context, Result};
use ocellus::{
    anomaly::{AnomalyDetector, Detector, Threshold},
    data::synthetic::OctaGrade,
    metrics::auroc,
    octa::{Graded, Method, Naming, Represented, Subdivision, UnoQa},
};

use crate::{
    cli::Rule,
    detectors::{self, Features},
    run::Run,
};

/// What a result may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protocol {
    /// Threshold from outstanding images, clusters named by their mean scores.
    LabelFree,
    /// Threshold and names by the grades of the very images that are graded: the paper's threshold.
    Oracle,
}

impl Protocol {
    pub(crate) const ALL: [Self; 2] = [Self::LabelFree, Self::Oracle];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::LabelFree => "label-free",
            Self::Oracle => "oracle",
        }
    }

    pub(crate) fn explained(self) -> &'static str {
        match self {
            Self::LabelFree => {
                "Label-free: the threshold is from outstanding images that were held back, the cluster \
                 of the greater mean score is called ungradable. No grade of these images was seen."
            }
            Self::Oracle => {
                "Oracle: threshold (as in the paper) and names of the clusters are those that agree \
                 best with the grades of these very images. No estimate of what a user would see."
            }
        }
    }
}

/// A detector after its fit.
pub(crate) struct Examined {
    pub(crate) method: Method,
    pub(crate) detector: Detector,
    /// The images to be graded.
    pub(crate) images: Represented,
    pub(crate) grades: Vec<OctaGrade>,
    pub(crate) label_free: Threshold,
    pub(crate) oracle: Threshold,
    /// Of the scores: outstanding against the rest.
    pub(crate) auroc: f64,
    pub(crate) fit_seconds: f64,
    pub(crate) score_seconds: f64,
}

impl Examined {
    pub(crate) fn new(run: &Run, method: Method, features: &Features<'_>) -> Result<Self> {
        let started = Instant::now();
        let mut detector = detectors::fit(run, method, features)
            .with_context(|| format!("{} could not be fitted", method.name()))?;
        let fit_seconds = started.elapsed().as_secs_f64();
        let started = Instant::now();
        let representation = run.config(method).representation;
        let images = Represented::of(&detector, &run.sets.test, representation)?;
        let score_seconds = started.elapsed().as_secs_f64();
        let grades = run.sets.test.grades();
        let other: Vec<bool> = grades.iter().map(|&g| g != OctaGrade::Outstanding).collect();
        let find = |rule| threshold(rule, &detector, &other, images.scores());
        let (label_free, oracle) = (find(run.label_free_rule())?, find(run.oracle_rule())?);
        let auroc = auroc(&other, images.scores())?;
        detector.set_image_threshold(if run.follows_oracle() { oracle } else { label_free });
        Ok(Self {
            method,
            detector,
            images,
            grades,
            label_free,
            oracle,
            auroc,
            fit_seconds,
            score_seconds,
        })
    }

    pub(crate) fn threshold(&self, protocol: Protocol) -> Threshold {
        match protocol {
            Protocol::LabelFree => self.label_free,
            Protocol::Oracle => self.oracle,
        }
    }

    /// Grades images, which are these ones represented in whatever way. Where few images are not
    /// outstanding, their features have as few components.
    pub(crate) fn grade(
        &self,
        settings: &Subdivision,
        images: &Represented,
        protocol: Protocol,
    ) -> ocellus::octa::Result<Graded> {
        let naming = match protocol {
            Protocol::LabelFree => Naming::MeanScore,
            Protocol::Oracle => Naming::OracleMatching(self.grades.clone()),
        };
        let threshold = self.threshold(protocol);
        let rest = images.scores().iter().filter(|&&score| score >= threshold.value).count();
        let reduction = settings.reduction.clone();
        let reduction = reduction.with_components_at_most(rest.saturating_sub(1).max(1));
        UnoQa::fit(&settings.clone().with_reduction(reduction), threshold, images, &naming)
    }
}

fn threshold(rule: Rule, detector: &Detector, other: &[bool], scores: &[f64]) -> Result<Threshold> {
    let outstanding = &detector.calibration().images;
    let threshold = match rule {
        Rule::Quantile(q) => Threshold::normal_quantile(outstanding, q),
        Rule::Sigmas(sigmas) => Threshold::normal_sigmas(outstanding, sigmas),
        Rule::Given(value) => Ok(Threshold::given(value)),
        Rule::OracleF1 => Threshold::oracle_f1(other, scores),
        Rule::OracleYouden => Threshold::oracle_youden(other, scores),
    };
    threshold.with_context(|| format!("--threshold {rule:?}"))
}
