use std::collections::HashMap;

use super::{
    file::{Entry, Index},
    pickle::{Fault, Pickle, Value, run, state_dict},
    source::Source,
    zip::{LONGEST_PICKLE, entry},
};
use crate::Result;

const SAVE_AGAIN: &str =
    "load it in Python and save it again with `torch.save(model.state_dict(), PATH)`";

/// 0x1950a86a20f9469cfc6c, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const VERSION: i64 = 1001;

/// Reads the description in a file that `torch.save` wrote before PyTorch 1.6, or later without
/// its zip format: five pickles (magic number, version, system, weights, storage keys), then the
/// storages in the order of the keys, each after its number of values.
pub(crate) fn index(source: &Source) -> Result<Index> {
    let bytes = source.read(0, source.length().min(LONGEST_PICKLE))?;
    let damaged = |fault: Fault| source.damaged(fault.at as u64, fault.what);
    let next = |start: usize| run(&bytes, start).map_err(damaged);

    let magic = next(0)?;
    if *magic.get(magic.root) != Value::Long(MAGIC.to_vec()) {
        return Err(source.unsupported("is a pickle, but not one of `torch.save`", SAVE_AGAIN));
    }
    let version = next(magic.end)?;
    if *version.get(version.root) != Value::Int(VERSION) {
        let what = format!("has another version than {VERSION} of PyTorch's old format");
        return Err(source.unsupported(what, SAVE_AGAIN));
    }
    let system = next(version.end)?;
    if is_big_endian(&system) {
        return Err(source.unsupported("was written on a big-endian machine", SAVE_AGAIN));
    }
    let weights = next(system.end)?;
    let keys = next(weights.end)?;
    let tensors = state_dict(&weights).map_err(|what| source.unsupported(what, SAVE_AGAIN))?;
    let blocks = blocks(source, &weights, &keys)?;

    let mut index = Index::default();
    for (name, id) in tensors {
        let entry = match weights.get(id) {
            Value::Tensor(tensor) => match blocks.get(&tensor.storage.key) {
                Some(&(block, length)) => entry(source, &name, tensor, block, length)?,
                None => {
                    let what = format!("the values of `{name}` are missing");
                    return Err(source.damaged(keys.end as u64, what));
                }
            },
            Value::Unreadable(why) => Entry::Unreadable(why.clone()),
            _ => continue,
        };
        index.entries.insert(name, entry);
    }
    Ok(index)
}

fn is_big_endian(system: &Pickle) -> bool {
    let Value::Dict(pairs) = system.get(system.root) else { return false };
    pairs.iter().any(|&(key, value)| {
        matches!(system.get(key), Value::Text(key) if key == "little_endian")
            && *system.get(value) == Value::Bool(false)
    })
}

/// The first byte and the length of each storage.
fn blocks(source: &Source, weights: &Pickle, keys: &Pickle) -> Result<HashMap<String, (u64, u64)>> {
    let sizes = weights.storage_sizes();
    let mut at = keys.end as u64;
    let Value::List(list) = keys.get(keys.root) else {
        return Err(source.damaged(at, "the list of storages is missing"));
    };
    let mut blocks = HashMap::new();
    for &id in list {
        let Value::Text(key) = keys.get(id) else {
            return Err(source.damaged(at, "the key of a storage is no text"));
        };
        let Some(&size) = sizes.get(key.as_str()) else {
            let what = format!("holds values of an unknown type in storage {key}");
            return Err(source.unsupported(what, SAVE_AGAIN));
        };
        let head = source.read(at, 8)?;
        let count = head.iter().rev().fold(0u64, |count, &byte| count << 8 | u64::from(byte));
        let length = count.checked_mul(size as u64);
        let end = length.and_then(|length| length.checked_add(at + 8));
        let (Some(length), Some(end)) = (length, end.filter(|&end| end <= source.length())) else {
            let what = format!(
                "a storage of {count} values should follow, but the file ends at byte {}",
                source.length()
            );
            return Err(source.damaged(at, what));
        };
        blocks.insert(key.clone(), (at + 8, length));
        at = end;
    }
    Ok(blocks)
}
