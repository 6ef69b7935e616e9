use std::{
    fs::File,
    io::{Read, Seek},
    path::{Path, PathBuf},
    sync::Arc,
};

use rayon::prelude::*;

use super::{
    layout::Layout,
    samples,
    source::{Directory, Fault, Source},
    tag,
};
use crate::{
    Error, Result,
    geo::{GeoReference, GeoTags},
    raster::{
        AlphaBand, SceneBlock, SceneConfig, SceneInfo, SceneSource, Window, cache::ChunkCache,
    },
};

/// Strips or tiles that are decoded at a time, in parallel.
const GROUP: usize = 16;

/// A TIFF or GeoTIFF, of which windows are read and never the whole.
///
/// Strips and tiles, pixels together or plane by plane, BigTIFF, both byte orders, any number of
/// bands of 8, 16 and 32-bit whole numbers or 32 and 64-bit floats; uncompressed, LZW, Deflate,
/// PackBits and JPEG; predictors; left-out (sparse) tiles, which are the no-data value, or 0.
/// The first image of the file is read: overviews and mask images after it are not.
///
/// Memory: the tables of where strips or tiles lie (16 bytes each), the cache
/// ([`SceneConfig::cache_bytes`]), and 16 strips or tiles that are being decoded.
///
/// # Examples
///
/// ```no_run
/// use ocellus_data::raster::{GeoTiff, SceneSource, Window};
///
/// let mut scene = GeoTiff::open("area.tif")?;
/// let corner = scene.read(Window::new(0, 0, 364, 364))?;
/// let near_infrared = corner.band(3);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// No doctest: it needs a file.
#[derive(Debug)]
pub struct GeoTiff<R = File> {
    path: PathBuf,
    source: Source<R>,
    layout: Layout,
    info: SceneInfo,
    cache: ChunkCache,
    /// Whether the last band of the file says which pixels hold data.
    mask: bool,
}

impl GeoTiff {
    /// Opens a file with the default [`SceneConfig`].
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is no TIFF, or one of a kind that is not read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &SceneConfig::default())
    }

    /// Opens a file as [`GeoTiff::open`] does, with these limits and choices.
    ///
    /// # Errors
    ///
    /// As [`GeoTiff::open`].
    pub fn open_with(path: impl AsRef<Path>, config: &SceneConfig) -> Result<Self> {
        let path = path.as_ref();
        Self::from_reader(File::open(path).map_err(Error::io(path))?, path, config)
    }
}

impl<R: Read + Seek> GeoTiff<R> {
    /// Reads a TIFF from anywhere; `path` names it in errors.
    ///
    /// # Errors
    ///
    /// As [`GeoTiff::open`].
    pub fn from_reader(reader: R, path: impl AsRef<Path>, config: &SceneConfig) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let fault = |fault: Fault| fault.at(&path);
        let (mut source, directory) = Source::open(reader).map_err(fault)?;
        let layout = Layout::read(&mut source, &directory).map_err(fault)?;
        let geo = geo_tags(&mut source, &directory).map_err(fault)?;
        let no_data = no_data(&mut source, &directory).map_err(fault)?;
        let mask = layout.alpha && config.alpha == AlphaBand::Mask;
        let bands = layout.samples - usize::from(mask);
        let info = SceneInfo::new(layout.width, layout.height, bands, layout.sample)
            .with_no_data(no_data)
            .with_chunk(layout.chunk_width, layout.chunk_height)
            .with_geo(GeoReference::from_tags(geo));
        let cache = ChunkCache::new(config.cache_of(&info));
        Ok(Self { path, source, layout, info, cache, mask })
    }

    /// Puts a window's samples of all bands, alpha too, into `out`.
    fn fill(&mut self, window: Window, out: &mut [f32]) -> Result<()> {
        let chunks = self.crossed(window);
        for group in chunks.chunks(GROUP) {
            let decoded = self.decode(group)?;
            for (chunk, bytes) in group.iter().zip(decoded) {
                self.copy(chunk, bytes.as_deref(), window, out);
            }
        }
        Ok(())
    }

    /// The strips or tiles that a window crosses.
    fn crossed(&self, window: Window) -> Vec<Chunk> {
        let Layout { chunk_width, chunk_height, .. } = self.layout;
        let columns = window.x / chunk_width..=((window.right() - 1) as u32) / chunk_width;
        let rows = window.y / chunk_height..=((window.bottom() - 1) as u32) / chunk_height;
        let planes = if self.layout.planar { self.layout.samples } else { 1 };
        let mut chunks = Vec::new();
        for plane in 0..planes {
            for row in rows.clone() {
                for column in columns.clone() {
                    chunks.push(Chunk {
                        index: self.layout.index(plane, row.into(), column.into()),
                        plane,
                        window: Window::new(
                            column * chunk_width,
                            row * chunk_height,
                            chunk_width,
                            chunk_height,
                        ),
                    });
                }
            }
        }
        chunks
    }

    /// The samples of strips or tiles, from the cache or the file; `None` of those left out.
    fn decode(&mut self, group: &[Chunk]) -> Result<Vec<Option<Arc<[u8]>>>> {
        let mut packed = Vec::with_capacity(group.len());
        for chunk in group {
            packed.push(match (self.cache.get(chunk.index), self.layout.place(chunk.index)) {
                (Some(bytes), _) => Piece::Ready(Some(bytes)),
                (None, None) => Piece::Ready(None),
                (None, Some((offset, count))) => {
                    let rows = self.layout.rows(chunk.index);
                    // A strip without compression may be padded; its tail is not needed.
                    let count = match self.layout.compression {
                        super::codec::Compression::None => {
                            count.min(rows as u64 * self.layout.row_bytes())
                        }
                        _ => count,
                    };
                    let bytes = self.source.bytes_at(offset, count);
                    Piece::Packed(bytes.map_err(|fault| self.fault(chunk, fault))?, rows)
                }
            });
        }
        let (layout, big_endian) = (&self.layout, self.source.big_endian);
        let unpacked: Vec<_> = packed
            .into_par_iter()
            .map(|piece| match piece {
                Piece::Ready(bytes) => Ok((bytes, false)),
                Piece::Packed(bytes, rows) => {
                    unpack(layout, bytes, rows, big_endian).map(|bytes| (Some(bytes), true))
                }
            })
            .collect();
        let mut decoded = Vec::with_capacity(group.len());
        for (chunk, unpacked) in group.iter().zip(unpacked) {
            let (bytes, new) = unpacked.map_err(|fault| self.fault(chunk, fault))?;
            if let Some(bytes) = bytes.as_ref().filter(|_| new) {
                self.cache.put(chunk.index, Arc::clone(bytes));
            }
            decoded.push(bytes);
        }
        Ok(decoded)
    }

    fn fault(&self, chunk: &Chunk, fault: Fault) -> Error {
        match fault {
            Fault::Bad(reason) => Error::decode(
                &self.path,
                format!(
                    "the strip or tile at column {}, row {}: {reason}; copy the file anew",
                    chunk.window.x, chunk.window.y
                ),
            ),
            fault => fault.at(&self.path),
        }
    }

    /// Copies what a strip or tile shares with the window.
    fn copy(&self, chunk: &Chunk, bytes: Option<&[u8]>, window: Window, out: &mut [f32]) {
        let Some(shared) = chunk.window.intersection(window) else { return };
        let (samples, size) = (self.layout.chunk_samples(), self.layout.sample.bytes());
        let row_bytes = self.layout.row_bytes() as usize;
        let (width, plane) = (window.width as usize, window.pixels() as usize);
        let left_out = self.info.no_data.unwrap_or(0.) as f32;
        for y in shared.y..shared.y + shared.height {
            let from = (y - chunk.window.y) as usize * row_bytes
                + (shared.x - chunk.window.x) as usize * samples * size;
            let to = (y - window.y) as usize * width + (shared.x - window.x) as usize;
            for sample in 0..samples {
                let to = (chunk.plane + sample) * plane + to;
                let out = &mut out[to..to + shared.width as usize];
                match bytes {
                    Some(bytes) => {
                        let bytes = &bytes[from + sample * size..];
                        samples::to_f32(self.layout.sample, bytes, samples, out);
                    }
                    None => out.fill(left_out),
                }
            }
        }
    }
}

