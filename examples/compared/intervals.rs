//! Intervals of areas under ROC curves, in words.

use ocellus::metrics::{BootstrapConfig, Resampling, auroc, bootstrap, gather, mean_interval};

use super::{contender::Contender, predictions::labels_and_scores};

/// The area of each contender over all images with a bootstrap interval; images of a group are drawn
/// together.
pub(crate) fn headline(
    contenders: &[Contender],
    groups: &[usize],
    positive: (usize, &str),
    seed: u64,
) -> String {
    let sentence = |contender: &Contender| -> Option<String> {
        let predictions = contender.predictions();
        let (labels, scores) = labels_and_scores(&predictions, positive.0);
        let groups: Vec<usize> = predictions.iter().map(|p| groups[p.index]).collect();
        let config = BootstrapConfig::seeded(seed);
        let area = bootstrap(Resampling::Grouped(&groups), &config, |rows| {
            auroc(&gather(&labels, rows), &gather(&scores, rows)).ok()
        });
        let interval = area.ok()?.interval;
        Some(format!(
            "{}: AUROC {interval:.3} over {} images that were not seen in training (95 % bootstrap \
             interval over groups; {} is the positive class).",
            contender.name,
            predictions.len(),
            positive.1
        ))
    };
    contenders.iter().filter_map(sentence).collect::<Vec<_>>().join(" ")
}

/// The t-intervals of the mean area over the folds; `None` where an area or the folds are missing.
pub(crate) fn of_folds(contenders: &[Contender], positive: usize) -> Option<String> {
    let mut parts = Vec::new();
    for contender in contenders {
        let areas = contender.figures(positive).into_iter().map(|figures| figures.auroc);
        let interval = mean_interval(&areas.collect::<Option<Vec<_>>>()?, 0.95).ok()?;
        parts.push(format!("{} {interval:.3}", contender.name));
    }
    Some(format!("Mean AUROC of the folds with its 95 % t-interval: {}.", parts.join("; ")))
}
