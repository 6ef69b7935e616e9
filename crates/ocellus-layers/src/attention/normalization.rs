use candle_core::{D, DType, Result, Tensor};

/// How an attention gate turns its scores q, one per position, into weights α.
///
/// # Examples
///
/// ```
/// use ocellus_layers::{AttentionGateConfig, AttentionNormalization};
///
/// let config = AttentionGateConfig::sononet(512, 512);
/// assert_eq!(config.normalization, AttentionNormalization::SumShifted);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttentionNormalization {
    /// `α = σ(q)`: each position by itself, in [0, 1].
    #[default]
    Sigmoid,
    /// `α = softmax(q)` over the positions: they sum to one.
    Softmax,
    /// `α = (q − min q) / Σ(q − min q)`: they sum to one, and the least is zero. Known as
    /// "mean flow". Where all scores are equal, all weights are.
    SumShifted,
    /// `α = (q − min q) / (max q − min q)`: from zero to one. Where all scores are equal, all
    /// weights are one.
    Range,
}

impl AttentionNormalization {
    /// The weights for scores `(batch, 1, height, width)`.
    pub(crate) fn apply(self, scores: &Tensor) -> Result<Tensor> {
        if self == Self::Sigmoid {
            return ocellus_ops::sigmoid(scores);
        }
        let flat = scores.flatten_from(1)?;
        let weights = match self {
            Self::Sigmoid | Self::Softmax => ocellus_ops::softmax(&flat, 1)?,
            Self::SumShifted => {
                let (shifted, equal) = shifted(&flat)?;
                // Equal scores: all ones, divided by their number.
                let shifted = shifted.broadcast_add(&equal)?;
                shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)?
            }
            Self::Range => {
                let (shifted, equal) = shifted(&flat)?;
                let shifted = shifted.broadcast_add(&equal)?;
                let highest = flat.argmax_keepdim(D::Minus1)?;
                shifted.broadcast_div(&shifted.gather(&highest, D::Minus1)?)?
            }
        };
        weights.reshape(scores.shape())
    }
}

/// The scores less their minimum, and one where that is zero everywhere (else zero), `(batch, 1)`.
///
/// The minimum is gathered at its first position, so its gradient goes there alone, as PyTorch's.
fn shifted(flat: &Tensor) -> Result<(Tensor, Tensor)> {
    let lowest = flat.argmin_keepdim(D::Minus1)?;
    let shifted = flat.broadcast_sub(&flat.gather(&lowest, D::Minus1)?)?;
    let range = shifted.detach().max_keepdim(D::Minus1)?;
    let equal = range.eq(&range.zeros_like()?)?.to_dtype(DType::F32)?.to_dtype(flat.dtype())?;
    Ok((shifted, equal))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use ocellus_testing::{assert_close, check_gradients, fill};

    use super::*;

    const ALL: [AttentionNormalization; 4] = [
        AttentionNormalization::Sigmoid,
        AttentionNormalization::Softmax,
        AttentionNormalization::SumShifted,
        AttentionNormalization::Range,
    ];

    #[test]
    fn equals_the_values_by_hand() -> Result<()> {
        let scores = Tensor::new(&[[[[1f64, 2.], [3., 5.]]]], &Device::Cpu)?;
        let sum = Tensor::new(&[[[[0f64, 1.], [2., 4.]]]], &Device::Cpu)?;
        let y = AttentionNormalization::SumShifted.apply(&scores)?;
        assert_close(&y, &(&sum / 7.)?, 1e-12)?;
        let y = AttentionNormalization::Range.apply(&scores)?;
        assert_close(&y, &(&sum / 4.)?, 1e-12)
    }

    #[test]
    fn gradients_equal_finite_differences() -> Result<()> {
        let scores = [fill((2, 1, 3, 2), 0.4, DType::F64)?];
        for normalization in ALL {
            check_gradients(|x| normalization.apply(&x[0]), &scores, 1e-7)?;
        }
        Ok(())
    }

    #[test]
    fn equal_scores_give_equal_weights() -> Result<()> {
        let scores = Tensor::full(3f32, (2, 1, 2, 2), &Device::Cpu)?;
        for (normalization, expected) in [
            (AttentionNormalization::Softmax, 0.25f32),
            (AttentionNormalization::SumShifted, 0.25),
            (AttentionNormalization::Range, 1.),
        ] {
            let expected = Tensor::full(expected, (2, 1, 2, 2), &Device::Cpu)?;
            assert_close(&normalization.apply(&scores)?, &expected, 1e-6)?;
        }
        Ok(())
    }

    #[test]
    fn extreme_scores_stay_finite() -> Result<()> {
        let scores = Tensor::new(&[[[[1e4f32, -1e4], [0., 1e4]]]], &Device::Cpu)?;
        for normalization in ALL {
            let sum = normalization.apply(&scores)?.sum_all()?.to_scalar::<f32>()?;
            assert!(sum.is_finite(), "{normalization:?}: {sum}");
        }
        Ok(())
    }
}
