use candle_core::{DType, Result, Tensor};

/// A parameter in the type that a layer computes in: that of its input, where this is f16 or bf16 and the
/// parameter f32 or f64; else the parameter as it is.
///
/// So a network whose weights are f32 computes in the type of what it is given, as PyTorch's autocast has
/// it. The rounding is part of the graph, and its gradient is that of the identity: it arrives at the
/// parameter in the parameter's own type, where an optimizer adds what is too small for the narrow one.
///
/// # Shapes
///
/// - output: as the parameter
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor, Var};
/// use ocellus_layers::rounded_like;
///
/// let weight = Var::new(&[1f32 + 1. / 256.], &Device::Cpu)?; // bf16 goes in steps of 1 / 128 there.
/// let x = Tensor::ones(1, DType::BF16, &Device::Cpu)?;
/// let rounded = rounded_like(&weight, &x)?;
/// assert_eq!(rounded.to_dtype(DType::F32)?.to_vec1::<f32>()?, [1.]);
///
/// let gradients = rounded.backward()?;
/// assert_eq!(gradients.get(&weight).unwrap().to_vec1::<f32>()?, [1.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the parameter is on a device that fails.
///
/// # References
///
/// 1. P. Micikevicius et al. *Mixed precision training.* ICLR 2018. <https://arxiv.org/abs/1710.03740>
pub fn rounded_like(parameter: &Tensor, x: &Tensor) -> Result<Tensor> {
    match (parameter.dtype(), x.dtype()) {
        (DType::F32 | DType::F64, narrow @ (DType::F16 | DType::BF16)) => {
            parameter.to_dtype(narrow)
        }
        _ => Ok(parameter.clone()),
    }
}

/// Weight and bias of a layer, both [`rounded_like`] its input.
pub(crate) fn rounded_pair(
    weight: &Tensor,
    bias: Option<&Tensor>,
    x: &Tensor,
) -> Result<(Tensor, Option<Tensor>)> {
    let bias = bias.map(|bias| rounded_like(bias, x)).transpose()?;
    Ok((rounded_like(weight, x)?, bias))
}

/// Values of half precision in f32, where they are added up outside of this family's operations: candle
/// adds in the type of the values, and of 1 + 1 + … + 1 in bf16 comes 256. Others stay as they are.
pub(crate) fn widened(x: &Tensor) -> Result<Tensor> {
    match x.dtype() {
        DType::F16 | DType::BF16 => x.to_dtype(DType::F32),
        _ => Ok(x.clone()),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};
    use ocellus_testing::{assert_close, fill};

    use super::*;

    const NARROW: [DType; 2] = [DType::F16, DType::BF16];

    /// `Σ u w²` of rounded weights, summed in f64.
    fn penalty(weight: &Tensor, x: &Tensor, factors: &Tensor) -> Result<Tensor> {
        let rounded = rounded_like(weight, x)?.to_dtype(DType::F64)?;
        (rounded.sqr()? * factors)?.sum_all()
    }

    /// Of a step function, a slope is what differences say over steps that it does not round: those of
    /// multiples of 1/32 here, in both types. Of a parabola they are exact, however long.
    #[test]
    fn its_gradient_is_that_of_the_identity() -> Result<()> {
        let values: Vec<f32> = (0u8..24).map(|i| (f32::from(i) - 11.5) / 16.).collect();
        // Of two bits, so that a slope of seven passes through the narrow type as it is.
        let factors: Vec<f64> = (0u8..24).map(|i| f64::from(i % 7) - 3.).collect();
        let factors = Tensor::new(factors, &Device::Cpu)?;
        let step = 1. / 32.;
        for dtype in NARROW {
            let x = Tensor::zeros(1, dtype, &Device::Cpu)?;
            let weight = Var::new(&values[..], &Device::Cpu)?;
            let gradients = penalty(&weight, &x, &factors)?.backward()?;
            let gradient = gradients.get(&weight).expect("a gradient");
            assert_eq!(gradient.dtype(), DType::F32);
            for (i, &g) in gradient.to_vec1::<f32>()?.iter().enumerate() {
                let at = |delta: f32| -> Result<f64> {
                    let mut moved = values.clone();
                    moved[i] += delta;
                    penalty(&Tensor::new(moved, &Device::Cpu)?, &x, &factors)?.to_scalar()
                };
                let difference = (at(step)? - at(-step)?) / f64::from(2. * step);
                assert_eq!(f64::from(g), difference, "{dtype:?}, entry {i}");
            }
        }
        Ok(())
    }

    #[test]
    fn a_weight_that_is_used_twice_gets_the_sum() -> Result<()> {
        let weight = Var::from_tensor(&fill(5, 0.2, DType::F32)?)?;
        let x = Tensor::zeros(1, DType::BF16, &Device::Cpu)?;
        let twice = (rounded_like(&weight, &x)? + rounded_like(&weight, &x)?)?;
        let gradients = ocellus_ops::backward(&(twice.sum_all()? * 0.5)?)?;
        let gradient = gradients.get(&weight).expect("a gradient");
        assert_close(gradient, &weight.ones_like()?, 0.)
    }

    #[test]
    fn only_what_is_wider_is_rounded() -> Result<()> {
        let dtype = |parameter: DType, x: DType| -> Result<DType> {
            let zeros = |dtype| Tensor::zeros(1, dtype, &Device::Cpu);
            Ok(rounded_like(&zeros(parameter)?, &zeros(x)?)?.dtype())
        };
        for narrow in NARROW {
            assert_eq!(dtype(DType::F32, narrow)?, narrow);
            assert_eq!(dtype(DType::F64, narrow)?, narrow);
            assert_eq!(dtype(narrow, DType::F32)?, narrow);
        }
        assert_eq!(dtype(DType::F64, DType::F32)?, DType::F64);
        assert_eq!(dtype(DType::F16, DType::BF16)?, DType::F16);
        Ok(())
    }
}
