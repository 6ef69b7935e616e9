//! The tables of report and terminal.

use std::fmt::Write;

use anyhow::Result;
use ocellus::{
    figures::{Best, Cell, GridPlot, Section, Table},
    octa::{Clustering, TABLE_1, TABLE_2, Table1Row},
};

use crate::{
    comparison::{Entry, Estimate},
    examined::{Examined, Protocol},
};

/// The tables of one protocol, what they may know before them, and the paper's beside them.
pub(crate) fn section(
    title: &str,
    entries: &[Entry],
    protocol: Protocol,
    digits: usize,
) -> Result<Section> {
    let of_protocol: Vec<&Entry> = entries.iter().filter(|e| e.protocol == protocol).collect();
    let (rows, columns) = names(&of_protocol);
    let mut headers = vec!["".to_owned()];
    headers.extend(columns.iter().flat_map(|c| [format!("{c} κ"), format!("{c} accuracy")]));
    let mut table = Table::new(&headers).with_caption(
        "Cohen's kappa and accuracy of three grades in percent, with 95 % intervals.",
    );
    let mut notes = Vec::new();
    for row in &rows {
        let mut cells = vec![Cell::from(row.as_str())];
        for entry in of_protocol.iter().filter(|entry| entry.row == *row) {
            let cell = |of: fn(&Entry) -> Option<Estimate>| {
                let cell = |e: Estimate| Cell::interval(e.value, e.low, e.high, digits);
                of(entry).map_or_else(Cell::missing, cell)
            };
            cells.push(cell(|entry| Some(entry.agreed?.kappa)));
            cells.push(cell(|entry| Some(entry.agreed?.accuracy)));
            notes.extend(entry.note.iter().map(|note| format!("{row}, {}: {note}", entry.column)));
        }
        table = table.with_row(cells);
    }
    for column in 1..headers.len() {
        table = table.with_best(column, Best::Highest);
    }
    let mut section = Section::new(format!("{title}, {}", protocol.title()));
    section = match protocol {
        Protocol::LabelFree => section.with_text(protocol.explained()),
        Protocol::Oracle => section.with_warning(protocol.explained()),
    };
    section = section.with_table(table)?;
    if columns.len() > 1 {
        section = section.with_figure(&grid(&of_protocol, &rows, &columns)?, "Kappa, percent.")?;
    }
    for note in notes {
        section = section.with_text(note);
    }
    Ok(section)
}

fn names(entries: &[&Entry]) -> (Vec<String>, Vec<&'static str>) {
    let (mut rows, mut columns) = (Vec::new(), Vec::new());
    for entry in entries {
        if !rows.contains(&entry.row) {
            rows.push(entry.row.clone());
        }
        if !columns.contains(&entry.column) {
            columns.push(entry.column);
        }
    }
    (rows, columns)
}

fn grid(entries: &[&Entry], rows: &[String], columns: &[&str]) -> Result<ocellus::figures::Figure> {
    let values: Vec<Option<f64>> =
        entries.iter().map(|entry| entry.agreed.map(|agreed| agreed.kappa.value)).collect();
    let plot = GridPlot::new(rows, columns, &values).with_digits(1).with_best(Best::Highest);
    Ok(plot.with_title("Cohen's kappa").draw()?)
}

/// The paper's Table 1, as context.
pub(crate) fn papers_table_1() -> Table {
    let mut headers = vec!["".to_owned()];
    for set in ["test", "external"] {
        for clustering in Table1Row::clusterings() {
            let name = clustering.name();
            headers.extend([format!("{set}, {name} κ"), format!("{name} accuracy")]);
        }
    }
    let mut table = Table::new(&headers).with_caption(
        "The paper's Table 1: sOCTA-3×3-10k, Wide-ResNet-50-2, an oracle's threshold. Read it as context.",
    );
    for row in TABLE_1 {
        let name = format!("{} + {}", row.method.name(), row.reduction().name());
        let figures = row.test.iter().chain(&row.external);
        let figures = figures.flat_map(|f| [Cell::number(f.kappa, 2), Cell::number(f.accuracy, 2)]);
        table = table.with_row(std::iter::once(Cell::from(name)).chain(figures));
    }
    table
}

/// The paper's Table 2, as context.
pub(crate) fn papers_table_2() -> Table {
    let caption = "The paper's Table 2: CFLOW-AD, hierarchical clustering, an oracle's threshold.";
    let column = Clustering::hierarchical().name();
    let headers = ["".to_owned(), format!("{column} κ"), format!("{column} accuracy")];
    TABLE_2.iter().fold(Table::new(&headers).with_caption(caption), |table, row| {
        let figures = [Cell::number(row.kappa, 2), Cell::number(row.accuracy, 2)];
        table.with_row(std::iter::once(Cell::from(row.name)).chain(figures))
    })
}

/// The detectors: how well scores tell outstanding images, thresholds, seconds.
pub(crate) fn detectors(all: &[Examined]) -> Table {
    let headers = [
        "Detector",
        "AUROC: outstanding or not",
        "label-free threshold",
        "oracle threshold",
        "fit, s",
        "score, s",
    ];
    all.iter().fold(Table::new(&headers), |table, examined| {
        table.with_row([
            Cell::from(examined.method.name()),
            Cell::number(examined.auroc, 3),
            Cell::number(examined.label_free.value, 4),
            Cell::number(examined.oracle.value, 4),
            Cell::number(examined.fit_seconds, 1),
            Cell::number(examined.score_seconds, 1),
        ])
    })
}

/// The same for the terminal.
pub(crate) fn terminal(title: &str, entries: &[Entry]) -> Result<String> {
    let mut text = String::new();
    for protocol in Protocol::ALL {
        let of_protocol: Vec<&Entry> = entries.iter().filter(|e| e.protocol == protocol).collect();
        let (rows, columns) = names(&of_protocol);
        let width = rows.iter().map(|row| row.chars().count()).max().unwrap_or(0);
        writeln!(text, "\n{title}, {}: kappa / accuracy, percent", protocol.title())?;
        write!(text, "{:width$}", "")?;
        for column in &columns {
            write!(text, "  {column:>15}")?;
        }
        writeln!(text)?;
        for row in &rows {
            write!(text, "{row:width$}")?;
            for entry in of_protocol.iter().filter(|entry| entry.row == *row) {
                let cell = entry.agreed.map_or("–".to_owned(), |agreed| {
                    format!("{:.1} / {:.1}", agreed.kappa.value, agreed.accuracy.value)
                });
                write!(text, "  {cell:>15}")?;
            }
            writeln!(text)?;
        }
    }
    Ok(text)
}
