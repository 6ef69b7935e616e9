use serde::{Deserialize, Serialize};

use super::{color::ColorSpace, file::saved_model};
use crate::{Error, Image, Result};

/// Reinhard's color transfer \[1\]: an image gets the mean and the deviation that reference images have
/// in each channel of an opponent color space.
///
/// ```text
/// x′ = (x − μ) · σᵣ / σ + μᵣ      in l, α and β, each over all pixels
/// ```
///
/// Results are clamped to 0..1. The share of background and cells goes into the statistics: an image of
/// other contents than the reference changes in color.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Reinhard, synthetic::Smear};
///
/// let cells = Smear::new(48).with_per_slide(1);
/// let reference = cells.example(0)?.image;
/// let model = Reinhard::default().fit(&[reference.clone()])?;
/// let other = model.apply(&cells.example(1)?.image)?;
/// assert_eq!(other.dims(), reference.dims());
/// let same = model.apply(&reference)?;
/// assert!(same.data().iter().zip(reference.data()).all(|(a, b)| (a - b).abs() < 1e-5));
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// # Deviations
///
/// The paper prints the inverse of its matrix with four digits; here it is computed, so that an image
/// that is its own reference stays as it is.
///
/// # References
///
/// 1. E. Reinhard, M. Ashikhmin, B. Gooch and P. Shirley. *Color transfer between images.* IEEE
///    Computer Graphics and Applications 21(5), 2001. <https://doi.org/10.1109/38.946629>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reinhard {
    /// Where means and deviations are taken.
    pub space: ColorSpace,
}

/// What [`Reinhard`] has learned of its references.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReinhardModel {
    /// Where means and deviations are taken.
    pub space: ColorSpace,
    /// The mean of each channel.
    pub mean: [f64; 3],
    /// The deviation of each channel.
    pub deviation: [f64; 3],
}

/// The least deviation of a channel that is more than rounding.
const LEAST: f64 = 1e-6;

impl Reinhard {
    /// Sets where means and deviations are taken.
    #[must_use]
    pub fn with_space(mut self, space: ColorSpace) -> Self {
        self.space = space;
        self
    }

    /// Takes the statistics of all pixels of these images together.
    ///
    /// # Errors
    ///
    /// If there are no images, one has other than three channels or a value that is not finite, or all
    /// are gray or of one color.
    pub fn fit(&self, references: &[Image]) -> Result<ReinhardModel> {
        let (mean, deviation) = statistics(self.space, references)?;
        Ok(ReinhardModel { space: self.space, mean, deviation })
    }
}

saved_model!(ReinhardModel);

impl ReinhardModel {
    /// The colors of a smear of no laboratory: medians of the means and deviations of 64 single cells
    /// of [`Smear`](crate::synthetic::Smear), 96×96 pixels, each from a slide of its own. A target
    /// where no reference image is at hand, which nothing has to be learned for.
    #[must_use]
    pub fn smear() -> Self {
        let (mean, deviation) = ([-0.3652, -0.0370, 0.0035], [0.2794, 0.0912, 0.0059]);
        Self { space: ColorSpace::LogCones, mean, deviation }
    }

    /// The image with the colors of the reference.
    ///
    /// # Errors
    ///
    /// If the image has other than three channels or a value that is not finite, or is gray or of one
    /// color, so that nothing can be stretched.
    pub fn apply(&self, image: &Image) -> Result<Image> {
        let (mean, deviation) = statistics(self.space, std::slice::from_ref(image))?;
        let mut changed = image.clone();
        let pixels = image.height() * image.width();
        for at in 0..pixels {
            let x = self.space.of_rgb(pixel(image, at));
            let moved = [0, 1, 2]
                .map(|c| (x[c] - mean[c]) * self.deviation[c] / deviation[c] + self.mean[c]);
            let rgb = self.space.to_rgb(moved);
            for (c, value) in rgb.into_iter().enumerate() {
                changed.data_mut()[c * pixels + at] = value.clamp(0., 1.) as f32;
            }
        }
        Ok(changed)
    }

    fn check(&self) -> Result<()> {
        let fine = self.mean.iter().all(|v| v.is_finite())
            && self.deviation.iter().all(|v| v.is_finite() && *v >= LEAST);
        if fine {
            Ok(())
        } else {
            Err(Error::Setting(format!("no statistics of colors: {self:?}")))
        }
    }
}

/// The color of a pixel of three planes.
pub(super) fn pixel(image: &Image, at: usize) -> [f64; 3] {
    let pixels = image.height() * image.width();
    [0, 1, 2].map(|c| f64::from(image.data()[c * pixels + at]))
}

