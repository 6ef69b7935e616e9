use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{Error, Result};

/// Writes a file so that `path` holds either all of the new content or still the old one, whatever
/// happens: an error, a full disk, a kill, a power cut.
///
/// The content goes to a hidden file beside it, which is forced to the disk and then takes the name
/// in one step. A symbolic link is followed: the file it points to is replaced. Hidden files that
/// killed writers of the same `path` left behind are removed.
///
/// # Examples
///
/// ```
/// use std::{fs, io::Write};
/// use ocellus_params::write_atomically;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("history.csv");
/// write_atomically(&path, |file| writeln!(file, "epoch,loss"))?;
/// write_atomically(&path, |_| Err(std::io::Error::other("out of ideas"))).unwrap_err();
/// assert_eq!(fs::read_to_string(&path)?, "epoch,loss\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If the folder is missing or read-only, the disk is full, or `write` fails. The file is then as
/// it was, and the hidden one is gone.
pub fn write_atomically(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<()> {
    let given = path.as_ref();
    let path = fs::canonicalize(given).unwrap_or_else(|_| given.to_path_buf());
    replace(&path, write).map_err(|source| Error::Io {
        action: "write",
        path: given.to_path_buf(),
        source,
    })
}

fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let Some(name) = path.file_name().filter(|_| !path.is_dir()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a folder, not a file name"));
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let prefix = format!(".{}.", name.to_string_lossy());
    remove_leftovers(folder, &prefix);
    let (temporary, file) = create_beside(folder, &prefix)?;
    let mut file = BufWriter::new(file);
    let written = write(&mut file)
        .and_then(|()| file.flush())
        .and_then(|()| file.get_ref().sync_all())
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        drop(file.into_parts()); // Without another try to flush.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_folder(folder)
}

/// Creates the hidden file under a name that no other writer has, and locks it for as long as it
/// is open.
fn create_beside(folder: &Path, prefix: &str) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{prefix}{}-{number}.tmp", process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => {
                // Only tells others that it is in use: a file system without locks will do.
                let is_taken = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
                // Whoever cleans up holds the lock until the file is gone.
                if is_taken || !path.try_exists()? {
                    let _ = fs::remove_file(&path);
                    continue;
                }
                return Ok((path, file));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Removes the hidden files that nobody holds a lock on: the system drops a killed writer's.
///
/// Another writer that has made its file this instant and not locked it yet loses it, sees that, and
/// makes another.
fn remove_leftovers(folder: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(".tmp"));
        let is_ours = number.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit() || b == b'-'));
        if !is_ours {
            continue;
        }
        let Ok(file) = OpenOptions::new().write(true).open(entry.path()) else { continue };
        match file.try_lock() {
            Ok(()) => drop(fs::remove_file(entry.path())),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

/// Makes the renaming itself last.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems have no such thing.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use tempfile::tempdir;

    use super::*;

    fn files(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomically(&path, |f| f.write_all(b"old")).unwrap();
        let full = |f: &mut BufWriter<File>| {
            f.write_all(&[0; 100_000])?; // Past the buffer: it is really on the disk.
            Err(io::Error::from(io::ErrorKind::StorageFull))
        };
        let error = write_atomically(&path, full).unwrap_err().to_string();
        assert!(error.contains("cannot write") && error.contains("a.txt"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(files(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_missing_folder_a_folder_and_no_name_are_errors() {
        let folder = tempdir().unwrap();
        for path in [folder.path().join("absent/a.txt"), folder.path().to_path_buf(), "".into()] {
            assert!(write_atomically(&path, |_| Ok(())).is_err(), "{}", path.display());
        }
        assert_eq!(files(folder.path()), [""; 0]);
    }

    #[test]
    fn what_a_killed_writer_left_is_removed_and_what_is_not_ours_stays() {
        let folder = tempdir().unwrap();
        for name in [".a.txt.123-0.tmp", ".a.txt.keep.tmp", ".b.txt.123-0.tmp"] {
            fs::write(folder.path().join(name), "half").unwrap();
        }
        write_atomically(folder.path().join("a.txt"), |f| f.write_all(b"new")).unwrap();
        assert_eq!(files(folder.path()), [".a.txt.keep.tmp", ".b.txt.123-0.tmp", "a.txt"]);
    }

    #[test]
    fn two_writers_at_once_do_not_mix() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let both = Barrier::new(2);
        thread::scope(|scope| {
            for letter in [b'a', b'b'] {
                let (path, both) = (&path, &both);
                scope.spawn(move || {
                    write_atomically(path, |f| {
                        both.wait();
                        f.write_all(&[letter; 100_000])
                    })
                    .unwrap();
                });
            }
        });
        let content = fs::read(&path).unwrap();
        assert_eq!(content.len(), 100_000);
        assert!(content.iter().all(|b| *b == content[0]));
        assert_eq!(files(folder.path()), ["a.txt"]);
    }

    #[test]
    fn many_writers_lose_no_file_to_each_other() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("a.txt");
        thread::scope(|scope| {
            for letter in b'a'..b'g' {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..50 {
                        write_atomically(path, |f| f.write_all(&[letter; 100])).unwrap();
                    }
                });
            }
        });
        let content = fs::read(&path).unwrap();
        assert!(content.len() == 100 && content.iter().all(|b| *b == content[0]));
        assert_eq!(files(folder.path()), ["a.txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let folder = tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write_atomically(&link, |f| f.write_all(b"new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_that_is_full_is_an_error() {
        // The write goes beside the device, where no file can be made or the folder is another's.
        let error = write_atomically("/dev/full/weights", |f| f.write_all(b"x")).unwrap_err();
        assert!(error.to_string().contains("/dev/full/weights"), "{error}");
    }
}
