use std::{
    fs::File,
    io::{Cursor, Read},
    path::Path,
};

use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, metadata::Orientation,
};

use crate::{
    Error, Image, Result,
    image::{bmp, jpeg, tiff},
};

/// Bytes of a file that hold the headers of PNG and BMP.
const START: u64 = 64;

/// What becomes of an alpha channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alpha {
    /// The color is laid on black: multiplied by alpha.
    #[default]
    OnBlack,
    /// The alpha channel is dropped, the color kept.
    Drop,
}

/// How files become images, and how much memory one may take.
///
/// # Examples
///
/// ```
/// use ocellus_data::DecodeConfig;
///
/// let config = DecodeConfig::default().with_max_pixels(100_000_000);
/// assert_eq!(config.max_pixels, 100_000_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeConfig {
    /// Most pixels, checked on the header, before memory is taken. 2²⁵ (5792²) by default.
    pub max_pixels: u64,
    /// Most bytes of the file. 256 MiB by default.
    pub max_file_bytes: u64,
    /// What becomes of an alpha channel.
    pub alpha: Alpha,
    /// Whether the camera's orientation (EXIF) is undone. On by default.
    pub orientation: bool,
}

impl Default for DecodeConfig {
    fn default() -> Self {
        Self {
            max_pixels: 1 << 25,
            max_file_bytes: 1 << 28,
            alpha: Alpha::OnBlack,
            orientation: true,
        }
    }
}

impl DecodeConfig {
    /// For micrographs of a few megapixels, such as the 2560×1920 of SN-AM: at most 2²³ pixels and
    /// 32 MiB a file, so that a stray one of 100 MB is refused by its length, unread.
    #[must_use]
    pub fn micrograph() -> Self {
        Self { max_pixels: 1 << 23, max_file_bytes: 1 << 25, ..Self::default() }
    }

    /// Sets the most pixels.
    #[must_use]
    pub fn with_max_pixels(mut self, pixels: u64) -> Self {
        self.max_pixels = pixels;
        self
    }

    /// Sets the most bytes of a file.
    #[must_use]
    pub fn with_max_file_bytes(mut self, bytes: u64) -> Self {
        self.max_file_bytes = bytes;
        self
    }

    /// Sets what becomes of an alpha channel.
    #[must_use]
    pub fn with_alpha(mut self, alpha: Alpha) -> Self {
        self.alpha = alpha;
        self
    }

    /// Sets whether the camera's orientation is undone.
    #[must_use]
    pub fn with_orientation(mut self, orientation: bool) -> Self {
        self.orientation = orientation;
        self
    }

