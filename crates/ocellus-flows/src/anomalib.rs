use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor, bail};
use ocellus_params::{ParamStore, WeightFile};

use crate::block::keys_of;

/// The prefix of the model in a Lightning checkpoint.
const MODEL: &str = "model.";

/// Gives a built [`Cflow`](crate::Cflow) or [`FastFlow`](crate::FastFlow) the weights of an anomalib
/// checkpoint, 0.3.7 to 2.7.
///
/// Names are the same, up to `model.` in front of anomalib's, and these:
///
/// | here | in anomalib |
/// | --- | --- |
/// | `….permutation`: sort keys, `(C)` | `….w_perm`: `(C, C)` or `(C, C, 1, 1)`, ones and zeros |
/// | `….rotation`: `(C, C)` | `….w_perm` |
/// | – | `….w_perm_inv`: follows from `w_perm` |
///
/// All or nothing: on an error no weight has changed. The backbone's weights, which are in the file
/// too, are left alone. Returns how many tensors were taken.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device};
/// use ocellus_flows::{Cflow, CflowConfig, load_anomalib, to_anomalib};
/// use ocellus_params::{ParamStore, WeightFile, write_tensors};
///
/// let config = CflowConfig::anomalib(vec![6]).with_condition(4).with_blocks(2);
/// let (one, two) = (ParamStore::seeded(1), ParamStore::seeded(2));
/// for params in [&one, &two] {
///     Cflow::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
/// }
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("cflow.safetensors");
/// write_tensors(&path, &to_anomalib(&one)?, &Default::default())?;
/// assert_eq!(load_anomalib(&two, &WeightFile::open(&path)?)?, 14);
/// assert_eq!(one.get("decoders.0.module_list.1.global_scale").unwrap().to_vec2::<f32>()?,
///            two.get("decoders.0.module_list.1.global_scale").unwrap().to_vec2::<f32>()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If a tensor is missing or of another size; if `w_perm` is a rotation where the model permutes:
/// build it with [`Mixing::Soft`](crate::Mixing::Soft).
pub fn load_anomalib(params: &ParamStore, file: &WeightFile) -> Result<usize> {
    let mut values = vec![];
    for (name, weight) in params.tensors() {
        let source = source_of(&name);
        let path = file.path().display();
        let prefixed = format!("{MODEL}{source}");
        let found = [&prefixed, &source].into_iter().find(|source| file.contains(source));
        let Some(source) = found else {
            bail!("`{path}` has neither `{prefixed}` nor `{source}`: is it of another model?")
        };
        let tensor = file.tensor(source)?;
        let tensor = if name.ends_with(".permutation") {
            keys_of(&permutation_in(&tensor, source)?)?
        } else {
            tensor
        };
        if tensor.elem_count() != weight.elem_count() {
            bail!(
                "`{source}` of `{path}` is {:?}, the model's `{name}` {:?}: build the model with the \
                 settings of the checkpoint",
                tensor.dims(),
                weight.dims()
            )
        }
        let tensor = tensor.reshape(weight.shape())?.to_dtype(weight.dtype())?;
        values.push((weight.clone(), tensor.to_device(weight.device())?));
    }
    for (weight, tensor) in &values {
        weight.slice_set(tensor, 0, 0)?;
    }
    Ok(values.len())
}

/// The weights under anomalib's names and in its shapes, for
/// [`write_tensors`](ocellus_params::write_tensors) and `load_state_dict(…, strict=False)`: the
/// inverse of [`load_anomalib`].
///
/// # Errors
///
/// If the weights cannot be read.
pub fn to_anomalib(params: &ParamStore) -> Result<BTreeMap<String, Tensor>> {
    let mut tensors = BTreeMap::new();
    for (name, weight) in params.tensors() {
        let Some((block, last)) = name.rsplit_once('.') else { continue };
        let first = params.get(&format!("{block}.subnet.0.weight"));
        let ones = vec![1; first.map_or(0, |weight| weight.rank().saturating_sub(2))];
        let shaped = |x: &Tensor, dims: &[usize]| x.reshape([dims, &ones].concat());
        let target = format!("{MODEL}{}", source_of(&name));
        let tensor = match last {
            "permutation" | "rotation" => {
                let dense = if last == "rotation" { weight } else { dense_of(&weight)? };
                let (n, _) = dense.dims2()?;
                let inverse = shaped(&dense.t()?.contiguous()?, &[n, n])?;
                tensors.insert(format!("{target}_inv"), inverse);
                shaped(&dense, &[n, n])?
            }
            _ => weight,
        };
        tensors.insert(target, tensor);
    }
    Ok(tensors)
}

/// The name in anomalib's module.
fn source_of(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((block, "permutation" | "rotation")) => format!("{block}.w_perm"),
        _ => name.to_owned(),
    }
}

/// The permutation that a dense matrix is: `order[i]` is the column of the one in row i.
fn permutation_in(matrix: &Tensor, name: &str) -> Result<Vec<u32>> {
    let n = matrix.dims().first().copied().unwrap_or(0);
    if n == 0 || matrix.elem_count() != n * n {
        bail!("`{name}` is {:?}, not a square matrix", matrix.dims())
    }
    let rows = matrix.reshape((n, n))?.to_dtype(candle_core::DType::F32)?.to_vec2::<f32>()?;
    let mut order = Vec::with_capacity(n);
    for (i, row) in rows.iter().enumerate() {
        let ones = row.iter().filter(|&&x| x == 1.).count();
        let zeros = row.iter().filter(|&&x| x == 0.).count();
        match row.iter().position(|&x| x == 1.) {
            Some(column) if ones == 1 && zeros == n - 1 => order.push(column as u32),
            _ => bail!(
                "row {i} of `{name}` is not a one among zeros: the matrix is a rotation, for which \
                 the model must be built with Mixing::Soft"
            ),
        }
    }
    Ok(order)
}

/// The dense matrix of sort keys.
fn dense_of(keys: &Tensor) -> Result<Tensor> {
    let mixer = crate::block::Mixer::Hard(keys.clone());
    let order = mixer.permutation()?.unwrap_or_default();
    let n = order.len();
    let mut dense = vec![0f32; n * n];
    for (row, &column) in dense.chunks_exact_mut(n.max(1)).zip(&order) {
        row[column as usize] = 1.;
    }
    Tensor::from_vec(dense, (n, n), &Device::Cpu)?.to_dtype(keys.dtype())
}
