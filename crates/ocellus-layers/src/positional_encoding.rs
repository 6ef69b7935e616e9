use candle_core::{Device, Result, Tensor, bail};

/// Where a pixel is, as sines and cosines of its column and row.
///
/// ```text
/// P[2j, y, x]         = sin(x · ωⱼ)        P[2j + 1, y, x]         = cos(x · ωⱼ)
/// P[D/2 + 2j, y, x]   = sin(y · ωⱼ)        P[D/2 + 2j + 1, y, x]   = cos(y · ωⱼ)
/// ωⱼ = 10000^(−2j / (D/2)),   j = 0 … D/4 − 1
/// ```
///
/// with columns x and rows y from 0: the encoding of Vaswani et al. in two dimensions, as CFLOW-AD uses
/// it.
/// Computed in f64, stored as f32.
///
/// # Shapes
///
/// - output: `(channels, height, width)`
///
/// # Examples
///
/// ```
/// use candle_core::{Device, IndexOp};
/// use ocellus_layers::positional_encoding_2d;
///
/// let encoding = positional_encoding_2d(8, 2, 3, &Device::Cpu)?;
/// assert_eq!(encoding.dims(), [8, 2, 3]);
/// // At column 1: the first channel turns by 1, the third by a hundredth of it.
/// let at = encoding.i((.., 0, 1))?.to_vec1::<f32>()?;
/// assert!((at[0] - 1f32.sin()).abs() < 1e-7 && (at[2] - 0.01f32.sin()).abs() < 1e-7);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the channels are no multiple of 4, or a size is 0.
///
/// # References
///
/// 1. A. Vaswani et al. *Attention is all you need.* NeurIPS 2017. <https://arxiv.org/abs/1706.03762>
/// 2. D. Gudovskiy, S. Ishizaka, K. Kozuka. *CFLOW-AD.* WACV 2022. <https://arxiv.org/abs/2107.12571>
pub fn positional_encoding_2d(
    channels: usize,
    height: usize,
    width: usize,
    device: &Device,
) -> Result<Tensor> {
    if channels == 0 || !channels.is_multiple_of(4) {
        bail!("a positional encoding of {channels} channels: choose a multiple of 4")
    }
    if height == 0 || width == 0 {
        bail!("a positional encoding of {height} × {width} pixels")
    }
    let half = channels / 2;
    let mut values = Vec::with_capacity(channels * height * width);
    for channel in 0..channels {
        let j = (channel % half) / 2;
        let frequency = 1e4f64.powf(-2. * j as f64 / half as f64);
        for y in 0..height {
            for x in 0..width {
                let angle = if channel < half { x } else { y } as f64 * frequency;
                let value = if channel.is_multiple_of(2) { angle.sin() } else { angle.cos() };
                values.push(value as f32);
            }
        }
    }
    Tensor::from_vec(values, (channels, height, width), device)
}

#[cfg(test)]
mod tests {
    use ocellus_testing::{Golden, assert_close};

    use super::*;

    #[test]
    fn matches_anomalib() -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "positional_encoding")?;
        for (channels, height, width) in [(8, 3, 5), (128, 4, 7)] {
            let encoding = positional_encoding_2d(channels, height, width, &Device::Cpu)?;
            assert_close(&encoding, golden.get(&format!("output.{channels}"))?, 1e-6)?;
        }
        Ok(())
    }

    #[test]
    fn rejects_channels_that_cannot_be_shared() {
        let message = positional_encoding_2d(6, 2, 2, &Device::Cpu).unwrap_err().to_string();
        assert!(message.contains("6 channels: choose a multiple of 4"), "{message}");
        assert!(positional_encoding_2d(8, 0, 2, &Device::Cpu).is_err());
    }
}
