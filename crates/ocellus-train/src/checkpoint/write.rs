use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// The metadata key of a checkpoint. There is only one: safetensors keeps several in the order of a
/// hash, and the bytes of a file should depend on nothing but its contents.
pub(crate) const METADATA_KEY: &str = "ocellus";

/// Writes tensors and a state as one safetensors file, which appears whole or not at all.
///
/// The same contents are the same bytes.
pub(crate) fn write(path: &Path, tensors: &BTreeMap<String, Tensor>, state: &Value) -> Result<()> {
    let entries = entries(path, tensors)?;
    let header = header(&entries, state);
    replace(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        entries.iter().try_for_each(|entry| file.write_all(&entry.bytes))
    })
}

/// Writes a text file, which appears whole or not at all.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<()> {
    replace(path, |file| file.write_all(text.as_bytes()))
}

/// Writes beside `path`, waits for the disk, then renames: whatever happens before leaves the old
/// file as it was.
fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let beside = beside(path);
    let written = File::create(&beside).and_then(|file| {
        let mut buffer = BufWriter::new(file);
        write(&mut buffer)?;
        buffer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&beside, path));
    renamed.map_err(|source| {
        // Half a file takes space that may be what is missing. It is of no use to anyone.
        let _ = fs::remove_file(&beside);
        Error::io("write", path, source)
    })?;
    sync_folder(path);
    Ok(())
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    path.with_file_name(name)
}

/// Makes a rename last through a power cut, where the system can. Systems that cannot open a folder
/// need not.
pub(crate) fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
}

struct Entry {
    name: String,
    dtype: safetensors::Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// The tensors by size of their numbers, the largest first so that all are aligned, then by name.
fn entries(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<Vec<Entry>> {
    let mut entries = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let known = [DType::F32, DType::F64, DType::F16, DType::BF16, DType::I64, DType::U32];
        if !known.contains(&tensor.dtype()) && tensor.dtype() != DType::U8 {
            let reason = format!("cannot store `{name}` of {:?}", tensor.dtype());
            return Err(Error::io("write", path, io::Error::other(reason)));
        }
        let tensor = tensor.to_device(&Device::Cpu)?.contiguous()?;
        entries.push(Entry {
            name: name.clone(),
            dtype: tensor.dtype().into(),
            shape: tensor.dims().to_vec(),
            bytes: safetensors::View::data(&tensor).into_owned(),
        });
    }
    entries.sort_by(|a, b| b.dtype.bitsize().cmp(&a.dtype.bitsize()).then(a.name.cmp(&b.name)));
    Ok(entries)
}

fn header(entries: &[Entry], state: &Value) -> Vec<u8> {
    let mut sum = Checksum::default();
    sum.add(state.to_string().as_bytes());
    let mut header = serde_json::Map::new();
    let mut from = 0;
    let mut tensors = Vec::new();
    for Entry { name, dtype, shape, bytes } in entries {
        sum.add_tensor(name, shape, bytes);
        let to = from + bytes.len();
        let info = json!({ "dtype": dtype, "shape": shape, "data_offsets": [from, to] });
        tensors.push((name.clone(), info));
        from = to;
    }
    let metadata = json!({ "checksum": sum.hex(), "state": state }).to_string();
    header.insert("__metadata__".to_owned(), json!({ METADATA_KEY: metadata }));
    header.extend(tensors);
    let mut bytes = Value::Object(header).to_string().into_bytes();
    bytes.resize(bytes.len().next_multiple_of(8), b' ');
    bytes
}

/// Tells a damaged file from a whole one. No protection against intent.
#[derive(Default)]
pub(crate) struct Checksum(u64);

impl Checksum {
    pub(crate) fn add_tensor(&mut self, name: &str, shape: &[usize], bytes: &[u8]) {
        self.add(name.as_bytes());
        shape.iter().for_each(|&size| self.word(size as u64));
        self.add(bytes);
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        rest.iter().for_each(|&byte| self.word(u64::from(byte)));
    }

    pub(crate) fn hex(&self) -> String {
        format!("{:016x}", self.0)
    }

    fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }
}
