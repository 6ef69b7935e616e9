use crate::{
    Best, Color, Colormap, Error, Figure, Result,
    canvas::{Anchor, Canvas, Label, Stroke},
    check,
    figure::MARGIN,
    style::font,
};

/// Numbers in rows and columns, each cell colored by its value: a table of settings at a glance.
///
/// # Examples
///
/// ```
/// use ocellus_figures::{Best, GridPlot};
///
/// let kappa = [Some(0.46), Some(0.53), Some(0.52), None];
/// let figure = GridPlot::new(&["PCA", "NMF"], &["k-means", "Ward"], &kappa)
///     .with_title("Cohen's kappa")
///     .with_best(Best::Highest)
///     .draw()?;
/// assert!(figure.to_svg()?.contains("0.53"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GridPlot {
    title: String,
    rows: Vec<String>,
    columns: Vec<String>,
    values: Vec<Option<f64>>,
    texts: Option<Vec<String>>,
    digits: usize,
    best: Option<Best>,
    colormap: Colormap,
}

const NAME: f64 = 12.5;
const NAME_LIMIT: f64 = 220.0;
const HEIGHT: f64 = 30.0;

impl GridPlot {
    /// The values row by row; `None` is a dash.
    #[must_use]
    pub fn new<R: AsRef<str>, C: AsRef<str>>(
        rows: &[R],
        columns: &[C],
        values: &[Option<f64>],
    ) -> Self {
        let owned = |name: &str| font::shorten(name, NAME, false, NAME_LIMIT);
        Self {
            title: String::new(),
            rows: rows.iter().map(|name| owned(name.as_ref())).collect(),
            columns: columns.iter().map(|name| owned(name.as_ref())).collect(),
            values: values.to_vec(),
            texts: None,
            digits: 2,
            best: None,
            colormap: Colormap::Blues,
        }
    }

    /// Sets the title.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Sets the digits after the point; 2 otherwise.
    #[must_use]
    pub fn with_digits(mut self, digits: usize) -> Self {
        self.digits = digits.min(12);
        self
    }

    /// Sets what stands in each cell, such as a number with its interval.
    #[must_use]
    pub fn with_texts<S: AsRef<str>>(mut self, texts: &[S]) -> Self {
        self.texts = Some(texts.iter().map(|text| text.as_ref().to_owned()).collect());
        self
    }

    /// Sets off the best value.
    #[must_use]
    pub fn with_best(mut self, best: Best) -> Self {
        self.best = Some(best);
        self
    }

    /// Sets the colors from the lowest to the highest value.
    #[must_use]
    pub fn with_colormap(mut self, colormap: Colormap) -> Self {
        self.colormap = colormap;
        self
    }

    /// Draws the grid.
    ///
    /// # Errors
    ///
    /// If there are no rows, no columns or more than 200 of either, not as many values or texts as
    /// cells, or a value is NaN, infinite or beyond 1e30.
    pub fn draw(&self) -> Result<Figure> {
        self.check()?;
        let texts = self.texts();
        let widest = |names: &[String], bold| {
            names.iter().map(|name| font::width(name, NAME, bold)).fold(0.0, f64::max)
        };
        let cell = (widest(&self.columns, false).max(widest(&texts, true)) + 18.0).max(48.0);
        let left = MARGIN + widest(&self.rows, false) + 10.0;
        let top = MARGIN + 22.0;
        let size = (cell * self.columns.len() as f64, HEIGHT * self.rows.len() as f64);
        let (width, height) = (left + size.0 + MARGIN, top + size.1 + MARGIN);
        let mut canvas = Canvas::new(width, height);
        for (i, name) in self.columns.iter().enumerate() {
            let x = left + (i as f64 + 0.5) * cell;
            let label = Label::new(name.as_str(), NAME).centered();
            canvas.text_centered(x, MARGIN + 9.0, label);
        }
        let best = self.best_value();
        for (row, name) in self.rows.iter().enumerate() {
            let y = top + row as f64 * HEIGHT;
            let label = Label::new(name.as_str(), NAME).anchor(Anchor::End);
            canvas.text_centered(left - 8.0, y + HEIGHT / 2.0, label);
            for column in 0..self.columns.len() {
                let i = row * self.columns.len() + column;
                let color = self.color(self.values[i]);
                let at = (left + column as f64 * cell, y);
                let rim = Stroke::new(Color::WHITE, 1.0);
                canvas.rect(at, (cell, HEIGHT), Some(color), Some(rim));
                let label = Label::new(texts[i].as_str(), NAME).centered();
                let label = label.color(color.contrasting());
                let chosen = best.is_some() && self.values[i] == best;
                let label = if chosen { label.bold() } else { label };
                canvas.text_centered(at.0 + cell / 2.0, y + HEIGHT / 2.0, label);
                if chosen {
                    let rim = Stroke::new(Color::VERMILLION, 2.0);
                    let inset = (cell - 4.0, HEIGHT - 4.0);
                    canvas.rect((at.0 + 2.0, at.1 + 2.0), inset, None, Some(rim));
                }
            }
        }
        Ok(Figure::new(canvas, &self.title, self.describe(&texts)))
    }

