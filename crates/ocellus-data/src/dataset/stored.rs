use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::UNIX_EPOCH,
};

use crate::{
    Dataset, Error, Example, Image, ImageFiles, Result, Sample, atomic, image::read_bounded, sha256,
};

/// Image files that are decoded once, and kept on disk at the size that is worked with.
///
/// A micrograph of 2560×1920 takes a tenth of a second to decode and shrink; at 128×128 it is read back
/// in less than a millisecond, also by the next run. An entry is found by path, modification time and
/// length of the image and its masks and by all that is done to them ([`Preprocess`](crate::Preprocess),
/// window, crop), so that a changed file or setting is read anew; it has a checksum, and a damaged one is
/// made again. Entries are written whole or not at all, and several programs may share a folder.
///
/// The folder holds at most so many bytes of entries: when it is full, those go that this set has not
/// used, the oldest first; when there are none, what is new is not kept.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Dataset, Image, ImageFiles, ImageFolder, Preprocess, StoredFiles};
///
/// let root = tempfile::tempdir()?;
/// for class in ["ALL", "MM"] {
///     std::fs::create_dir_all(root.path().join("set").join(class))?;
///     Image::filled(1, 300, 400, 0.5)?.save_png(root.path().join("set").join(class).join("1.png"))?;
/// }
/// let set = ImageFolder::open(root.path().join("set"))?;
/// let files = ImageFiles::new(set, Preprocess::new(16, 16));
/// let stored = StoredFiles::new(files, root.path().join("cache"), 1 << 30)?;
/// assert_eq!(stored.load(1)?, stored.load(1)?); // Decoded once.
/// assert_eq!(stored.bytes(), 24 + 16 * 16 * 4 + 64);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StoredFiles {
    files: ImageFiles,
    folder: PathBuf,
    max_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Of all entries in the folder.
    bytes: u64,
    /// Names of the entries that this set has read or written.
    used: HashSet<String>,
}

/// How entries begin, and what they end in.
const MAGIC: &[u8; 8] = b"ocellus1";
const HEADER: usize = 24;
const DIGEST: usize = 64;
const EXTENSION: &str = "pixels";

impl StoredFiles {
    /// Keeps at most so many bytes in a folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made or listed.
    pub fn new(files: ImageFiles, folder: impl Into<PathBuf>, max_bytes: u64) -> Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let bytes = entries(&folder)?.iter().map(|entry| entry.bytes).sum();
        let state = Mutex::new(State { bytes, used: HashSet::new() });
        Ok(Self { files, folder, max_bytes, state })
    }

    /// The files that are read.
    #[must_use]
    pub fn inner(&self) -> &ImageFiles {
        &self.files
    }

    /// The bytes of all entries in the folder, as far as this set knows.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of a sample's entry: a digest of all that it depends on.
    fn entry(&self, sample: &Sample) -> Result<String> {
        let mut key = format!(
            "{:?}\n{:?}\n{:?}\n{:?}\n",
            self.files.preprocess(),
            self.files.crop(),
            self.files.has_masks(),
            sample.window
        );
        for path in std::iter::once(&sample.path).chain(&sample.masks) {
            let absolute = std::path::absolute(path).map_err(Error::io(path))?;
            let file = fs::metadata(path).map_err(Error::io(path))?;
            let changed = file.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            key += &format!("{}\n{changed:?} {}\n", absolute.display(), file.len());
        }
        Ok(format!("{}.{EXTENSION}", sha256::hex_digest(key.as_bytes())))
    }

    fn keep(&self, name: String, example: &Example) -> Result<()> {
        let bytes = pack(example)?;
        let (path, length) = (self.folder.join(&name), bytes.len() as u64);
        let mut state = self.lock();
        if state.used.contains(&name) {
            return Ok(());
        }
        state.bytes = state.bytes.saturating_sub(fs::metadata(&path).map_or(0, |file| file.len()));
        if state.bytes.saturating_add(length) > self.max_bytes {
            self.make_room(&mut state, length)?;
        }
        if state.bytes.saturating_add(length) <= self.max_bytes {
            atomic::write(&path, &bytes)?;
            state.bytes += length;
            state.used.insert(name);
        }
        Ok(())
    }

    /// Removes entries that this set has not used, the oldest first, until there is room.
    fn make_room(&self, state: &mut State, length: u64) -> Result<()> {
        let mut found = entries(&self.folder)?;
        found.sort_by_key(|entry| entry.changed);
        state.bytes = found.iter().map(|entry| entry.bytes).sum();
        for entry in found.iter().filter(|entry| !state.used.contains(&entry.name)) {
            if state.bytes.saturating_add(length) <= self.max_bytes {
                break;
            }
            // Another program may have removed it.
            if fs::remove_file(self.folder.join(&entry.name)).is_ok() {
                state.bytes -= entry.bytes;
            }
        }
        Ok(())
    }
}

