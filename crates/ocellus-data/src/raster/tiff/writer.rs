use std::{
    io::{Error as IoError, Write},
    path::Path,
};

use flate2::{Compression, write::ZlibEncoder};
use rayon::prelude::*;

use super::{
    encode::{self, HEADER, Table},
    predictor::Predictor,
};
use crate::{
    Error, Result,
    atomic::AtomicFile,
    raster::{RasterConfig, SampleType},
};

/// Rows of a strip.
const STRIP: u32 = 16;

mod sealed {
    pub trait Sealed {}
}

/// A type of samples that [`RasterWriter`] writes: `u8`, `u16`, `i16` or `f32`.
pub trait RasterSample: sealed::Sealed + Copy {
    /// Its name in [`RasterConfig`].
    const TYPE: SampleType;

    /// Appends its bytes in this machine's order.
    #[doc(hidden)]
    fn append(self, bytes: &mut Vec<u8>);
}

macro_rules! samples {
    ($($kind:ty: $name:ident),*) => {$(
        impl sealed::Sealed for $kind {}
        impl RasterSample for $kind {
            const TYPE: SampleType = SampleType::$name;
            fn append(self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_ne_bytes());
            }
        }
    )*};
}
samples!(u8: U8, u16: U16, i16: I16, f32: F32);

/// A GeoTIFF that is written by rows: Deflate, tiles or strips, bands apart, a BigTIFF if it must.
///
/// In memory lies one row of tiles. The file is written beside its place, and takes it at
/// [`RasterWriter::finish`], flushed to disk; dropped before that, it leaves nothing.
///
/// # Examples
///
/// ```
/// use ocellus_data::{
///     geo::{Affine, GeoReference},
///     raster::{RasterConfig, RasterWriter, Window, open_scene},
/// };
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("classes.tif");
/// let geo = GeoReference::new(Affine::north_up((465_000., 4_220_000.), (0.5, 0.5)), 32636);
///
/// let mut writer = RasterWriter::create(&path, RasterConfig::classes(3, 4).with_geo(Some(geo)))?;
/// writer.write_rows(&[0u8, 1, 1, 0, 1, 1])?; // two rows
/// writer.write_rows(&[0u8; 6])?; // two more
/// writer.finish()?;
///
/// let mut scene = open_scene(&path)?;
/// assert_eq!(scene.read(Window::new(1, 0, 2, 1))?.data, [1., 1.]);
/// assert_eq!(scene.info().geo.as_ref().and_then(GeoReference::epsg), Some(32636));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RasterWriter {
    file: AtomicFile,
    config: RasterConfig,
    predictor: Predictor,
    chunk: (u32, u32),
    /// Of each band, the rows of the strips or tiles that are not complete yet.
    rows: Vec<Vec<u8>>,
    written: u32,
    /// End of the file so far.
    end: u64,
    table: Table,
}

impl RasterWriter {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// If the settings are not those of a TIFF, or the file cannot be created.
    pub fn create(path: impl AsRef<Path>, config: RasterConfig) -> Result<Self> {
        config.check()?;
        let chunk = match config.tile {
            Some(side) => (side, side),
            None => (config.width, STRIP.min(config.height)),
        };
        let predictor = match (config.differences, config.sample) {
            (false, _) => Predictor::None,
            (true, SampleType::F32) => Predictor::Float,
            (true, _) => Predictor::Horizontal,
        };
        let chunks = config.bands as u64
            * u64::from(config.width.div_ceil(chunk.0))
            * u64::from(config.height.div_ceil(chunk.1));
        if chunks > 1 << 28 {
            return Err(Error::Setting(format!(
                "{chunks} strips or tiles: take larger tiles than {:?}",
                config.tile
            )));
        }
        let path = path.as_ref();
        let mut file = AtomicFile::create(path)?;
        file.write_all(&[0; HEADER as usize]).map_err(Error::io(path))?;
        let zeros = || vec![0; chunks as usize];
        Ok(Self {
            file,
            predictor,
            chunk,
            rows: vec![Vec::new(); config.bands],
            written: 0,
            end: HEADER,
            table: Table { offsets: zeros(), counts: zeros() },
            config,
        })
    }

