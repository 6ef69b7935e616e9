use std::path::Path;

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result, atomic, image::read_bounded};

/// Writes a model as JSON, whole or not at all.
pub(super) fn save<T: Serialize>(model: &T, path: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(model).map_err(|error| Error::dataset(path, error))?;
    atomic::write(path, text.as_bytes())
}

/// Reads what [`save`] wrote; `check` says what is wrong with its numbers.
pub(super) fn load<T: DeserializeOwned>(path: &Path, check: fn(&T) -> Result<()>) -> Result<T> {
    let bytes = read_bounded(path, 1 << 20)?;
    let model = serde_json::from_slice(&bytes)
        .map_err(|error| Error::dataset(path, format!("no stain model: {error}")))?;
    check(&model).map_err(|error| Error::dataset(path, error))?;
    Ok(model)
}

/// Gives a model of stains, which has a `check`, its file.
macro_rules! saved_model {
    ($model:ident) => {
        impl $model {
            /// Writes the model as JSON: whole, or not at all.
            ///
            /// # Errors
            ///
            /// If the file cannot be written.
            pub fn save(&self, path: impl AsRef<std::path::Path>) -> $crate::Result<()> {
                super::file::save(self, path.as_ref())
            }

            /// Reads a model.
            ///
            /// # Errors
            ///
            /// If the file cannot be read, or holds no such model.
            pub fn load(path: impl AsRef<std::path::Path>) -> $crate::Result<Self> {
                super::file::load(path.as_ref(), Self::check)
            }
        }
    };
}

pub(super) use saved_model;
