use candle_core::{Result, Tensor, bail};

/// The squared norm of weights, to be added to a loss.
///
/// ```text
/// R = λ · Σ_w ‖w‖²
/// ```
///
/// as Keras's `l2(λ)`. PyTorch's `weight_decay` d is the gradient of this penalty with λ = d / 2.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::L2Penalty;
///
/// let weights = [Tensor::new(&[1f32, 2.], &Device::Cpu)?, Tensor::new(&[3f32], &Device::Cpu)?];
/// let penalty = L2Penalty::new(0.1).value(&weights)?.to_scalar::<f32>()?;
/// assert!((penalty - 1.4).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct L2Penalty {
    /// The factor λ.
    pub lambda: f64,
}

impl L2Penalty {
    /// A penalty of `lambda` times the squared norm.
    #[must_use]
    pub fn new(lambda: f64) -> Self {
        Self { lambda }
    }

    /// The penalty of these weights, a scalar; a `&Var` gives its `as_tensor()`.
    ///
    /// # Errors
    ///
    /// If there are no weights, they differ in type or device, or λ is negative or not finite.
    pub fn value<'a>(&self, weights: impl IntoIterator<Item = &'a Tensor>) -> Result<Tensor> {
        if !(self.lambda >= 0. && self.lambda.is_finite()) {
            bail!("the L2 factor must be 0 or more, got {}", self.lambda)
        }
        let mut sum: Option<Tensor> = None;
        for weight in weights {
            let norm = weight.sqr()?.sum_all()?;
            sum = Some(match sum {
                Some(sum) => (sum + norm)?,
                None => norm,
            });
        }
        match sum {
            Some(sum) => sum * self.lambda,
            None => bail!("an L2 penalty of no weights: give one at least"),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;
    use ocellus_testing::{check_gradients, fill};

    use super::*;

    #[test]
    fn its_gradient_is_twice_lambda_times_the_weights() -> Result<()> {
        let weights = [fill((2, 3), 0.1, DType::F64)?, fill(4, 0.2, DType::F64)?];
        check_gradients(|w| L2Penalty::new(0.3).value(w), &weights, 1e-8)
    }

    #[test]
    fn rejects_a_negative_factor_and_no_weights() -> Result<()> {
        let weights = [fill(2, 0., DType::F32)?];
        let error = L2Penalty::new(-1.).value(&weights).unwrap_err().to_string();
        assert!(error.contains("0 or more, got -1"), "{error}");
        let error = L2Penalty::new(1.).value([]).unwrap_err().to_string();
        assert!(error.contains("no weights"), "{error}");
        Ok(())
    }
}