impl<R: Read + Seek> SceneSource for GeoTiff<R> {
    fn info(&self) -> &SceneInfo {
        &self.info
    }

    fn read(&mut self, window: Window) -> Result<SceneBlock> {
        let stored = self.layout.samples;
        let values = window.values((self.info.width, self.info.height), stored)?;
        let mut data = vec![0.; values];
        self.fill(window, &mut data)?;
        let alpha = self.mask.then(|| data.split_off(self.info.bands * window.pixels() as usize));
        let mut block = SceneBlock::new(window, self.info.bands, data, self.info.no_data)?;
        for (valid, alpha) in block.valid.iter_mut().zip(alpha.into_iter().flatten()) {
            *valid &= alpha != 0.;
        }
        Ok(block)
    }
}

/// A strip or tile: its number, the first band in it, and where it lies.
struct Chunk {
    index: u64,
    plane: usize,
    window: Window,
}

enum Piece {
    Ready(Option<Arc<[u8]>>),
    Packed(Vec<u8>, usize),
}

fn unpack(
    layout: &Layout,
    packed: Vec<u8>,
    rows: usize,
    big_endian: bool,
) -> Result<Arc<[u8]>, Fault> {
    let row = layout.row_bytes() as usize;
    let mut bytes = layout.compression.unpack(packed, rows * row, layout.jpeg_tables.as_deref())?;
    let (samples, size) = (layout.chunk_samples(), layout.sample.bytes());
    layout.predictor.undo(&mut bytes, row, samples, size, big_endian);
    Ok(bytes.into())
}

fn geo_tags<R: Read + Seek>(
    source: &mut Source<R>,
    directory: &Directory,
) -> Result<GeoTags, Fault> {
    let keys = source.numbers(directory, tag::GEO_KEYS)?.unwrap_or_default();
    Ok(GeoTags {
        pixel_scale: source.doubles(directory, tag::PIXEL_SCALE)?,
        tiepoints: source.doubles(directory, tag::TIEPOINT)?,
        transformation: source.doubles(directory, tag::TRANSFORMATION)?,
        keys: keys.into_iter().map(|key| key as u16).collect(),
        doubles: source.doubles(directory, tag::GEO_DOUBLES)?,
        ascii: source.text(directory, tag::GEO_ASCII)?,
    })
}

/// GDAL's tag of text; anything that is no number says nothing.
fn no_data<R: Read + Seek>(
    source: &mut Source<R>,
    directory: &Directory,
) -> Result<Option<f64>, Fault> {
    let text = source.text(directory, tag::GDAL_NODATA)?;
    let text = String::from_utf8_lossy(&text);
    Ok(text.trim_matches(|c: char| c.is_whitespace() || c == '\0').parse().ok())
}
