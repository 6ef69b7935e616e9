use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::{
    Error, IGNORED, Image, LabeledScene, Result,
    raster::{SampleType, SceneBlock, SceneSource, SelectedBands, Window, open_scene},
};

/// How a mask file says what a pixel is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum MaskCoding {
    /// 0 is class 0, the greatest number (255 of 8 bits) class 1; anything else is an error.
    #[default]
    Binary,
    /// Numbers above this are class 1: for masks that were scaled or are JPEG.
    Above(f32),
    /// Numbers are classes, below this count; 255 is [`IGNORED`].
    Classes(u32),
}

impl MaskCoding {
    /// The number of classes.
    #[must_use]
    pub fn classes(self) -> usize {
        match self {
            Self::Binary | Self::Above(_) => 2,
            Self::Classes(count) => count as usize,
        }
    }

    /// The class of a number of a file whose greatest is `greatest`.
    fn class(self, value: f32, greatest: f32) -> Option<f32> {
        match self {
            Self::Binary if value == 0. => Some(0.),
            Self::Binary if value == greatest => Some(1.),
            Self::Binary => None,
            Self::Above(bar) => Some(f32::from(value > bar)),
            Self::Classes(count) => {
                let class = value.fract() == 0. && value >= 0. && value < count as f32;
                (class || value == IGNORED as f32).then_some(value)
            }
        }
    }

    fn remedy(self) -> String {
        match self {
            Self::Binary => {
                "a binary mask holds 0 and the greatest number: for class numbers take \
                             `MaskCoding::Classes`, for gray ones `MaskCoding::Above`"
                    .to_owned()
            }
            Self::Above(_) => "give a number that is finite".to_owned(),
            Self::Classes(count) => format!("classes are 0 to {}", count.saturating_sub(1)),
        }
    }
}

/// A scene file and its mask file, read by windows.
///
/// Both are GeoTIFF, PNG or JPEG. Pixels without data are [`IGNORED`].
///
/// # Examples
///
/// ```
/// use ocellus_data::{Image, LabeledScene, MaskCoding, ScenePair, raster::Window};
///
/// let folder = tempfile::tempdir()?;
/// let (image, mask) = (folder.path().join("a.png"), folder.path().join("m.png"));
/// Image::filled(3, 20, 30, 0.4)?.save_png(&image)?;
/// Image::filled(1, 20, 30, 1.)?.save_png(&mask)?;
/// let pair = ScenePair::open(&image, &mask, MaskCoding::Binary)?;
/// assert_eq!((pair.size(), pair.bands()), ((30, 20), 3));
/// let (image, mask) = pair.read(Window::new(4, 4, 2, 1))?;
/// assert_eq!((image.data()[0], mask.data()), (102., &[1., 1.][..]));
/// assert_eq!(pair.with_bands(&[2, 0])?.bands(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ScenePair {
    name: String,
    image: Mutex<Box<dyn SceneSource + Send>>,
    mask: Mutex<Box<dyn SceneSource + Send>>,
    mask_path: PathBuf,
    coding: MaskCoding,
    size: (u32, u32),
    bands: usize,
    greatest: f32,
}

impl ScenePair {
    /// Opens both files.
    ///
    /// # Errors
    ///
    /// If one cannot be read, they differ in size, or the mask has several bands that cannot be one.
    pub fn open(
        image: impl AsRef<Path>,
        mask: impl AsRef<Path>,
        coding: MaskCoding,
    ) -> Result<Self> {
        let (image_path, mask_path) = (image.as_ref(), mask.as_ref());
        let (image, mask) = (open_scene(image_path)?, open_scene(mask_path)?);
        let (info, mask_info) = (image.info(), mask.info());
        let size = (info.width, info.height);
        if size != (mask_info.width, mask_info.height) {
            return Err(Error::decode(
                mask_path,
                format!(
                    "the mask is of {}×{} pixels (width×height), {} of {}×{}: they must be of one \
                     size",
                    mask_info.width,
                    mask_info.height,
                    image_path.display(),
                    size.0,
                    size.1
                ),
            ));
        }
        let bands = info.bands;
        let greatest = match mask_info.sample {
            SampleType::U8 => 255.,
            SampleType::U16 => 65_535.,
            _ => 1.,
        };
        Ok(Self {
            name: image_path.display().to_string(),
            image: Mutex::new(image),
            mask: Mutex::new(mask),
            mask_path: mask_path.to_owned(),
            coding,
            size,
            bands,
            greatest,
        })
    }

    /// Keeps these bands alone, counted from 0, in this order.
    ///
    /// # Errors
    ///
    /// If there are none, or the scene has no band of a number.
    pub fn with_bands(mut self, bands: &[usize]) -> Result<Self> {
        let image = self.image.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.image = Mutex::new(Box::new(SelectedBands::new(image, bands)?));
        self.bands = bands.len();
        Ok(self)
    }

    fn classes(&self, block: &SceneBlock) -> Result<Image> {
        let pixels = block.valid.len();
        let (height, width) = (block.window.height as usize, block.window.width as usize);
        let place = |at: usize| {
            let (row, column) = (at / width + block.window.y as usize, at % width);
            format!("row {row}, column {}", column + block.window.x as usize)
        };
        let class = |at: usize| {
            let value = block.data[at];
            // A mask stored as color is gray.
            if let Some(band) =
                (1..block.bands).find(|band| block.data[band * pixels + at] != value)
            {
                return Err(Error::decode(
                    &self.mask_path,
                    format!(
                        "band {band} differs from the first at {}: give a gray mask",
                        place(at)
                    ),
                ));
            }
            if !block.valid[at] {
                return Ok(IGNORED as f32);
            }
            self.coding.class(value, self.greatest).ok_or_else(|| {
                let remedy = self.coding.remedy();
                Error::decode(
                    &self.mask_path,
                    format!("the number {value} at {} is no class: {remedy}", place(at)),
                )
            })
        };
        Image::new(1, height, width, (0..pixels).map(class).collect::<Result<_>>()?)
    }
}

impl LabeledScene for ScenePair {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn bands(&self) -> usize {
        self.bands
    }

    fn read(&self, window: Window) -> Result<(Image, Image)> {
        let mut mask = self.read_mask(window)?;
        let block = self.image.lock().unwrap_or_else(PoisonError::into_inner).read(window)?;
        let (image, valid) = block.into_image()?;
        for (class, valid) in mask.data_mut().iter_mut().zip(valid) {
            if !valid {
                *class = IGNORED as f32;
            }
        }
        Ok((image, mask))
    }

    fn read_mask(&self, window: Window) -> Result<Image> {
        let block = self.mask.lock().unwrap_or_else(PoisonError::into_inner).read(window)?;
        self.classes(&block)
    }
}

impl std::fmt::Debug for ScenePair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScenePair({}, {}×{})", self.name, self.size.0, self.size.1)
    }
}
