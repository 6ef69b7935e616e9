use std::{fmt::Write, path::Path};

use serde::Serialize;

use super::{
    Section,
    html::{STYLE, inert},
    section::{paragraphs, warning},
};
use crate::{Error, Result, canvas::xml::escape};

/// The report of a run: one HTML file without any reference to the network.
///
/// In this order it holds the title, the summary, the warnings, a table of contents, the sections,
/// then settings, seeds and the fingerprint of the data, and the run's record as JSON for programs
/// (`<script type="application/json" id="ocellus-run">`).
///
/// # Examples
///
/// ```
/// use ocellus_figures::{Report, Section};
///
/// let html = Report::new("Breast ultrasound")
///     .with_summary("The gated network has an AUC of 0.93 [0.90, 0.96].")
///     .with_warning("Research software, not for diagnosis.")
///     .with_section(Section::new("Results").with_text("Five folds, grouped by patient."))
///     .with_settings([("epochs", "40"), ("batch", "32")])
///     .with_seeds([("weights", 1), ("order", 2)])
///     .with_data([("images", "439"), ("fingerprint", "9f3c…")])
///     .with_run(&serde_json::json!({ "auc": 0.93 }))?
///     .to_html();
/// assert!(html.starts_with("<!DOCTYPE html>") && html.contains("id=\"ocellus-run\""));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    title: String,
    opening: String,
    warnings: String,
    sections: Vec<Section>,
    closing: Vec<Section>,
    run: Option<String>,
}

