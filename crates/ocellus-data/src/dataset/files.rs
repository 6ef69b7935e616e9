use std::path::Path;

use crate::{
    CellCrop, Dataset, DecodeConfig, Error, Example, Image, Resize, Result, SampleSet, StainModel,
};

/// The planes of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Color {
    /// As the file has them.
    #[default]
    Keep,
    /// One gray plane.
    Gray,
    /// Red, green and blue; gray is repeated.
    Rgb,
}

impl Color {
    /// The image with these planes.
    ///
    /// # Errors
    ///
    /// If it has neither one nor three channels and a conversion is asked for.
    pub fn apply(self, image: Image) -> Result<Image> {
        match (self, image.channels()) {
            (Self::Keep, _) | (Self::Gray, 1) | (Self::Rgb, 3) => Ok(image),
            (Self::Gray, _) => image.to_gray(),
            (Self::Rgb, _) => image.to_rgb(),
        }
    }
}

/// From a file to an image of a fixed size: all that is done before augmentation.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Color, Image, Preprocess};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("a.png");
/// Image::filled(3, 30, 40, 0.5)?.save_png(&path)?;
/// let image = Preprocess::new(16, 16).with_color(Color::Gray).read(&path)?;
/// assert_eq!(image.dims(), (1, 16, 16));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Preprocess {
    /// Limits and choices of decoding.
    pub decode: DecodeConfig,
    /// The planes of the result. Gray images are best kept gray here, and made RGB by the loader.
    pub color: Color,
    /// The stain that images get, before they are resized and, in [`ImageFiles`], before they are
    /// cropped: background is a part of what it is measured by. None by default; images must be in color.
    pub stain: Option<StainModel>,
    /// The size of the result; the file's own if not set.
    pub resize: Option<Resize>,
}

impl Preprocess {
    /// To this height and width, antialiased, stretched, with the file's planes.
    #[must_use]
    pub fn new(height: usize, width: usize) -> Self {
        Self { resize: Some(Resize::new(height, width)), ..Self::default() }
    }

    /// Sets the limits and choices of decoding.
    #[must_use]
    pub fn with_decode(mut self, decode: DecodeConfig) -> Self {
        self.decode = decode;
        self
    }

    /// Sets the planes of the result.
    #[must_use]
    pub fn with_color(mut self, color: Color) -> Self {
        self.color = color;
        self
    }

    /// Sets the stain that images get.
    #[must_use]
    pub fn with_stain(mut self, stain: impl Into<StainModel>) -> Self {
        self.stain = Some(stain.into());
        self
    }

    /// Sets the size and how it is reached.
    #[must_use]
    pub fn with_resize(mut self, resize: Resize) -> Self {
        self.resize = Some(resize);
        self
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is no image, is damaged or too large, or as [`apply`](Self::apply).
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Image> {
        let path = path.as_ref();
        let image = Image::open_with(path, &self.decode)?;
        self.apply(image).map_err(|error| Error::decode(path, error))
    }

    /// Converts an image that is decoded already.
    ///
    /// # Errors
    ///
    /// If its channels cannot be converted, or it has no stain to normalize.
    pub fn apply(&self, image: Image) -> Result<Image> {
        self.resized(self.recolored(image)?)
    }

    fn recolored(&self, image: Image) -> Result<Image> {
        let image = self.color.apply(image)?;
        match &self.stain {
            Some(stain) => stain.apply(&image),
            None => Ok(image),
        }
    }

    fn resized(&self, image: Image) -> Result<Image> {
        match &self.resize {
            Some(resize) => resize.apply(&image),
            None => Ok(image),
        }
    }
}

/// The image files of a [`SampleSet`], read on demand.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Dataset, Image, ImageFiles, ImageFolder, Preprocess};
///
/// let root = tempfile::tempdir()?;
/// for class in ["benign", "malignant"] {
///     std::fs::create_dir(root.path().join(class))?;
///     Image::filled(1, 30, 40, 0.5)?.save_png(root.path().join(class).join("1.png"))?;
/// }
/// let files = ImageFiles::new(ImageFolder::open(root.path())?, Preprocess::new(16, 16));
/// assert_eq!(files.load(1)?.image.dims(), (1, 16, 16));
/// assert_eq!(files.name(1), "malignant/1.png");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ImageFiles {
    set: SampleSet,
    preprocess: Preprocess,
    masks: bool,
    crop: Option<CellCrop>,
}

impl ImageFiles {
    /// The set's images, without masks.
    #[must_use]
    pub fn new(set: SampleSet, preprocess: Preprocess) -> Self {
        Self { set, preprocess, masks: false, crop: None }
    }

    /// Sets whether masks are read too, where there are any.
    #[must_use]
    pub fn with_masks(mut self, masks: bool) -> Self {
        self.masks = masks;
        self
    }

    /// Sets how images are cropped to what their masks mark, before they are resized. An image
    /// without a mask is an error then.
    #[must_use]
    pub fn with_crop(mut self, crop: CellCrop) -> Self {
        self.crop = Some(crop);
        self
    }

    /// Whether masks are read too.
    #[must_use]
    pub fn has_masks(&self) -> bool {
        self.masks
    }

    /// How images are cropped, if they are.
    #[must_use]
    pub fn crop(&self) -> Option<&CellCrop> {
        self.crop.as_ref()
    }

    /// The files, labels and groups.
    #[must_use]
    pub fn set(&self) -> &SampleSet {
        &self.set
    }

    /// What is done to every file.
    #[must_use]
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }
}

impl Dataset for ImageFiles {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn label(&self, index: usize) -> usize {
        self.set.samples.get(index).map_or(0, |sample| sample.label)
    }

    fn name(&self, index: usize) -> String {
        let path = self.set.samples.get(index).map(|sample| self.set.name(sample));
        path.unwrap_or_default()
    }

    fn load(&self, index: usize) -> Result<Example> {
        let Some(sample) = self.set.samples.get(index) else {
            return Err(Error::Setting(format!("no sample {index} among {}", self.len())));
        };
        let decode = &self.preprocess.decode;
        let (mut image, mut mask) = match self.masks || self.crop.is_some() {
            true => sample.read_with_mask(decode)?,
            false => (sample.read(decode)?, None),
        };
        let of_file = |error: Error| Error::decode(&sample.path, error);
        image = self.preprocess.recolored(image).map_err(of_file)?;
        if let Some(crop) = &self.crop {
            let Some(pixels) = mask else {
                let reason = "no mask to crop by: leave the image out, or do not crop";
                return Err(Error::decode(&sample.path, reason));
            };
            let cut = crop.apply(&image, &pixels);
            let (cell, pixels) = cut.map_err(of_file)?;
            (image, mask) = (cell, self.masks.then_some(pixels));
        }
        let mut example = Example::new(self.preprocess.resized(image)?, sample.label);
        example.mask = match (mask, &self.preprocess.resize) {
            (Some(mask), Some(resize)) => Some(resize.apply_mask(&mask)?),
            (mask, _) => mask,
        };
        Ok(example)
    }
}
