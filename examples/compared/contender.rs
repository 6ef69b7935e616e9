//! A classifier among others on the same folds.

use super::predictions::{Figures, Prediction, figures, mean_and_deviation};

/// Its name, and what it said of images that it had not seen, fold by fold.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) folds: Vec<Vec<Prediction>>,
}

impl Contender {
    /// The predictions of all folds: each image once.
    pub(crate) fn predictions(&self) -> Vec<Prediction> {
        self.folds.concat()
    }

    /// The figures of each fold.
    pub(crate) fn figures(&self, positive: usize) -> Vec<Figures> {
        self.folds.iter().map(|fold| figures(fold, positive)).collect()
    }

    /// The mean of a figure over the folds and its deviation; the column is that of
    /// [`Figures::NAMES`].
    pub(crate) fn spread(&self, column: usize, positive: usize) -> Option<(f64, f64)> {
        let values = self.figures(positive).into_iter().map(|figures| figures.values()[column]);
        mean_and_deviation(&values.collect::<Option<Vec<_>>>()?)
    }
}

/// Their figures for a terminal, a line each.
pub(crate) fn lines(contenders: &[Contender], positive: usize) -> String {
    let many = contenders.iter().any(|c| c.folds.len() > 1);
    let longest = contenders.iter().map(|c| c.name.chars().count()).max();
    let width = longest.unwrap_or(0).max(7);
    let mut head = format!("{:width$}", "Network");
    for name in Figures::NAMES {
        head.push_str(&format!("  {name:>13}"));
    }
    let mut lines = vec![head];
    for contender in contenders {
        let mut line = format!("{:width$}", contender.name);
        for column in 0..Figures::NAMES.len() {
            let text = match contender.spread(column, positive) {
                Some((mean, spread)) if many => format!("{mean:.3} ± {spread:.3}"),
                Some((value, _)) => format!("{value:.3}"),
                None => "–".to_owned(),
            };
            line.push_str(&format!("  {text:>13}"));
        }
        lines.push(line);
    }
    lines.join("\n")
}
