use candle_core::{DType, Result, Tensor, bail};

use crate::Activation;

/// The logits, and the target as values in their shape and type: probabilities are taken as they are,
/// class indices become ones among zeros.
///
/// Indices on a GPU are not looked at, for that would mean to wait for it. One that is no class makes
/// all logits NaN there, and by them any loss.
pub(crate) fn with_dense_target(
    logits: &Tensor,
    target: &Tensor,
    activation: Activation,
) -> Result<(Tensor, Tensor)> {
    let (shaped, classes) = dense(logits, target, activation)?;
    let dense = shaped.to_dtype(logits.dtype())?.detach();
    if target.elem_count() == 0 {
        bail!("an empty target {:?}: a loss needs one sample at least", target.dims())
    }
    let logits = match classes {
        None => logits.clone(),
        Some(classes) if target.device().is_cpu() => {
            check_range(target, classes)?;
            logits.clone()
        }
        Some(classes) => unless_stray(logits, target, classes)?,
    };
    Ok((logits, dense))
}

/// The target in the shape of the logits, and how many classes there are for it if it is of indices.
fn dense(
    logits: &Tensor,
    target: &Tensor,
    activation: Activation,
) -> Result<(Tensor, Option<usize>)> {
    let single = logits.rank() > 1 && logits.dim(1)? == 1;
    let classless = without_classes(logits.dims());
    let same = target.dims() == logits.dims();
    let is_class = classless.as_deref() == Some(target.dims());
    let is_float = target.dtype().is_float();
    match activation {
        _ if same && is_float => Ok((target.clone(), None)),
        Activation::Sigmoid if same => Ok((target.clone(), Some(2))),
        Activation::Sigmoid if single && is_class => {
            Ok((target.unsqueeze(1)?, (!is_float).then_some(2)))
        }
        Activation::Identity if single && is_class && is_float => Ok((target.unsqueeze(1)?, None)),
        Activation::Softmax | Activation::Sigmoid if is_class && !is_float => {
            let classes = logits.dim(1)?;
            Ok((one_hot(target, classes)?, Some(classes)))
        }
        _ => bail!(
            "a target {:?} of type {} does not fit logits {:?}: give class indices {:?} (u8, u32 or \
             i64) or floating-point values of the logits' shape",
            target.dims(),
            target.dtype().as_str(),
            logits.dims(),
            classless.unwrap_or_default(),
        ),
    }
}

fn without_classes(dims: &[usize]) -> Option<Vec<usize>> {
    match dims {
        [batch, _, positions @ ..] => Some([&[*batch], positions].concat()),
        _ => None,
    }
}

/// Ones at the indices, along a new dimension 1.
fn one_hot(target: &Tensor, classes: usize) -> Result<Tensor> {
    let mut dims = vec![1; target.rank() + 1];
    dims[1] = classes;
    let classes = Tensor::arange(0i64, classes as i64, target.device())?.reshape(dims)?;
    target.to_dtype(DType::I64)?.unsqueeze(1)?.broadcast_eq(&classes)
}

fn check_range(target: &Tensor, classes: usize) -> Result<()> {
    let flat = target.to_dtype(DType::I64)?.flatten_all()?;
    let (low, high) = (flat.min(0)?.to_scalar::<i64>()?, flat.max(0)?.to_scalar::<i64>()?);
    if low < 0 || high >= classes as i64 {
        let bad = if low < 0 { low } else { high };
        bail!("target {bad} is no class index: the classes are 0 to {}", classes - 1)
    }
    Ok(())
}

