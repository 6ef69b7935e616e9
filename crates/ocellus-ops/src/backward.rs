use std::cell::RefCell;
use std::collections::HashMap;

use candle_core::{Result, Tensor, TensorId, backprop::GradStore};

thread_local! {
    /// The gradients by variables, while [`backward`] runs on this thread.
    static COLLECTED: RefCell<Option<HashMap<TensorId, Tensor>>> = const { RefCell::new(None) };
}

/// As candle's [`Tensor::backward`], with the same result, but faster: what the operations of this
/// crate give as gradients by variables is not added to zeros first.
///
/// # Shapes
///
/// - `loss`: any; for a scalar, the gradients are those of its value
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor, Var};
/// use ocellus_ops::{Conv2dConfig, backward, conv2d};
///
/// let x = Tensor::ones((1, 3, 8, 8), DType::F32, &Device::Cpu)?;
/// let weight = Var::ones((4, 3, 3, 3), DType::F32, &Device::Cpu)?;
/// let loss = conv2d(&x, &weight, None, &Conv2dConfig::default())?.sum_all()?;
/// let gradients = backward(&loss)?;
/// assert_eq!(gradients.get(&weight).unwrap().max_all()?.to_scalar::<f32>()?, 36.);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If an operation of the graph has no gradient.
pub fn backward(loss: &Tensor) -> Result<GradStore> {
    /// Puts back what an outer call collects, also when the inner one unwinds.
    struct Restore(Option<HashMap<TensorId, Tensor>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            COLLECTED.set(self.0.take());
        }
    }
    let restore = Restore(COLLECTED.replace(Some(HashMap::new())));
    let mut gradients = loss.backward()?;
    let collected = COLLECTED.take().unwrap_or_default();
    drop(restore);
    for (id, gradient) in collected {
        // What other operations gave.
        let sum = match gradients.get_id(id) {
            Some(others) => (others + gradient)?,
            None => gradient,
        };
        gradients.insert_id(id, sum);
    }
    Ok(gradients)
}

/// What an operation's backward pass returns for an argument: nothing if it is a variable and
/// [`backward`] collects its gradient.
pub(crate) fn collect(argument: &Tensor, gradient: Tensor) -> Result<Option<Tensor>> {
    COLLECTED.with_borrow_mut(|collected| match collected {
        Some(collected) if argument.is_variable() => {
            let sum = match collected.remove(&argument.id()) {
                Some(sum) => (sum + gradient)?,
                None => gradient,
            };
            collected.insert(argument.id(), sum);
            Ok(None)
        }
        _ => Ok(Some(gradient)),
    })
}

#[cfg(test)]
mod tests {
    use candle_core::{CpuStorage, CustomOp1, DType, Layout, Shape, Var};
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::{Conv2dConfig, Implementation, conv2d, relu, with_implementation};

    /// Two convolutions share a weight, which a penalty takes too; another weight is half a float.
    fn loss(x: &Tensor, shared: &Var, half: &Var) -> Result<Tensor> {
        let config = Conv2dConfig::default().with_padding(1);
        let y = relu(&conv2d(x, shared, None, &config)?)?;
        let y = conv2d(&y, shared, None, &config)?;
        let y = conv2d(&y.to_dtype(DType::F16)?, half, None, &config)?;
        y.to_dtype(DType::F64)?.sqr()?.sum_all()? + shared.as_tensor().sqr()?.sum_all()?
    }

    #[test]
    fn gives_what_candle_gives() -> Result<()> {
        let x = fill((2, 3, 6, 5), 0.1, DType::F64)?;
        let shared = Var::from_tensor(&fill((3, 3, 3, 3), 0.2, DType::F64)?)?;
        let half = Var::from_tensor(&fill((2, 3, 3, 3), 0.3, DType::F16)?)?;
        for implementation in [Implementation::Kernel, Implementation::Composed] {
            let loss = with_implementation(implementation, || loss(&x, &shared, &half))?;
            let (actual, expected) = (backward(&loss)?, loss.backward()?);
            for var in [&shared, &half] {
                assert_close(actual.get(var).unwrap(), expected.get(var).unwrap(), 1e-14)?;
            }
            assert!(actual.get(&x).is_none());
        }
        Ok(())
    }

    struct NoGradient;

    impl CustomOp1 for NoGradient {
        fn name(&self) -> &'static str {
            "no gradient"
        }

        fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
            Ok((x.clone(), layout.shape().clone()))
        }
    }

    #[test]
    fn an_error_leaves_candles_own_as_it_was() -> Result<()> {
        let x = fill((1, 2, 4, 4), 0.1, DType::F32)?;
        let weight = Var::from_tensor(&fill((2, 2, 3, 3), 0.2, DType::F32)?)?;
        let y = conv2d(&x, &weight, None, &Conv2dConfig::default())?;
        let broken = (y.sum_all()? + y.apply_op1(NoGradient)?.sum_all()?)?;
        assert!(backward(&broken).is_err());
        assert!(y.sum_all()?.backward()?.get(&weight).is_some());
        Ok(())
    }
}
