use crate::{
    Color, Figure, Result,
    canvas::{Canvas, Label, Stroke},
    chart::{Axis, Chart, Legend, Mark, Plane},
    check,
    style::font,
};

#[derive(Clone, Debug)]
struct Series {
    name: String,
    values: Vec<f64>,
    intervals: Option<Vec<(f64, f64)>>,
}

/// Bars in groups, such as models within metrics, with error bars.
///
/// # Examples
///
/// ```
/// use ocellus_figures::BarPlot;
///
/// let figure = BarPlot::new(&["AUC", "MCC"])
///     .with_series_intervals("Attention VGG16", &[0.93, 0.80], &[(0.90, 0.96), (0.72, 0.87)])
///     .with_series("VGG16 (paper)", &[0.91, 0.59])
///     .draw()?;
/// assert!(figure.to_svg()?.contains("VGG16 (paper)"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BarPlot {
    title: String,
    label: String,
    groups: Vec<String>,
    series: Vec<Series>,
}

impl BarPlot {
    /// A plot of these groups without series.
    #[must_use]
    pub fn new<S: AsRef<str>>(groups: &[S]) -> Self {
        let groups = groups.iter().map(|name| name.as_ref().to_owned()).collect();
        Self { title: String::new(), label: String::new(), groups, series: Vec::new() }
    }

    /// Sets the title.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Sets the label of the vertical axis.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds one value for each group.
    #[must_use]
    pub fn with_series(mut self, name: impl Into<String>, values: &[f64]) -> Self {
        let (name, values) = (name.into(), values.to_vec());
        self.series.push(Series { name, values, intervals: None });
        self
    }

    /// Adds one value for each group with the ends of its error bar.
    #[must_use]
    pub fn with_series_intervals(
        mut self,
        name: impl Into<String>,
        values: &[f64],
        intervals: &[(f64, f64)],
    ) -> Self {
        let (name, values, intervals) = (name.into(), values.to_vec(), Some(intervals.to_vec()));
        self.series.push(Series { name, values, intervals });
        self
    }

    /// Draws the bars.
    ///
    /// # Errors
    ///
    /// If there are no groups or series, a series has another length than the groups, or a value
    /// is NaN, infinite or beyond 1e30.
    pub fn draw(&self) -> Result<Figure> {
        self.check()?;
        let bar = 30.0;
        let widest = self.groups.iter().map(|name| font::width(name, 12.0, false));
        let needed = (self.series.len() as f64 * bar + 26.0).max(widest.fold(0.0, f64::max) + 14.0);
        let group = needed.max(300.0 / self.groups.len() as f64);
        let ends = self.series.iter().filter_map(|series| series.intervals.as_ref());
        let ends = ends.flatten().flat_map(|(low, high)| [*low, *high]);
        let values = self.series.iter().flat_map(|series| series.values.iter().copied());
        let mut legend = Legend::default();
        for (i, series) in self.series.iter().enumerate() {
            legend.push(Mark::Box(Color::palette(i)), series.name.as_str());
        }
        let chart = Chart {
            title: &self.title,
            x: Axis::named("", &self.groups),
            y: Axis::from_zero(&self.label, values.chain(ends), 5),
            size: (group * self.groups.len() as f64, 260.0),
            left: 0.0,
            legend,
        };
        chart.draw(self.describe(), |canvas, plane| {
            for (i, series) in self.series.iter().enumerate() {
                for g in 0..self.groups.len() {
                    let width = bar / group;
                    let left = g as f64 + (i as f64 - self.series.len() as f64 / 2.0) * width;
                    draw_bar(canvas, plane, series, (g, left, width), Color::palette(i));
                }
            }
        })
    }

    fn check(&self) -> Result<()> {
        check::not_empty("the list of groups", &self.groups)?;
        check::not_empty("the list of series", &self.series)?;
        for Series { name, values, intervals } in &self.series {
            let what = format!("the series {name:?}");
            check::same_length(&what, values.len(), self.groups.len())?;
            check::finite(&what, values)?;
            if let Some(intervals) = intervals {
                let what = format!("the error bars of {name:?}");
                check::same_length(&what, intervals.len(), values.len())?;
                let (low, high): (Vec<_>, Vec<_>) = intervals.iter().copied().unzip();
                check::finite(&what, &low)?;
                check::finite(&what, &high)?;
            }
        }
        Ok(())
    }

    fn describe(&self) -> String {
        let series = self.series.iter().map(|series| {
            let values = self.groups.iter().zip(&series.values);
            let values: Vec<_> =
                values.map(|(group, value)| format!("{group} {value:.3}")).collect();
            format!("{}: {}", series.name, values.join(", "))
        });
        format!("Bar chart. {}.", series.collect::<Vec<_>>().join("; "))
    }
}

fn draw_bar(
    canvas: &mut Canvas,
    plane: &Plane,
    series: &Series,
    (group, left, width): (usize, f64, f64),
    color: Color,
) {
    let value = series.values[group];
    let (a, b) = (plane.at(left + 0.05 * width, value), plane.at(left + 0.95 * width, 0.0));
    let (top, height) = (a.1.min(b.1), (a.1 - b.1).abs());
    canvas.rect((a.0, top), (b.0 - a.0, height), Some(color), None);
    let mut label = if value < 0.0 { b.1 } else { a.1 };
    if let Some((low, high)) = series.intervals.as_ref().map(|intervals| intervals[group]) {
        let (x, low) = plane.at(left + width / 2.0, low);
        let high = plane.at(0.0, high).1;
        let stroke = Stroke::new(Color::INK, 1.3);
        canvas.line((x, low), (x, high), stroke);
        canvas.line((x - 4.0, low), (x + 4.0, low), stroke);
        canvas.line((x - 4.0, high), (x + 4.0, high), stroke);
        label = label.min(high).min(low);
    }
    let middle = plane.at(left + width / 2.0, 0.0).0;
    let text = if value.abs() < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") };
    let text = font::shorten(&text.replace('-', "−"), 10.5, false, 40.0);
    canvas.text(middle, label - 4.0, Label::new(text, 10.5).centered().color(Color::MUTED));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_zero_and_large_values_are_drawn() {
        for values in [[0.0, 0.0], [-0.3, 0.4], [1e20, -1e20]] {
            let plot = BarPlot::new(&["a", "b"]).with_series("s", &values);
            plot.draw().unwrap().to_png(200, 200).unwrap();
        }
    }

    #[test]
    fn rejects_series_that_do_not_fit_the_groups() {
        assert!(BarPlot::new(&["a"]).draw().is_err());
        assert!(BarPlot::new(&["a"]).with_series("s", &[1.0, 2.0]).draw().is_err());
        assert!(BarPlot::new(&["a"]).with_series("s", &[f64::NAN]).draw().is_err());
        let plot = BarPlot::new(&["a"]).with_series_intervals("s", &[1.0], &[]);
        assert!(plot.draw().unwrap_err().to_string().contains("error bars of \"s\""));
    }
}
