use super::area::Area;
use crate::{
    Color, Figure, Result,
    canvas::Stroke,
    chart::{Axis, Chart, Legend, Mark},
    check,
};

/// Precision against recall of one model.
#[derive(Clone, Debug)]
pub struct PrCurve {
    name: String,
    recall: Vec<f64>,
    precision: Vec<f64>,
    area: Area,
}

impl PrCurve {
    /// A curve through the points (recall, precision), recall rising or falling.
    #[must_use]
    pub fn new(name: impl Into<String>, recall: &[f64], precision: &[f64]) -> Self {
        Self {
            name: name.into(),
            recall: recall.to_vec(),
            precision: precision.to_vec(),
            area: Area::unknown("AP"),
        }
    }

    /// Writes the average precision into the legend.
    #[must_use]
    pub fn with_average_precision(mut self, average_precision: f64) -> Self {
        self.area.value = Some(average_precision);
        self
    }

    /// Writes its confidence interval into the legend.
    #[must_use]
    pub fn with_interval(mut self, low: f64, high: f64) -> Self {
        self.area.interval = Some((low, high));
        self
    }

    fn check(&self) -> Result<()> {
        let name = &self.name;
        check::not_empty(&format!("the precision-recall curve of {name:?}"), &self.recall)?;
        check::unit(&format!("the recall of {name:?}"), &self.recall)?;
        check::unit(&format!("the precision of {name:?}"), &self.precision)?;
        let what = format!("the precision of {name:?}");
        check::same_length(&what, self.precision.len(), self.recall.len())?;
        self.area.check(name)
    }

    /// Steps, as the average precision sums them: up to a recall its own precision holds.
    fn steps(&self) -> Vec<(f64, f64)> {
        let mut points: Vec<_> =
            self.recall.iter().zip(&self.precision).map(|(&r, &p)| (r, p)).collect();
        if points.first().map(|point| point.0) > points.last().map(|point| point.0) {
            points.reverse();
        }
        let mut steps: Vec<_> = points.first().copied().into_iter().collect();
        for pair in points.windows(2) {
            steps.push((pair[0].0, pair[1].1));
            steps.push(pair[1]);
        }
        steps
    }

    fn legend(&self) -> String {
        self.area.legend(&self.name)
    }
}

/// Precision-recall curves of several models, with the line of the prevalence, which is the
/// precision of chance.
///
/// # Examples
///
/// ```
/// use ocellus_figures::{PrCurve, PrPlot};
///
/// let curve = PrCurve::new("VGG16", &[1.0, 0.5, 0.0], &[0.4, 0.8, 1.0]).with_average_precision(0.6);
/// let figure = PrPlot::new().with_curve(curve).with_prevalence(0.43).draw()?;
/// assert!(figure.to_svg()?.contains("VGG16: AP 0.600"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct PrPlot {
    title: String,
    curves: Vec<PrCurve>,
    prevalence: Option<f64>,
}

impl PrPlot {
    /// A plot without curves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the title.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Adds a curve.
    #[must_use]
    pub fn with_curve(mut self, curve: PrCurve) -> Self {
        self.curves.push(curve);
        self
    }

    /// Draws the share of positives as a line.
    #[must_use]
    pub fn with_prevalence(mut self, prevalence: f64) -> Self {
        self.prevalence = Some(prevalence);
        self
    }

    /// Draws the curves.
    ///
    /// # Errors
    ///
    /// If there is no curve, a curve is empty, its slices differ in length, or a value is not
    /// between 0 and 1.
    pub fn draw(&self) -> Result<Figure> {
        check::not_empty("the list of precision-recall curves", &self.curves)?;
        self.curves.iter().try_for_each(PrCurve::check)?;
        check::unit("the prevalence", &self.prevalence.into_iter().collect::<Vec<_>>())?;
        let chance = Stroke::reference();
        let legends: Vec<_> = self.curves.iter().map(PrCurve::legend).collect();
        let mut legend = Legend::of_lines(&legends);
        if let Some(prevalence) = self.prevalence {
            legend.push(Mark::Line(chance), format!("chance (prevalence {prevalence:.3})"));
        }
        let chart = Chart {
            title: &self.title,
            x: Axis::unit("Recall (sensitivity)"),
            y: Axis::unit("Precision"),
            size: (360.0, 360.0),
            left: 0.0,
            legend,
        };
        let description = format!("Precision-recall curves. {}.", legends.join("; "));
        chart.draw(description, |canvas, plane| {
            if let Some(prevalence) = self.prevalence {
                plane.curve(canvas, &[(0.0, prevalence), (1.0, prevalence)], chance);
            }
            for (i, curve) in self.curves.iter().enumerate().rev() {
                plane.curve(canvas, &curve.steps(), Stroke::new(Color::palette(i), 2.2));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rising_and_falling_recall_give_the_same_steps() {
        let rising = PrCurve::new("m", &[0.0, 0.5, 1.0], &[1.0, 0.8, 0.4]);
        let falling = PrCurve::new("m", &[1.0, 0.5, 0.0], &[0.4, 0.8, 1.0]);
        assert_eq!(rising.steps(), falling.steps());
        assert_eq!(rising.steps()[1], (0.0, 0.8));
    }

    #[test]
    fn rejects_what_is_no_share() {
        let plot = |r: f64| PrPlot::new().with_curve(PrCurve::new("m", &[r], &[0.5]));
        assert!(plot(1.5).draw().is_err());
        assert!(plot(0.5).with_prevalence(f64::NAN).draw().is_err());
        assert!(plot(0.5).draw().is_ok());
        assert!(PrPlot::new().draw().is_err());
    }
}
