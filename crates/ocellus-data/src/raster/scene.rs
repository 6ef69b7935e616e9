use std::{fs::File, io::Read, path::Path};

use crate::{
    Error, Result,
    geo::GeoReference,
    raster::{GeoTiff, MemoryScene, SceneBlock, Window},
};

/// The type of a scene's samples in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SampleType {
    /// Unsigned, 8 bits.
    U8,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 16 bits.
    U16,
    /// Signed, 16 bits.
    I16,
    /// Unsigned, 32 bits; read as `f32`, which is exact up to 2²⁴.
    U32,
    /// Signed, 32 bits; read as `f32`, which is exact up to 2²⁴.
    I32,
    /// Floating point, 32 bits.
    F32,
    /// Floating point, 64 bits; read rounded to `f32`.
    F64,
}

impl SampleType {
    /// Bytes of one sample.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// What a scene is, known without reading its pixels.
///
/// # Examples
///
/// ```
/// use ocellus_data::raster::{SampleType, SceneInfo};
///
/// let info = SceneInfo::new(8700, 6600, 4, SampleType::U16).with_no_data(Some(0.));
/// assert_eq!(info.bands, 4);
/// assert!(info.geo.is_none());
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SceneInfo {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bands that [`SceneSource::read`] gives.
    pub bands: usize,
    /// Type of the samples in the file.
    pub sample: SampleType,
    /// The value that means "no data here".
    pub no_data: Option<f64>,
    /// Width and height of the pieces that the file is stored in. Windows along their borders are
    /// read fastest.
    pub chunk: (u32, u32),
    /// Where the scene lies on the ground.
    pub geo: Option<GeoReference>,
}

impl SceneInfo {
    /// A scene without a place on the ground, in one piece.
    #[must_use]
    pub fn new(width: u32, height: u32, bands: usize, sample: SampleType) -> Self {
        Self { width, height, bands, sample, no_data: None, chunk: (width, height), geo: None }
    }

    /// Sets the value that means "no data here".
    #[must_use]
    pub fn with_no_data(mut self, value: Option<f64>) -> Self {
        self.no_data = value;
        self
    }

    /// Sets width and height of the pieces that the scene is stored in.
    #[must_use]
    pub fn with_chunk(mut self, width: u32, height: u32) -> Self {
        self.chunk = (width, height);
        self
    }

    /// Sets where the scene lies on the ground.
    #[must_use]
    pub fn with_geo(mut self, geo: Option<GeoReference>) -> Self {
        self.geo = geo;
        self
    }

    /// Bytes of the decoded strips or tiles that a window of that size meets, wherever it lies: a
    /// cache of as many decodes each once while such a window moves over its row.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::raster::{SampleType, SceneInfo};
    ///
    /// let tiled = SceneInfo::new(60_000, 60_000, 4, SampleType::U16).with_chunk(256, 256);
    /// assert_eq!(tiled.window_bytes(512, 512), 3 * 256 * 3 * 256 * 8);
    /// let strips = tiled.with_chunk(60_000, 16);
    /// assert_eq!(strips.window_bytes(512, 512), 33 * 16 * 60_000 * 8);
    /// ```
    #[must_use]
    pub fn window_bytes(&self, width: u32, height: u32) -> u64 {
        let met = |window: u32, chunk: u32, side: u32| {
            let most = u64::from(window).div_ceil(u64::from(chunk.max(1))) + 1;
            most.min(u64::from(side.div_ceil(chunk.max(1)))) * u64::from(chunk)
        };
        let pixels = met(width, self.chunk.0, self.width) * met(height, self.chunk.1, self.height);
        pixels.saturating_mul((self.bands * self.sample.bytes()) as u64)
    }
}

/// A scene that is read by windows.
///
/// # Examples
///
/// A scene made by a formula, of any size:
///
/// ```
/// use ocellus_data::{Result, raster::{SampleType, SceneBlock, SceneInfo, SceneSource, Window}};
///
/// struct Ramp(SceneInfo);
///
/// impl SceneSource for Ramp {
///     fn info(&self) -> &SceneInfo {
///         &self.0
///     }
///     fn read(&mut self, window: Window) -> Result<SceneBlock> {
///         let row = |y: u32| (window.x..window.x + window.width).map(move |x| (x + y) as f32);
///         let data = (window.y..window.y + window.height).flat_map(row).collect();
///         SceneBlock::new(window, 1, data, None)
///     }
/// }
///
/// let mut scene = Ramp(SceneInfo::new(60_000, 60_000, 1, SampleType::F32));
/// assert_eq!(scene.read(Window::new(7, 5, 2, 1))?.data, [12., 13.]);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
pub trait SceneSource {
    /// Size, bands, place on the ground.
    fn info(&self) -> &SceneInfo;

    /// Reads a window, which must lie within the scene. `&mut` because files have a position and
    /// decoded pieces are kept.
    ///
    /// # Errors
    ///
    /// If the window is not within the scene, or the file cannot be read or is damaged there.
    fn read(&mut self, window: Window) -> Result<SceneBlock>;
}

impl<S: SceneSource + ?Sized> SceneSource for Box<S> {
    fn info(&self) -> &SceneInfo {
        (**self).info()
    }

