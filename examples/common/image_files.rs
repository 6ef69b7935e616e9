//! Images that a user names.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// The images named, and those in the folders named.
pub(crate) fn image_files(inputs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for input in inputs {
        if !input.is_dir() {
            files.push(input.clone());
            continue;
        }
        let entries = std::fs::read_dir(input)
            .with_context(|| format!("the folder {} cannot be read", input.display()))?;
        let mut found = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if ["png", "jpg", "jpeg", "bmp"].contains(&extension.as_str()) {
                found.push(path);
            }
        }
        found.sort();
        if found.is_empty() {
            bail!("the folder {} holds no PNG, JPEG or BMP image", input.display())
        }
        files.extend(found);
    }
    Ok(files)
}
