use std::{fs::File, io::BufReader, path::Path};

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use crate::{
    Error, Result,
    geo::GeoReference,
    raster::{AlphaBand, SampleType, SceneBlock, SceneConfig, SceneInfo, SceneSource, Window},
};

/// A scene that lies in memory: a PNG or JPEG, or values from anywhere.
///
/// # Examples
///
/// ```
/// use ocellus_data::raster::{MemoryScene, SceneSource, Window};
///
/// let mut scene = MemoryScene::new(1, 2, 3, (0..6).map(|v| v as f32).collect())?;
/// assert_eq!(scene.read(Window::new(1, 0, 2, 2))?.data, [1., 2., 4., 5.]);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryScene {
    info: SceneInfo,
    samples: Samples,
    /// Bands in the samples, alpha too.
    stored: usize,
    /// Whether the last band of the samples says which pixels hold data.
    alpha: bool,
}

#[derive(Clone, Debug)]
enum Samples {
    /// Pixel by pixel.
    U8(Vec<u8>),
    /// Pixel by pixel.
    U16(Vec<u16>),
    /// Plane by plane.
    Planar(Vec<f32>),
}

impl MemoryScene {
    /// A scene of these values in the order (band, row, column).
    ///
    /// # Errors
    ///
    /// If a size is 0, or their product is not the number of values.
    pub fn new(bands: usize, height: u32, width: u32, data: Vec<f32>) -> Result<Self> {
        let values = Window::new(0, 0, width, height).values((width, height), bands)?;
        if values == 0 || values != data.len() {
            return Err(Error::Shape(format!(
                "{} values are no scene of {bands} bands of {width}×{height} pixels",
                data.len()
            )));
        }
        let info = SceneInfo::new(width, height, bands, SampleType::F32);
        Ok(Self { info, samples: Samples::Planar(data), stored: bands, alpha: false })
    }

    /// Reads a PNG or JPEG with the default [`SceneConfig`].
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is no PNG or JPEG, or is damaged or too large.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &SceneConfig::default())
    }

    /// Reads a PNG or JPEG as [`MemoryScene::open`] does, with these limits and choices.
    ///
    /// # Errors
    ///
    /// As [`MemoryScene::open`].
    pub fn open_with(path: impl AsRef<Path>, config: &SceneConfig) -> Result<Self> {
        let path = path.as_ref();
        let file = BufReader::new(File::open(path).map_err(Error::io(path))?);
        let reader = ImageReader::new(file).with_guessed_format().map_err(Error::io(path))?;
        if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
            return Err(Error::decode(
                path,
                "the content is no TIFF, PNG or JPEG: convert it, by `gdal_translate` say",
            ));
        }
        let mut reader = reader;
        let mut limits = image::Limits::default();
        limits.max_alloc =
            Some(config.max_picture_pixels.saturating_mul(8).saturating_add(1 << 26));
        reader.limits(limits);
        let damaged = |error| Error::decode(path, format!("damaged or cut off: {error}"));
        let decoder = reader.into_decoder().map_err(damaged)?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > config.max_picture_pixels {
            return Err(Error::decode(
                path,
                format!(
                    "the header says {width}×{height} pixels, more than the limit of {}: convert \
                     it to a tiled GeoTIFF, which is read by windows, or raise `SceneConfig`",
                    config.max_picture_pixels
                ),
            ));
        }
        let decoded = DynamicImage::from_decoder(decoder).map_err(damaged)?;
        Self::from_picture(decoded, config.alpha, path)
    }

    fn from_picture(decoded: DynamicImage, alpha: AlphaBand, path: &Path) -> Result<Self> {
        use DynamicImage as D;
        let (width, height, color) = (decoded.width(), decoded.height(), decoded.color());
        let (sample, samples) = match decoded {
            D::ImageLuma8(x) => (SampleType::U8, Samples::U8(x.into_raw())),
            D::ImageLumaA8(x) => (SampleType::U8, Samples::U8(x.into_raw())),
            D::ImageRgb8(x) => (SampleType::U8, Samples::U8(x.into_raw())),
            D::ImageRgba8(x) => (SampleType::U8, Samples::U8(x.into_raw())),
            D::ImageLuma16(x) => (SampleType::U16, Samples::U16(x.into_raw())),
            D::ImageLumaA16(x) => (SampleType::U16, Samples::U16(x.into_raw())),
            D::ImageRgb16(x) => (SampleType::U16, Samples::U16(x.into_raw())),
            D::ImageRgba16(x) => (SampleType::U16, Samples::U16(x.into_raw())),
            _ => return Err(Error::decode(path, format!("pixels of {color:?} are not read"))),
        };
        let stored = usize::from(color.channel_count());
        let alpha = color.has_alpha() && alpha == AlphaBand::Mask;
        let info = SceneInfo::new(width, height, stored - usize::from(alpha), sample);
        Ok(Self { info, samples, stored, alpha })
    }

    /// Sets the value that means "no data here".
    #[must_use]
    pub fn with_no_data(mut self, value: Option<f64>) -> Self {
        self.info.no_data = value;
        self
    }

    /// Sets where the scene lies on the ground.
    #[must_use]
    pub fn with_geo(mut self, geo: Option<GeoReference>) -> Self {
        self.info.geo = geo;
        self
    }

    /// Appends one row of a band to `out`.
    fn row(&self, band: usize, y: usize, columns: (usize, usize), out: &mut Vec<f32>) {
        let (width, height) = (self.info.width as usize, self.info.height as usize);
        let (x, count) = columns;
        let at = (y * width + x) * self.stored + band;
        match &self.samples {
            Samples::U8(s) => {
                out.extend(s[at..].iter().step_by(self.stored).take(count).map(|&v| f32::from(v)));
            }
            Samples::U16(s) => {
                out.extend(s[at..].iter().step_by(self.stored).take(count).map(|&v| f32::from(v)));
            }
            Samples::Planar(s) => {
                let at = (band * height + y) * width + x;
                out.extend_from_slice(&s[at..at + count]);
            }
        }
    }
}

