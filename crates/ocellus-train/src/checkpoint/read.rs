use std::{collections::BTreeMap, fs, path::Path};

use candle_core::{Device, Tensor, safetensors::Load};
use safetensors::SafeTensors;
use serde_json::Value;

use crate::{
    checkpoint::{Checksum, write::METADATA_KEY},
    error::{Error, Result},
};

/// What a checkpoint holds.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) tensors: BTreeMap<String, Tensor>,
    pub(crate) state: Value,
}

/// Reads a checkpoint and makes sure that it is as it was written.
pub(crate) fn read(path: &Path) -> Result<Contents> {
    let bytes = fs::read(path).map_err(|source| Error::io("read", path, source))?;
    let damaged = |reason: String| Error::damaged(path, reason);
    let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(e.to_string()))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(e.to_string()))?;
    let metadata = header.metadata().as_ref().and_then(|m| m.get(METADATA_KEY));
    let metadata = metadata.ok_or_else(|| damaged("it is no checkpoint of a training".into()))?;
    let metadata: Value = serde_json::from_str(metadata).map_err(|e| damaged(e.to_string()))?;
    let state = metadata["state"].clone();
    let mut sum = Checksum::default();
    sum.add(state.to_string().as_bytes());
    let mut tensors = BTreeMap::new();
    // In the order of the file, which is that of the checksum.
    for name in header.offset_keys() {
        let view = file.tensor(&name).map_err(|e| damaged(e.to_string()))?;
        sum.add_tensor(&name, view.shape(), view.data());
        let tensor = view.load(&Device::Cpu)?;
        tensors.insert(name, tensor);
    }
    if metadata["checksum"] != sum.hex() {
        return Err(damaged("its contents do not fit its checksum".into()));
    }
    Ok(Contents { tensors, state })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::checkpoint::write;

    fn sample() -> BTreeMap<String, Tensor> {
        let cpu = Device::Cpu;
        BTreeMap::from([
            ("b".to_owned(), Tensor::new(&[[1f32, 2.], [3., 4.]], &cpu).unwrap()),
            ("a".to_owned(), Tensor::new(7i64, &cpu).unwrap()),
            ("c".to_owned(), Tensor::new(&[1u8, 2, 3], &cpu).unwrap()),
        ])
    }

    #[test]
    fn what_is_written_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let state = json!({ "epoch": 3, "history": [{ "loss": "0.1" }] });
        write(&path, &sample(), &state).unwrap();
        let first = fs::read(&path).unwrap();
        let back = read(&path).unwrap();
        assert_eq!(back.state, state);
        assert_eq!(back.tensors.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(back.tensors["b"].to_vec2::<f32>().unwrap(), [[1., 2.], [3., 4.]]);
        assert_eq!(back.tensors["a"].to_scalar::<i64>().unwrap(), 7);
        write(&path, &back.tensors, &back.state).unwrap();
        assert_eq!(first, fs::read(&path).unwrap(), "the same contents are the same bytes");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        // Candle reads it too.
        assert_eq!(candle_core::safetensors::load(&path, &Device::Cpu).unwrap().len(), 3);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        write(&path, &sample(), &json!(1)).unwrap();
        let before = fs::read(&path).unwrap();
        fs::create_dir(folder.path().join("x.safetensors.tmp")).unwrap();
        let error = write(&path, &sample(), &json!(2)).unwrap_err().to_string();
        assert!(error.contains("cannot write") && error.contains("x.safetensors"), "{error}");
        assert_eq!(before, fs::read(&path).unwrap());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_truncated_or_altered_file_is_an_error(at in 0usize..1000, cut in any::<bool>()) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.safetensors");
            write(&path, &sample(), &json!({ "epoch": 3 })).unwrap();
            let mut bytes = fs::read(&path).unwrap();
            let at = at % bytes.len();
            if cut {
                bytes.truncate(at);
            } else {
                bytes[at] ^= 0x10;
            }
            fs::write(&path, &bytes).unwrap();
            let damaged = matches!(read(&path), Err(Error::Damaged { .. }));
            prop_assert!(damaged);
        }
    }
}