impl Report {
    /// A report without contents.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            opening: String::new(),
            warnings: String::new(),
            sections: Vec::new(),
            closing: Vec::new(),
            run: None,
        }
    }

    /// Adds a paragraph that says what came out.
    #[must_use]
    pub fn with_summary(mut self, text: impl AsRef<str>) -> Self {
        paragraphs(&mut self.opening, text.as_ref());
        self
    }

    /// Adds a note that must not be overlooked.
    #[must_use]
    pub fn with_warning(mut self, text: impl AsRef<str>) -> Self {
        warning(&mut self.warnings, text.as_ref());
        self
    }

    /// Adds a section.
    #[must_use]
    pub fn with_section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// Adds the settings of the run, names and values.
    #[must_use]
    pub fn with_settings<K: AsRef<str>, V: AsRef<str>>(
        mut self,
        settings: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.closing.push(Section::new("Settings").with_pairs(settings));
        self
    }

    /// Adds the seeds of the run.
    #[must_use]
    pub fn with_seeds<K: AsRef<str>>(mut self, seeds: impl IntoIterator<Item = (K, u64)>) -> Self {
        let pairs = seeds.into_iter().map(|(name, seed)| (name, seed.to_string()));
        self.closing.push(Section::new("Seeds").with_pairs(pairs));
        self
    }

    /// Adds what identifies the data: counts, sources, fingerprints.
    #[must_use]
    pub fn with_data<K: AsRef<str>, V: AsRef<str>>(
        mut self,
        data: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.closing.push(Section::new("Data").with_pairs(data));
        self
    }

    /// Sets the record of the run that programs read.
    ///
    /// # Errors
    ///
    /// If it cannot be written as JSON, for example for a map whose keys are no strings.
    pub fn with_run<T: Serialize + ?Sized>(mut self, run: &T) -> Result<Self> {
        self.run = Some(inert(&serde_json::to_string_pretty(run)?));
        Ok(self)
    }

    /// The whole report; equal reports give equal text.
    #[must_use]
    pub fn to_html(&self) -> String {
        let title = escape(&self.title);
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <h1>{title}</h1>\n"
        );
        if !self.opening.is_empty() {
            let _ = write!(html, "<div class=\"summary\">\n{}</div>\n", self.opening);
        }
        html.push_str(&self.warnings);
        let sections: Vec<_> = self.sections.iter().chain(&self.closing).collect();
        if sections.len() > 1 {
            html.push_str("<nav aria-label=\"Contents\"><ul>\n");
            for (i, section) in sections.iter().enumerate() {
                let name = escape(&section.title);
                let _ = writeln!(html, "<li><a href=\"#section-{}\">{name}</a></li>", i + 1);
            }
            html.push_str("</ul></nav>\n");
        }
        for (i, section) in sections.iter().enumerate() {
            let (number, name) = (i + 1, escape(&section.title));
            let _ = writeln!(html, "<section id=\"section-{number}\">\n<h2>{name}</h2>");
            let _ = writeln!(html, "{}</section>", section.body);
        }
        html.push_str("<footer>Made with Ocellus.</footer>\n</main>\n");
        if let Some(run) = &self.run {
            let tag = "<script type=\"application/json\" id=\"ocellus-run\">";
            let _ = write!(html, "{tag}\n{run}\n</script>\n");
        }
        html.push_str("</body>\n</html>\n");
        html
    }

    /// Writes the report to a file: beside it first, then moved into place, so that a report that
    /// was there is never left half overwritten.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut beside = path.as_os_str().to_owned();
        beside.push(".part");
        std::fs::write(&beside, self.to_html())
            .and_then(|()| std::fs::rename(&beside, path))
            .map_err(|source| {
                // What is left of the attempt is of no use; the first error is what counts.
                let _ = std::fs::remove_file(&beside);
                Error::File { path: path.to_owned(), source }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConfusionPlot, Table};

    const HOSTILE: &str = "</script><script>alert(1)</script><!-- & \"'";

    #[test]
    fn hostile_texts_cannot_break_out() {
        let figure = ConfusionPlot::new(&[HOSTILE, "b"], &[1, 2, 3, 4]).with_title(HOSTILE);
        let section = Section::new(HOSTILE)
            .with_text(HOSTILE)
            .with_warning(HOSTILE)
            .with_pairs([(HOSTILE, HOSTILE)])
            .with_table(Table::new(&[HOSTILE]).with_row([HOSTILE.into()]))
            .and_then(|section| section.with_figure(&figure.draw()?, HOSTILE))
            .unwrap();
        let details = Section::new("outer").with_details(&section);
        let report = Report::new(HOSTILE).with_summary(HOSTILE).with_warning(HOSTILE);
        let run = serde_json::json!({ HOSTILE: HOSTILE });
        let html = report.with_section(section).with_section(details).with_run(&run).unwrap();
        let html = html.to_html();
        assert_eq!(html.matches("<script").count(), 1);
        assert_eq!(html.matches("</script").count(), 1);
        assert!(!html.contains("<!--"));
        let json = html.split("id=\"ocellus-run\">").nth(1).unwrap();
        let json = json.split("</script>").next().unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(json).unwrap(), run);
    }

    #[test]
    fn the_page_is_well_formed_and_refers_to_nothing_outside() {
        let figure = ConfusionPlot::new(&["a", "b"], &[1, 2, 3, 4]).draw().unwrap();
        let section = Section::new("one").with_figure(&figure, "c").unwrap();
        let html = Report::new("t").with_section(section).with_seeds([("s", 1)]).to_html();
        assert!(html.contains("<a href=\"#section-2\">Seeds</a>"));
        // Apart from void elements and the doctype the page is XML, so a parser can check it.
        let xml = html.replace("<!DOCTYPE html>", "").replace("utf-8\">", "utf-8\"/>");
        let xml = xml.replace("initial-scale=1\">", "initial-scale=1\"/>");
        let document = roxmltree::Document::parse(&xml).unwrap();
        for node in document.descendants() {
            for attribute in node.attributes() {
                let (name, value) = (attribute.name(), attribute.value());
                let refers = ["src", "href", "action", "data"].contains(&name);
                assert!(
                    !refers || value.starts_with(['#']) || value.starts_with("data:"),
                    "{value}"
                );
            }
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }

    #[test]
    fn a_failed_save_says_where_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let report = Report::new("t");
        report.save(folder.path().join("report.html")).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = report.save(folder.path().join("no/report.html")).unwrap_err().to_string();
        assert!(error.contains("report.html"), "{error}");
    }
}
