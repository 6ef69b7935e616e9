use super::{Degradation, OctaGrade, eye::Eye, scan::exposed};
use crate::{
    Error, Example, Image, Result,
    random::Random,
    synthetic::{
        drawn::drawn_dataset,
        shares::{check_shares, spread},
    },
};

/// The part of the retina that a scan covers, around the fovea.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OctaField {
    /// 3 × 3 mm, usually of 304 × 304 pixels.
    #[default]
    ThreeMm,
    /// 6 × 6 mm, usually of 400 × 400 pixels.
    SixMm,
}

impl OctaField {
    /// In tens of micrometers.
    fn extent(self) -> f32 {
        match self {
            Self::ThreeMm => 300.,
            Self::SixMm => 600.,
        }
    }
}

/// Draws OCTA images (en-face angiograms of the superficial retina) of known quality, with the
/// mask of the larger vessels.
///
/// Arteries and veins enter from the edge and grow toward tissue that has no supply (space
/// colonization), with calibers by Murray's law, and stop at an uneven avascular zone. Between them
/// lies a mesh of capillaries that streams toward the fovea, sparser beside arteries. The scan adds
/// its point spread, speckle, noise and lines of unequal gain. Then comes what spoils the image:
/// [`OctaGrade::draw`] says how much of what, [`Degradation`] what each does. Grades are by
/// construction: they are what was drawn, not what a reader would say.
///
/// An image is a function of all settings and its index alone.
///
/// # Examples
///
/// ```
/// use ocellus_data::synthetic::{Octa, OctaField, OctaGrade};
///
/// let generator = Octa::new(OctaField::ThreeMm).with_side(64).with_seed(7);
/// let example = generator.example(0)?;
/// assert_eq!(example.image.dims(), (1, 64, 64));
/// assert_eq!(Some(generator.grade(0)), OctaGrade::of_label(example.label));
/// assert!(example.mask.is_some_and(|mask| mask.data().contains(&1.)));
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// # References
///
/// 1. A. Runions, B. Lane and P. Prusinkiewicz. *Modeling trees with a space colonization
///    algorithm.* Eurographics workshop on natural phenomena, 2007.
/// 2. L. Kreitner et al. *Synthetic optical coherence tomography angiographs for detailed retinal
///    vessel segmentation without human annotations.* IEEE Trans. Med. Imaging 43 (2024), who grow
///    vessels so too. <https://doi.org/10.1109/TMI.2024.3354408>
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Octa {
    /// What a scan covers.
    pub field: OctaField,
    /// Rows and columns of an image.
    pub side: usize,
    /// What all images are drawn from.
    pub seed: u64,
    /// Shares of outstanding, gradable and ungradable images; they need not sum to 1. Alike by
    /// default.
    pub shares: [f32; 3],
}

/// Streams of draws.
const EYE: u64 = 0x0c7a_0010;
const SCAN: u64 = 0x0c7a_0011;

impl Octa {
    /// Images of the usual size, 304 or 400 pixels, of all grades, seed 0.
    #[must_use]
    pub fn new(field: OctaField) -> Self {
        let side = match field {
            OctaField::ThreeMm => 304,
            OctaField::SixMm => 400,
        };
        Self { field, side, seed: 0, shares: [1.; 3] }
    }

    /// Sets rows and columns.
    #[must_use]
    pub fn with_side(mut self, side: usize) -> Self {
        self.side = side;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the shares of the grades: `[1., 0., 0.]` for outstanding images alone.
    #[must_use]
    pub fn with_shares(mut self, shares: [f32; 3]) -> Self {
        self.shares = shares;
        self
    }

    /// The classes' names, by label.
    #[must_use]
    pub fn classes(&self) -> Vec<String> {
        OctaGrade::ALL.iter().map(|grade| grade.name().to_owned()).collect()
    }

    /// The grade of an image. The shares hold in every run of consecutive indices, within one or
    /// two.
    #[must_use]
    pub fn grade(&self, index: usize) -> OctaGrade {
        OctaGrade::ALL[spread(&self.shares, index)]
    }

    /// The label of an image: that of its grade.
    #[must_use]
    pub fn label(&self, index: usize) -> usize {
        self.grade(index).label()
    }

    /// What spoils an image, and how much.
    #[must_use]
    pub fn degradation(&self, index: usize) -> Degradation {
        self.grade(index).draw(self.seed, index)
    }

    /// Draws an image of its grade, and the mask of its vessels (where they are, not where motion
    /// shows them).
    ///
    /// # Errors
    ///
    /// If the side is below 32 or above 2048, or the shares are negative, not finite or all 0.
    pub fn example(&self, index: usize) -> Result<Example> {
        self.draw(index, &self.degradation(index))
    }

    /// Draws the same eye with other degradations; [`Degradation::none`] shows it at its best.
    ///
    /// # Errors
    ///
    /// As [`example`](Self::example), or if a strength is not from 0 to 1.
    pub fn spoiled(&self, index: usize, degradation: &Degradation) -> Result<Image> {
        Ok(self.draw(index, degradation)?.image)
    }

    fn draw(&self, index: usize, degradation: &Degradation) -> Result<Example> {
        self.check()?;
        degradation.check()?;
        let (side, extent) = (self.side, self.field.extent());
        // The eye looks aside: other vessels come into view, instead of those that left.
        let (right, down) = degradation.shift(self.seed, index);
        let center = ((0.5 + right) * extent, (0.5 + down) * extent);
        let random = |stream| Random::keyed(self.seed, index as u64, 0, stream);
        let eye = Eye::draw(&mut random(EYE), extent, center);
        let mut scan = random(SCAN);
        let (light, mask) = eye.see(&mut scan, side, extent);
        let image = Image::new(1, side, side, exposed(light, side, &mut scan))?;
        let image = degradation.with_decentering(0.).apply(&image, self.seed, index)?;
        let label = self.grade(index).label();
        Ok(Example::new(image, label).with_mask(Image::new(1, side, side, mask)?))
    }

    fn check(&self) -> Result<()> {
        let side = self.side;
        if !(32..=2048).contains(&side) {
            let message = format!("synthetic OCTA of {side}×{side}: give sides from 32 to 2048");
            return Err(Error::Setting(message));
        }
        check_shares(&self.shares, "grades")
    }
}

drawn_dataset! {
    /// A number of images of [`Octa`].
    OctaDataset of Octa
}
