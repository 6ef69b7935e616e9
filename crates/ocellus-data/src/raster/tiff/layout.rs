use std::io::{Read, Seek};

use super::{
    codec::Compression,
    predictor::Predictor,
    source::{Directory, Fault, Source},
    tag,
};
use crate::raster::SampleType;

/// Most bytes of one decoded strip or tile.
const MAX_CHUNK: u64 = 1 << 29;
/// An uncompressed image that is one strip is read in pieces of about so many bytes.
const PIECE: u64 = 1 << 20;

/// How the pixels of a TIFF are stored, checked.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Samples of a pixel, alpha too.
    pub(crate) samples: usize,
    pub(crate) sample: SampleType,
    pub(crate) planar: bool,
    pub(crate) chunk_width: u32,
    pub(crate) chunk_height: u32,
    tiled: bool,
    across: u64,
    down: u64,
    pub(crate) compression: Compression,
    pub(crate) predictor: Predictor,
    offsets: Vec<u64>,
    counts: Vec<u64>,
    pub(crate) jpeg_tables: Option<Vec<u8>>,
    /// Whether the last sample is marked as alpha.
    pub(crate) alpha: bool,
}

impl Layout {
    pub(crate) fn read<R: Read + Seek>(
        source: &mut Source<R>,
        directory: &Directory,
    ) -> Result<Self, Fault> {
        let (width, height) = (
            side(source, directory, tag::IMAGE_WIDTH)?,
            side(source, directory, tag::IMAGE_LENGTH)?,
        );
        let samples = source.value(directory, tag::SAMPLES_PER_PIXEL)?.unwrap_or(1);
        let samples = match samples {
            1..=65535 => samples as usize,
            _ => return Err(format!("damaged: {samples} bands").into()),
        };
        let sample = sample_type(source, directory)?;
        let compression =
            Compression::from_tag(source.value(directory, tag::COMPRESSION)?.unwrap_or(1))?;
        let predictor = predictor(source, directory, sample, compression)?;
        let planar = match source.value(directory, tag::PLANAR_CONFIGURATION)?.unwrap_or(1) {
            1 => false,
            2 => samples > 1,
            other => return Err(format!("damaged: planar configuration {other}").into()),
        };
        let tiled = source.value(directory, tag::TILE_WIDTH)?.is_some();
        let (chunk_width, chunk_height) = match tiled {
            true => (
                side(source, directory, tag::TILE_WIDTH)?,
                side(source, directory, tag::TILE_LENGTH)?,
            ),
            false => {
                let rows = source.value(directory, tag::ROWS_PER_STRIP)?.unwrap_or(u64::MAX);
                (width, rows.clamp(1, u64::from(height)) as u32)
            }
        };
        let extra = source.numbers(directory, tag::EXTRA_SAMPLES)?.unwrap_or_default();
        let jpeg_tables = source.text(directory, tag::JPEG_TABLES)?;
        let mut layout = Self {
            width,
            height,
            samples,
            sample,
            planar,
            chunk_width,
            chunk_height,
            tiled,
            across: u64::from(width.div_ceil(chunk_width)),
            down: u64::from(height.div_ceil(chunk_height)),
            compression,
            predictor,
            offsets: Vec::new(),
            counts: Vec::new(),
            jpeg_tables: (!jpeg_tables.is_empty()).then_some(jpeg_tables),
            alpha: matches!(extra.last(), Some(1 | 2)) && samples > extra.len(),
        };
        if compression == Compression::Jpeg
            && (sample != SampleType::U8 || !matches!(layout.chunk_samples(), 1 | 3))
        {
            return Err(format!("JPEG of {samples} bands of {sample:?} is not read").into());
        }
        layout.read_tables(source, directory)?;
        layout.cut_single_strip(source.len());
        layout.check_chunk_size()?;
        Ok(layout)
    }

    fn read_tables<R: Read + Seek>(
        &mut self,
        source: &mut Source<R>,
        directory: &Directory,
    ) -> Result<(), Fault> {
        let (what, offsets, counts) = match self.tiled {
            true => ("tiles", tag::TILE_OFFSETS, tag::TILE_BYTE_COUNTS),
            false => ("strips", tag::STRIP_OFFSETS, tag::STRIP_BYTE_COUNTS),
        };
        let planes = if self.planar { self.samples as u64 } else { 1 };
        let chunks = u128::from(self.across * self.down) * u128::from(planes);
        let missing = || Fault::from(format!("damaged: it says not where its {what} lie"));
        self.offsets = source.numbers(directory, offsets)?.ok_or_else(missing)?;
        self.counts = match source.numbers(directory, counts)? {
            Some(counts) => counts,
            None if self.compression == Compression::None => {
                let count = |index| self.rows(index) as u64 * self.row_bytes();
                (0..self.offsets.len() as u64).map(count).collect()
            }
            None => return Err(missing()),
        };
        for (table, len) in [("places", self.offsets.len()), ("sizes", self.counts.len())] {
            if (len as u128) < chunks {
                return Err(format!(
                    "damaged: its header promises {chunks} {what}, its table of {table} has {len}"
                )
                .into());
            }
        }
        Ok(())
    }