    /// Appends rows, in the order (band, row, column): as many as the values make.
    ///
    /// # Errors
    ///
    /// If `T` is not the file's type, the values make no whole rows or too many, or the disk is
    /// full.
    pub fn write_rows<T: RasterSample>(&mut self, values: &[T]) -> Result<()> {
        if T::TYPE != self.config.sample {
            return Err(Error::Setting(format!(
                "{:?} samples for a raster of {:?}",
                T::TYPE,
                self.config.sample
            )));
        }
        let row = self.config.width as usize;
        let count = values.len() / (row * self.config.bands);
        let left = (self.config.height - self.written) as usize;
        if count * row * self.config.bands != values.len() || count > left {
            return Err(Error::Shape(format!(
                "{} values are no rows of {} bands of {row} pixels, of which {left} are left",
                values.len(),
                self.config.bands
            )));
        }
        for index in 0..count {
            for (band, bytes) in self.rows.iter_mut().enumerate() {
                let at = (band * count + index) * row;
                values[at..at + row].iter().for_each(|value| value.append(bytes));
            }
            self.written += 1;
            if self.written.is_multiple_of(self.chunk.1) || self.written == self.config.height {
                self.flush_chunks()?;
            }
        }
        Ok(())
    }

    /// Appends rows of probabilities, in the order (band, row, column), in the file's scale: cut to
    /// 0..1 and rounded to whole steps, or as they are in a file of floats. What is not finite
    /// becomes the no-data value.
    ///
    /// # Errors
    ///
    /// As [`RasterWriter::write_rows`].
    pub fn write_probabilities(&mut self, values: &[f32]) -> Result<()> {
        let (scale, no_data) = (self.config.scale, self.config.no_data.unwrap_or(0.));
        let step = |value: f32| match value.is_finite() {
            true => (f64::from(value.clamp(0., 1.)) / scale).round(),
            false => no_data,
        };
        match self.config.sample {
            SampleType::U8 => {
                self.write_rows::<u8>(&values.iter().map(|&v| step(v) as u8).collect::<Vec<_>>())
            }
            SampleType::U16 => {
                self.write_rows::<u16>(&values.iter().map(|&v| step(v) as u16).collect::<Vec<_>>())
            }
            _ => {
                let value = |&v: &f32| if v.is_finite() { v } else { no_data as f32 };
                self.write_rows::<f32>(&values.iter().map(value).collect::<Vec<_>>())
            }
        }
    }

    /// The number of rows written so far.
    #[must_use]
    pub fn written(&self) -> u32 {
        self.written
    }

    /// Completes the file and puts it into its place.
    ///
    /// # Errors
    ///
    /// If rows are missing, or the disk is full. Then there is no file.
    pub fn finish(mut self) -> Result<()> {
        if self.written != self.config.height {
            return Err(Error::Shape(format!(
                "{}: {} of {} rows were written",
                self.file.path().display(),
                self.written,
                self.config.height
            )));
        }
        let predictor = match self.predictor {
            Predictor::None => 1,
            Predictor::Horizontal => 2,
            Predictor::Float => 3,
        };
        encode::finish(&mut self.file, &self.config, self.chunk, predictor, self.table)
            .map_err(Error::io(self.file.path()))?;
        self.file.commit()
    }

    /// Packs and writes a row of strips or tiles of each band.
    fn flush_chunks(&mut self) -> Result<()> {
        let across = self.config.width.div_ceil(self.chunk.0) as usize;
        let down = self.config.height.div_ceil(self.chunk.1) as usize;
        let row = ((self.written - 1) / self.chunk.1) as usize;
        let packed = (0..self.config.bands * across)
            .into_par_iter()
            .map(|index| self.pack(&self.rows[index / across], index % across))
            .collect::<Result<Vec<_>, IoError>>()
            .map_err(Error::io(self.file.path()))?;
        for (index, bytes) in packed.into_iter().enumerate() {
            let at = (index / across * down + row) * across + index % across;
            self.table.offsets[at] = self.end;
            self.table.counts[at] = bytes.len() as u64;
            self.file.write_all(&bytes).map_err(Error::io(self.file.path()))?;
            self.end += bytes.len() as u64;
        }
        self.rows.iter_mut().for_each(Vec::clear);
        Ok(())
    }

    /// The strip or tile at this column of a band's rows. Tiles beyond the border are filled up
    /// with zeros.
    fn pack(&self, rows: &[u8], column: usize) -> Result<Vec<u8>, IoError> {
        let size = self.config.sample.bytes();
        let (raster_row, chunk_row) =
            (self.config.width as usize * size, self.chunk.0 as usize * size);
        let height = match self.config.tile {
            Some(side) => side as usize,
            None => rows.len() / raster_row,
        };
        let mut chunk = vec![0; chunk_row * height];
        for (row, chunk) in rows.chunks_exact(raster_row).zip(chunk.chunks_exact_mut(chunk_row)) {
            let part = &row[column * chunk_row..raster_row.min((column + 1) * chunk_row)];
            chunk[..part.len()].copy_from_slice(part);
        }
        self.predictor.apply(&mut chunk, chunk_row, 1, size);
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(self.config.level));
        encoder.write_all(&chunk)?;
        encoder.finish()
    }
}
