use super::area::Area;
use crate::{
    Color, Figure, Result,
    canvas::Stroke,
    chart::{Axis, Chart, Legend, Mark},
    check,
};

/// The receiver operating characteristic of one model.
#[derive(Clone, Debug)]
pub struct RocCurve {
    name: String,
    false_positive_rate: Vec<f64>,
    true_positive_rate: Vec<f64>,
    area: Area,
    operating: Option<(f64, f64)>,
}

impl RocCurve {
    /// A curve through the points (false positive rate, true positive rate), in order.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        false_positive_rate: &[f64],
        true_positive_rate: &[f64],
    ) -> Self {
        Self {
            name: name.into(),
            false_positive_rate: false_positive_rate.to_vec(),
            true_positive_rate: true_positive_rate.to_vec(),
            area: Area::unknown("AUC"),
            operating: None,
        }
    }

    /// Writes the area under the curve into the legend.
    #[must_use]
    pub fn with_auc(mut self, auc: f64) -> Self {
        self.area.value = Some(auc);
        self
    }

    /// Writes the area's confidence interval into the legend.
    #[must_use]
    pub fn with_interval(mut self, low: f64, high: f64) -> Self {
        self.area.interval = Some((low, high));
        self
    }

    /// Marks the point at which the model is used.
    #[must_use]
    pub fn with_operating_point(
        mut self,
        false_positive_rate: f64,
        true_positive_rate: f64,
    ) -> Self {
        self.operating = Some((false_positive_rate, true_positive_rate));
        self
    }

    fn check(&self) -> Result<()> {
        let name = &self.name;
        check::not_empty(&format!("the ROC curve of {name:?}"), &self.false_positive_rate)?;
        let (x, y) = (&self.false_positive_rate, &self.true_positive_rate);
        check::unit(&format!("the false positive rate of {name:?}"), x)?;
        check::unit(&format!("the true positive rate of {name:?}"), y)?;
        check::same_length(&format!("the true positive rate of {name:?}"), y.len(), x.len())?;
        self.area.check(name)?;
        let operating: Vec<_> = self.operating.into_iter().flat_map(|(x, y)| [x, y]).collect();
        check::unit(&format!("the operating point of {name:?}"), &operating)
    }

    fn legend(&self) -> String {
        self.area.legend(&self.name)
    }
}

/// ROC curves of several models in one square, with the line of chance.
///
/// # Examples
///
/// ```
/// use ocellus_figures::{RocCurve, RocPlot};
///
/// let curve = RocCurve::new("Attention VGG16", &[0.0, 0.1, 1.0], &[0.0, 0.9, 1.0])
///     .with_auc(0.9)
///     .with_interval(0.85, 0.94)
///     .with_operating_point(0.1, 0.9);
/// let figure = RocPlot::new().with_title("ROC, malignant is positive").with_curve(curve).draw()?;
/// assert!(figure.to_svg()?.contains("Attention VGG16: AUC 0.900 [0.850, 0.940]"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RocPlot {
    title: String,
    curves: Vec<RocCurve>,
}

impl RocPlot {
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
    pub fn with_curve(mut self, curve: RocCurve) -> Self {
        self.curves.push(curve);
        self
    }

    /// Draws the curves.
    ///
    /// # Errors
    ///
    /// If there is no curve, a curve is empty, its slices differ in length, or a value is not
    /// between 0 and 1.
    pub fn draw(&self) -> Result<Figure> {
        check::not_empty("the list of ROC curves", &self.curves)?;
        self.curves.iter().try_for_each(RocCurve::check)?;
        let chance = Stroke::reference();
        let legends: Vec<_> = self.curves.iter().map(RocCurve::legend).collect();
        let mut legend = Legend::of_lines(&legends);
        legend.push(Mark::Line(chance), "chance");
        if self.curves.iter().any(|curve| curve.operating.is_some()) {
            legend.push(Mark::Dot(Color::GRAY), "operating point");
        }
        let chart = Chart {
            title: &self.title,
            x: Axis::unit("False positive rate (1 − specificity)"),
            y: Axis::unit("True positive rate (sensitivity)"),
            size: (360.0, 360.0),
            left: 0.0,
            legend,
        };
        chart.draw(format!("ROC curves. {}.", legends.join("; ")), |canvas, plane| {
            plane.curve(canvas, &[(0.0, 0.0), (1.0, 1.0)], chance);
            for (i, curve) in self.curves.iter().enumerate().rev() {
                let points = curve.false_positive_rate.iter().zip(&curve.true_positive_rate);
                let points: Vec<_> = points.map(|(&x, &y)| (x, y)).collect();
                plane.curve(canvas, &points, Stroke::new(Color::palette(i), 2.2));
            }
            for (i, curve) in self.curves.iter().enumerate() {
                if let Some((x, y)) = curve.operating {
                    let rim = Stroke::new(Color::WHITE, 1.5);
                    canvas.circle(plane.at(x, y), 5.5, Color::palette(i), Some(rim));
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_model_and_the_value() {
        let draw =
            |x: &[f64], y: &[f64]| RocPlot::new().with_curve(RocCurve::new("m", x, y)).draw();
        let error = draw(&[0.0, f64::NAN], &[0.0, 1.0]).unwrap_err().to_string();
        assert!(error.contains("false positive rate of \"m\" is NaN at index 1"), "{error}");
        let error = draw(&[0.0, 1.0], &[0.0]).unwrap_err().to_string();
        assert!(error.contains("has 1 values where 2 are needed"), "{error}");
        assert!(draw(&[], &[]).is_err());
        assert!(RocPlot::new().draw().is_err());
    }

    #[test]
    fn a_single_point_is_drawn() {
        let curve = RocCurve::new("m", &[0.5], &[0.5]).with_operating_point(0.5, 0.5);
        RocPlot::new().with_curve(curve).draw().unwrap().to_png(300, 300).unwrap();
    }
}
