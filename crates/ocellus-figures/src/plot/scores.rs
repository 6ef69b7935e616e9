use crate::{
    Color, Figure, Result,
    canvas::Stroke,
    chart::{Axis, Chart, Legend, Mark},
    check,
};

/// The distribution of a model's scores, one row for each true class, with the threshold.
///
/// # Examples
///
/// ```
/// use ocellus_figures::ScorePlot;
///
/// let figure = ScorePlot::new("Probability of malignant")
///     .with_class("benign", &[0.1, 0.2, 0.3, 0.6])
///     .with_class("malignant", &[0.4, 0.8, 0.9])
///     .with_threshold(0.5)
///     .draw()?;
/// assert!(figure.to_svg()?.contains("threshold 0.500"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ScorePlot {
    title: String,
    label: String,
    classes: Vec<(String, Vec<f64>)>,
    threshold: Option<f64>,
}

const BINS: usize = 40;

impl ScorePlot {
    /// A plot without classes; `label` says what the score is.
    #[must_use]
    pub fn new(label: impl Into<String>) -> Self {
        let (title, classes) = (String::new(), Vec::new());
        Self { title, label: label.into(), classes, threshold: None }
    }

    /// Sets the title.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Adds the scores of the samples of a true class.
    #[must_use]
    pub fn with_class(mut self, name: impl Into<String>, scores: &[f64]) -> Self {
        self.classes.push((name.into(), scores.to_vec()));
        self
    }

    /// Marks the score from which on a sample counts as positive.
    #[must_use]
    pub fn with_threshold(mut self, threshold: f64) -> Self {
        self.threshold = Some(threshold);
        self
    }

    /// Draws the rows; each histogram has 40 bins and is as high as its fullest one.
    ///
    /// # Errors
    ///
    /// If there are no classes, a class has no scores, or a score is NaN, infinite or beyond 1e30.
    pub fn draw(&self) -> Result<Figure> {
        check::not_empty("the list of classes", &self.classes)?;
        for (name, scores) in &self.classes {
            check::not_empty(&format!("the scores of {name:?}"), scores)?;
            check::finite(&format!("the scores of {name:?}"), scores)?;
        }
        check::finite("the threshold", &self.threshold.into_iter().collect::<Vec<_>>())?;
        let names: Vec<_> = self.classes.iter().rev().map(|(name, _)| name.clone()).collect();
        let cut = Stroke::new(Color::INK, 1.4).dashed(4.0, 3.0);
        let mut legend = Legend::default();
        for (i, (name, scores)) in self.classes.iter().enumerate() {
            legend.push(Mark::Box(Color::palette(i)), format!("{name} (n = {})", scores.len()));
        }
        if let Some(threshold) = self.threshold {
            legend.push(Mark::Line(cut), format!("threshold {threshold:.3}"));
        }
        let chart = Chart {
            title: &self.title,
            x: self.axis(),
            y: Axis::named("", &names),
            size: (420.0, 78.0 * names.len() as f64),
            left: 0.0,
            legend,
        };
        chart.draw(self.describe(), |canvas, plane| {
            for (i, (_, scores)) in self.classes.iter().enumerate() {
                let base = (names.len() - 1 - i) as f64 - 0.45;
                let counts = histogram(&chart.x, scores);
                let most = counts.iter().copied().max().unwrap_or(1).max(1) as f64;
                let (left, step) = (plane.left, plane.size.0 / BINS as f64);
                for (bin, count) in counts.into_iter().enumerate().filter(|(_, n)| *n > 0) {
                    let (_, top) = plane.at(0.0, base + 0.85 * count as f64 / most);
                    let bottom = plane.at(0.0, base).1;
                    let at = (left + bin as f64 * step + 0.5, top);
                    let size = (step - 1.0, bottom - top);
                    canvas.rect(at, size, Some(Color::palette(i)), None);
                }
                let line = Stroke::new(Color::AXIS, 0.8);
                let (_, y) = plane.at(0.0, base);
                canvas.line((left, y), (left + plane.size.0, y), line);
            }
            if let Some(threshold) = self.threshold {
                let x = plane.at(threshold, 0.0).0;
                canvas.line((x, plane.top), (x, plane.top + plane.size.1), cut);
            }
        })
    }

    fn axis(&self) -> Axis {
        let values = || self.classes.iter().flat_map(|(_, scores)| scores).chain(&self.threshold);
        if values().all(|value| (0.0..=1.0).contains(value)) {
            return Axis::unit(&self.label);
        }
        Axis::fitted(&self.label, values().copied(), 6)
    }

    fn describe(&self) -> String {
        let classes = self.classes.iter().map(|(name, scores)| {
            let mean = scores.iter().sum::<f64>() / scores.len() as f64;
            format!("{name}: {} samples, mean {mean:.3}", scores.len())
        });
        format!("Distribution of scores. {}.", classes.collect::<Vec<_>>().join("; "))
    }
}

fn histogram(axis: &Axis, scores: &[f64]) -> Vec<usize> {
    let mut counts = vec![0; BINS];
    for &score in scores {
        let bin = (axis.share(score) * BINS as f64).clamp(0.0, BINS as f64 - 1.0);
        counts[bin as usize] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_score_falls_into_a_bin() {
        let counts = histogram(&Axis::unit(""), &[0.0, 0.5, 0.999, 1.0]);
        assert_eq!(counts.iter().sum::<usize>(), 4);
        assert_eq!((counts[0], counts[20], counts[39]), (1, 1, 2));
    }

    #[test]
    fn equal_scores_are_drawn_and_missing_ones_are_an_error() {
        ScorePlot::new("s").with_class("a", &[7.0; 3]).draw().unwrap();
        assert!(ScorePlot::new("s").draw().is_err());
        assert!(ScorePlot::new("s").with_class("a", &[]).draw().is_err());
        assert!(ScorePlot::new("s").with_class("a", &[f64::NAN]).draw().is_err());
    }
}
