//! Curves and matrices of classifiers on the same images.

use anyhow::Result;
use ocellus::{
    figures::{ConfusionPlot, Figure, PrCurve, PrPlot, RocCurve, RocPlot},
    metrics::{self, DeLong},
};

use super::{
    contender::Contender,
    predictions::{confusion, counts, labels_and_scores},
};

/// `None` where a class is missing among the images.
pub(crate) fn roc(contenders: &[Contender], positive: (usize, &str)) -> Result<Option<Figure>> {
    let mut plot = RocPlot::new().with_title(format!("Positive class: {}", positive.1));
    for contender in contenders {
        let predictions = contender.predictions();
        let (labels, scores) = labels_and_scores(&predictions, positive.0);
        let Ok(curve) = metrics::RocCurve::corners(&labels, &scores) else { return Ok(None) };
        let mut drawn =
            RocCurve::new(&contender.name, &curve.false_positive_rates, &curve.true_positive_rates)
                .with_auc(curve.area());
        if let Ok(interval) = DeLong::new(&labels, &scores).and_then(|d| d.interval(0.95)) {
            drawn = drawn.with_interval(interval.lower, interval.upper);
        }
        let at = counts(&predictions, positive.0);
        if let (Some(specificity), Some(sensitivity)) = (at.specificity(), at.sensitivity()) {
            drawn = drawn.with_operating_point(1. - specificity, sensitivity);
        }
        plot = plot.with_curve(drawn);
    }
    Ok(Some(plot.draw()?))
}

/// `None` where a class is missing among the images.
pub(crate) fn precision_recall(
    contenders: &[Contender],
    positive: (usize, &str),
) -> Result<Option<Figure>> {
    let mut plot = PrPlot::new().with_title(format!("Positive class: {}", positive.1));
    for contender in contenders {
        let (labels, scores) = labels_and_scores(&contender.predictions(), positive.0);
        let Ok(curve) = metrics::PrCurve::corners(&labels, &scores) else { return Ok(None) };
        let mut drawn = PrCurve::new(&contender.name, &curve.recalls, &curve.precisions);
        if let Ok(area) = metrics::average_precision(&labels, &scores) {
            drawn = drawn.with_average_precision(area);
        }
        let positives = labels.iter().filter(|&&l| l).count();
        plot = plot.with_curve(drawn).with_prevalence(positives as f64 / labels.len() as f64);
    }
    Ok(Some(plot.draw()?))
}

/// A matrix of counts of each.
pub(crate) fn confusions(
    contenders: &[Contender],
    classes: &[String],
    positive: usize,
) -> Result<Vec<Figure>> {
    let draw = |contender: &Contender| -> Result<Figure> {
        let counts = confusion(&contender.predictions(), classes.len(), positive);
        let plot = ConfusionPlot::new(classes, &counts).with_title(&contender.name);
        Ok(plot.with_positive(positive).draw()?)
    };
    contenders.iter().map(draw).collect()
}
