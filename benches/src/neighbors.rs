//! Nearest neighbors and coresets as modules.

use std::rc::Rc;

use ndarray::{Array2, ArrayView2};
use ocellus::candle::{Device, Error, Result, Storage, Tensor, bail};
use ocellus::cluster::{CoresetSize, GreedyCoreset, NearestNeighbors};
use ocellus::nn::{Init, VarBuilder};

use crate::module::Forward;

/// Queries to the distances of the nearest of a bank, which is a weight.
pub(crate) fn neighbors(
    columns: usize,
    rows: usize,
    count: usize,
    vb: &VarBuilder,
) -> Result<Forward> {
    let init = Init::Uniform { lo: -1., up: 1. };
    let bank = vb.get_with_hints((rows, columns), "bank", init)?.flatten_all()?.to_vec1()?;
    let bank = Array2::from_shape_vec((rows, columns), bank).map_err(Error::wrap)?;
    let model = NearestNeighbors::new().index(bank).map_err(Error::wrap)?;
    Ok(Rc::new(move |x, _| {
        let find = |rows: ArrayView2<'_, f32>| model.find(rows, count).map_err(Error::wrap);
        let distances: Vec<f32> = with_rows(&x[0], find)?.distances.into_iter().collect();
        Ok(vec![Tensor::from_vec(distances, (x[0].dim(0)?, count), &Device::Cpu)?])
    }))
}

/// Rows to the largest distance of one to the coreset, projected.
pub(crate) fn coreset(count: usize) -> Forward {
    let settings = GreedyCoreset::anomalib(1.).with_size(CoresetSize::Count(count));
    Rc::new(move |x, _| {
        let select = |rows: ArrayView2<'_, f32>| settings.select(&rows).map_err(Error::wrap);
        Ok(vec![Tensor::new(&[with_rows(&x[0], select)?.radius], &Device::Cpu)?])
    })
}

/// Calls `f` with the images as rows, where they lie.
fn with_rows<T>(x: &Tensor, f: impl FnOnce(ArrayView2<'_, f32>) -> Result<T>) -> Result<T> {
    let (storage, layout) = x.storage_and_layout();
    let (Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets())
    else {
        bail!("rows are to be contiguous and on the processor");
    };
    let values = &storage.as_slice::<f32>()?[start..end];
    let rows = x.dim(0)?;
    f(ArrayView2::from_shape((rows, values.len() / rows), values).map_err(Error::wrap)?)
}
