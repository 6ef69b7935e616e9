use serde::{Deserialize, Serialize};

use super::{
    file::saved_model,
    matrix::eigen,
    percentile::percentile,
    reinhard::{check_color, pixel},
};
use crate::{Error, Image, Result};

/// Macenko's stain normalization \[1\]: the colors of two stains and how much of each there is are found
/// in an image, and replaced by those of a reference.
///
/// ```text
/// D = −log₁₀(I / L)                           optical density; L: the light of the empty slide
/// V = the two first right singular vectors of the D with ‖D‖ ≥ β
/// φ = angles of V D;  stains: V at the α-th and the (100 − α)-th percentile of φ
/// D ≈ S C                                     concentrations, by least squares, of all pixels
/// I′ = Lᵣ · 10^(−Sᵣ (C · mᵣ / m))             m: the 99th percentile of each stain's C
/// ```
///
/// Percentiles are interpolated linearly. The first stain is the bluer one, which takes more of red than
/// of blue: azure or hematoxylin. Values below 1/255 count as that; results are clamped to 0..1.
///
/// A blood smear has more than two dyes (azure, eosin, and hemoglobin's own color), so what is found is
/// the two extremes of their mixtures: look at the results before you rely on them.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Macenko, synthetic::Smear};
///
/// let cells = Smear::new(48).with_per_slide(1);
/// let model = Macenko::default().fit(&[cells.example(0)?.image])?;
/// let other = model.apply(&cells.example(1)?.image)?;
/// assert_eq!(other.dims(), (3, 48, 48));
/// let [azure, eosin] = model.stains;
/// assert!(azure[0] - azure[2] > eosin[0] - eosin[2]);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// # Deviations
///
/// The paper leaves open when a density of three channels is below β. Common programs drop a pixel as
/// soon as one channel is, which drops all blue cytoplasm of a blood smear; here its length counts.
///
/// It takes the light of the empty slide for white. Smears are often taken in yellowish light, whose
/// empty places would count as stained, and colors come out inverted; so by default the light is
/// measured, in each channel and image. [`Macenko::published`] takes white.
///
/// # References
///
/// 1. M. Macenko et al. *A method for normalizing histology slides for quantitative analysis.* ISBI
///    2009. <https://doi.org/10.1109/ISBI.2009.5193250>
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Macenko {
    /// The least optical density of a stained pixel. 0.15 by default.
    pub beta: f64,
    /// The percentile of the angles that is a stain's, from 0 to below 50. 1 by default.
    pub alpha: f64,
    /// The percentile of each channel that is the light of the empty slide, of which some must be seen.
    /// 95 by default; none: the light is white.
    pub light: Option<f64>,
}

/// What [`Macenko`] has learned of its references.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MacenkoModel {
    /// The optical densities of red, green and blue of each stain, of length 1.
    pub stains: [[f64; 3]; 2],
    /// The 99th percentile of each stain's concentration.
    pub concentrations: [f64; 2],
    /// What the empty slide lets through.
    pub empty: [f64; 3],
    /// As in [`Macenko`].
    pub beta: f64,
    /// As in [`Macenko`].
    pub alpha: f64,
    /// As in [`Macenko`].
    pub light: Option<f64>,
}

const DARK: f64 = 1. / 255.;
/// The least of a second stain beside the first, as a ratio of singular values.
const LEAST: f64 = 1e-3;
/// The least number of stained pixels that angles are taken from.
const FEWEST: usize = 16;

impl Default for Macenko {
    fn default() -> Self {
        Self { beta: 0.15, alpha: 1., light: Some(95.) }
    }
}

impl Macenko {
    /// As published: the light of the empty slide is white.
    #[must_use]
    pub fn published() -> Self {
        Self { light: None, ..Self::default() }
    }

    /// Sets the least optical density of a stained pixel.
    #[must_use]
    pub fn with_beta(mut self, beta: f64) -> Self {
        self.beta = beta;
        self
    }

    /// Sets the percentile of the angles that is a stain's.
    #[must_use]
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Sets the percentile of each channel that is the light of the empty slide.
    #[must_use]
    pub fn with_light(mut self, percentile: Option<f64>) -> Self {
        self.light = percentile;
        self
    }

