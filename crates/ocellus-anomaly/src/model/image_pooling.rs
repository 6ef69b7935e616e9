use candle_core::{D, DType, Tensor};

use crate::{Error, Result, State, on_cpu::on_cpu};

/// How a map becomes the score of its image.
///
/// The papers look for defects: the strangest place counts. Where an image is spoiled as a whole, as a
/// blurred or dim one, a mean tells more.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_anomaly::ImagePooling;
///
/// let map = Tensor::from_vec(vec![1f32, 2., 3., 6.], (1, 1, 2, 2), &Device::Cpu)?;
/// assert_eq!(ImagePooling::Mean.of_maps(&map)?.to_vec1::<f32>()?, [3.]);
/// assert_eq!(ImagePooling::Top { share: 0.5 }.of_maps(&map)?.to_vec1::<f32>()?, [4.5]);
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum ImagePooling {
    /// The method's own: the greatest value of the map, for `PatchCore` that of its nearest patches.
    #[default]
    OfMethod,
    /// The mean of the map.
    Mean,
    /// The mean of that share of the pixels, the strangest; of one pixel at least.
    Top {
        /// Above 0, to 1.
        share: f64,
    },
}

impl ImagePooling {
    /// The score of each image, `(batch)`, by its map, `(batch, 1, height, width)`; for
    /// [`OfMethod`](Self::OfMethod) the greatest value.
    ///
    /// Sums are in `f64`, pixel by pixel, so that the batch does not matter.
    ///
    /// # Errors
    ///
    /// If there are no pixels, or the share is not above 0 and at most 1.
    pub fn of_maps(self, maps: &Tensor) -> Result<Tensor> {
        let maps = maps.flatten_from(1)?;
        let pixels = maps.dim(1)?;
        let kept = match self {
            Self::OfMethod => return Ok(maps.max(D::Minus1)?),
            Self::Mean => pixels,
            Self::Top { share } if share > 0. && share <= 1. => {
                ((pixels as f64 * share).round() as usize).max(1)
            }
            Self::Top { share } => {
                return Err(Error::Setting(format!(
                    "an image's score is of the share {share} of its pixels: give one above 0, 1 at most"
                )));
            }
        };
        if pixels == 0 {
            return Err(Error::Shape("a map has no pixels: give images that have some".to_owned()));
        }
        let (device, dtype) = (maps.device().clone(), maps.dtype());
        let rows = on_cpu(&maps, DType::F64)?.to_vec2::<f64>()?;
        let scores: Vec<f64> = rows
            .into_iter()
            .map(|mut row| {
                if kept < pixels {
                    row.select_nth_unstable_by(kept - 1, |a, b| b.total_cmp(a));
                    row.truncate(kept);
                    // The order that selection leaves is an accident.
                    row.sort_unstable_by(f64::total_cmp);
                }
                row.iter().sum::<f64>() / kept as f64
            })
            .collect();
        Ok(Tensor::new(scores, &device)?.to_dtype(dtype)?)
    }

    pub(crate) fn save(self, state: &mut State) {
        match self {
            Self::OfMethod => {}
            Self::Mean => state.set("image_pooling", 1.),
            Self::Top { share } => state.set("image_pooling", share),
        }
    }

    pub(crate) fn restore(state: &State) -> Result<Self> {
        Ok(match state.find::<f64>("image_pooling")? {
            None => Self::OfMethod,
            Some(share) if share >= 1. => Self::Mean,
            Some(share) => Self::Top { share },
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn a_share_of_all_pixels_is_their_mean_and_of_one_the_greatest() -> Result<()> {
        let maps = Tensor::rand(0f32, 1., (3, 1, 5, 7), &Device::Cpu)?;
        let of =
            |pooling: ImagePooling| -> Result<Vec<f32>> { Ok(pooling.of_maps(&maps)?.to_vec1()?) };
        let (mean, all) = (of(ImagePooling::Mean)?, of(ImagePooling::Top { share: 1. })?);
        assert_eq!(mean, all);
        let greatest = of(ImagePooling::OfMethod)?;
        assert_eq!(of(ImagePooling::Top { share: 0.01 })?, greatest);
        for share in [0., -1., 1.5, f64::NAN] {
            let error = ImagePooling::Top { share }.of_maps(&maps).unwrap_err().to_string();
            assert!(error.contains(&share.to_string()), "{error}");
        }
        Ok(())
    }

    #[test]
    fn settings_come_back() -> Result<()> {
        for score in [ImagePooling::OfMethod, ImagePooling::Mean, ImagePooling::Top { share: 0.05 }]
        {
            let mut state = State::default();
            score.save(&mut state);
            assert_eq!(ImagePooling::restore(&state)?, score);
        }
        Ok(())
    }
}
