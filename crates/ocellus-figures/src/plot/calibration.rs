use crate::{
    Color, Error, Figure, Panels, Result,
    canvas::Stroke,
    chart::{Axis, Chart, Legend, Mark},
    check,
};

/// How often one model was right at each level of confidence, bin by bin.
#[derive(Clone, Debug)]
pub struct CalibrationCurve {
    name: String,
    predicted: Vec<f64>,
    observed: Vec<f64>,
    counts: Vec<u64>,
}

impl CalibrationCurve {
    /// For each of the equally wide bins between 0 and 1: the mean predicted probability, the
    /// observed share of positives, and how many samples fell into it. Of a bin without samples
    /// the first two do not matter, NaN included.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        predicted: &[f64],
        observed: &[f64],
        counts: &[u64],
    ) -> Self {
        Self {
            name: name.into(),
            predicted: predicted.to_vec(),
            observed: observed.to_vec(),
            counts: counts.to_vec(),
        }
    }

    fn check(&self) -> Result<()> {
        let name = &self.name;
        check::not_empty(&format!("the calibration curve of {name:?}"), &self.counts)?;
        if self.counts.iter().all(|&count| count == 0) {
            return Err(Error::Empty { what: format!("the list of samples of {name:?}") });
        }
        let bins = self.counts.len();
        let sides = [("predicted", &self.predicted), ("observed", &self.observed)];
        for (side, values) in sides {
            let what = format!("the {side} probability of {name:?}");
            check::same_length(&what, values.len(), bins)?;
            let filled = values.iter().zip(&self.counts);
            let filled: Vec<_> = filled.map(|(&v, &n)| if n > 0 { v } else { 0.0 }).collect();
            check::unit(&what, &filled)?;
        }
        Ok(())
    }

    fn points(&self) -> Vec<(f64, f64)> {
        let bins = self.predicted.iter().zip(&self.observed).zip(&self.counts);
        bins.filter(|(_, count)| **count > 0).map(|((&p, &o), _)| (p, o)).collect()
    }

    fn shares(&self) -> Vec<f64> {
        let total: f64 = self.counts.iter().map(|&count| count as f64).sum();
        self.counts.iter().map(|&count| count as f64 / total.max(1.0)).collect()
    }
}

/// A reliability diagram above a histogram of the predictions.
///
/// # Examples
///
/// ```
/// use ocellus_figures::{CalibrationCurve, CalibrationPlot};
///
/// let curve = CalibrationCurve::new("VGG16: ECE 0.031", &[0.1, 0.9], &[0.15, 0.85], &[60, 40]);
/// let figure = CalibrationPlot::new().with_title("Calibration").with_curve(curve).draw()?;
/// assert!(figure.to_svg()?.contains("perfect calibration"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CalibrationPlot {
    title: String,
    curves: Vec<CalibrationCurve>,
}

impl CalibrationPlot {
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
    pub fn with_curve(mut self, curve: CalibrationCurve) -> Self {
        self.curves.push(curve);
        self
    }

    /// Draws the curves.
    ///
    /// # Errors
    ///
    /// If there is no curve, a curve has no bins or no samples, its slices differ in length, or a value of a bin
    /// with samples is not between 0 and 1.
    pub fn draw(&self) -> Result<Figure> {
        check::not_empty("the list of calibration curves", &self.curves)?;
        self.curves.iter().try_for_each(CalibrationCurve::check)?;
        let ideal = Stroke::reference();
        let shares = self.curves.iter().flat_map(CalibrationCurve::shares);
        let mut reliability = Chart {
            title: "",
            x: Axis::unit(""),
            y: Axis::unit("Observed share of positives"),
            size: (360.0, 300.0),
            left: 0.0,
            legend: Legend::default(),
        };
        let histogram = Chart {
            title: "",
            x: Axis::unit("Predicted probability"),
            y: Axis::from_zero("Samples (share)", shares, 3),
            size: (360.0, 100.0),
            left: reliability.left_area(),
            legend: Legend::default(),
        };
        reliability.left = histogram.left_area();
        let names: Vec<_> = self.curves.iter().map(|curve| curve.name.as_str()).collect();
        let description = format!("Reliability diagram of {}.", names.join("; "));
        let reliability = reliability.draw(description, |canvas, plane| {
            plane.curve(canvas, &[(0.0, 0.0), (1.0, 1.0)], ideal);
            for (i, curve) in self.curves.iter().enumerate().rev() {
                plane.curve(canvas, &curve.points(), Stroke::new(Color::palette(i), 2.2));
                for (x, y) in curve.points() {
                    canvas.circle(plane.at(x, y), 3.4, Color::palette(i), None);
                }
            }
        })?;
        let histogram = histogram.draw(String::new(), |canvas, plane| {
            for (i, curve) in self.curves.iter().enumerate() {
                let (shares, models) = (curve.shares(), self.curves.len() as f64);
                let bin = 1.0 / shares.len() as f64;
                for (b, share) in shares.into_iter().enumerate() {
                    let width = 0.86 * bin / models;
                    let left = (b as f64 + 0.07) * bin + i as f64 * width;
                    let (a, c) = (plane.at(left, share), plane.at(left + width, 0.0));
                    let fill = Some(Color::palette(i));
                    canvas.rect(a, (c.0 - a.0, c.1 - a.1), fill, None);
                }
            }
        })?;
        let mut panels = Panels::new(1).with_title(self.title.as_str());
        panels.legend = Legend::of_lines(&names);
        panels.legend.push(Mark::Line(ideal), "perfect calibration");
        panels.draw(&[reliability, histogram])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_bins_may_be_nan_and_others_may_not() {
        let plot = |counts: &[u64]| {
            let nan = f64::NAN;
            let curve = CalibrationCurve::new("m", &[0.1, nan], &[0.2, nan], counts);
            CalibrationPlot::new().with_curve(curve).draw()
        };
        assert!(plot(&[5, 0]).is_ok());
        assert!(plot(&[0, 0]).unwrap_err().to_string().contains("samples of \"m\""));
        let error = plot(&[5, 1]).unwrap_err().to_string();
        assert!(error.contains("predicted probability of \"m\" is NaN at index 1"), "{error}");
    }
}
