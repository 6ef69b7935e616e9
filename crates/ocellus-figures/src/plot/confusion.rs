use crate::{
    Color, Colormap, Error, Figure, Result,
    canvas::{Anchor, Canvas, Label, Stroke},
    check,
    figure::MARGIN,
    style::font,
};

/// A confusion matrix: counts, and each as a share of its row's true class.
///
/// # Examples
///
/// ```
/// use ocellus_figures::ConfusionPlot;
///
/// // Rows are true classes, columns predicted ones.
/// let figure = ConfusionPlot::new(&["benign", "malignant"], &[24, 2, 1, 17])
///     .with_title("Attention VGG16, CE + log-cosh")
///     .with_positive(1)
///     .draw()?;
/// let svg = figure.to_svg()?;
/// assert!(svg.contains("malignant (+)") && svg.contains("92.3 %"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConfusionPlot {
    classes: Vec<String>,
    counts: Vec<u64>,
    title: String,
    percentages: bool,
    positive: Option<usize>,
    colormap: Colormap,
}

const NAME: f64 = 13.0;
/// Class names on the left are cut at this width.
const NAME_LIMIT: f64 = 150.0;

impl ConfusionPlot {
    /// A matrix of `counts`, row by row: row = true class, column = predicted class.
    #[must_use]
    pub fn new<S: AsRef<str>>(classes: &[S], counts: &[u64]) -> Self {
        Self {
            classes: classes.iter().map(|name| name.as_ref().to_owned()).collect(),
            counts: counts.to_vec(),
            title: String::new(),
            percentages: true,
            positive: None,
            colormap: Colormap::Blues,
        }
    }

    /// Sets the title.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Whether the row percentages stand below the counts; they do by default.
    #[must_use]
    pub fn with_percentages(mut self, percentages: bool) -> Self {
        self.percentages = percentages;
        self
    }

    /// Marks the class with this index as the positive one: `malignant (+)`.
    #[must_use]
    pub fn with_positive(mut self, class: usize) -> Self {
        self.positive = Some(class);
        self
    }

    /// Sets the colors of the cells; their value is the share of the row.
    #[must_use]
    pub fn with_colormap(mut self, colormap: Colormap) -> Self {
        self.colormap = colormap;
        self
    }

    /// Draws the matrix.
    ///
    /// # Errors
    ///
    /// If there are no classes, more than 200, not classes² counts, or no such positive class.
    pub fn draw(&self) -> Result<Figure> {
        self.check()?;
        let names = self.names();
        let n = names.len();
        let side = (300.0 / n as f64).clamp(18.0, 108.0);
        let plane = side * n as f64;
        let widest = names.iter().map(|name| font::width(name, NAME, false)).fold(0.0, f64::max);
        let upward = widest > side - 6.0;
        let name_size = NAME.min(side * 0.8);
        let left = MARGIN + 22.0 + widest + 8.0;
        let below = if upward { widest + 10.0 } else { 22.0 };
        let width = (left + plane + MARGIN + 4.0).ceil();
        let top = MARGIN;
        let height = (top + plane + below + 22.0 + MARGIN).ceil();

        let mut canvas = Canvas::new(width, height);
        for row in 0..n {
            for column in 0..n {
                let at = (left + column as f64 * side, top + row as f64 * side);
                self.draw_cell(&mut canvas, at, side, (row, column));
            }
        }
        canvas.rect((left, top), (plane, plane), None, Some(Stroke::new(Color::AXIS, 1.0)));
        for (i, name) in names.iter().enumerate() {
            let middle = (i as f64 + 0.5) * side;
            let label = Label::new(name.as_str(), name_size);
            canvas.text_centered(left - 8.0, top + middle, label.clone().anchor(Anchor::End));
            if upward {
                let label = label.upward().anchor(Anchor::End);
                canvas.text_centered(left + middle, top + plane + 8.0, label);
            } else {
                canvas.text(left + middle, top + plane + 17.0, label.centered());
            }
        }
        let bottom = top + plane + below + 12.0;
        let axis = |text: &str| Label::new(text, NAME).bold().centered();
        canvas.text_centered(left + plane / 2.0, bottom, axis("Predicted class"));
        canvas.text_centered(MARGIN + 6.0, top + plane / 2.0, axis("True class").upward());
        Ok(Figure::new(canvas, &self.title, self.describe()))
    }

