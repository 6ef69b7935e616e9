use std::collections::BTreeMap;

use ::zip::{CompressionMethod, ZipArchive};

use super::{
    file::{Entry, Index},
    pickle::{TensorRef, Value, run, state_dict},
    source::{Source, Values},
};
use crate::Result;

const SAVE_AGAIN: &str =
    "save it again in Python with `torch.save(model.state_dict(), PATH)`, or as safetensors";

/// The longest description that is read.
pub(crate) const LONGEST_PICKLE: u64 = 64 << 20;

/// The files in an archive.
struct Members<'a> {
    source: &'a Source,
    members: BTreeMap<String, Member>,
}

struct Member {
    start: u64,
    length: u64,
    /// Whether its bytes stand in the archive as they are.
    is_plain: bool,
}

/// Reads the description in an archive that `torch.save` has written since PyTorch 1.6.
pub(crate) fn index(source: &Source) -> Result<Index> {
    let members = Members::read(source)?;
    let Some(pickle_name) = members.find(|name| {
        name == "data.pkl" || name.split_once('/').is_some_and(|(_, rest)| rest == "data.pkl")
    }) else {
        let what = if members.find(|name| name.ends_with(".npy")).is_some() {
            "is an archive of NumPy arrays (.npz)"
        } else {
            "is a zip archive, but not one of PyTorch's: it has no `data.pkl`"
        };
        return Err(source.unsupported(what, "give a .safetensors or .pth file"));
    };
    let folder = pickle_name.trim_end_matches("data.pkl");
    if members.find(|name| name == format!("{folder}constants.pkl")).is_some() {
        return Err(source.unsupported("is a TorchScript program", SAVE_AGAIN));
    }
    if let Some((start, length)) = members.get(&format!("{folder}byteorder"))?
        && source.read(start, length.min(6))? != b"little"
    {
        return Err(source.unsupported("was written on a big-endian machine", SAVE_AGAIN));
    }
    let (start, length) = members.get(pickle_name)?.unwrap_or_default();
    if length > LONGEST_PICKLE {
        return Err(source.unsupported("holds far more than weights", SAVE_AGAIN));
    }
    let bytes = source.read(start, length)?;
    let pickle = run(&bytes, 0).map_err(|f| source.damaged(start + f.at as u64, f.what))?;
    let tensors = state_dict(&pickle).map_err(|what| source.unsupported(what, SAVE_AGAIN))?;
    let mut index = Index::default();
    for (name, id) in tensors {
        let entry = match pickle.get(id) {
            Value::Tensor(tensor) => {
                let path = format!("{folder}data/{}", tensor.storage.key);
                let Some((block, block_length)) = members.get(&path)? else {
                    let what = format!("the values of `{name}` are missing: no `{path}`");
                    return Err(source.damaged(start, what));
                };
                entry(source, &name, tensor, block, block_length)?
            }
            Value::Unreadable(why) => Entry::Unreadable(why.clone()),
            _ => continue,
        };
        index.entries.insert(name, entry);
    }
    Ok(index)
}

/// The tensor in a block of values, checked to lie within it.
pub(crate) fn entry(
    source: &Source,
    name: &str,
    tensor: &TensorRef,
    block: u64,
    block_length: u64,
) -> Result<Entry> {
    let element = match &tensor.storage.element {
        Ok(element) => *element,
        Err(kind) => return Ok(Entry::Unreadable(format!("values of the type {kind}"))),
    };
    let Some(offset) = tensor.offset.checked_add(tensor.storage.start) else {
        return Err(source.damaged(block, format!("`{name}` begins beyond all bounds")));
    };
    let values = Values {
        element,
        shape: tensor.shape.clone(),
        strides: tensor.strides.clone(),
        block,
        block_length,
        offset,
    };
    source.check(name, &values)?;
    Ok(Entry::Values(values))
}

impl<'a> Members<'a> {
    /// Reads the directory of the archive.
    fn read(source: &'a Source) -> Result<Self> {
        let length = source.length();
        let damaged = |error: ::zip::result::ZipError| {
            source.damaged(length, format!("the archive's directory is not readable: {error}"))
        };
        let mut members = BTreeMap::new();
        source.with_file(|file| -> Result<()> {
            let mut archive = ZipArchive::new(file).map_err(damaged)?;
            for i in 0..archive.len() {
                let member = archive.by_index_raw(i).map_err(damaged)?;
                let name = member.name().map_err(damaged)?.into_owned();
                let is_plain =
                    member.compression() == CompressionMethod::Stored && !member.encrypted();
                let start = member.data_start().unwrap_or(0);
                members.insert(name, Member { start, length: member.size(), is_plain });
            }
            Ok(())
        })?;
        Ok(Self { source, members })
    }

    fn find(&self, is_it: impl Fn(&str) -> bool) -> Option<&str> {
        self.members.keys().map(String::as_str).find(|name| is_it(name))
    }

    /// The first byte and the length of a file, which lies within the archive.
    fn get(&self, name: &str) -> Result<Option<(u64, u64)>> {
        let Some(&Member { start, length, is_plain }) = self.members.get(name) else {
            return Ok(None);
        };
        if !is_plain {
            return Err(self.source.unsupported(
                format!("holds `{name}` compressed or encrypted"),
                "unpack it and zip it again without compression, as PyTorch does",
            ));
        }
        let whole = self.source.length();
        if start.checked_add(length).is_none_or(|end| end > whole) {
            let what = format!("`{name}` should have {length} bytes, the file has {whole}");
            return Err(self.source.damaged(start.min(whole), what));
        }
        Ok(Some((start, length)))
    }
}