impl Dataset for StoredFiles {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn label(&self, index: usize) -> usize {
        self.files.label(index)
    }

    fn name(&self, index: usize) -> String {
        self.files.name(index)
    }

    fn load(&self, index: usize) -> Result<Example> {
        let Some(sample) = self.files.set().samples.get(index) else {
            return self.files.load(index);
        };
        let name = self.entry(sample)?;
        if let Some(example) = unpack(&self.folder.join(&name), self.max_bytes, sample.label) {
            self.lock().used.insert(name);
            return Ok(example);
        }
        let example = self.files.load(index)?;
        self.keep(name, &example)?;
        Ok(example)
    }
}

struct Entry {
    name: String,
    bytes: u64,
    changed: Option<std::time::SystemTime>,
}

fn entries(folder: &Path) -> Result<Vec<Entry>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION)
            && let Ok(file) = entry.metadata()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.push(Entry { name, bytes: file.len(), changed: file.modified().ok() });
        }
    }
    Ok(found)
}

/// Magic, channels, height, width, channels of the mask, values, checksum.
fn pack(example: &Example) -> Result<Vec<u8>> {
    let (channels, height, width) = example.image.dims();
    let mask = example.mask.as_ref().map_or(0, Image::channels);
    let mut bytes = MAGIC.to_vec();
    for side in [channels, height, width, mask] {
        let side = u32::try_from(side)
            .map_err(|_| Error::Shape(format!("a side of {side} is too long to be stored")))?;
        bytes.extend(side.to_le_bytes());
    }
    for image in std::iter::once(&example.image).chain(&example.mask) {
        bytes.extend(image.data().iter().flat_map(|value| value.to_le_bytes()));
    }
    let digest = sha256::hex_digest(&bytes);
    bytes.extend(digest.as_bytes());
    Ok(bytes)
}

/// What [`pack`] wrote; nothing if there is no file or a damaged one.
fn unpack(path: &Path, max_bytes: u64, label: usize) -> Option<Example> {
    let bytes = read_bounded(path, max_bytes).ok()?;
    let (body, digest) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST)?)?;
    if body.len() < HEADER
        || !body.starts_with(MAGIC)
        || sha256::hex_digest(body).as_bytes() != digest
    {
        return None;
    }
    let side =
        |at: usize| Some(u32::from_le_bytes(body.get(at..at + 4)?.try_into().ok()?) as usize);
    let (channels, height, width, mask) = (side(8)?, side(12)?, side(16)?, side(20)?);
    let values: Vec<f32> = body[HEADER..]
        .chunks_exact(4)
        .map(|value| f32::from_le_bytes([value[0], value[1], value[2], value[3]]))
        .collect();
    let (image, rest) =
        values.split_at_checked(channels.checked_mul(height)?.checked_mul(width)?)?;
    let mut example =
        Example::new(Image::new(channels, height, width, image.to_vec()).ok()?, label);
    if mask > 0 {
        example.mask = Some(Image::new(mask, height, width, rest.to_vec()).ok()?);
    }
    Some(example)
}
