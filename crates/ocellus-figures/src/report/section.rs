use std::fmt::Write;

use super::Table;
use crate::{Figure, Result, canvas::xml::escape};

/// On a phone, figures wider than this scroll in their card: shrunk, nobody could read them.
const WIDE: f64 = 620.0;
/// Of figures narrower than this, two stand side by side on a phone.
const NARROW: f64 = 220.0;

/// A part of a report: texts, tables and figures in the order in which they are added.
///
/// # Examples
///
/// ```
/// use ocellus_figures::{ConfusionPlot, Report, Section};
///
/// let figure = ConfusionPlot::new(&["benign", "malignant"], &[24, 2, 1, 17]).draw()?;
/// let section = Section::new("Confusion")
///     .with_text("Rows are true classes.")
///     .with_figure(&figure, "The test fold.")?;
/// assert!(Report::new("Run").with_section(section).to_html().contains("The test fold."));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Section {
    pub(super) title: String,
    pub(super) body: String,
}

impl Section {
    /// An empty section.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), body: String::new() }
    }

    /// Adds text; an empty line begins a new paragraph.
    #[must_use]
    pub fn with_text(mut self, text: impl AsRef<str>) -> Self {
        paragraphs(&mut self.body, text.as_ref());
        self
    }

    /// Adds a note that must not be overlooked.
    #[must_use]
    pub fn with_warning(mut self, text: impl AsRef<str>) -> Self {
        warning(&mut self.body, text.as_ref());
        self
    }

    /// Adds a table.
    ///
    /// # Errors
    ///
    /// If it has no columns, a row has another length than the headers, or the column of
    /// [`Table::with_best`] does not exist.
    pub fn with_table(mut self, table: Table) -> Result<Self> {
        table.check()?;
        table.write(&mut self.body);
        Ok(self)
    }

    /// Adds a figure with a caption.
    ///
    /// # Errors
    ///
    /// If a picture in it cannot be encoded.
    pub fn with_figure(self, figure: &Figure, caption: impl AsRef<str>) -> Result<Self> {
        self.with_figures(std::slice::from_ref(figure), caption)
    }

    /// Adds figures with one caption: side by side on a wide screen, one below the other on a
    /// phone.
    ///
    /// # Errors
    ///
    /// If a picture in one of them cannot be encoded.
    pub fn with_figures(mut self, figures: &[Figure], caption: impl AsRef<str>) -> Result<Self> {
        self.body.push_str("<figure><div class=\"cards\">\n");
        for figure in figures {
            let name = if figure.title().is_empty() { "Figure" } else { figure.title() };
            let label = escape(format!("{name}. {}", figure.description()).trim());
            let svg = figure.to_svg()?;
            let svg =
                svg.replacen("role=\"img\"", &format!("role=\"img\" aria-label=\"{label}\""), 1);
            let class = match figure.width() {
                width if width > WIDE => "card wide",
                width if width < NARROW => "card narrow",
                _ => "card",
            };
            let _ = writeln!(self.body, "<div class=\"{class}\">{svg}</div>");
        }
        self.body.push_str("</div>");
        if !caption.as_ref().is_empty() {
            let _ = write!(self.body, "<figcaption>{}</figcaption>", escape(caption.as_ref()));
        }
        self.body.push_str("</figure>\n");
        Ok(self)
    }

    /// Adds the contents of another section, folded away under its title.
    #[must_use]
    pub fn with_details(mut self, details: &Self) -> Self {
        let (title, body) = (escape(&details.title), &details.body);
        let _ = write!(self.body, "<details><summary>{title}</summary>\n{body}</details>\n");
        self
    }

    /// Adds names and values in two columns.
    #[must_use]
    pub fn with_pairs<K: AsRef<str>, V: AsRef<str>>(
        mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.body.push_str("<div class=\"scroll\"><table class=\"pairs\"><tbody>\n");
        for (name, value) in pairs {
            let (name, value) = (escape(name.as_ref()), escape(value.as_ref()));
            let _ = writeln!(self.body, "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>");
        }
        self.body.push_str("</tbody></table></div>\n");
        self
    }
}

pub(super) fn paragraphs(html: &mut String, text: &str) {
    for paragraph in text.split("\n\n").filter(|text| !text.trim().is_empty()) {
        let _ = writeln!(html, "<p>{}</p>", escape(paragraph.trim()));
    }
}

pub(super) fn warning(html: &mut String, text: &str) {
    let _ = writeln!(html, "<p class=\"warning\" role=\"note\">{}</p>", escape(text));
}