impl SceneSource for MemoryScene {
    fn info(&self) -> &SceneInfo {
        &self.info
    }

    fn read(&mut self, window: Window) -> Result<SceneBlock> {
        let bands = self.info.bands;
        let values = window.values((self.info.width, self.info.height), bands)?;
        let rows = window.y as usize..window.bottom() as usize;
        let columns = (window.x as usize, window.width as usize);
        let mut data = Vec::with_capacity(values);
        for band in 0..bands {
            rows.clone().for_each(|y| self.row(band, y, columns, &mut data));
        }
        let mut block = SceneBlock::new(window, bands, data, self.info.no_data)?;
        if self.alpha {
            let mut alpha = Vec::with_capacity(block.valid.len());
            rows.for_each(|y| self.row(bands, y, columns, &mut alpha));
            block.valid.iter_mut().zip(alpha).for_each(|(valid, alpha)| *valid &= alpha != 0.);
        }
        Ok(block)
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgba, RgbaImage};

    use super::*;

    fn picture() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        RgbaImage::from_fn(5, 4, |x, y| Rgba([x as u8, y as u8, 9, u8::from(x != 2) * 255]))
            .save(&path)
            .unwrap();
        (folder, path)
    }

    #[test]
    fn alpha_is_a_band_unless_it_shall_mask() {
        let (_folder, path) = picture();
        let window = Window::new(1, 2, 3, 1);
        let block = MemoryScene::open(&path).unwrap().read(window).unwrap();
        assert_eq!(block.bands, 4);
        assert_eq!(block.data[..6], [1., 2., 3., 2., 2., 2.]);
        assert_eq!(block.band(3), Some(&[255., 0., 255.][..]));
        assert_eq!(block.valid, [true; 3]);

        let config = SceneConfig::default().with_alpha(AlphaBand::Mask);
        let block = MemoryScene::open_with(&path, &config).unwrap().read(window).unwrap();
        assert_eq!((block.bands, block.valid), (3, vec![true, false, true]));
    }

    #[test]
    fn refuses_more_pixels_than_allowed() {
        let (_folder, path) = picture();
        let config = SceneConfig::default().with_max_picture_pixels(19);
        let error = MemoryScene::open_with(&path, &config).unwrap_err().to_string();
        assert!(error.contains("5×4"), "{error}");
    }

    #[test]
    fn a_text_file_is_no_scene() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tif");
        std::fs::write(&path, "no scene").unwrap();
        let error = MemoryScene::open(&path).unwrap_err().to_string();
        assert!(error.contains("no TIFF, PNG or JPEG"), "{error}");
    }
}
