use crate::{
    Color, Figure, Panels, Result,
    canvas::Stroke,
    chart::{Axis, Chart, Legend, Mark},
    check,
};

/// One quantity over the epochs, such as the loss of training and of validation.
#[derive(Clone, Debug)]
pub struct TrainingPanel {
    quantity: String,
    series: Vec<(String, Vec<(f64, f64)>)>,
}

impl TrainingPanel {
    /// A panel of the quantity of this name, without data.
    #[must_use]
    pub fn new(quantity: impl Into<String>) -> Self {
        Self { quantity: quantity.into(), series: Vec::new() }
    }

    /// Adds one value for each of the epochs 1, 2, 3, …
    #[must_use]
    pub fn with_series(self, name: impl Into<String>, values: &[f64]) -> Self {
        let points: Vec<_> =
            values.iter().zip(1..).map(|(&v, epoch)| (f64::from(epoch), v)).collect();
        self.with_points(name, &points)
    }

    /// Adds values at some epochs: pairs (epoch, value).
    #[must_use]
    pub fn with_points(mut self, name: impl Into<String>, points: &[(f64, f64)]) -> Self {
        self.series.push((name.into(), points.to_vec()));
        self
    }
}

/// How training went: panels over the epochs with a mark at the best one.
///
/// Series of the same name have the same color in every panel.
///
/// # Examples
///
/// ```
/// use ocellus_figures::{TrainingPanel, TrainingPlot};
///
/// let loss = TrainingPanel::new("Loss")
///     .with_series("training", &[0.69, 0.52, 0.40, 0.31])
///     .with_series("validation", &[0.66, 0.55, 0.50, 0.53]);
/// let figure = TrainingPlot::new()
///     .with_panel(loss)
///     .with_best_epoch(3)
///     .with_learning_rate(&[1e-4, 1e-4, 1e-4, 1e-5])
///     .draw()?;
/// assert!(figure.to_svg()?.contains("best epoch (3)"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TrainingPlot {
    title: String,
    panels: Vec<TrainingPanel>,
    best_epoch: Option<usize>,
}

impl TrainingPlot {
    /// A plot without panels.
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

    /// Adds a panel.
    #[must_use]
    pub fn with_panel(mut self, panel: TrainingPanel) -> Self {
        self.panels.push(panel);
        self
    }

    /// Adds a panel with the learning rate of the epochs 1, 2, 3, …
    #[must_use]
    pub fn with_learning_rate(self, values: &[f64]) -> Self {
        self.with_panel(TrainingPanel::new("Learning rate").with_series("learning rate", values))
    }

    /// Marks the epoch whose weights were kept, counted from 1.
    #[must_use]
    pub fn with_best_epoch(mut self, epoch: usize) -> Self {
        self.best_epoch = Some(epoch);
        self
    }

    /// Draws the panels, three in a row.
    ///
    /// # Errors
    ///
    /// If there is no panel, a series is empty, or a value is NaN, infinite or beyond 1e30.
    pub fn draw(&self) -> Result<Figure> {
        self.check()?;
        let names = self.names();
        let figures = self.panels.iter().map(|panel| self.draw_panel(panel, &names, false));
        let figures = figures.collect::<Result<Vec<_>>>()?;
        let columns = if figures.len() == 4 { 2 } else { 3 };
        let mut panels = Panels::new(columns).with_title(self.title.as_str());
        panels.legend = self.legend(&names, &names);
        panels.draw(&figures)
    }

    /// Draws the panels one by one, each with its own legend and the plot's title before its quantity: for a report that is read on a
    /// phone, see [`Section::with_figures`](crate::Section::with_figures).
    ///
    /// # Errors
    ///
    /// As [`draw`](Self::draw).
    pub fn draw_panels(&self) -> Result<Vec<Figure>> {
        self.check()?;
        let names = self.names();
        self.panels.iter().map(|panel| self.draw_panel(panel, &names, true)).collect()
    }

    /// The legend of the `shown` among all names.
    fn legend(&self, names: &[&str], shown: &[&str]) -> Legend {
        let mut legend = Legend::default();
        for (i, name) in names.iter().enumerate().filter(|(_, name)| shown.contains(name)) {
            legend.push(Mark::Line(series_stroke(i)), *name);
        }
        if let Some(epoch) = self.best_epoch {
            legend.push(Mark::Line(best_stroke()), format!("best epoch ({epoch})"));
        }
        legend
    }

