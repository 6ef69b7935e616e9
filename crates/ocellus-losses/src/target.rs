use candle_core::{DType, Result, Tensor, bail};

use crate::Activation;

/// The target as values in the logits' shape and type: probabilities are taken as they are, class
/// indices become ones among zeros.
pub(crate) fn dense_target(
    logits: &Tensor,
    target: &Tensor,
    activation: Activation,
) -> Result<Tensor> {
    let shaped = dense(logits, target, activation)?;
    Ok(shaped.to_dtype(logits.dtype())?.detach())
}

fn dense(logits: &Tensor, target: &Tensor, activation: Activation) -> Result<Tensor> {
    let single = logits.rank() > 1 && logits.dim(1)? == 1;
    let classless = without_classes(logits.dims());
    let same = target.dims() == logits.dims();
    let is_class = classless.as_deref() == Some(target.dims());
    let is_float = target.dtype().is_float();
    match activation {
        _ if same && is_float => Ok(target.clone()),
        Activation::Sigmoid if same => {
            check_range(target, 2)?;
            Ok(target.clone())
        }
        Activation::Sigmoid if single && is_class => {
            if !is_float {
                check_range(target, 2)?;
            }
            target.unsqueeze(1)
        }
        Activation::Identity if single && is_class && is_float => target.unsqueeze(1),
        Activation::Softmax | Activation::Sigmoid if is_class && !is_float => {
            one_hot(target, logits.dim(1)?)
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
    check_range(target, classes)?;
    let mut dims = vec![1; target.rank() + 1];
    dims[1] = classes;
    let classes = Tensor::arange(0i64, classes as i64, target.device())?.reshape(dims)?;
    target.to_dtype(DType::I64)?.unsqueeze(1)?.broadcast_eq(&classes)
}

fn check_range(target: &Tensor, classes: usize) -> Result<()> {
    if target.elem_count() == 0 {
        bail!("an empty target {:?}: a loss needs one sample at least", target.dims())
    }
    let flat = target.to_dtype(DType::I64)?.flatten_all()?;
    let (low, high) = (flat.min(0)?.to_scalar::<i64>()?, flat.max(0)?.to_scalar::<i64>()?);
    if low < 0 || high >= classes as i64 {
        let bad = if low < 0 { low } else { high };
        bail!("target {bad} is no class index: the classes are 0 to {}", classes - 1)
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use ocellus_testing::assert_close;

    use super::*;

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
