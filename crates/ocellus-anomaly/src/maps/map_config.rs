use candle_core::Tensor;
use ocellus_ops::{Alignment, upsample_bilinear2d, upsample_nearest2d};

use crate::{Result, Smoothing, State};

/// How a coarse map becomes one of the image's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Upsampling {
    /// Bilinear, by the centers of the pixels: PyTorch's `align_corners=False`.
    Bilinear,
    /// Bilinear, the centers of the corners on each other: `align_corners=True`.
    BilinearCorners,
    /// The nearest place.
    Nearest,
}

impl Upsampling {
    /// Resizes maps `(batch, channels, height, width)` to that height and width.
    ///
    /// # Errors
    ///
    /// If a size is 0.
    pub fn apply(self, maps: &Tensor, size: (usize, usize)) -> Result<Tensor> {
        Ok(match self {
            Self::Bilinear => upsample_bilinear2d(maps, size, Alignment::HalfPixel)?,
            Self::BilinearCorners => upsample_bilinear2d(maps, size, Alignment::Corners)?,
            Self::Nearest => upsample_nearest2d(maps, size)?,
        })
    }

    const NAMES: [(&'static str, Self); 3] = [
        ("bilinear", Self::Bilinear),
        ("bilinear-corners", Self::BilinearCorners),
        ("nearest", Self::Nearest),
    ];
}

/// How maps of places become maps of pixels: resized, then smoothed.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_anomaly::{MapConfig, Smoothing, Upsampling};
///
/// let distances = Tensor::ones((1, 1, 4, 4), DType::F32, &Device::Cpu)?;
/// let config = MapConfig::default().with_upsampling(Upsampling::Nearest);
/// let map = config.apply(&distances, (64, 64))?;
/// assert_eq!(map.dims(), [1, 1, 64, 64]);
/// assert!((map.mean_all()?.to_scalar::<f32>()? - 1.).abs() < 1e-5);
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct MapConfig {
    /// How they are resized.
    pub upsampling: Upsampling,
    /// How they are smoothed.
    pub smoothing: Smoothing,
}

impl Default for MapConfig {
    /// Bilinear by the centers, smoothed by [`Smoothing::Reflected`] with σ = 4: what anomalib does
    /// for PaDiM.
    fn default() -> Self {
        Self { upsampling: Upsampling::Bilinear, smoothing: Smoothing::Reflected { sigma: 4. } }
    }
}

impl MapConfig {
    /// Sets how maps are resized.
    #[must_use]
    pub fn with_upsampling(mut self, upsampling: Upsampling) -> Self {
        self.upsampling = upsampling;
        self
    }

    /// Sets how they are smoothed.
    #[must_use]
    pub fn with_smoothing(mut self, smoothing: Smoothing) -> Self {
        self.smoothing = smoothing;
        self
    }

    /// Makes maps `(batch, 1, h, w)` of places into `(batch, 1, height, width)` of pixels.
    ///
    /// # Errors
    ///
    /// If a size is 0, or σ is no positive number.
    pub fn apply(&self, maps: &Tensor, size: (usize, usize)) -> Result<Tensor> {
        self.smoothing.apply(&self.upsampling.apply(maps, size)?)
    }

    /// Keeps it in a state.
    pub fn save(&self, state: &mut State) {
        let names = Upsampling::NAMES;
        if let Some((name, _)) = names.iter().find(|(_, known)| *known == self.upsampling) {
            state.set("upsampling", name);
        }
        self.smoothing.save(state);
    }

    /// What [`save`](Self::save) kept.
    ///
    /// # Errors
    ///
    /// If the state has no such settings.
    pub fn restore(state: &State) -> Result<Self> {
        let name: String = state.get("upsampling")?;
        let known = Upsampling::NAMES.iter().find(|(known, _)| *known == name);
        let Some(&(_, upsampling)) = known else {
            return Err(crate::Error::Value(format!("has `{name}` as its `upsampling`")));
        };
        Ok(Self { upsampling, smoothing: Smoothing::restore(state)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back() -> Result<()> {
        for (_, upsampling) in Upsampling::NAMES {
            for smoothing in [
                Smoothing::None,
                Smoothing::Reflected { sigma: 0.1 },
                Smoothing::Scipy { sigma: 4. },
            ] {
                let config =
                    MapConfig::default().with_upsampling(upsampling).with_smoothing(smoothing);
                let mut state = State::default();
                config.save(&mut state);
                assert_eq!(MapConfig::restore(&state)?, config);
            }
        }
        let mut state = State::default();
        state.set("upsampling", "cubic");
        assert!(MapConfig::restore(&state).unwrap_err().to_string().contains("cubic"));
        Ok(())
    }
}