    fn check(&self) -> Result<()> {
        check::not_empty("the list of training panels", &self.panels)?;
        for panel in &self.panels {
            let quantity = &panel.quantity;
            check::not_empty(&format!("the panel {quantity:?}"), &panel.series)?;
            for (name, points) in &panel.series {
                let what = format!("{name:?} of {quantity:?}");
                check::not_empty(&what, points)?;
                let (epochs, values): (Vec<_>, Vec<_>) = points.iter().copied().unzip();
                check::finite(&format!("the epoch of {what}"), &epochs)?;
                check::finite(&what, &values)?;
            }
        }
        Ok(())
    }

    /// The names of all series, each once, in order of appearance.
    fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for (name, _) in self.panels.iter().flat_map(|panel| &panel.series) {
            if !names.contains(&name.as_str()) {
                names.push(name.as_str());
            }
        }
        names
    }

    fn draw_panel(&self, panel: &TrainingPanel, names: &[&str], alone: bool) -> Result<Figure> {
        let shown: Vec<_> = panel.series.iter().map(|(name, _)| name.as_str()).collect();
        let points = || panel.series.iter().flat_map(|(_, points)| points);
        let best = self.best_epoch.map(|epoch| epoch as f64);
        let epochs = points().map(|point| point.0).chain(best);
        let title = match self.title.as_str() {
            title if alone && !title.is_empty() => format!("{title}: {}", panel.quantity),
            _ => panel.quantity.clone(),
        };
        let chart = Chart {
            title: &title,
            x: Axis::epochs(epochs),
            y: Axis::fitted("", points().map(|point| point.1), 5),
            size: (290.0, 220.0),
            left: 0.0,
            legend: if alone { self.legend(names, &shown) } else { Legend::default() },
        };
        let ends = panel.series.iter().filter_map(|(name, points)| {
            points.last().map(|(epoch, value)| format!("{name} ends at {value:.4} (epoch {epoch})"))
        });
        let description = format!("{title}: {}.", ends.collect::<Vec<_>>().join(", "));
        chart.draw(description, |canvas, plane| {
            if let Some(epoch) = best {
                let (low, high) = chart.y.range;
                plane.curve(canvas, &[(epoch, low), (epoch, high)], best_stroke());
            }
            for (name, points) in &panel.series {
                let index = names.iter().position(|other| other == name).unwrap_or_default();
                plane.curve(canvas, points, series_stroke(index));
                if points.len() <= 30 {
                    for &(epoch, value) in points {
                        canvas.circle(plane.at(epoch, value), 2.6, Color::palette(index), None);
                    }
                }
            }
        })
    }
}

fn series_stroke(index: usize) -> Stroke {
    Stroke::new(Color::palette(index), 2.0)
}

fn best_stroke() -> Stroke {
    Stroke::new(Color::GRAY, 1.4).dashed(4.0, 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_epoch_constant_and_tiny_values_are_drawn() {
        for values in [&[0.5][..], &[0.0, 0.0], &[2e-6, 1.9e-6], &[1e29, -1e29]] {
            let plot = TrainingPlot::new().with_learning_rate(values).with_best_epoch(1);
            plot.draw().unwrap().to_png_scaled(1.0).unwrap();
        }
    }

    #[test]
    fn panels_that_stand_alone_bear_the_plots_title() {
        let panel = TrainingPanel::new("loss").with_series("training", &[0.5, 0.4]);
        let plot = TrainingPlot::new().with_title("U-Net").with_panel(panel);
        let panels = plot.draw_panels().unwrap();
        assert_eq!((panels.len(), panels[0].title()), (1, "U-Net: loss"));
    }

    #[test]
    fn a_nan_is_an_error_that_names_series_and_epoch() {
        let panel = TrainingPanel::new("Loss").with_series("validation", &[0.5, f64::NAN]);
        let error = TrainingPlot::new().with_panel(panel).draw().unwrap_err().to_string();
        assert!(error.contains("\"validation\" of \"Loss\" is NaN at index 1"), "{error}");
        assert!(TrainingPlot::new().draw().is_err());
    }
}
