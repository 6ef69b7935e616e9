use candle_core::{DType, Result, Tensor, bail};

/// One weight a class, in the type and on the device of `like`, of shape `(1, classes)`; ones if
/// there are none.
pub(super) fn class_weights(
    weights: Option<&Tensor>,
    classes: usize,
    like: &Tensor,
) -> Result<Tensor> {
    let Some(weights) = weights else {
        return Tensor::ones((1, classes), like.dtype(), like.device());
    };
    if weights.dims() != [classes] {
        bail!("class weights {:?} for {classes} classes: give one weight a class", weights.dims())
    }
    // On a GPU they are not looked at: that would mean to wait for it.
    if weights.device().is_cpu() {
        let values = weights.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        let valid = values.iter().all(|w| *w >= 0. && w.is_finite());
        if !valid || values.iter().sum::<f64>() == 0. {
            bail!("class weights {values:?}: give numbers of 0 or more, not all 0")
        }
    }
    let weights = weights.detach().to_device(like.device())?.to_dtype(like.dtype())?;
    weights.reshape((1, classes))
}

/// `Σ weights · losses / Σ weights` of each row of `(groups, classes)`, averaged over the groups; a
/// group without weight has a loss of 0.
pub(super) fn class_mean(losses: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let weights = weights.broadcast_as(losses.shape())?.contiguous()?;
    let sum = weights.sum(1)?;
    let some = sum.ne(&sum.zeros_like()?)?;
    let divisor = some.where_cond(&sum, &sum.ones_like()?)?;
    ((losses * weights)?.sum(1)? / divisor)?.mean_all()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn groups_count_the_same_whatever_their_weights() -> Result<()> {
        let losses = Tensor::new(&[[1f64, 4.], [2., 6.], [5., 5.]], &Device::Cpu)?;
        let weights = Tensor::new(&[[3f64, 1.], [0., 1.], [0., 0.]], &Device::Cpu)?;
        let mean = class_mean(&losses, &weights)?.to_scalar::<f64>()?;
        assert!((mean - (7. / 4. + 6. + 0.) / 3.).abs() < 1e-15, "{mean}");
        Ok(())
    }

    #[test]
    fn rejects_weights_that_weigh_nothing() -> Result<()> {
        let like = Tensor::zeros(1, DType::F32, &Device::Cpu)?;
        for weights in [vec![0., 0.], vec![-1., 2.], vec![f64::NAN, 1.], vec![1.]] {
            let weights = Tensor::new(weights, &Device::Cpu)?;
            assert!(class_weights(Some(&weights), 2, &like).is_err(), "{weights}");
        }
        Ok(())
    }
}