    fn read(&mut self, window: Window) -> Result<SceneBlock> {
        (**self).read(window)
    }
}

/// What becomes of a band that a file marks as alpha.
///
/// GDAL marks the fourth of four 8-bit bands so unless told otherwise, also where it is near
/// infrared. So [`AlphaBand::Image`] is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AlphaBand {
    /// A band as any other.
    #[default]
    Image,
    /// Not among the bands; pixels where it is 0 hold no data.
    Mask,
}

/// Bytes of decoded pieces that are kept however small the windows: some that the next row meets.
const LEAST_CACHE: u64 = 1 << 26;

/// How scenes are read, and how much memory that may take.
///
/// # Examples
///
/// ```
/// use ocellus_data::raster::{AlphaBand, SceneConfig};
///
/// let config = SceneConfig::default().with_cache_bytes(1 << 26).with_alpha(AlphaBand::Mask);
/// assert_eq!(config.cache_bytes, 1 << 26);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SceneConfig {
    /// Most bytes of decoded strips or tiles that are kept, so that overlapping windows do not
    /// decode twice. 2²⁸ (256 MiB) by default: 364 rows of 60,000 pixels in four bands of 16 bits.
    pub cache_bytes: usize,
    /// Width and height of the windows that will be read, row by row from the left: no more is kept
    /// than spares decoding twice within a row, but 64 MiB. Unknown by default.
    pub windows: Option<(u32, u32)>,
    /// Most pixels of a PNG or JPEG, which is held in memory whole. 2²⁸ (16,384²) by default.
    pub max_picture_pixels: u64,
    /// What becomes of an alpha band.
    pub alpha: AlphaBand,
}

impl Default for SceneConfig {
    fn default() -> Self {
        let alpha = AlphaBand::Image;
        Self { cache_bytes: 1 << 28, windows: None, max_picture_pixels: 1 << 28, alpha }
    }
}

impl SceneConfig {
    /// Sets the most bytes of decoded pieces that are kept.
    #[must_use]
    pub fn with_cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Sets width and height of the windows that will be read.
    #[must_use]
    pub fn with_windows(mut self, width: u32, height: u32) -> Self {
        self.windows = Some((width, height));
        self
    }

    /// The bytes of decoded pieces to keep of a scene.
    pub(super) fn cache_of(&self, info: &SceneInfo) -> usize {
        let Some((width, height)) = self.windows else { return self.cache_bytes };
        // The next window's come while this one's are there.
        let bytes = info.window_bytes(width.saturating_mul(2), height).max(LEAST_CACHE);
        usize::try_from(bytes).map_or(self.cache_bytes, |bytes| bytes.min(self.cache_bytes))
    }

    /// Sets the most pixels of a PNG or JPEG.
    #[must_use]
    pub fn with_max_picture_pixels(mut self, pixels: u64) -> Self {
        self.max_picture_pixels = pixels;
        self
    }

    /// Sets what becomes of an alpha band.
    #[must_use]
    pub fn with_alpha(mut self, alpha: AlphaBand) -> Self {
        self.alpha = alpha;
        self
    }
}

/// Opens a scene: TIFF by windows ([`GeoTiff`]), PNG and JPEG whole ([`MemoryScene`]), with the
/// default [`SceneConfig`]. The content tells the format, not the name.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Image, raster::{Window, open_scene}};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("scene.png");
/// Image::filled(3, 20, 30, 1.)?.save_png(&path)?;
///
/// let mut scene = open_scene(&path)?;
/// assert_eq!((scene.info().width, scene.info().bands), (30, 3));
/// assert_eq!(scene.read(Window::new(29, 0, 1, 1))?.data, [255., 255., 255.]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If the file cannot be read, is no image of these formats, or is damaged or too large.
pub fn open_scene(path: impl AsRef<Path>) -> Result<Box<dyn SceneSource + Send>> {
    open_scene_with(path, &SceneConfig::default())
}

/// Opens a scene as [`open_scene`] does, with these limits and choices.
///
/// # Errors
///
/// As [`open_scene`].
pub fn open_scene_with(
    path: impl AsRef<Path>,
    config: &SceneConfig,
) -> Result<Box<dyn SceneSource + Send>> {
    let path = path.as_ref();
    let mut start = Vec::with_capacity(4);
    File::open(path)
        .and_then(|file| file.take(4).read_to_end(&mut start))
        .map_err(Error::io(path))?;
    match start[..] {
        [b'I', b'I', ..] | [b'M', b'M', ..] => Ok(Box::new(GeoTiff::open_with(path, config)?)),
        _ => Ok(Box::new(MemoryScene::open_with(path, config)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_fits_the_windows_within_its_bound() {
        let info = SceneInfo::new(60_000, 60_000, 4, SampleType::U16).with_chunk(256, 256);
        let config = SceneConfig::default();
        assert_eq!(config.cache_of(&info), 1 << 28);
        let config = config.with_windows(512, 512);
        assert_eq!(config.cache_of(&info), 1 << 26);
        // Rows of 16 strips of 7.68 MB each, and one more.
        let strips = info.clone().with_chunk(60_000, 16);
        assert_eq!(config.with_windows(512, 256).cache_of(&strips), 17 * 16 * 60_000 * 8);
        assert_eq!(config.with_windows(512, 4096).cache_of(&strips), 1 << 28);
        assert_eq!(config.with_windows(u32::MAX, u32::MAX).cache_of(&info), 1 << 28);
    }
}
