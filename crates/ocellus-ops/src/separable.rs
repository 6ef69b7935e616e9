use candle_core::{Result, Tensor};

/// `rows · x · columnsᵀ` of every plane of `x`, for matrices given row by row: how poolings and
/// interpolations are composed of candle operations.
pub(crate) fn separable(x: &Tensor, rows: &[Vec<f64>], columns: &[Vec<f64>]) -> Result<Tensor> {
    let matrix = |m: &[Vec<f64>]| Tensor::new(m.to_vec(), x.device())?.to_dtype(x.dtype());
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
