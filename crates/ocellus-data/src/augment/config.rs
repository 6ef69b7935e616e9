use crate::{
    Error, Image, Result,
    augment::{photometry, plan::Plan, warp},
};

/// What lies beyond the border of an image that is turned or shifted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Border {
    /// The image, mirrored.
    #[default]
    Reflect,
    /// The nearest pixel.
    Edge,
    /// A value.
    Constant(f32),
}

/// Random changes that leave the label true: geometry, light and noise.
///
/// Every field is a range that a draw is made from; the default is to change nothing. All geometry
/// is composed into one map, so an image is sampled once, bilinearly, and its mask by the same map.
/// A draw depends on `(seed, epoch, sample)` alone, and each field draws numbers of its own: to
/// switch one on does not change the others.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Augment, Image};
///
/// let image = Image::new(1, 8, 8, (0..64).map(|v| v as f32 / 64.).collect())?;
/// let (same, _) = Augment::default().apply(&image, None, [1, 0, 0])?;
/// assert_eq!(same, image);
///
/// let augment = Augment::ultrasound();
/// let (first, _) = augment.apply(&image, None, [1, 0, 0])?;
/// let (again, _) = augment.apply(&image, None, [1, 0, 0])?;
/// let (next, _) = augment.apply(&image, None, [1, 1, 0])?;
/// assert_eq!(first, again);
/// assert_ne!(first, next);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Augment {
    /// Probability of mirroring left and right.
    pub flip_horizontal: f32,
    /// Probability of mirroring top and bottom. Turns an ultrasound image upside down: shadows
    /// would fall upward.
    pub flip_vertical: f32,
    /// Greatest rotation either way, in degrees.
    pub rotation: f32,
    /// Greatest shift either way, as a fraction of height and width.
    pub shift: f32,
    /// Least and greatest scale; above 1 enlarges. Drawn evenly by logarithm.
    pub scale: (f32, f32),
    /// Least side of a window cut out anywhere and enlarged to the full size, as a fraction of the
    /// side: 1 cuts nothing.
    pub crop: f32,
    /// Standard deviation of a smooth random deformation, as a fraction of the shorter side.
    pub elastic: f32,
    /// Cells of the deformation along a side: more is finer.
    pub elastic_cells: usize,
    /// Greatest brightening or darkening: added.
    pub brightness: f32,
    /// Greatest change of contrast: values are spread about one half by 1 ± this.
    pub contrast: f32,
    /// Greatest change of gamma: the exponent is drawn from 1 / (1 + this) to 1 + this, evenly by
    /// logarithm.
    pub gamma: f32,
    /// Greatest standard deviation of added Gaussian noise.
    pub noise: f32,
    /// Greatest standard deviation of multiplied noise, `x · (1 + σ n)`, as speckle.
    pub speckle: f32,
    /// What lies beyond the border.
    pub border: Border,
}

impl Default for Augment {
    /// No change at all.
    fn default() -> Self {
        Self {
            flip_horizontal: 0.,
            flip_vertical: 0.,
            rotation: 0.,
            shift: 0.,
            scale: (1., 1.),
            crop: 1.,
            elastic: 0.,
            elastic_cells: 4,
            brightness: 0.,
            contrast: 0.,
            gamma: 0.,
            noise: 0.,
            speckle: 0.,
            border: Border::default(),
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident $field:ident: $type:ty;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $field: $type) -> Self {
            self.$field = $field;
            self
        }
    )*};
}

impl Augment {
    /// Moderate changes for B-mode ultrasound: mirrored sideways only, small turns, gain and gamma.
    #[must_use]
    pub fn ultrasound() -> Self {
        Self {
            flip_horizontal: 0.5,
            rotation: 10.,
            shift: 0.08,
            scale: (0.9, 1.15),
            brightness: 0.08,
            contrast: 0.15,
            gamma: 0.2,
            speckle: 0.08,
            ..Self::default()
        }
    }

