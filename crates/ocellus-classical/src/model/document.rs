use std::{fs, path::Path};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{Error, Result};

const FORMAT: &str = "ocellus-classical";
const VERSION: u32 = 1;

/// A model that has a file: JSON that names its format, version, kind of model and precision.
///
/// Numbers are written so that they are read to the same bits.
pub trait Stored: Serialize + DeserializeOwned {
    /// The kind's name in a file.
    const KIND: &'static str;

    /// The precision of what is stored, `f32` or `f64`; none where models of both are the same.
    const PRECISION: Option<&'static str> = None;

    /// Whether the parts fit together, so that nothing panics whatever a file holds.
    ///
    /// # Errors
    ///
    /// What does not fit.
    fn check(&self) -> std::result::Result<(), String>;

    /// Loads a model of this kind.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, ends early, is of another kind, of a newer version, or damaged.
    fn load(path: &Path) -> Result<Self> {
        let text = read(path)?;
        let model = parse(&text).and_then(|document| document.model::<Self>());
        model.map_err(|problem| Error::File { path: path.to_owned(), problem })
    }
}

/// A file's content, the model itself not yet read.
#[derive(Deserialize, Serialize)]
pub(crate) struct Document<'a> {
    format: String,
    version: u32,
    pub(crate) kind: String,
    precision: Option<String>,
    #[serde(borrow)]
    model: &'a RawValue,
}

pub(super) fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    let foreign = |_| Error::File { path: path.to_owned(), problem: foreign() };
    String::from_utf8(bytes).map_err(foreign)
}

fn foreign() -> String {
    format!("holds no model of {FORMAT}: give a file that `save` has written")
}

/// Only the header: what is left of a document of a newer version may differ.
#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

pub(crate) fn parse(text: &str) -> std::result::Result<Document<'_>, String> {
    let opening = format!("{{\"format\":\"{FORMAT}\"");
    let document = serde_json::from_str::<Document<'_>>(text);
    let header = match &document {
        Ok(document) => Header { format: document.format.clone(), version: document.version },
        Err(e) if text.starts_with(&opening) && (e.is_eof() || !text.ends_with('}')) => {
            return Err(format!("ends early, at byte {}: copy or save it again", text.len()));
        }
        Err(e) => serde_json::from_str(text).map_err(|_| {
            if text.starts_with(&opening) { format!("is damaged: {e}") } else { foreign() }
        })?,
    };
    if header.format != FORMAT {
        return Err(foreign());
    }
    if header.version > VERSION {
        let version = header.version;
        return Err(format!(
            "is of version {version}, this program knows {VERSION}: take a newer release"
        ));
    }
    document.map_err(|e| format!("is damaged: {e}"))
}

impl Document<'_> {
    pub(crate) fn model<M: Stored>(&self) -> std::result::Result<M, String> {
        if self.kind != M::KIND {
            return Err(format!("holds a model of kind `{}`, not `{}`", self.kind, M::KIND));
        }
        if self.precision.as_deref() != M::PRECISION {
            let name = |p: Option<&str>| p.unwrap_or("no precision").to_owned();
            let (found, wanted) = (name(self.precision.as_deref()), name(M::PRECISION));
            return Err(format!("holds a model of {found}, not of {wanted}: load it as that"));
        }
        let model: M =
            serde_json::from_str(self.model.get()).map_err(|e| format!("is damaged: {e}"))?;
        model.check().map_err(|e| format!("is damaged: {e}"))?;
        Ok(model)
    }
}

/// A document of a model.
pub(crate) fn to_document<M: Stored>(model: &M) -> ocellus_cluster::Result<String> {
    let failed = |e: serde_json::Error| ocellus_cluster::Error::InvalidSetting {
        name: "the model",
        value: e.to_string(),
        remedy: "fit it on data of a smaller range",
    };
    let body = serde_json::value::to_raw_value(model).map_err(failed)?;
    let document = Document {
        format: FORMAT.into(),
        version: VERSION,
        kind: M::KIND.into(),
        precision: M::PRECISION.map(Into::into),
        model: &body,
    };
    serde_json::to_string(&document).map_err(failed)
}
