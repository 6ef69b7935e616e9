use std::f32::consts::TAU;

use super::motion::Motion;
use crate::{
    Error, Image, Result,
    random::Random,
    synthetic::{blur::blur, field::Field, smoothstep::smoothstep},
};

/// What spoils an OCTA image, each with a strength from 0 (not at all) to 1 (hardly anything is
/// left).
///
/// | field | at strength s |
/// | --- | --- |
/// | `low_signal` | the signal falls to 1 − 0.85 s of itself; the detector's noise stays, and grows by 0.05 s |
/// | `defocus` | blurred by a Gaussian of 3.2 s pixels |
/// | `motion` | 1 to 1 + 13 s events of the eye: bands of rows shifted by up to 20 s pixels, stretched, dark or bright |
/// | `shadow` | one to three floaters that take up to s of the light |
/// | `vignetting` | light lost toward the edge, all of it at s = 1 |
/// | `decentering` | the fovea lies 0.42 s of the side from the middle |
/// | `noise` | normal noise of deviation 0.28 s |
///
/// Pixels are those of an image of 304 pixels; lengths grow with the shorter side. An image that is
/// there already stays where it is up to a `decentering` of 0.12, by which eyes differ anyway.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Image, synthetic::{Degradation, OctaGrade}};
///
/// let scan = Image::filled(1, 64, 64, 0.5)?;
/// assert_eq!(Degradation::none().apply(&scan, 1, 0)?, scan);
/// let spoiled = Degradation::none().with_shadow(0.8).apply(&scan, 1, 0)?;
/// assert!(spoiled.data().iter().all(|&v| v <= 0.5));
/// let graded = OctaGrade::Gradable.draw(1, 0).apply(&scan, 1, 0)?;
/// assert_eq!(graded.dims(), (1, 64, 64));
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// # References
///
/// 1. R. F. Spaide, J. G. Fujimoto and N. K. Waheed. *Image artifacts in optical coherence
///    tomography angiography.* Retina 35 (2015). <https://doi.org/10.1097/IAE.0000000000000765>
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Degradation {
    /// Little light comes back: a cataract, a dry cornea.
    pub low_signal: f32,
    /// The scan is out of focus.
    pub defocus: f32,
    /// The eye moves: shifted, stretched, missing and bright lines.
    pub motion: f32,
    /// Floaters in the vitreous take light.
    pub shadow: f32,
    /// The pupil cuts the edge.
    pub vignetting: f32,
    /// The fovea is not in the middle.
    pub decentering: f32,
    /// The detector's noise.
    pub noise: f32,
}

/// The stream of draws of each kind.
const STREAM: u64 = 0x0c7a_0100;

/// Up to this decentering an image is not moved: its seam would show more than the move.
const CENTERED: f32 = 0.12;

/// The shorter side that lengths are given for.
const SIDE: f32 = 304.;

impl Degradation {
    /// Nothing is spoiled.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Sets how weak the signal is.
    #[must_use]
    pub fn with_low_signal(self, low_signal: f32) -> Self {
        Self { low_signal, ..self }
    }

    /// Sets how far the scan is out of focus.
    #[must_use]
    pub fn with_defocus(self, defocus: f32) -> Self {
        Self { defocus, ..self }
    }

    /// Sets how much the eye moves.
    #[must_use]
    pub fn with_motion(self, motion: f32) -> Self {
        Self { motion, ..self }
    }

    /// Sets how dark floaters are.
    #[must_use]
    pub fn with_shadow(self, shadow: f32) -> Self {
        Self { shadow, ..self }
    }

    /// Sets how dark the edge is.
    #[must_use]
    pub fn with_vignetting(self, vignetting: f32) -> Self {
        Self { vignetting, ..self }
    }

    /// Sets how far the fovea lies from the middle.
    #[must_use]
    pub fn with_decentering(self, decentering: f32) -> Self {
        Self { decentering, ..self }
    }

    /// Sets the noise.
    #[must_use]
    pub fn with_noise(self, noise: f32) -> Self {
        Self { noise, ..self }
    }

    /// The strengths in the order of the fields.
    #[must_use]
    pub fn strengths(&self) -> [f32; 7] {
        let Self { low_signal, defocus, motion, shadow, vignetting, decentering, noise } = *self;
        [low_signal, defocus, motion, shadow, vignetting, decentering, noise]
    }

    pub(super) fn check(&self) -> Result<()> {
        match self.strengths().iter().find(|strength| !(0. ..=1.).contains(*strength)) {
            Some(strength) => Err(Error::Setting(format!(
                "a degradation's strength is {strength}: give 0 (none) to 1, see `Degradation`"
            ))),
            None => Ok(()),
        }
    }

