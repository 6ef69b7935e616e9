use crate::{
    Color, Error, Example, Filter, Image, Resize, Result,
    random::Random,
    synthetic::{
        anatomy::{Anatomy, render},
        drawn::drawn_dataset,
        lesion::Lesion,
        speckle::Machine,
    },
};

const TISSUE: u64 = 21;
const MASS: u64 = 22;
const SPECKLE: u64 = 23;

/// Simulated B-mode images of the breast, with masks: benign 0, malignant 1, normal 2.
///
/// Scatterers of layered tissue (skin, fat with Cooper's ligaments, gland, muscle) are convolved
/// with the point-spread function of a linear probe; their envelope, which is Rayleigh-distributed
/// speckle, is log-compressed \[1\]. Beams lose strength with depth and in masses, and gain
/// compensation lifts them again.
///
/// Benign masses tend to be smooth, oval, wider than tall, with a thin capsule and enhancement
/// behind; malignant ones irregular, angular or spiculated, taller than wide, with a halo and a
/// shadow behind. No sign is certain: all ranges overlap, and a share of masses looks like the other
/// class altogether (`atypical`), so that even the best classifier errs. For trying programs and for
/// tests; what a model learns here says nothing about patients.
///
/// An image depends on `(seed, index)` alone.
///
/// # Examples
///
/// ```
/// use ocellus_data::synthetic::BMode;
///
/// let generator = BMode::new(64, 64).with_seed(3);
/// let example = generator.example(5)?;
/// assert_eq!(example.image.dims(), (1, 64, 64));
/// assert_eq!(example, generator.example(5)?);
/// assert!(example.mask.is_some_and(|mask| mask.data().contains(&1.)));
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// # References
///
/// 1. J. W. Goodman. *Speckle phenomena in optics*, ch. 3; R. F. Wagner et al. *Statistics of
///    speckle in ultrasound B-scans.* IEEE Trans. Sonics Ultrason. 30(3), 1983.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct BMode {
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// What all images are drawn from.
    pub seed: u64,
    /// Share of malignant masses among masses; 0.43 as in the data of the attention-VGG paper.
    pub malignant: f32,
    /// Share of images without a mass, of class 2. None by default.
    pub normal: f32,
    /// Share of masses that look like the other class.
    pub atypical: f32,
    /// Gray (the default), or the same in three planes.
    pub color: Color,
}

impl Default for BMode {
    /// 128×128 pixels.
    fn default() -> Self {
        Self::new(128, 128)
    }
}

impl BMode {
    /// Gray images of this size, seed 0.
    #[must_use]
    pub fn new(height: usize, width: usize) -> Self {
        Self {
            height,
            width,
            seed: 0,
            malignant: 0.43,
            normal: 0.,
            atypical: 0.03,
            color: Color::Gray,
        }
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the share of malignant masses among masses.
    #[must_use]
    pub fn with_malignant(mut self, share: f32) -> Self {
        self.malignant = share;
        self
    }

    /// Sets the share of images without a mass.
    #[must_use]
    pub fn with_normal(mut self, share: f32) -> Self {
        self.normal = share;
        self
    }

    /// Sets the share of masses that look like the other class.
    #[must_use]
    pub fn with_atypical(mut self, share: f32) -> Self {
        self.atypical = share;
        self
    }

    /// Sets gray or RGB.
    #[must_use]
    pub fn with_color(mut self, color: Color) -> Self {
        self.color = color;
        self
    }

    /// The classes' names, by label.
    #[must_use]
    pub fn classes(&self) -> Vec<String> {
        let count = if self.normal > 0. { 3 } else { 2 };
        ["benign", "malignant", "normal"][..count].iter().map(|&name| name.to_owned()).collect()
    }

    /// The class of an image. The shares hold in every run of consecutive indices, within one or two.
    #[must_use]
    pub fn label(&self, index: usize) -> usize {
        // Multiples of the golden ratio are spread evenly over 0..1.
        let place = (index as f64 * 0.618_033_988_749_894_9).fract() as f32;
        let masses = 1. - self.normal;
        if place < self.malignant * masses {
            1
        } else if place < masses {
            0
        } else {
            2
        }
    }

    /// Draws an image and the mask of its mass, which is empty for a normal breast.
    ///
    /// # Errors
    ///
    /// If a side is below 16 or above 8192, or a share is not from 0 to 1.
    pub fn example(&self, index: usize) -> Result<Example> {
        self.check()?;
        let label = self.label(index);
        let random = |stream| Random::keyed(self.seed, index as u64, 0, stream);
        // Small images are drawn twice as large: pixels average speckle, as a screen's do.
        let fine = if self.height.max(self.width) <= 192 { 2 } else { 1 };
        let (height, width) = (fine * self.height, fine * self.width);
        let mut tissue = random(TISSUE);
        let (anatomy, machine) = (Anatomy::draw(&mut tissue), Machine::draw(&mut tissue));
        let mut mass = random(MASS);
        let looks_malignant = (label == 1) != mass.chance(self.atypical);
        let lesion = (label != 2)
            .then(|| Lesion::draw(&mut mass, looks_malignant, width as f32 / height as f32));
        let (levels, mask) = render(&anatomy, lesion.as_ref(), height, width);
        let gray = machine.image(&levels, width, &mut random(SPECKLE));
        let resize = Resize::new(self.height, self.width).with_filter(Filter::Area);
        let image = resize.apply(&Image::new(1, height, width, gray)?)?;
        let mask = resize.apply_mask(&Image::new(1, height, width, mask)?)?;
        Ok(Example::new(self.color.apply(image)?, label).with_mask(mask))
    }

    fn check(&self) -> Result<()> {
        let (height, width) = (self.height, self.width);
        if !(16..=8192).contains(&height) || !(16..=8192).contains(&width) {
            return Err(Error::Setting(format!(
                "synthetic images of {height}×{width}: both sides must be from 16 to 8192"
            )));
        }
        for (field, share) in
            [("malignant", self.malignant), ("normal", self.normal), ("atypical", self.atypical)]
        {
            if !(0. ..=1.).contains(&share) {
                let message = format!("synthetic images: `{field}` is {share}, give 0 to 1");
                return Err(Error::Setting(message));
            }
        }
        Ok(())
    }
}

drawn_dataset! {
    /// A number of images of [`BMode`].
    BModeDataset of BMode
}
