use std::fmt::Write;

use crate::{Error, Result, canvas::xml::escape, check};

/// One cell of a [`Table`].
///
/// # Examples
///
/// ```
/// use ocellus_figures::Cell;
///
/// assert_eq!(Cell::number(0.93051, 3).text(), "0.931");
/// assert_eq!(Cell::interval(0.93, 0.9, 0.956, 2).text(), "0.93 [0.90, 0.96]");
/// assert_eq!(Cell::from("Attention VGG16").text(), "Attention VGG16");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    text: String,
    value: Option<f64>,
}

impl Cell {
    /// A number with so many digits after the point; one that is not finite becomes a dash.
    #[must_use]
    pub fn number(value: f64, digits: usize) -> Self {
        if !value.is_finite() {
            return Self::missing();
        }
        Self { text: decimal(value, digits), value: Some(value) }
    }

    /// A number with its confidence interval: `0.93 [0.90, 0.96]`.
    #[must_use]
    pub fn interval(value: f64, low: f64, high: f64, digits: usize) -> Self {
        if !value.is_finite() {
            return Self::missing();
        }
        let [center, low, high] = [value, low, high].map(|v| decimal(v, digits));
        Self { text: format!("{center} [{low}, {high}]"), value: Some(value) }
    }

    /// A number with its spread: `0.93 ± 0.02`.
    #[must_use]
    pub fn spread(value: f64, spread: f64, digits: usize) -> Self {
        if !value.is_finite() {
            return Self::missing();
        }
        let text = format!("{} ± {}", decimal(value, digits), decimal(spread, digits));
        Self { text, value: Some(value) }
    }

    /// A dash, for what is undefined.
    #[must_use]
    pub fn missing() -> Self {
        Self { text: "–".to_owned(), value: None }
    }

    /// What the cell shows.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn decimal(value: f64, digits: usize) -> String {
    if value.is_finite() {
        format!("{value:.digits$}").replace('-', "−")
    } else {
        "–".to_owned()
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), value: None }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, value: None }
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Self {
        Self { text: value.to_string(), value: Some(value as f64) }
    }
}

impl From<usize> for Cell {
    fn from(value: usize) -> Self {
        Self { text: value.to_string(), value: Some(value as f64) }
    }
}

/// Which value of a column is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Best {
    /// The highest, as of an accuracy.
    Highest,
    /// The lowest, as of a loss.
    Lowest,
}

/// A table of a report: columns of numbers are aligned to the right, the best can be set off.
///
/// # Examples
///
/// ```
/// use ocellus_figures::{Best, Cell, Section, Table};
///
/// let table = Table::new(&["Model", "AUC"])
///     .with_caption("Test fold; malignant is positive.")
///     .with_row(["VGG16".into(), Cell::number(0.91, 3)])
///     .with_row(["Attention VGG16".into(), Cell::number(0.93, 3)])
///     .with_best(1, Best::Highest);
/// assert_eq!(table.row_count(), 2);
/// let section = Section::new("Results").with_table(table)?;
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Table {
    caption: String,
    headers: Vec<String>,
    rows: Vec<Vec<Cell>>,
    best: Vec<(usize, Best)>,
}

impl Table {
    /// A table with these column headers and no rows.
    #[must_use]
    pub fn new<S: AsRef<str>>(headers: &[S]) -> Self {
        let headers = headers.iter().map(|header| header.as_ref().to_owned()).collect();
        Self { headers, ..Self::default() }
    }

    /// Sets the sentence above the table.
    #[must_use]
    pub fn with_caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }

    /// Adds a row.
    #[must_use]
    pub fn with_row(mut self, cells: impl IntoIterator<Item = Cell>) -> Self {
        self.rows.push(cells.into_iter().collect());
        self
    }

    /// Sets off the best number of a column (all of them, if several show the same text).
    #[must_use]
    pub fn with_best(mut self, column: usize, best: Best) -> Self {
        self.best.push((column, best));
        self
    }

    /// How many rows it has.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn check(&self) -> Result<()> {
        check::not_empty("the list of table headers", &self.headers)?;
        for (i, row) in self.rows.iter().enumerate() {
            check::same_length(&format!("row {i} of the table"), row.len(), self.headers.len())?;
        }
        match self.best.iter().find(|(column, _)| *column >= self.headers.len()) {
            Some((column, _)) => Err(Error::Setting {
                what: "the column with the best value",
                value: column.to_string(),
                remedy: "give the index of one of the columns",
            }),
            None => Ok(()),
        }
    }

    /// The text of the best cell of a column, if it has to be set off.
    fn best_text(&self, column: usize) -> Option<&str> {
        let (_, best) = self.best.iter().find(|(c, _)| *c == column)?;
        let numbers = self.rows.iter().map(|row| &row[column]);
        let numbers = numbers.filter_map(|cell| cell.value.map(|value| (value, cell.text())));
        let chosen = match best {
            Best::Highest => numbers.max_by(|a, b| a.0.total_cmp(&b.0)),
            Best::Lowest => numbers.min_by(|a, b| a.0.total_cmp(&b.0)),
        };
        chosen.map(|(_, text)| text)
    }

    pub(super) fn write(&self, html: &mut String) {
        let columns = self.headers.len();
        let numeric: Vec<bool> =
            (0..columns).map(|c| self.rows.iter().any(|row| row[c].value.is_some())).collect();
        let best: Vec<Option<&str>> = (0..columns).map(|c| self.best_text(c)).collect();
        let caption = escape(&self.caption);
        if !caption.is_empty() {
            let _ = writeln!(html, "<p class=\"caption\">{caption}</p>");
        }
        let label = if caption.is_empty() { "Table" } else { caption.as_str() };
        let _ = writeln!(
            html,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><table>"
        );
        html.push_str("<thead><tr>");
        for (header, numeric) in self.headers.iter().zip(&numeric) {
            let class = if *numeric { " class=\"n\"" } else { "" };
            let _ = write!(html, "<th scope=\"col\"{class}>{}</th>", escape(header));
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            html.push_str("<tr>");
            for (c, cell) in row.iter().enumerate() {
                let class = if numeric[c] { " class=\"n\"" } else { "" };
                let text = escape(cell.text());
                let is_best = cell.value.is_some() && best[c] == Some(cell.text());
                let text = if is_best { format!("<strong>{text}</strong>") } else { text };
                let _ = write!(html, "<td{class}>{text}</td>");
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody></table></div>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(table: &Table) -> String {
        table.check().unwrap();
        let mut html = String::new();
        table.write(&mut html);
        html
    }

    #[test]
    fn the_best_number_is_set_off_and_texts_are_escaped() {
        let table = Table::new(&["<model>", "loss"])
            .with_row(["a&b".into(), Cell::number(0.5, 2)])
            .with_row(["c".into(), Cell::number(f64::NAN, 2)])
            .with_row(["d".into(), Cell::number(0.25, 2)])
            .with_best(1, Best::Lowest);
        let html = html(&table);
        assert!(html.contains("<strong>0.25</strong>") && !html.contains("<strong>0.50"), "{html}");
        assert!(html.contains("&lt;model&gt;") && html.contains("a&amp;b") && html.contains("–"));
    }

    #[test]
    fn rejects_ragged_rows_and_columns_that_do_not_exist() {
        let ragged = Table::new(&["a", "b"]).with_row([Cell::from("x")]);
        let error = ragged.check().unwrap_err().to_string();
        assert_eq!(error, "row 0 of the table has 1 values where 2 are needed");
        assert!(Table::new(&["a"]).with_best(1, Best::Highest).check().is_err());
        assert!(Table::new::<&str>(&[]).check().is_err());
    }
}