    /// Finds the stains in all pixels of these images together.
    ///
    /// # Errors
    ///
    /// If a setting is out of its range, there are no images, one has other than three channels or a
    /// value that is not finite, or they hold fewer than two stains: background alone, gray, one color.
    pub fn fit(&self, references: &[Image]) -> Result<MacenkoModel> {
        self.check()?;
        if references.is_empty() {
            return Err(Error::Shape("no images to find stains in: give at least one".to_owned()));
        }
        references.iter().try_for_each(check_color)?;
        let lights: Vec<[f64; 3]> = references.iter().map(|image| self.empty(image)).collect();
        let seen = references.iter().zip(&lights);
        let densities: Vec<[f64; 3]> =
            seen.flat_map(|(image, light)| densities(image, *light)).collect();
        let count = lights.len() as f64;
        let empty = [0, 1, 2].map(|c| lights.iter().map(|light| light[c]).sum::<f64>() / count);
        let stains = self.stains(&densities, &references[0])?;
        let [first, second] = percentiles_99(&stains, &densities);
        let Self { beta, alpha, light } = *self;
        let concentrations = [first, second];
        match first > 0. && second > 0. {
            true => Ok(MacenkoModel { stains, concentrations, empty, beta, alpha, light }),
            false => Err(unstained(&references[0], "hardly any pixel takes both stains")),
        }
    }

    fn check(&self) -> Result<()> {
        let fine = self.beta >= 0.
            && self.beta.is_finite()
            && (0. ..50.).contains(&self.alpha)
            && self.light.is_none_or(|light| (0. ..=100.).contains(&light));
        match fine {
            true => Ok(()),
            false => Err(Error::Setting(format!(
                "stains: beta {}, alpha {}, light {:?}: give a beta of 0 or more, an alpha of 0 to \
                 below 50 and a light of 0 to 100",
                self.beta, self.alpha, self.light
            ))),
        }
    }

    /// What the empty slide of an image lets through.
    fn empty(&self, image: &Image) -> [f64; 3] {
        let Some(light) = self.light else { return [1.; 3] };
        let mut empty = [1.; 3];
        for (level, plane) in empty.iter_mut().zip(image.planes()) {
            let mut values: Vec<f64> = plane.iter().map(|&v| f64::from(v).max(DARK)).collect();
            *level = percentile(&mut values, light);
        }
        empty
    }

    fn stains(&self, densities: &[[f64; 3]], image: &Image) -> Result<[[f64; 3]; 2]> {
        let stained = || densities.iter().filter(|d| length(**d) >= self.beta && length(**d) > 0.);
        let count = stained().count();
        if count < FEWEST {
            let reason = format!("{count} pixels are stained: it is all background");
            return Err(unstained(image, &reason));
        }
        let mut gram = [[0.; 3]; 3];
        for d in stained() {
            for (i, row) in gram.iter_mut().enumerate() {
                row.iter_mut().zip(d).for_each(|(sum, v)| *sum += d[i] * v);
            }
        }
        let (values, [v, w, _]) = eigen(gram);
        if values[1].max(0.).sqrt() < LEAST * values[0].sqrt() {
            return Err(unstained(image, "it is gray or of one color"));
        }
        // The first vector points to where the densities are.
        let side = stained().map(|d| dot(*d, v)).sum::<f64>().signum();
        let v = v.map(|x| side * x);
        let mut angles: Vec<f64> = stained().map(|d| dot(*d, w).atan2(dot(*d, v))).collect();
        let mut at = |percent: f64| {
            let (sin, cos) = percentile(&mut angles, percent).sin_cos();
            [0, 1, 2].map(|c| cos * v[c] + sin * w[c])
        };
        let (a, b) = (at(self.alpha), at(100. - self.alpha));
        match length([0, 1, 2].map(|c| a[c] - b[c])) < LEAST {
            true => Err(unstained(image, "its two stains are one")),
            false => Ok(if a[0] - a[2] > b[0] - b[2] { [a, b] } else { [b, a] }),
        }
    }
}

saved_model!(MacenkoModel);

