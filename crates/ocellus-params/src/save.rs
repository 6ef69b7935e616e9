use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
    path::Path,
};

use candle_core::Tensor;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::{
    Error, ParamStore, Result,
    atomic::write_atomically,
    element::{little_endian, safetensors_dtype},
    seed::{FNV_START, fnv1a},
};

/// The one key of a file's metadata, which holds a JSON object. One, because the format keeps its
/// metadata in an unordered map: with two, the bytes of a file would differ from run to run.
pub(crate) const METADATA_KEY: &str = "ocellus";

/// Writes tensors and texts to a safetensors file, [atomically](write_atomically).
///
/// The same content gives the same bytes. Views are written in their order of reading. The file is
/// read again by [`WeightFile`](crate::WeightFile), and the tensors by every other reader of the
/// format.
///
/// # Examples
///
/// ```
/// use std::collections::BTreeMap;
/// use candle_core::{Device, Tensor};
/// use ocellus_params::{WeightFile, write_tensors};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("state.safetensors");
/// let tensors = BTreeMap::from([("step".to_owned(), Tensor::new(7i64, &Device::Cpu)?)]);
/// let metadata = BTreeMap::from([("epoch".to_owned(), "3".to_owned())]);
/// write_tensors(&path, &tensors, &metadata)?;
///
/// let file = WeightFile::open(&path)?;
/// assert_eq!(file.tensor("step")?.to_scalar::<i64>()?, 7);
/// assert_eq!(file.metadata()["epoch"], "3");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If the file cannot be written, or a tensor has a type that the format lacks.
pub fn write_tensors(
    path: impl AsRef<Path>,
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let header = header(tensors, metadata)?;
    let sorted = in_file_order(tensors)?;
    write_atomically(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        for (_, tensor) in sorted {
            file.write_all(&little_endian(tensor).map_err(io::Error::other)?)?;
        }
        Ok(())
    })
}

/// Widest types first, so that all values are aligned; then by name.
fn in_file_order(tensors: &BTreeMap<String, Tensor>) -> Result<Vec<(&String, &Tensor)>> {
    let mut keyed = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        keyed.push((safetensors_dtype(tensor.dtype())?, name, tensor));
    }
    keyed.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    Ok(keyed.into_iter().map(|(_, name, tensor)| (name, tensor)).collect())
}