/// The logits plus zero, or plus NaN if a target is none of the classes; nobody waits for which.
fn unless_stray(logits: &Tensor, target: &Tensor, classes: usize) -> Result<Tensor> {
    let target = target.to_dtype(DType::I64)?.flatten_all()?;
    let stray = (target.lt(0i64)? + target.ge(classes as i64)?)?;
    let any = stray.to_dtype(DType::F32)?.max(0)?;
    let nothing = (any.zeros_like()? / any.affine(-1., 1.)?)?; // 0/1, or 0/0.
    logits.broadcast_add(&nothing.to_dtype(logits.dtype())?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use ocellus_testing::assert_close;

    use super::*;

    fn dense_target(logits: &Tensor, target: &Tensor, activation: Activation) -> Result<Tensor> {
        Ok(with_dense_target(logits, target, activation)?.1)
    }

    #[test]
    fn indices_become_ones_among_zeros() -> Result<()> {
        let logits = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
        let expected = Tensor::new(&[[0f32, 0., 1.], [1., 0., 0.]], &Device::Cpu)?;
        for dtype in [DType::U8, DType::U32, DType::I64] {
            let target = Tensor::new(&[2u32, 0], &Device::Cpu)?.to_dtype(dtype)?;
            for activation in [Activation::Softmax, Activation::Sigmoid] {
                assert_close(&dense_target(&logits, &target, activation)?, &expected, 0.)?;
            }
        }
        Ok(())
    }

    #[test]
    fn indices_of_an_image_become_planes() -> Result<()> {
        let logits = Tensor::zeros((1, 2, 1, 3), DType::F32, &Device::Cpu)?;
        let target = Tensor::new(&[[[1u8, 0, 1]]], &Device::Cpu)?;
        let expected = Tensor::new(&[[[[0f32, 1., 0.]], [[1., 0., 1.]]]], &Device::Cpu)?;
        assert_close(&dense_target(&logits, &target, Activation::Softmax)?, &expected, 0.)
    }

    #[test]
    fn a_single_sigmoid_takes_indices_and_probabilities() -> Result<()> {
        let logits = Tensor::zeros((2, 1), DType::F32, &Device::Cpu)?;
        let expected = Tensor::new(&[[1f32], [0.]], &Device::Cpu)?;
        let indices = Tensor::new(&[1u32, 0], &Device::Cpu)?;
        let probabilities = indices.to_dtype(DType::F64)?;
        for target in [&indices, &probabilities, &indices.unsqueeze(1)?] {
            assert_close(&dense_target(&logits, target, Activation::Sigmoid)?, &expected, 0.)?;
        }
        Ok(())
    }

    #[test]
    fn where_indices_are_not_looked_at_a_stray_one_makes_the_logits_nan() -> Result<()> {
        let logits = Tensor::new(&[[1f32, -2.], [0.5, 3.]], &Device::Cpu)?;
        let good = Tensor::new(&[1i64, 0], &Device::Cpu)?;
        assert_close(&unless_stray(&logits, &good, 2)?, &logits, 0.)?;
        for stray in [-1i64, 2, i64::MIN, 1 << 32] {
            let target = Tensor::new(&[1, stray], &Device::Cpu)?;
            let poisoned = unless_stray(&logits, &target, 2)?.flatten_all()?.to_vec1::<f32>()?;
            assert!(poisoned.iter().all(|v| v.is_nan()), "{poisoned:?}");
        }
        Ok(())
    }

    #[test]
    fn rejects_a_class_that_does_not_exist() -> Result<()> {
        let logits = Tensor::zeros((1, 2), DType::F32, &Device::Cpu)?;
        for bad in [2i64, -1] {
            let target = Tensor::new(&[bad], &Device::Cpu)?;
            let error = dense_target(&logits, &target, Activation::Softmax).unwrap_err();
            let expected = format!("target {bad} is no class index: the classes are 0 to 1");
            assert!(error.to_string().contains(&expected), "{error}");
        }
        Ok(())
    }

    #[test]
    fn rejects_a_shape_that_does_not_fit() -> Result<()> {
        let logits = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
        let target = Tensor::zeros((2, 2), DType::F32, &Device::Cpu)?;
        let error = dense_target(&logits, &target, Activation::Softmax).unwrap_err().to_string();
        assert!(error.contains("target [2, 2] of type f32 does not fit logits [2, 3]"), "{error}");
        Ok(())
    }
}
