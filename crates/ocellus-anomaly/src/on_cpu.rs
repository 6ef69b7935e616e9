//! The one way from a device to the CPU.

use candle_core::{DType, Device, Tensor};

use crate::Result;

/// A tensor as what is no tensor operation reads it: contiguous values of that type, on the CPU.
///
/// Backbones, flows and maps stay where their tensors are; on CUDA, so does what `PaDiM` and `PatchCore`
/// measure ([`stays_there`](crate::on_device::stays_there)). What comes to the CPU by this function is what
/// its kernels do alone: antialiased resizing, the patches that a bank is chosen from, and their projections; the sums of
/// `PaDiM`'s Gaussians; smoothing, means over a share of the pixels, moments in `f64`, scores and
/// thresholds; and on other devices than CUDA nearest neighbors and Mahalanobis distances. Where a tensor is on
/// the CPU as it should be, nothing is copied.
pub(crate) fn on_cpu(x: &Tensor, dtype: DType) -> Result<Tensor> {
    Ok(x.to_device(&Device::Cpu)?.to_dtype(dtype)?.contiguous()?)
}

/// All values, row by row.
pub(crate) fn values(x: &Tensor) -> Result<Vec<f32>> {
    Ok(on_cpu(x, DType::F32)?.flatten_all()?.to_vec1()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_row_by_row_of_any_view_and_type() -> Result<()> {
        let x = Tensor::new(&[[1f64, 2., 3.], [4., 5., 6.]], &Device::Cpu)?.t()?;
        assert_eq!(values(&x)?, [1., 4., 2., 5., 3., 6.]);
        let x = on_cpu(&x.narrow(0, 1, 1)?, DType::F64)?;
        assert!(x.is_contiguous() && x.dtype() == DType::F64);
        assert_eq!(x.to_vec2::<f64>()?, [[2., 5.]]);
        Ok(())
    }
}
