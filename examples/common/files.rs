//! Files that are written whole or not at all.

use std::{io::Write, path::Path};

use anyhow::Result;
use ocellus::params::write_atomically;

/// Writes `bytes` beside the target, syncs, renames.
pub(crate) fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<()> {
    Ok(write_atomically(path, |file| file.write_all(bytes.as_ref()))?)
}
