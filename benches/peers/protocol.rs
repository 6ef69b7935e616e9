//! What is said over the pipes: one request, one reply, each a line of JSON.

use std::path::PathBuf;

use ocellus_benches::Case;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Names and versions of what is there.
    Hello,
    /// Take up a case. Ours writes weights and inputs to the file, if one is named; the other reads them.
    Load { name: String, case: Value, file: Option<PathBuf> },
    /// Get ready to run the case.
    Build { variant: String },
    /// Run once and write the results to the file.
    Results { variant: String, file: PathBuf },
    /// Run that often.
    Time { variant: String, runs: usize },
    /// The least memory traffic of the case.
    Traffic,
    /// Forget the case.
    Drop,
    /// The process's memory.
    Memory,
    /// The machine's peak of products and of copying.
    Peaks,
}

impl Request {
    pub(crate) fn load(case: &Case, file: Option<PathBuf>) -> serde_json::Result<Self> {
        Ok(Self::Load { name: case.name(), case: serde_json::to_value(case)?, file })
    }
}

/// The reply to any request: the fields that it asks for, or an error.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Reply {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// `Hello`: name and version of libraries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) libraries: Vec<(String, String)>,
    /// `Time`: all runs together.
    pub(crate) nanoseconds: u64,
    /// `Traffic`: bytes.
    pub(crate) traffic: u64,
    /// `Memory`: now, and at most so far.
    pub(crate) resident_bytes: u64,
    pub(crate) peak_bytes: u64,
    /// `Peaks`.
    pub(crate) operations_per_second: f64,
    pub(crate) bytes_per_second: f64,
}