impl MacenkoModel {
    /// The stains of a smear of no laboratory: medians of what [`Macenko`] finds by default in 64
    /// single cells of [`Smear`](crate::synthetic::Smear), 96×96 pixels, each from a slide of its own. A
    /// target where no reference image is at hand, which nothing has to be learned for.
    #[must_use]
    pub fn smear() -> Self {
        let Macenko { beta, alpha, light } = Macenko::default();
        Self {
            stains: [
                [0.595_559_1, 0.775_178_9, 0.210_729_7],
                [0.446_690_0, 0.675_750_1, 0.586_370_1],
            ],
            concentrations: [0.754, 0.307],
            empty: [0.863, 0.840, 0.812],
            beta,
            alpha,
            light,
        }
    }

    /// The image with the stains of the reference.
    ///
    /// # Errors
    ///
    /// As [`Macenko::fit`] for this image: one without two stains cannot be normalized.
    pub fn apply(&self, image: &Image) -> Result<Image> {
        let own = self.settings().fit(std::slice::from_ref(image))?;
        let mut changed = image.clone();
        let pixels = image.height() * image.width();
        let unmix = Unmix::new(&own.stains);
        for (at, density) in densities(image, own.empty).enumerate() {
            let found = unmix.apply(density);
            let c = [0, 1].map(|s| found[s] * self.concentrations[s] / own.concentrations[s]);
            for channel in 0..3 {
                let density = c[0] * self.stains[0][channel] + c[1] * self.stains[1][channel];
                let value = (self.empty[channel] * 10f64.powf(-density)).clamp(0., 1.);
                changed.data_mut()[channel * pixels + at] = value as f32;
            }
        }
        Ok(changed)
    }

    fn settings(&self) -> Macenko {
        Macenko { beta: self.beta, alpha: self.alpha, light: self.light }
    }

    fn check(&self) -> Result<()> {
        let unit = |stain: &[f64; 3]| (length(*stain) - 1.).abs() < 1e-6;
        let positive = |value: &f64| value.is_finite() && *value > 0.;
        let fine = self.stains.iter().all(unit)
            && self.concentrations.iter().all(positive)
            && self.empty.iter().all(positive);
        self.settings().check()?;
        if fine { Ok(()) } else { Err(Error::Setting(format!("no stains: {self:?}"))) }
    }
}

fn unstained(image: &Image, reason: &str) -> Error {
    Error::Shape(format!("no two stains in {image:?}: {reason}; leave it as it is"))
}

fn densities(image: &Image, empty: [f64; 3]) -> impl Iterator<Item = [f64; 3]> + '_ {
    let pixels = image.height() * image.width();
    (0..pixels).map(move |at| {
        let color = pixel(image, at);
        [0, 1, 2].map(|c| -(color[c].max(DARK) / empty[c]).log10())
    })
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn length(v: [f64; 3]) -> f64 {
    dot(v, v).sqrt()
}

/// Concentrations of two stains by least squares: the normal equations, solved.
struct Unmix([[f64; 3]; 2]);

impl Unmix {
    fn new([a, b]: &[[f64; 3]; 2]) -> Self {
        let (aa, ab, bb) = (dot(*a, *a), dot(*a, *b), dot(*b, *b));
        let determinant = aa * bb - ab * ab;
        let row = |u: f64, v: f64| [0, 1, 2].map(|c| (u * a[c] + v * b[c]) / determinant);
        Self([row(bb, -ab), row(-ab, aa)])
    }

    fn apply(&self, density: [f64; 3]) -> [f64; 2] {
        self.0.map(|row| dot(row, density))
    }
}

fn percentiles_99(stains: &[[f64; 3]; 2], densities: &[[f64; 3]]) -> [f64; 2] {
    let unmix = Unmix::new(stains);
    [0, 1].map(|stain| {
        let mut values: Vec<f64> = densities.iter().map(|d| unmix.apply(*d)[stain]).collect();
        percentile(&mut values, 99.)
    })
}

#[cfg(test)]
mod tests {
    use ocellus_testing::{Golden, assert_close};

    use super::*;