    fn check(&self) -> Result<()> {
        let n = self.classes.len();
        check::not_empty("the list of classes", &self.classes)?;
        if n > 200 {
            let (what, value) = ("the number of classes", n.to_string());
            return Err(Error::Setting { what, value, remedy: "draw 200 at most" });
        }
        check::same_length("the confusion matrix", self.counts.len(), n * n)?;
        match self.positive {
            Some(class) if class >= n => Err(Error::Setting {
                what: "the positive class",
                value: class.to_string(),
                remedy: "give the index of one of the classes",
            }),
            _ => Ok(()),
        }
    }

    fn names(&self) -> Vec<String> {
        let mark = |i| if self.positive == Some(i) { " (+)" } else { "" };
        let short = |name: &str| font::shorten(name, NAME, false, NAME_LIMIT);
        self.classes.iter().enumerate().map(|(i, name)| short(name) + mark(i)).collect()
    }

    /// The share of the true class `row` that was taken for `column`.
    fn share(&self, row: usize, column: usize) -> Option<f64> {
        let n = self.classes.len();
        let cells = &self.counts[row * n..(row + 1) * n];
        let total: f64 = cells.iter().map(|&count| count as f64).sum();
        (total > 0.0).then(|| cells[column] as f64 / total)
    }

    fn draw_cell(&self, canvas: &mut Canvas, at: (f64, f64), side: f64, cell: (usize, usize)) {
        let share = self.share(cell.0, cell.1);
        // Not the darkest end: it would be all but black.
        let color = self.colormap.at(0.92 * share.unwrap_or(0.0));
        let rim = Stroke::new(Color::WHITE, 1.0);
        canvas.rect(at, (side, side), Some(color), Some(rim));
        if side < 24.0 {
            return;
        }
        let (x, y) = (at.0 + side / 2.0, at.1 + side / 2.0);
        let count = self.counts[cell.0 * self.classes.len() + cell.1].to_string();
        let fitting = |text: &str, size: f64, bold| {
            size.min(size * (side - 6.0) / font::width(text, size, bold))
        };
        let percent = share.map_or("–".to_owned(), |share| format!("{:.1} %", 100.0 * share));
        let both = self.percentages && side >= 44.0;
        let size = fitting(&count, (side * 0.24).clamp(11.0, 22.0), true);
        let label = Label::new(count, size).bold().centered().color(color.contrasting());
        canvas.text_centered(x, if both { y - 0.1 * side } else { y }, label);
        if both {
            let size = fitting(&percent, (side * 0.15).clamp(9.0, 13.0), false);
            let label = Label::new(percent, size).centered().color(color.contrasting());
            canvas.text_centered(x, y + 0.16 * side, label);
        }
    }

    fn describe(&self) -> String {
        let n = self.classes.len();
        let total: u128 = self.counts.iter().map(|&count| u128::from(count)).sum();
        let right: u128 = (0..n).map(|i| u128::from(self.counts[i * n + i])).sum();
        let title = if self.title.is_empty() { "Confusion matrix" } else { &self.title };
        format!("{title}: {right} of {total} on the diagonal, classes {}.", self.names().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_names_counts_and_row_percentages() {
        let plot = ConfusionPlot::new(&["benign", "a & b"], &[24, 2, 0, 0]).with_title("Fold <1>");
        let figure = plot.draw().unwrap();
        let svg = figure.to_svg().unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<_> = document
            .descendants()
            .filter(|node| node.has_tag_name("text"))
            .filter_map(|node| node.text())
            .collect();
        for text in ["benign", "a & b", "24", "2", "92.3 %", "7.7 %", "–", "Fold <1>"] {
            assert!(texts.contains(&text), "{text} is not among {texts:?}");
        }
        assert!(figure.description().contains("24 of 26"));
    }

    #[test]
    fn rejects_a_matrix_that_is_not_square() {
        let error = ConfusionPlot::new(&["a", "b"], &[1, 2, 3]).draw().unwrap_err().to_string();
        assert_eq!(error, "the confusion matrix has 3 values where 4 are needed");
        assert!(ConfusionPlot::new::<&str>(&[], &[]).draw().is_err());
        assert!(ConfusionPlot::new(&["a"], &[1]).with_positive(1).draw().is_err());
    }

    #[test]
    fn many_classes_and_huge_counts_fit() {
        let names: Vec<_> = (0..40).map(|i| format!("a rather long class name {i}")).collect();
        let figure = ConfusionPlot::new(&names, &[u64::MAX; 1600]).draw().unwrap();
        assert!(figure.width() < 1200.0);
        figure.to_png_scaled(1.0).unwrap();
    }
}