    setters! {
        /// Sets the probability of mirroring left and right.
        with_flip_horizontal flip_horizontal: f32;
        /// Sets the probability of mirroring top and bottom.
        with_flip_vertical flip_vertical: f32;
        /// Sets the greatest rotation in degrees.
        with_rotation rotation: f32;
        /// Sets the greatest shift as a fraction of the side.
        with_shift shift: f32;
        /// Sets the least and the greatest scale.
        with_scale scale: (f32, f32);
        /// Sets the least side of the window that is cut out.
        with_crop crop: f32;
        /// Sets the strength of the deformation.
        with_elastic elastic: f32;
        /// Sets the cells of the deformation along a side.
        with_elastic_cells elastic_cells: usize;
        /// Sets the greatest change of brightness.
        with_brightness brightness: f32;
        /// Sets the greatest change of contrast.
        with_contrast contrast: f32;
        /// Sets the greatest change of gamma.
        with_gamma gamma: f32;
        /// Sets the greatest deviation of added noise.
        with_noise noise: f32;
        /// Sets the greatest deviation of multiplied noise.
        with_speckle speckle: f32;
        /// Sets what lies beyond the border.
        with_border border: Border;
    }

    /// The changed image, from 0 to 1, and its mask, of 0 and 1, moved alike.
    ///
    /// `key` is `[seed, epoch, sample]`: what the draw depends on.
    ///
    /// # Errors
    ///
    /// If a field is out of its range, or image and mask differ in size.
    pub fn apply(
        &self,
        image: &Image,
        mask: Option<&Image>,
        key: [u64; 3],
    ) -> Result<(Image, Option<Image>)> {
        self.check()?;
        if let Some(mask) = mask
            && (mask.height(), mask.width()) != (image.height(), image.width())
        {
            return Err(Error::Shape(format!("the mask is {mask:?}, its image {image:?}")));
        }
        let plan = Plan::draw(self, key, (image.height(), image.width()));
        let mut changed = warp::apply(image, &plan, self.border);
        photometry::apply(&mut changed, &plan, key);
        // What lies outside of the image is no lesion, unless it mirrors one.
        let border = match self.border {
            Border::Constant(_) => Border::Constant(0.),
            other => other,
        };
        let mask = mask.map(|mask| {
            let mut moved = warp::apply(mask, &plan, border);
            moved.data_mut().iter_mut().for_each(|v| *v = f32::from(*v >= 0.5));
            moved
        });
        Ok((changed, mask))
    }

    /// Checks that every field is in its range.
    ///
    /// # Errors
    ///
    /// Naming the first that is not.
    pub fn check(&self) -> Result<()> {
        let fail = |field: &str, value: &dyn std::fmt::Debug, range: &str| {
            Err(Error::Setting(format!("augmentation: `{field}` is {value:?}, give {range}")))
        };
        let (low, high) = self.scale;
        for (field, value, most) in [
            ("flip_horizontal", self.flip_horizontal, 1.),
            ("flip_vertical", self.flip_vertical, 1.),
            ("rotation", self.rotation, 180.),
            ("shift", self.shift, 1.),
            ("elastic", self.elastic, 1.),
            ("brightness", self.brightness, 1.),
            ("contrast", self.contrast, 1.),
            ("gamma", self.gamma, 10.),
            ("noise", self.noise, 10.),
            ("speckle", self.speckle, 10.),
        ] {
            if !(0. ..=most).contains(&value) {
                return fail(field, &value, &format!("0 to {most}"));
            }
        }
        if !(low >= 0.01 && low <= high && high <= 100.) {
            return fail("scale", &self.scale, "(least, greatest) from 0.01 to 100");
        }
        if !(self.crop > 0. && self.crop <= 1.) {
            return fail("crop", &self.crop, "above 0 to 1");
        }
        if !(1..=64).contains(&self.elastic_cells) {
            return fail("elastic_cells", &self.elastic_cells, "1 to 64");
        }
        Ok(())
    }
}
