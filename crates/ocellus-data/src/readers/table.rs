use std::path::{Path, PathBuf};

use crate::{Error, Result, image::read_bounded};

/// A CSV file with a header; commas, semicolons or tabs, with or without a byte-order mark.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
    header: Vec<String>,
    /// Each row with the number of its line.
    rows: Vec<(u64, csv::StringRecord)>,
}

impl Table {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = read_bounded(path, 1 << 28)?;
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let often = |&&mark: &&u8| first.iter().filter(|&&byte| byte == mark).count();
        let delimiter = b",;\t".iter().rev().max_by_key(often).copied().unwrap_or(b',');
        let bad = |error: csv::Error| Error::dataset(path, format!("no CSV: {error}"));
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(text);
        let header = reader.headers().map_err(bad)?;
        let header = header.iter().map(str::to_ascii_lowercase).collect();
        let mut rows = Vec::new();
        for row in reader.records() {
            let row = row.map_err(bad)?;
            let line = row.position().map_or(0, csv::Position::line);
            if row.iter().any(|field| !field.is_empty()) {
                rows.push((line, row));
            }
        }
        if rows.is_empty() {
            return Err(Error::dataset(path, "the table has no rows below its header"));
        }
        Ok(Self { path: path.to_owned(), header, rows })
    }

    /// The column of the first of these names that the header has.
    pub(crate) fn column(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.header.iter().position(|column| column == name))
    }

    pub(crate) fn require(&self, names: &[&str]) -> Result<usize> {
        self.column(names).ok_or_else(|| {
            Error::dataset(
                &self.path,
                format!(
                    "no column `{}`: the header has {}",
                    names.join("` or `"),
                    self.header.join(", ")
                ),
            )
        })
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(line, record)| Row { table: self, line: *line, record })
    }
}

/// A row of a [`Table`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    table: &'a Table,
    line: u64,
    record: &'a csv::StringRecord,
}

impl<'a> Row<'a> {
    pub(crate) fn get(&self, column: usize) -> &'a str {
        self.record.get(column).unwrap_or("")
    }

    /// The field, unless there is no such column or it is empty.
    pub(crate) fn optional(&self, column: Option<usize>) -> Option<&'a str> {
        column.map(|column| self.get(column)).filter(|field| !field.is_empty())
    }

    pub(crate) fn error(&self, reason: impl std::fmt::Display) -> Error {
        Error::dataset(&self.table.path, format!("line {}: {reason}", self.line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Table> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Table::read(file.path())
    }

    #[test]
    fn reads_commas_semicolons_tabs_and_a_mark() {
        for text in ["Path,Label\na, x \n", "\u{feff}path;label\r\na;x\r\n", "path\tlabel\na\tx"] {
            let table = table(text).unwrap();
            let column = table.require(&["label"]).unwrap();
            assert_eq!(table.rows().next().unwrap().get(column), "x");
        }
    }

    #[test]
    fn names_what_is_missing() {
        let error = table("path,labl\na,x\n").unwrap().require(&["label", "class"]).unwrap_err();
        assert!(error.to_string().contains("`label` or `class`"), "{error}");
        assert!(table("path,label\n").unwrap_err().to_string().contains("no rows"));
        assert!(table("path,label\na\n").is_err());
    }
}