    fn check(&self) -> Result<()> {
        check::not_empty("the list of rows", &self.rows)?;
        check::not_empty("the list of columns", &self.columns)?;
        if self.rows.len().max(self.columns.len()) > 200 {
            let value = format!("{}×{}", self.rows.len(), self.columns.len());
            return Err(Error::Setting {
                what: "the size of the grid",
                value,
                remedy: "draw 200 rows and columns at most",
            });
        }
        let cells = self.rows.len() * self.columns.len();
        check::same_length("the grid", self.values.len(), cells)?;
        if let Some(texts) = &self.texts {
            check::same_length("the list of texts", texts.len(), cells)?;
        }
        let values: Vec<f64> = self.values.iter().map(|value| value.unwrap_or(0.0)).collect();
        check::finite("the grid", &values)
    }

    fn texts(&self) -> Vec<String> {
        let number = |value: &Option<f64>| match value {
            Some(value) => format!("{value:.0$}", self.digits).replace('-', "−"),
            None => "–".to_owned(),
        };
        self.texts.clone().unwrap_or_else(|| self.values.iter().map(number).collect())
    }

    fn color(&self, value: Option<f64>) -> Color {
        let values = || self.values.iter().flatten().copied();
        let (low, high) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        match value {
            // Neither the darkest end nor white.
            Some(value) if high > low => {
                self.colormap.at(0.08 + 0.72 * (value - low) / (high - low))
            }
            Some(_) => self.colormap.at(0.4),
            None => Color::GRID,
        }
    }

    fn best_value(&self) -> Option<f64> {
        let values = self.values.iter().flatten().copied();
        match self.best? {
            Best::Highest => values.max_by(f64::total_cmp),
            Best::Lowest => values.min_by(f64::total_cmp),
        }
    }

    fn describe(&self, texts: &[String]) -> String {
        let rows = self.rows.iter().zip(texts.chunks(self.columns.len()));
        let rows: Vec<_> =
            rows.map(|(name, texts)| format!("{name}: {}", texts.join(", "))).collect();
        format!("Columns {}. {}.", self.columns.join(", "), rows.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_set_off_and_the_missing_is_a_dash() {
        let plot = GridPlot::new(&["a", "b"], &["x"], &[Some(-1.5), None]);
        let svg = plot.clone().draw().unwrap().to_svg().unwrap();
        assert!(svg.contains("−1.50") && svg.contains('–'));
        assert_eq!(plot.clone().with_best(Best::Lowest).best_value(), Some(-1.5));
        assert_eq!(plot.color(None), Color::GRID);
        let svg = plot.with_texts(&["one", "two"]).draw().unwrap().to_svg().unwrap();
        assert!(svg.contains("one") && !svg.contains("1.50"));
    }

    #[test]
    fn rejects_grids_that_do_not_fit() {
        let grid = |rows: &[&str], columns: &[&str], values: &[Option<f64>]| {
            GridPlot::new(rows, columns, values).draw()
        };
        assert!(grid(&[], &["x"], &[]).is_err());
        assert!(grid(&["a"], &[], &[]).is_err());
        let error = grid(&["a"], &["x"], &[]).unwrap_err().to_string();
        assert_eq!(error, "the grid has 0 values where 1 are needed");
        assert!(grid(&["a"], &["x"], &[Some(f64::NAN)]).is_err());
        assert!(GridPlot::new(&["a"], &["x"], &[None]).with_texts(&["a", "b"]).draw().is_err());
    }
}
