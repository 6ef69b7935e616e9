use std::collections::BTreeMap;

use safetensors::tensor::Metadata;

use super::{
    file::{Entry, Index},
    source::{Source, Values},
};
use crate::{Result, element::Element, save::METADATA_KEY};

/// As the format's own limit.
const LONGEST_HEADER: u64 = 100_000_000;

/// The length of the header, if the file begins as the format does.
pub(crate) fn header_length(start: &[u8], file_length: u64) -> Option<u64> {
    let (length, rest) = start.split_first_chunk::<8>()?;
    let length = u64::from_le_bytes(*length);
    // A file cut short within its header still begins like one.
    (rest.first() == Some(&b'{') && length <= LONGEST_HEADER && file_length >= 9).then_some(length)
}

/// Reads the header: eight bytes of length, then JSON.
pub(crate) fn index(source: &Source, header_length: u64) -> Result<Index> {
    let header = source.read(8, header_length)?;
    let described: Metadata = serde_json::from_slice(&header)
        .map_err(|error| source.damaged(8, format!("the header is not readable: {error}")))?;
    let data = 8 + header_length;
    let announced = data.saturating_add(described.data_len() as u64);
    if announced != source.length() {
        let what =
            format!("the header announces {announced} bytes, the file has {}", source.length());
        return Err(source.damaged(source.length().min(announced), what));
    }
    let mut index = Index::default();
    for (name, info) in described.tensors() {
        let (start, end) = info.data_offsets;
        let entry = match Element::of_safetensors(info.dtype) {
            Err(kind) => Entry::Unreadable(format!("values of the type {kind}")),
            Ok(element) => Entry::Values(Values {
                element,
                shape: info.shape.clone(),
                strides: row_major(&info.shape),
                block: data + start as u64,
                block_length: (end - start) as u64,
                offset: 0,
            }),
        };
        index.entries.insert(name, entry);
    }
    for (key, text) in described.metadata().iter().flatten() {
        match serde_json::from_str::<BTreeMap<String, String>>(text) {
            Ok(texts) if key == METADATA_KEY => index.metadata.extend(texts),
            _ => drop(index.metadata.insert(key.clone(), text.clone())),
        }
    }
    Ok(index)
}

/// The strides of a contiguous tensor; the header's own check rules out an overflow for all that
/// hold values.
fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i].saturating_mul(shape[i]);
    }
    strides
}