fn header(
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let broken = |error: String| Error::InvalidSetting(format!("cannot describe tensors: {error}"));
    let mut infos = Vec::with_capacity(tensors.len());
    let mut end = 0;
    for (name, tensor) in in_file_order(tensors)? {
        let start = end;
        end += tensor.elem_count() * tensor.dtype().size_in_bytes();
        infos.push((
            name.clone(),
            TensorInfo {
                dtype: safetensors_dtype(tensor.dtype())?,
                shape: tensor.dims().to_vec(),
                data_offsets: (start, end),
            },
        ));
    }
    let texts = serde_json::to_string(metadata).map_err(|e| broken(e.to_string()))?;
    let texts = (!metadata.is_empty()).then(|| HashMap::from([(METADATA_KEY.to_owned(), texts)]));
    let described = Metadata::new(texts, infos).map_err(|e| broken(e.to_string()))?;
    let mut header = serde_json::to_vec(&described).map_err(|e| broken(e.to_string()))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

impl ParamStore {
    /// Writes all parameters and buffers to a safetensors file, [atomically](write_atomically),
    /// with texts of the caller's beside them: settings, labels, the preprocessing.
    ///
    /// Saving again gives the same bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use candle_core::{DType, Device};
    /// use ocellus_params::{LoadConfig, ParamStore, WeightFile};
    ///
    /// let model = |seed| {
    ///     let params = ParamStore::seeded(seed);
    ///     candle_nn::linear(4, 3, params.var_builder(DType::F32, &Device::Cpu)).map(|_| params)
    /// };
    /// let (trained, fresh) = (model(1)?, model(2)?);
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("model.safetensors");
    /// trained.save(&path, &BTreeMap::new())?;
    /// fresh.load(&WeightFile::open(&path)?, &LoadConfig::default())?;
    /// assert_eq!(fresh.fingerprint()?, trained.fingerprint()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the file cannot be written; the old one is then as it was.
    pub fn save(&self, path: impl AsRef<Path>, metadata: &BTreeMap<String, String>) -> Result<()> {
        write_tensors(path, &self.tensors(), metadata)
    }

    /// A number that tells two sets of weights apart: FNV-1a over names, types, shapes and bytes,
    /// buffers included.
    ///
    /// It finds a difference, not an attacker.
    ///
    /// # Errors
    ///
    /// If the weights cannot be read from their device.
    pub fn fingerprint(&self) -> Result<u64> {
        let mut hash = FNV_START;
        for (name, tensor) in self.tensors() {
            let head = format!("{name}\n{:?}\n{:?}\n", tensor.dtype(), tensor.dims());
            hash = fnv1a(fnv1a(hash, head.as_bytes()), &little_endian(&tensor)?);
        }
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use candle_core::{DType, Device};
    use candle_nn::{BatchNormConfig, batch_norm};
    use tempfile::tempdir;

    use super::*;
    use crate::WeightFile;

    fn store() -> Result<ParamStore> {
        let params = ParamStore::seeded(0);
        let vb = params.var_builder(DType::F32, &Device::Cpu);
        candle_nn::linear(3, 2, vb.pp("head"))?;
        batch_norm(2, BatchNormConfig::default(), vb.pp("norm"))?;
        vb.get_with_hints_dtype((), "steps", Default::default(), DType::F64)?;
        Ok(params)
    }

    #[test]
    fn saving_again_gives_the_same_bytes() -> Result<()> {
        let (params, folder) = (store()?, tempdir().unwrap());
        let texts: BTreeMap<String, String> =
            (0..20).map(|i| (format!("key {i}"), format!("\"{i}\" ü"))).collect();
        let path = |name: &str| folder.path().join(name);
        params.save(path("a"), &texts)?;
        params.save(path("b"), &texts)?;
        assert_eq!(fs::read(path("a")).unwrap(), fs::read(path("b")).unwrap());
        assert_eq!(WeightFile::open(path("a"))?.metadata(), &texts);
        Ok(())
    }

    #[test]
    fn every_shape_and_type_comes_back() -> Result<()> {
        let folder = tempdir().unwrap();
        let path = folder.path().join("a");
        let mut tensors = BTreeMap::new();
        for shape in [vec![], vec![0], vec![2, 0, 3], vec![5], vec![2, 3, 1, 4]] {
            for dtype in [DType::U8, DType::I64, DType::F16, DType::BF16, DType::F32, DType::F64] {
                let values = ocellus_testing::ramp(shape.clone(), 1., 1., dtype)?;
                tensors.insert(format!("{shape:?} {dtype:?}"), values);
            }
        }
        write_tensors(&path, &tensors, &BTreeMap::new())?;
        let back = WeightFile::open(&path)?.tensors()?;
        assert_eq!(back.len(), tensors.len());
        for (name, tensor) in &tensors {
            assert_eq!((back[name].dims(), back[name].dtype()), (tensor.dims(), tensor.dtype()));
            assert_eq!(little_endian(&back[name])?, little_endian(tensor)?, "{name}");
        }
        Ok(())
    }

    #[test]
    fn other_readers_of_the_format_agree() -> Result<()> {
        let (params, folder) = (store()?, tempdir().unwrap());
        let path = folder.path().join("a.safetensors");
        params.save(&path, &BTreeMap::new())?;
        let theirs = candle_core::safetensors::load(&path, &Device::Cpu)?;
        assert_eq!(theirs.len(), 7);
        for (name, ours) in params.tensors() {
            assert_eq!(little_endian(&ours)?, little_endian(&theirs[&name])?, "{name}");
        }
        Ok(())
    }

    #[test]
    fn a_header_of_any_length_is_recognized() -> Result<()> {
        // 128 bytes begin as a pickle does, for one.
        let folder = tempdir().unwrap();
        let one = Tensor::new(1f32, &Device::Cpu)?;
        for length in (1..200).step_by(8) {
            // Headers are padded to eights.
            let name = "x".repeat(length);
            let path = folder.path().join("a");
            write_tensors(&path, &BTreeMap::from([(name.clone(), one.clone())]), &BTreeMap::new())?;
            assert!(WeightFile::open(&path)?.contains(&name));
        }
        Ok(())
    }

    #[test]
    fn the_fingerprint_sees_every_change() -> Result<()> {
        let params = store()?;
        let before = params.fingerprint()?;
        assert_eq!(before, store()?.fingerprint()?);
        let (_, var) = &params.buffers()[0];
        var.set(&var.ones_like()?)?;
        assert_ne!(before, params.fingerprint()?);
        Ok(())
    }

    #[test]
    fn an_error_while_saving_keeps_the_old_weights() -> Result<()> {
        let (params, folder) = (store()?, tempdir().unwrap());
        let error = params.save(folder.path().join("no/such/a"), &BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains("cannot write") && error.to_string().contains("such"));
        Ok(())
    }
}
