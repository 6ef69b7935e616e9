use crate::{Error, Figure, Result, canvas::Canvas, chart::Legend, check, figure::MARGIN};

/// Several figures side by side in one, such as the six confusion matrices (a) to (f) of a table.
///
/// # Examples
///
/// ```
/// use ocellus_figures::{ConfusionPlot, Panels};
///
/// let classes = ["benign", "malignant"];
/// let gated = ConfusionPlot::new(&classes, &[24, 2, 1, 17]).with_title("Attention VGG16").draw()?;
/// let plain = ConfusionPlot::new(&classes, &[20, 6, 3, 15]).with_title("VGG16").draw()?;
/// let both = Panels::new(2).with_letters().draw(&[gated, plain])?;
/// assert!(both.to_svg()?.contains("(b) VGG16"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Panels {
    columns: usize,
    letters: bool,
    title: String,
    pub(crate) legend: Legend,
}

impl Panels {
    /// At most `columns` figures in a row.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self { columns, letters: false, title: String::new(), legend: Legend::default() }
    }

    /// Puts (a), (b), (c) before the titles of the figures.
    #[must_use]
    pub fn with_letters(mut self) -> Self {
        self.letters = true;
        self
    }

    /// Sets a title above all figures.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Joins the figures row by row; the description joins theirs.
    ///
    /// # Errors
    ///
    /// If there are no figures or no columns.
    pub fn draw(&self, figures: &[Figure]) -> Result<Figure> {
        check::not_empty("the list of panels", figures)?;
        if self.columns == 0 {
            let (what, value) = ("the number of columns", "0".to_owned());
            return Err(Error::Setting { what, value, remedy: "give at least 1" });
        }
        let columns = self.columns.min(figures.len());
        let widths: Vec<f64> = (0..columns)
            .map(|c| figures.iter().skip(c).step_by(columns).map(Figure::width).fold(0.0, f64::max))
            .collect();
        let titles: Vec<String> =
            figures.iter().enumerate().map(|(i, f)| self.title(i, f)).collect();
        let width: f64 = widths.iter().sum();
        let (mut canvas, mut y) = (Canvas::new(width, 0.0), 0.0);
        for (row, titles) in figures.chunks(columns).zip(titles.chunks(columns)) {
            // Bodies start at one height, whatever the lines of their titles.
            let above = row.iter().zip(titles).map(|(figure, title)| figure.title_height(title));
            let above = above.fold(0.0, f64::max);
            let mut x = 0.0;
            for ((figure, title), width) in row.iter().zip(titles).zip(&widths) {
                figure.draw_title(&mut canvas, title, (x, y));
                canvas.insert(&figure.body, x, y + above);
                x += width;
            }
            y += above + row.iter().map(|f| f.body.height).fold(0.0, f64::max);
        }
        let room = width - 2.0 * MARGIN;
        if !self.legend.is_empty() {
            self.legend.draw(&mut canvas, (MARGIN, y), room);
            y += self.legend.height(room) + MARGIN;
        }
        canvas.height = y;
        let descriptions: Vec<_> =
            figures.iter().map(Figure::description).filter(|text| !text.is_empty()).collect();
        Ok(Figure::new(canvas, &self.title, descriptions.join(" ")))
    }

    fn title(&self, index: usize, figure: &Figure) -> String {
        if !self.letters {
            return figure.title().to_owned();
        }
        let mut letters = String::new();
        let mut rest = index + 1;
        while rest > 0 {
            rest -= 1;
            letters.insert(0, char::from(b'a' + (rest % 26) as u8));
            rest /= 26;
        }
        format!("({letters}) {}", figure.title())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConfusionPlot;

    #[test]
    fn letters_run_on_after_z() {
        let figure = ConfusionPlot::new(&["a"], &[1]).with_title("t").draw().unwrap();
        let panels = Panels::new(3).with_letters();
        assert_eq!(panels.title(0, &figure), "(a) t");
        assert_eq!(panels.title(25, &figure), "(z) t");
        assert_eq!(panels.title(26, &figure), "(aa) t");
    }

    #[test]
    fn rows_hold_as_many_figures_as_there_are_columns() {
        let figure = ConfusionPlot::new(&["a", "b"], &[1, 2, 3, 4]).draw().unwrap();
        let panels = Panels::new(3).draw(&vec![figure.clone(); 5]).unwrap();
        assert_eq!(panels.width(), 3.0 * figure.width());
        assert_eq!(panels.height(), 2.0 * figure.height());
        assert!(Panels::new(3).draw(&[]).is_err());
        assert!(Panels::new(0).draw(&[figure]).is_err());
    }
}