    #[test]
    fn matches_the_formula_in_numpy() {
        let case = Golden::read(env!("CARGO_MANIFEST_DIR"), "stain").unwrap();
        let image = |name: &str| Image::from_tensor(case.get(name).unwrap()).unwrap();
        for (name, macenko) in [
            ("macenko", Macenko::default()),
            ("published", Macenko::published()),
            ("wide", Macenko::default().with_alpha(5.).with_beta(0.3)),
        ] {
            let model = macenko.fit(&[image("input.reference")]).unwrap();
            let expected = case.get(&format!("output.{name}.model")).unwrap();
            let expected = expected.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let found = model.stains.iter().flatten();
            let found = found.chain(&model.concentrations).chain(&model.empty);
            assert!(found.zip(&expected).all(|(a, e)| (a - e).abs() < 1e-9), "{model:?}");
            let actual = model.apply(&image("input.source")).unwrap();
            let actual = actual.to_tensor(&candle_core::Device::Cpu).unwrap();
            assert_close(&actual, case.get(&format!("output.{name}")).unwrap(), 1e-6).unwrap();
        }
    }

    #[test]
    fn known_stains_are_found() {
        // Pixels of two known stains in all ratios.
        let (a, b) = ([0.65, 0.7, 0.29], [0.27, 0.57, 0.78]);
        let unit = |v: [f64; 3]| v.map(|x| x / length(v));
        let (a, b) = (unit(a), unit(b));
        let mut data = vec![0.; 3 * 400];
        for at in 0..400 {
            let (u, v) = ((at / 20) as f64 / 19., (at % 20) as f64 / 19.);
            for c in 0..3 {
                data[c * 400 + at] = 10f64.powf(-(u * a[c] + v * b[c])) as f32;
            }
        }
        let image = Image::new(3, 20, 20, data).unwrap();
        let model = Macenko::published()
            .with_alpha(0.)
            .with_beta(0.05)
            .fit(std::slice::from_ref(&image))
            .unwrap();
        for (found, known) in model.stains.iter().zip([a, b]) {
            assert!(length([0, 1, 2].map(|c| found[c] - known[c])) < 1e-5, "{model:?}");
        }
        let same = model.apply(&image).unwrap();
        assert!(same.data().iter().zip(image.data()).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn images_without_two_stains_are_errors() {
        let message = |image: Image| Macenko::published().fit(&[image]).unwrap_err().to_string();
        assert!(message(Image::filled(3, 9, 9, 0.97).unwrap()).contains("all background"));
        assert!(message(Image::filled(3, 9, 9, 0.2).unwrap()).contains("gray or of one color"));
        let gray = Image::new(1, 9, 9, (0..81).map(|v| v as f32 / 160.).collect()).unwrap();
        assert!(message(gray.to_rgb().unwrap()).contains("gray or of one color"));
        assert!(message(gray).contains("give red, green and blue"));
        assert!(message(Image::filled(3, 9, 9, f32::INFINITY).unwrap()).contains("a value of inf"));
        assert!(Macenko::default().fit(&[]).is_err());
        // Light that is measured makes one color an empty slide.
        let error = Macenko::default().fit(&[Image::filled(3, 9, 9, 0.2).unwrap()]).unwrap_err();
        assert!(error.to_string().contains("all background"), "{error}");
        let image = Image::filled(3, 9, 9, 0.2).unwrap();
        let wrong = Macenko::default();
        for wrong in
            [wrong.with_alpha(50.), wrong.with_beta(f64::NAN), wrong.with_light(Some(101.))]
        {
            assert!(
                wrong.fit(std::slice::from_ref(&image)).unwrap_err().to_string().contains("alpha")
            );
        }
    }

    #[test]
    fn a_model_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stain.json");
        let stains = [[0.6, 0.8, 0.], [0., 0.6, 0.8]];
        let (concentrations, empty) = ([1. / 3., 2.], [0.9, 0.8, 0.7]);
        let (beta, alpha, light) = (0.15, 1., Some(95.));
        let model = MacenkoModel { stains, concentrations, empty, beta, alpha, light };
        model.save(&path).unwrap();
        assert_eq!(MacenkoModel::load(&path).unwrap(), model);
        let text = std::fs::read_to_string(&path).unwrap().replace("2.0", "-2.0");
        std::fs::write(&path, text).unwrap();
        assert!(MacenkoModel::load(&path).unwrap_err().to_string().contains("no stains"));
    }
}
