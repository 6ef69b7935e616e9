use candle_core::{DType, Result, Tensor, bail};

use crate::{Activation, target::with_dense_target};

/// Logits and targets as planes, `(batch, classes, pixels)`.
pub(super) struct Planes {
    pub(super) logits: Tensor,
    /// 0 to 1, in the logits' type; −1 where the pixel is ignored.
    pub(super) target: Tensor,
}

impl Planes {
    /// # Errors
    ///
    /// If the shapes do not fit; where the target is not on a GPU, if one is no class or all are ignored.
    pub(super) fn new(
        logits: &Tensor,
        target: &Tensor,
        activation: Activation,
        ignore_index: Option<i64>,
    ) -> Result<Self> {
        if logits.elem_count() == 0 {
            bail!("empty logits {:?}: a loss needs one pixel at least", logits.dims())
        }
        let (logits, dense) = match ignore_index {
            None => with_dense_target(logits, target, activation)?,
            Some(_) if target.dtype().is_float() => bail!(
                "an ignore index is for targets that are class indices, not {:?}: give u8, u32 or i64",
                target.dtype()
            ),
            Some(index) => without_ignored(logits, target, activation, index)?,
        };
        Ok(Self { logits: planes(&logits)?, target: planes(&dense)? })
    }

    /// Ones where the pixel counts, zeros where it is ignored.
    pub(super) fn counted(&self) -> Result<Tensor> {
        self.target.ge(&self.target.zeros_like()?)?.to_dtype(self.target.dtype())
    }

    /// The target with 0 where the pixel is ignored.
    pub(super) fn clean_target(&self) -> Result<Tensor> {
        ocellus_ops::relu(&self.target)
    }
}

/// `(batch, classes, …)` as `(batch, classes, pixels)`; `(batch)` as one class of one pixel each.
fn planes(x: &Tensor) -> Result<Tensor> {
    match *x.dims() {
        [batch] => x.reshape((batch, 1, 1)),
        [batch, classes, ..] => x.reshape((batch, classes, ())),
        [] => bail!("logits without a batch dimension: give (batch, classes, …)"),
    }
}

/// The logits, and the dense target with −1 at the ignored pixels.
fn without_ignored(
    logits: &Tensor,
    target: &Tensor,
    activation: Activation,
    ignored: i64,
) -> Result<(Tensor, Tensor)> {
    let target = target.to_dtype(DType::I64)?;
    let counts = target.ne(ignored)?;
    if target.device().is_cpu() && counts.flatten_all()?.max(0)?.to_scalar::<u8>()? == 0 {
        bail!(
            "all {} targets have the ignored index {ignored}: skip such a batch",
            target.elem_count()
        )
    }
    let clean = counts.where_cond(&target, &target.zeros_like()?)?;
    let (logits, dense) = with_dense_target(logits, &clean, activation)?;
    let counts = if target.rank() < logits.rank() { counts.unsqueeze(1)? } else { counts };
    let counts = counts.broadcast_as(dense.shape())?.contiguous()?;
    Ok((logits, counts.where_cond(&dense, &dense.ones_like()?.neg()?)?))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn the_ignored_become_minus_one_in_all_classes() -> Result<()> {
        let logits = Tensor::zeros((1, 2, 1, 3), DType::F32, &Device::Cpu)?;
        let target = Tensor::new(&[[[1u8, 255, 0]]], &Device::Cpu)?;
        let planes = Planes::new(&logits, &target, Activation::Softmax, Some(255))?;
        let expected = [[[0f32, -1., 1.], [1., -1., 0.]]];
        assert_eq!(planes.target.to_vec3::<f32>()?, expected);
        assert_eq!(planes.counted()?.to_vec3::<f32>()?, [[[1., 0., 1.]; 2]]);
        assert_eq!(planes.logits.dims(), [1, 2, 3]);
        Ok(())
    }

    #[test]
    fn a_single_logit_takes_targets_with_and_without_its_dimension() -> Result<()> {
        let logits = Tensor::zeros((2, 1, 1, 2), DType::F64, &Device::Cpu)?;
        let target = Tensor::new(&[[[1i64, -1]], [[0, 1]]], &Device::Cpu)?;
        for target in [target.clone(), target.unsqueeze(1)?] {
            let planes = Planes::new(&logits, &target, Activation::Sigmoid, Some(-1))?;
            assert_eq!(planes.target.to_vec3::<f64>()?, [[[1., -1.]], [[0., 1.]]]);
        }
        let flat = Tensor::zeros(2, DType::F64, &Device::Cpu)?;
        let target = Tensor::new(&[1u8, 9], &Device::Cpu)?;
        let planes = Planes::new(&flat, &target, Activation::Sigmoid, Some(9))?;
        assert_eq!(planes.target.to_vec3::<f64>()?, [[[1.]], [[-1.]]]);
        Ok(())
    }

    #[test]
    fn says_what_is_wrong() -> Result<()> {
        let logits = Tensor::zeros((1, 2, 2), DType::F32, &Device::Cpu)?;
        let message = |target: Tensor, ignored| match Planes::new(
            &logits,
            &target,
            Activation::Softmax,
            ignored,
        ) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("accepted"),
        };
        let target = |values: [u32; 2]| Tensor::new(&[values], &Device::Cpu);
        assert!(message(target([7, 7])?, Some(7)).contains("all 2 targets"));
        assert!(message(target([1, 2])?, None).contains("target 2 is no class index"));
        let soft = Tensor::zeros((1, 2, 2), DType::F32, &Device::Cpu)?;
        assert!(message(soft, Some(7)).contains("for targets that are class indices"));
        Ok(())
    }
}