    /// Spoils an image of any size and number of planes with values from 0 to 1, by draws from seed
    /// and index alone. An off-center
    /// fovea is the image moved; what leaves it comes back on the other side (mirrored, it would
    /// make patterns that no eye has).
    ///
    /// # Errors
    ///
    /// If a strength is not from 0 to 1, or a side is below 8.
    pub fn apply(&self, image: &Image, seed: u64, index: usize) -> Result<Image> {
        self.check()?;
        let (_, height, width) = image.dims();
        if height.min(width) < 8 {
            let message = format!("an image of {height}×{width} to be spoiled: give 8×8 or more");
            return Err(Error::Shape(message));
        }
        let random = |kind| Random::keyed(seed, index as u64, kind, STREAM);
        let pixel = height.min(width) as f32 / SIDE;
        let away = match self.decentering > CENTERED {
            true => self.shift(seed, index),
            false => (0., 0.),
        };
        let motion = Motion::draw(&mut random(2), self.motion, height, pixel);
        let light = self.light(&mut random(3), (height, width));
        let mut spoiled = image.clone();
        for (channel, plane) in spoiled.planes_mut().enumerate() {
            move_by(plane, width, away);
            if self.defocus > 0. {
                blur(plane, width, (3.2 * self.defocus * pixel).max(0.05));
            }
            motion.apply(plane, width, &mut random(16 + channel as u64));
            if let Some(light) = &light {
                plane.iter_mut().zip(light).for_each(|(v, light)| *v *= light);
            }
            self.weaken(plane, &mut random(4096 + channel as u64));
        }
        Ok(spoiled)
    }

    /// Where the fovea lies, right and down of the middle, in shares of the sides.
    pub(super) fn shift(&self, seed: u64, index: usize) -> (f32, f32) {
        let angle = Random::keyed(seed, index as u64, 1, STREAM).uniform(0., TAU);
        let far = 0.42 * self.decentering;
        (far * angle.cos(), far * angle.sin())
    }

    /// The light that floaters and the edge leave; none where they take nothing.
    fn light(&self, random: &mut Random, (height, width): (usize, usize)) -> Option<Vec<f32>> {
        if self.shadow == 0. && self.vignetting == 0. {
            return None;
        }
        let field = Field::draw(random);
        let floaters: Vec<[f32; 6]> = (0..1 + random.below(3))
            .map(|_| {
                let (sin, cos) = random.uniform(0., TAU).sin_cos();
                let dark = self.shadow * random.uniform(0.7, 1.);
                let size = random.uniform(0.09, 0.26);
                [random.uniform(0.1, 0.9), random.uniform(0.1, 0.9), cos, sin, size, dark]
            })
            .collect();
        let center = (0.5 + 0.12 * random.symmetric(), 0.5 + 0.12 * random.symmetric());
        let wide = random.uniform(0.3, 0.38);
        let mut light = Vec::with_capacity(height * width);
        for y in 0..height {
            for x in 0..width {
                let at = ((x as f32 + 0.5) / width as f32, (y as f32 + 0.5) / height as f32);
                let uneven = field.at(6. * at.1, 6. * at.0);
                let mut left = 1.;
                for [cx, cy, cos, sin, size, dark] in &floaters {
                    let (dx, dy) = (at.0 - cx, at.1 - cy);
                    let (u, v) = (dx * cos + dy * sin, 1.7 * (dy * cos - dx * sin));
                    let far = (u * u + v * v).sqrt() / size * (1. + 0.2 * uneven);
                    left *= 1. - dark * smoothstep((1.5 - far) / 1.1);
                }
                let from = ((at.0 - center.0).powi(2) + (at.1 - center.1).powi(2)).sqrt();
                let edge = smoothstep((from * (1. + 0.05 * uneven) - wide + 0.12) / 0.34);
                light.push(left * (1. - self.vignetting * edge));
            }
        }
        Some(light)
    }

    /// Weak signal and noise.
    fn weaken(&self, plane: &mut [f32], random: &mut Random) {
        if self.low_signal == 0. && self.noise == 0. {
            return;
        }
        let kept = 1. - 0.85 * self.low_signal;
        let deviation = 0.05 * self.low_signal + 0.28 * self.noise;
        // What a detector shows in the dark.
        let floor = 0.07 * self.low_signal;
        for value in plane {
            *value = (floor + kept * *value + deviation * random.grain()).clamp(0., 1.);
        }
    }
}

