use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{Error, Result, Sample};

/// The entries of a folder, sorted by name, without hidden ones and macOS's archive leftovers.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') && name != "__MACOSX" {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// The folders in a folder, sorted.
pub(crate) fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(folder)?.into_iter().filter(|path| path.is_dir()).collect())
}

/// The files in a folder that are named as images, sorted; those of its folders too if `deep`.
pub(crate) fn images(folder: &Path, deep: bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for path in entries(&folder)? {
            if path.is_dir() {
                // A linked folder may lead back to its parent.
                if deep && !path.is_symlink() {
                    waiting.push(path);
                }
            } else if is_image(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The files in a folder that have one of these extensions, sorted.
pub(crate) fn files_named(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let is_file = |path: &PathBuf| !path.is_dir() && has_extension(path, extensions);
    Ok(entries(folder)?.into_iter().filter(is_file).collect())
}

fn is_image(path: &Path) -> bool {
    has_extension(path, &["png", "jpg", "jpeg", "jpe", "jfif", "bmp", "dib", "tif", "tiff"])
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    extensions.contains(&extension.as_str())
}

/// A folder's or file's own name.
pub(crate) fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A file's name without its extension.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Fails unless the folder is there.
pub(crate) fn require_folder(folder: &Path) -> Result<()> {
    match folder.is_dir() {
        true => Ok(()),
        false if folder.exists() => Err(Error::dataset(folder, "is a file: give the folder")),
        false => Err(Error::dataset(folder, "no such folder: check the path")),
    }
}

/// The folder of that name, whatever its case.
pub(crate) fn child(folder: &Path, wanted: &str) -> Result<Option<PathBuf>> {
    Ok(folders(folder)?.into_iter().find(|path| name(path).eq_ignore_ascii_case(wanted)))
}

/// The images in the folder of each class and in those below; a label is the class's place.
pub(crate) fn by_class(root: &Path, classes: &[&str]) -> Result<Vec<Sample>> {
    require_folder(root)?;
    let mut samples = Vec::new();
    for (label, class) in classes.iter().enumerate() {
        let Some(folder) = child(root, class)? else {
            let reason = format!("no folder `{class}`: give the one with {}", classes.join(", "));
            return Err(Error::dataset(root, reason));
        };
        samples.extend(images(&folder, true)?.into_iter().map(|path| Sample::new(path, label)));
    }
    Ok(samples)
}

/// Writes empty files, and the folders that they lie in.
#[cfg(test)]
pub(crate) fn touch<S: AsRef<str>>(root: &Path, names: &[S]) {
    for name in names {
        let path = root.join(name.as_ref());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
}
