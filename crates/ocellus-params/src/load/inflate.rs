use candle_core::{Result, Tensor, bail};

/// Fits the weight of a first convolution that was trained on three channels to another number.
///
/// ```text
/// channels = 1:  w'[o, 0] = Σ_i w[o, i]
/// else:          w'[o, i] = w[o, i mod 3] · 3 / channels
/// ```
///
/// On an input whose channels are all alike, the response is that of the three-channel convolution:
/// activations keep their scale. It is timm's rule (`adapt_input_conv`).
///
/// # Shapes
///
/// - weight: `(out, 3, height, width)`; for one channel `(out, in, height, width)` of any `in`
/// - output: `(out, channels, height, width)`, of the same type
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_params::inflate_stem;
///
/// let rgb = Tensor::new(&[[[[1f32]], [[2.]], [[3.]]]], &Device::Cpu)?;
/// assert_eq!(inflate_stem(&rgb, 1)?.flatten_all()?.to_vec1::<f32>()?, [6.]);
/// assert_eq!(inflate_stem(&rgb, 4)?.flatten_all()?.to_vec1::<f32>()?, [0.75, 1.5, 2.25, 0.75]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the weight is of another shape, or `channels` is 0.
pub fn inflate_stem(weight: &Tensor, channels: usize) -> Result<Tensor> {
    let (_, inputs, ..) = weight.dims4()?;
    if channels == 0 {
        bail!("cannot fit a convolution to 0 input channels: give at least 1")
    }
    if channels == inputs {
        return Ok(weight.clone());
    }
    let dtype = weight.dtype();
    let wide = if dtype == candle_core::DType::F64 { dtype } else { candle_core::DType::F32 };
    let weight = weight.to_dtype(wide)?;
    if channels == 1 {
        return weight.sum_keepdim(1)?.to_dtype(dtype);
    }
    if inputs != 3 {
        bail!(
            "cannot fit a convolution of {inputs} input channels to {channels}: only one of 3 \
             channels, or to 1"
        )
    }
    let repeated = weight.repeat((1, channels.div_ceil(3), 1, 1))?.narrow(1, 0, channels)?;
    (repeated * (3. / channels as f64))?.contiguous()?.to_dtype(dtype)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{Golden, assert_close};

    use super::*;

    #[test]
    fn matches_timm() -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "inflate_stem")?;
        let weight = golden.get("input.weight")?;
        for channels in [1, 2, 3, 4, 5, 9] {
            let expected = golden.get(&format!("output.{channels}"))?;
            assert_close(&inflate_stem(weight, channels)?, expected, 1e-6)?;
        }
        let half = inflate_stem(&weight.to_dtype(DType::F16)?, 4)?;
        assert_eq!(half.dtype(), DType::F16);
        Ok(())
    }

    #[test]
    fn the_response_to_equal_channels_stays() -> Result<()> {
        let weight = ocellus_testing::fill((2, 3, 2, 2), 0.3, DType::F64)?;
        for channels in 1..8 {
            let sum = inflate_stem(&weight, channels)?.sum(1)?;
            let difference = if channels % 3 == 0 || channels == 1 { 1e-12 } else { 2. };
            assert_close(&sum, &weight.sum(1)?, difference)?;
        }
        Ok(())
    }

    #[test]
    fn rejects_other_shapes() -> Result<()> {
        let rgbn = Tensor::zeros((2, 4, 3, 3), DType::F32, &Device::Cpu)?;
        let error = inflate_stem(&rgbn, 5).unwrap_err().to_string();
        assert!(error.contains("4 input channels to 5"), "{error}");
        assert!(inflate_stem(&rgbn, 0).is_err());
        assert!(inflate_stem(&rgbn.flatten_all()?, 1).is_err());
        Ok(())
    }
}