    /// Some programs write an uncompressed image as one strip: read it in pieces.
    fn cut_single_strip(&mut self, file: u64) {
        let row = self.row_bytes();
        let rows = (PIECE / row).max(1);
        let whole = self.down == 1 && !self.tiled && self.compression == Compression::None;
        let bytes = row.saturating_mul(u64::from(self.height));
        let there = |(&offset, &count): (&u64, &u64)| {
            count >= bytes && offset > 0 && offset.checked_add(bytes).is_some_and(|end| end <= file)
        };
        if !whole
            || rows >= u64::from(self.height)
            || !self.offsets.iter().zip(&self.counts).all(there)
        {
            return;
        }
        self.chunk_height = rows as u32;
        self.down = u64::from(self.height).div_ceil(rows);
        let strips = std::mem::take(&mut self.offsets);
        let down = self.down;
        let piece = |strip: u64| (0..down).map(move |index| strip + index * rows * row);
        self.offsets = strips.into_iter().flat_map(piece).collect();
        self.counts =
            (0..self.offsets.len() as u64).map(|index| self.rows(index) as u64 * row).collect();
    }

    fn check_chunk_size(&self) -> Result<(), Fault> {
        let bytes = self.row_bytes().saturating_mul(u64::from(self.chunk_height));
        if bytes <= MAX_CHUNK {
            return Ok(());
        }
        Err(format!(
            "its strips or tiles of {}×{} pixels take {} MiB each, more than {} MiB: convert it by \
             `gdal_translate -co TILED=YES -co COMPRESS=DEFLATE`",
            self.chunk_width,
            self.chunk_height,
            bytes >> 20,
            MAX_CHUNK >> 20
        )
        .into())
    }

    /// Samples of a pixel in one strip or tile.
    pub(crate) fn chunk_samples(&self) -> usize {
        if self.planar { 1 } else { self.samples }
    }

    /// Bytes of a row of a strip or tile.
    pub(crate) fn row_bytes(&self) -> u64 {
        u64::from(self.chunk_width) * (self.chunk_samples() * self.sample.bytes()) as u64
    }

    /// Rows that a strip or tile holds: the last strip may be lower, the last tiles are not.
    pub(crate) fn rows(&self, index: u64) -> usize {
        let full = self.chunk_height as usize;
        match self.tiled {
            true => full,
            false => {
                let top = (index % self.down) as usize * full;
                full.min((self.height as usize).saturating_sub(top))
            }
        }
    }

    /// The strip or tile at this place of the grid and of this plane.
    pub(crate) fn index(&self, plane: usize, row: u64, column: u64) -> u64 {
        (plane as u64 * self.down + row) * self.across + column
    }

    /// Where a strip or tile lies, and how many bytes it has; `None` if it was left out.
    pub(crate) fn place(&self, index: u64) -> Option<(u64, u64)> {
        let (offset, count) = (self.offsets[index as usize], self.counts[index as usize]);
        (count > 0).then_some((offset, count))
    }
}

fn side<R: Read + Seek>(
    source: &mut Source<R>,
    directory: &Directory,
    tag: u16,
) -> Result<u32, Fault> {
    match source.value(directory, tag)? {
        Some(value @ 1..=0x7fff_ffff) => Ok(value as u32),
        Some(value) => Err(format!("damaged: a side (tag {tag}) of {value} pixels").into()),
        None => Err(format!("damaged: no size (tag {tag})").into()),
    }
}

fn sample_type<R: Read + Seek>(
    source: &mut Source<R>,
    directory: &Directory,
) -> Result<SampleType, Fault> {
    let uniform = |values: Option<Vec<u64>>, default: u64| match values.as_deref() {
        None | Some([]) => Ok(default),
        Some([first, rest @ ..]) if rest.iter().all(|value| value == first) => Ok(*first),
        Some(values) => Err(format!("bands of different types ({values:?}) are not read")),
    };
    let bits = uniform(source.numbers(directory, tag::BITS_PER_SAMPLE)?, 1)?;
    let format = uniform(source.numbers(directory, tag::SAMPLE_FORMAT)?, 1)?;
    match (format, bits) {
        (1 | 4, 8) => Ok(SampleType::U8),
        (1 | 4, 16) => Ok(SampleType::U16),
        (1 | 4, 32) => Ok(SampleType::U32),
        (2, 8) => Ok(SampleType::I8),
        (2, 16) => Ok(SampleType::I16),
        (2, 32) => Ok(SampleType::I32),
        (3, 32) => Ok(SampleType::F32),
        (3, 64) => Ok(SampleType::F64),
        _ => {
            let kind = match format {
                1 => "unsigned",
                2 => "signed",
                3 => "floating point",
                _ => "complex or unknown",
            };
            Err(format!(
                "{kind} samples of {bits} bits are not read, only whole numbers of 8, 16 and 32 \
                 bits and floats of 32 and 64: convert it by `gdal_translate -ot`"
            )
            .into())
        }
    }
}

fn predictor<R: Read + Seek>(
    source: &mut Source<R>,
    directory: &Directory,
    sample: SampleType,
    compression: Compression,
) -> Result<Predictor, Fault> {
    let packed = matches!(compression, Compression::Lzw | Compression::Deflate);
    match source.value(directory, tag::PREDICTOR)?.unwrap_or(1) {
        _ if !packed => Ok(Predictor::None),
        1 => Ok(Predictor::None),
        2 => Ok(Predictor::Horizontal),
        3 if matches!(sample, SampleType::F32 | SampleType::F64) => Ok(Predictor::Float),
        other => Err(format!("damaged: predictor {other} of {sample:?} samples").into()),
    }
}
