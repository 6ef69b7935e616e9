//! Maps of planes that treat rows and columns apart: average poolings and interpolations.

mod banded;
mod columns;
mod kernel;

use candle_core::{Result, Tensor};

pub(crate) use banded::Banded;
pub(crate) use kernel::Separable;

/// `rows · x · columnsᵀ` of every plane of `x`, composed of candle operations.
pub(crate) fn separable(x: &Tensor, rows: &Banded, columns: &Banded) -> Result<Tensor> {
    let matrix = |m: &Banded| Tensor::new(m.dense(), x.device())?.to_dtype(x.dtype());
    let (batch, channels, height, width) = x.dims4()?;
    let x = x.contiguous()?.reshape((batch * channels * height, width))?;
    let x = x.matmul(&matrix(columns)?.t()?)?;
    // The same along the other axis: transpose, multiply, transpose back.
    let x = x.reshape((batch * channels, height, columns.len()))?.transpose(1, 2)?.contiguous()?;
    let x = x.reshape((batch * channels * columns.len(), height))?;
    let x = x.matmul(&matrix(rows)?.t()?)?;
    let x = x.reshape((batch, channels, columns.len(), rows.len()))?;
    x.transpose(2, 3)?.contiguous()
}