/// Moves a plane right and down by shares of its sides, to whole pixels; what leaves comes back on
/// the other side.
fn move_by(plane: &mut [f32], width: usize, (right, down): (f32, f32)) {
    let height = plane.len() / width;
    let steps = |share: f32, side: usize| (share * side as f32).round() as isize;
    let (right, down) = (steps(right, width), steps(down, height));
    if (right, down) == (0, 0) {
        return;
    }
    let source = plane.to_vec();
    for (y, row) in plane.chunks_exact_mut(width).enumerate() {
        let from = (y as isize - down).rem_euclid(height as isize) as usize * width;
        for (x, value) in row.iter_mut().enumerate() {
            *value = source[from + (x as isize - right).rem_euclid(width as isize) as usize];
        }
    }
}

/// An index within a row of that length that goes on mirrored.
pub(super) fn mirrored(at: isize, length: usize) -> usize {
    let at = at.rem_euclid(2 * length as isize) as usize;
    at.min(2 * length - 1 - at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan() -> Image {
        let mut random = Random::keyed(1, 2, 3, 4);
        let wave =
            |i: usize| 0.3 * (TAU * (i % 80) as f32 / 80.).sin() * (TAU * i as f32 / 7680.).cos();
        let plane = (0..96 * 80).map(|i| 0.5 + wave(i) + 0.2 * random.symmetric()).collect();
        Image::new(1, 96, 80, plane).unwrap()
    }

    fn all(strength: f32) -> [Degradation; 7] {
        let none = Degradation::none();
        [
            none.with_low_signal(strength),
            none.with_defocus(strength),
            none.with_motion(strength),
            none.with_shadow(strength),
            none.with_vignetting(strength),
            none.with_decentering(strength),
            none.with_noise(strength),
        ]
    }

    #[test]
    fn each_changes_the_image_the_more_the_stronger_it_is() {
        let scan = scan();
        let change = |degradation: &Degradation| {
            let sum: f64 = (0..20)
                .map(|index| {
                    let spoiled = degradation.apply(&scan, 3, index).unwrap();
                    let pairs = spoiled.data().iter().zip(scan.data());
                    pairs.map(|(a, b)| f64::from((a - b).powi(2))).sum::<f64>()
                })
                .sum();
            sum / (20. * scan.data().len() as f64)
        };
        for (kind, (weak, strong)) in all(0.4).iter().zip(&all(1.)).enumerate() {
            let (weak, strong) = (change(weak), change(strong));
            assert!(weak > 0. && strong > 1.2 * weak, "kind {kind}: {weak} {strong}");
        }
    }

    #[test]
    fn the_same_key_gives_the_same_bits_within_0_and_1() {
        let scan = scan();
        for degradation in all(0.7) {
            let spoiled = degradation.apply(&scan, 3, 5).unwrap();
            assert_eq!(spoiled, degradation.apply(&scan, 3, 5).unwrap());
            assert!(spoiled.data().iter().all(|v| (0. ..=1.).contains(v)));
        }
        let shadow = Degradation::none().with_shadow(0.9);
        assert_ne!(shadow.apply(&scan, 3, 5).unwrap(), shadow.apply(&scan, 4, 5).unwrap());
        assert_ne!(shadow.apply(&scan, 3, 5).unwrap(), shadow.apply(&scan, 3, 6).unwrap());
    }

    #[test]
    fn planes_are_moved_alike() {
        let gray = scan();
        let moved = Degradation::none().with_decentering(0.8).with_motion(0.4);
        let color = moved.apply(&gray.to_rgb().unwrap(), 1, 1).unwrap();
        let planes: Vec<&[f32]> = color.planes().collect();
        let alike = planes[0].iter().zip(planes[2]).filter(|(a, b)| a == b).count();
        assert!(alike as f64 > 0.5 * planes[0].len() as f64, "{alike}");
    }

    #[test]
    fn indices_are_mirrored_as_often_as_needed() {
        let at: Vec<usize> = (-4..8).map(|i| mirrored(i, 3)).collect();
        assert_eq!(at, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
    }

    #[test]
    fn rejects_strengths_and_sizes_that_make_no_sense() {
        for strength in [-0.1, 1.1, f32::NAN] {
            for degradation in all(strength) {
                let error = degradation.apply(&scan(), 0, 0).unwrap_err().to_string();
                assert!(error.contains("strength is"), "{error}");
            }
        }
        let tiny = Image::filled(1, 4, 90, 0.5).unwrap();
        assert!(Degradation::none().apply(&tiny, 0, 0).unwrap_err().to_string().contains("4×90"));
    }
}