/// Fails unless an image has three channels of finite values.
pub(super) fn check_color(image: &Image) -> Result<()> {
    if image.channels() != 3 {
        return Err(Error::Shape(format!("{image:?} has no stain: give red, green and blue")));
    }
    match image.data().iter().find(|value| !value.is_finite()) {
        Some(value) => {
            Err(Error::Shape(format!("{image:?} has a value of {value}: give values from 0 to 1")))
        }
        None => Ok(()),
    }
}

fn statistics(space: ColorSpace, images: &[Image]) -> Result<([f64; 3], [f64; 3])> {
    if images.is_empty() {
        return Err(Error::Shape("no images to take colors from: give at least one".to_owned()));
    }
    images.iter().try_for_each(check_color)?;
    let colors = || {
        images.iter().flat_map(move |image| {
            (0..image.height() * image.width()).map(move |at| space.of_rgb(pixel(image, at)))
        })
    };
    let count = colors().count() as f64;
    let add = |sum: [f64; 3], x: [f64; 3]| [0, 1, 2].map(|c| sum[c] + x[c]);
    let mean = colors().fold([0.; 3], add).map(|sum| sum / count);
    let square = |x: [f64; 3]| [0, 1, 2].map(|c| (x[c] - mean[c]).powi(2));
    let deviation = colors().map(square).fold([0.; 3], add).map(|sum| (sum / count).sqrt());
    match deviation.iter().all(|&deviation| deviation >= LEAST) {
        true => Ok((mean, deviation)),
        false => Err(Error::Shape(format!(
            "{:?} is gray or of one color: its deviations are {deviation:?}; leave it as it is",
            images[0]
        ))),
    }
}

#[cfg(test)]
mod tests {
    use ocellus_testing::{Golden, assert_close};

    use super::*;

    #[test]
    fn matches_the_formula_in_numpy() {
        let case = Golden::read(env!("CARGO_MANIFEST_DIR"), "stain").unwrap();
        let image = |name: &str| Image::from_tensor(case.get(name).unwrap()).unwrap();
        for (name, space) in [("cones", ColorSpace::LogCones), ("lab", ColorSpace::CieLab)] {
            let model =
                Reinhard::default().with_space(space).fit(&[image("input.reference")]).unwrap();
            let statistics = case.get(&format!("output.{name}.statistics")).unwrap();
            let expected = statistics.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let found = model.mean.iter().chain(&model.deviation);
            assert!(found.zip(&expected).all(|(a, e)| (a - e).abs() < 1e-9 * (1. + e.abs())));
            let actual = model.apply(&image("input.source")).unwrap();
            let actual = actual.to_tensor(&candle_core::Device::Cpu).unwrap();
            assert_close(&actual, case.get(&format!("output.{name}")).unwrap(), 1e-6).unwrap();
        }
    }

    #[test]
    fn gray_one_color_and_nothing_are_errors() {
        let gray = Image::new(1, 2, 3, vec![0., 0.1, 0.5, 0.7, 0.9, 1.]).unwrap();
        let message = |images: &[Image]| Reinhard::default().fit(images).unwrap_err().to_string();
        assert!(message(&[]).contains("no images"));
        assert!(message(std::slice::from_ref(&gray)).contains("give red, green and blue"));
        assert!(message(&[gray.to_rgb().unwrap()]).contains("gray or of one color"));
        assert!(message(&[Image::filled(3, 4, 4, 0.3).unwrap()]).contains("gray or of one color"));
        assert!(message(&[Image::filled(3, 4, 4, f32::NAN).unwrap()]).contains("a value of NaN"));
        let lab = Reinhard::default().with_space(ColorSpace::CieLab);
        assert!(lab.fit(&[gray.to_rgb().unwrap()]).is_err());
    }

    #[test]
    fn a_model_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stain.json");
        let (mean, deviation) = ([0.1 + 0.2, -1. / 3., 1e-9], [0.7, 0.1, 3.]);
        let model = ReinhardModel { space: ColorSpace::CieLab, mean, deviation };
        model.save(&path).unwrap();
        assert_eq!(ReinhardModel::load(&path).unwrap(), model);
        let text = std::fs::read_to_string(&path).unwrap();
        for (from, to) in [("0.7", "0.0"), ("CieLab", "Oklab"), ("}", "")] {
            std::fs::write(&path, text.replace(from, to)).unwrap();
            let error = ReinhardModel::load(&path).unwrap_err().to_string();
            assert!(error.contains("stain.json"), "{error}");
        }
    }
}