    /// What the first bytes of a file of that length tell, before the rest is read.
    fn check_start(&self, start: &[u8], length: u64, path: &Path) -> Result<()> {
        if let Some(size) = png_size(start) {
            self.check_size(size, path)?;
        }
        let Some(header) = bmp::Header::of(start) else { return Ok(()) };
        self.check_size((header.width, header.height), path)?;
        match header.bytes {
            Some(bytes) if bytes > length => Err(Error::decode(
                path,
                format!(
                    "the BMP is cut off: its header promises {bytes} bytes, there are {length}; \
                     copy the file anew"
                ),
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn check_size(&self, (width, height): (u32, u32), path: &Path) -> Result<()> {
        match u64::from(width) * u64::from(height) > self.max_pixels {
            false => Ok(()),
            true => Err(Error::TooLarge {
                path: path.to_owned(),
                what: format!("the header says {width}×{height} pixels"),
                limit: format!("{} pixels", self.max_pixels),
            }),
        }
    }
}

impl Image {
    /// Reads a PNG, JPEG, BMP or TIFF file with the default [`DecodeConfig`].
    ///
    /// The content tells the format, not the name. Gray becomes one channel, color and palettes
    /// three; 8 and 16 bits become 0..1.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is no image, is damaged or cut off, or is too large.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &DecodeConfig::default())
    }

    /// Reads a file as [`Image::open`] does, with these limits and choices.
    ///
    /// # Errors
    ///
    /// As [`Image::open`].
    pub fn open_with(path: impl AsRef<Path>, config: &DecodeConfig) -> Result<Self> {
        let path = path.as_ref();
        let (mut file, length) = open_bounded(path, config.max_file_bytes)?;
        let mut bytes = Vec::new();
        (&mut file).take(START).read_to_end(&mut bytes).map_err(Error::io(path))?;
        config.check_start(&bytes, length, path)?;
        read_rest(file, &mut bytes, path, config.max_file_bytes)?;
        Self::decode(&bytes, path, config)
    }

    /// Decodes a file's bytes; `path` names them in errors.
    ///
    /// # Errors
    ///
    /// As [`Image::open`].
    pub fn decode(bytes: &[u8], path: impl AsRef<Path>, config: &DecodeConfig) -> Result<Self> {
        let path = path.as_ref();
        let format = sniff(bytes, path)?;
        config.check_start(bytes, bytes.len() as u64, path)?;
        if format == ImageFormat::Tiff {
            return tiff::decode(bytes, path, config);
        }
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        let mut limits = image::Limits::default();
        // The decoder's own buffers: at most 8 bytes a pixel, and the file's metadata.
        limits.max_alloc = Some(config.max_pixels.saturating_mul(8).saturating_add(1 << 26));
        reader.limits(limits);
        let failed = |error: ImageError| Error::decode(path, explain(&error, format));
        let mut decoder = reader.into_decoder().map_err(failed)?;
        config.check_size(decoder.dimensions(), path)?;
        if format == ImageFormat::Jpeg && !jpeg::is_complete(bytes) {
            return Err(Error::decode(
                path,
                "the JPEG is cut off: it has no end-of-image marker; copy the file anew",
            ));
        }
        let orientation = match config.orientation {
            true => decoder.orientation().unwrap_or(Orientation::NoTransforms),
            false => Orientation::NoTransforms,
        };
        let mut decoded = DynamicImage::from_decoder(decoder).map_err(failed)?;
        decoded.apply_orientation(orientation);
        planar(&decoded, config.alpha, path)
    }
}

/// The whole file, unless it is larger than allowed: a bound on memory, whatever a folder holds.
pub(crate) fn read_bounded(path: &Path, max_bytes: u64) -> Result<Vec<u8>> {
    let (file, _) = open_bounded(path, max_bytes)?;
    let mut bytes = Vec::new();
    read_rest(file, &mut bytes, path, max_bytes)?;
    Ok(bytes)
}

/// An open file and its length, unless that is more than allowed.
fn open_bounded(path: &Path, max_bytes: u64) -> Result<(File, u64)> {
    let file = File::open(path).map_err(Error::io(path))?;
    let length = file.metadata().map_err(Error::io(path))?.len();
    if length > max_bytes {
        return Err(too_long(path, format!("the file has {length} bytes"), max_bytes));
    }
    Ok((file, length))
}

/// Appends what is left of a file, which may have grown since it was opened, or have no length.
fn read_rest(file: File, bytes: &mut Vec<u8>, path: &Path, max_bytes: u64) -> Result<()> {
    let most = max_bytes.saturating_add(1).saturating_sub(bytes.len() as u64);
    file.take(most).read_to_end(bytes).map_err(Error::io(path))?;
    match bytes.len() as u64 > max_bytes {
        true => Err(too_long(path, "the file goes on".to_owned(), max_bytes)),
        false => Ok(()),
    }
}

fn too_long(path: &Path, what: String, max_bytes: u64) -> Error {
    Error::TooLarge { path: path.to_owned(), what, limit: format!("{max_bytes} bytes") }
}

/// The format by its first bytes.
fn sniff(bytes: &[u8], path: &Path) -> Result<ImageFormat> {
    use ImageFormat as F;
    if bytes.is_empty() {
        return Err(Error::decode(path, "the file is empty (0 bytes); copy it anew or remove it"));
    }
    match image::guess_format(bytes) {
        Ok(format @ (F::Png | F::Jpeg | F::Bmp | F::Tiff)) => Ok(format),
        Ok(other) => Err(Error::decode(
            path,
            format!(
                "the content is {other:?}, which is not read: convert it to PNG, JPEG, BMP or TIFF"
            ),
        )),
        Err(_) => Err(Error::decode(
            path,
            "the content is no PNG, JPEG, BMP or TIFF, whatever the name says; remove or replace it",
        )),
    }
}

/// Width and height in a PNG's header, which the decoder reads only along with what follows it.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.get(12..24).filter(|_| bytes.starts_with(b"\x89PNG"))?;
    let number = |at: usize| header[at..at + 4].iter().fold(0, |n, &b| n << 8 | u32::from(b));
    header.starts_with(b"IHDR").then(|| (number(4), number(8)))
}

fn explain(error: &ImageError, format: ImageFormat) -> String {
    match error {
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            format!("the {format:?} is cut off; copy the file anew")
        }
        other => format!("damaged {format:?}: {other}"),
    }
}

/// Planes of `f32` from whatever the decoder gave.
fn planar(decoded: &DynamicImage, alpha: Alpha, path: &Path) -> Result<Image> {
    use DynamicImage as D;
    let dims = (decoded.height() as usize, decoded.width() as usize);
    let byte = |v: u8| f32::from(v) / 255.;
    let word = |v: u16| f32::from(v) / 65535.;
    let values = |values| planes(dims, values, alpha);
    match decoded {
        D::ImageLuma8(x) => values(Interleaved { samples: x, of: 1, alpha: false, scale: byte }),
        D::ImageLumaA8(x) => values(Interleaved { samples: x, of: 2, alpha: true, scale: byte }),
        D::ImageRgb8(x) => values(Interleaved { samples: x, of: 3, alpha: false, scale: byte }),
        D::ImageRgba8(x) => values(Interleaved { samples: x, of: 4, alpha: true, scale: byte }),
        D::ImageLuma16(x) => {
            planes(dims, Interleaved { samples: x, of: 1, alpha: false, scale: word }, alpha)
        }
        D::ImageLumaA16(x) => {
            planes(dims, Interleaved { samples: x, of: 2, alpha: true, scale: word }, alpha)
        }
        D::ImageRgb16(x) => {
            planes(dims, Interleaved { samples: x, of: 3, alpha: false, scale: word }, alpha)
        }
        D::ImageRgba16(x) => {
            planes(dims, Interleaved { samples: x, of: 4, alpha: true, scale: word }, alpha)
        }
        other => Err(Error::decode(path, format!("pixels of {:?} are not read", other.color()))),
    }
}

/// Samples pixel by pixel, as decoders give them.
struct Interleaved<'a, T, F> {
    samples: &'a [T],
    of: usize,
    alpha: bool,
    scale: F,
}

fn planes<T: Copy, F: Fn(T) -> f32>(
    (height, width): (usize, usize),
    pixels: Interleaved<'_, T, F>,
    alpha: Alpha,
) -> Result<Image> {
    let Interleaved { samples, of, alpha: has_alpha, scale } = pixels;
    let channels = of - usize::from(has_alpha);
    let mut data = Vec::with_capacity(channels * height * width);
    for channel in 0..channels {
        let value = |p: &[T]| match has_alpha && alpha == Alpha::OnBlack {
            true => scale(p[channel]) * scale(p[of - 1]),
            false => scale(p[channel]),
        };
        data.extend(samples.chunks_exact(of).map(value));
    }
    Image::new(channels, height, width, data)
}
