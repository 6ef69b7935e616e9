use std::{
    fmt::Write as _,
    io::{Result as IoResult, Seek, SeekFrom, Write},
};

use super::tag;
use crate::{
    geo::GeoReference,
    raster::{RasterConfig, SampleType},
};

/// Bytes kept free for the header, which is written last: by then it is known whether the file is
/// a BigTIFF, whose header is the longer one.
pub(crate) const HEADER: u64 = 16;

/// Where strips or tiles lie, and how large they are.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) offsets: Vec<u64>,
    pub(crate) counts: Vec<u64>,
}

/// One tag of the directory. The values of offsets become 32 or 64 bits wide when it is written.
enum Values {
    Fixed { kind: u16, count: u64, bytes: Vec<u8> },
    Offsets(Vec<u64>),
}

/// Writes tags after all pixels, and the header before them.
pub(crate) fn finish<W: Write + Seek>(
    out: &mut W,
    config: &RasterConfig,
    chunk: (u32, u32),
    predictor: u16,
    table: Table,
) -> IoResult<()> {
    let mut entries = describe(config, chunk, predictor);
    let (offsets, counts) = match config.tile {
        Some(_) => (tag::TILE_OFFSETS, tag::TILE_BYTE_COUNTS),
        None => (tag::STRIP_OFFSETS, tag::STRIP_BYTE_COUNTS),
    };
    entries.push((offsets, Values::Offsets(table.offsets)));
    entries.push((counts, Values::Offsets(table.counts)));
    entries.sort_by_key(|(tag, _)| *tag);
    let end = out.seek(SeekFrom::End(0))?;
    let start = end + end % 2;
    let big = config.big_tiff || directory(&entries, start, false).is_none();
    let Some((bytes, first)) = directory(&entries, start, big) else {
        return Err(std::io::Error::other("a file of more than 2⁶⁴ bytes"));
    };
    out.write_all(&[0][..(end % 2) as usize])?;
    out.write_all(&bytes)?;
    let mut header = b"II".to_vec();
    match big {
        true => {
            header.extend([43, 0, 8, 0, 0, 0]);
            header.extend(first.to_le_bytes());
        }
        false => {
            header.extend([42, 0]);
            header.extend((first as u32).to_le_bytes());
        }
    }
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&header)
}

/// The bytes of values and directory that begin at `start`, and where the directory begins;
/// `None` if offsets of this width do not reach.
fn directory(entries: &[(u16, Values)], start: u64, big: bool) -> Option<(Vec<u8>, u64)> {
    let inline = if big { 8 } else { 4 };
    let mut bytes = Vec::new();
    let mut table = Vec::new();
    for (tag, values) in entries {
        let (kind, count, value) = values.encode(big)?;
        table.extend(tag.to_le_bytes());
        table.extend(kind.to_le_bytes());
        push(&mut table, count, big)?;
        if value.len() <= inline {
            table.extend(&value);
            table.resize(table.len() + inline - value.len(), 0);
        } else {
            push(&mut table, start + bytes.len() as u64, big)?;
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
    }
    let first = start + bytes.len() as u64;
    match big {
        true => bytes.extend((entries.len() as u64).to_le_bytes()),
        false => bytes.extend((entries.len() as u16).to_le_bytes()),
    }
    bytes.extend(table);
    push(&mut bytes, 0, big)?;
    (big || start + bytes.len() as u64 <= u64::from(u32::MAX)).then_some((bytes, first))
}

/// Appends a number of the container's width.
fn push(bytes: &mut Vec<u8>, number: u64, big: bool) -> Option<()> {
    match big {
        true => bytes.extend(number.to_le_bytes()),
        false => bytes.extend(u32::try_from(number).ok()?.to_le_bytes()),
    }
    Some(())
}

impl Values {
    fn shorts(values: impl IntoIterator<Item = u16>) -> Self {
        let bytes: Vec<u8> = values.into_iter().flat_map(u16::to_le_bytes).collect();
        Self::Fixed { kind: tag::SHORT, count: bytes.len() as u64 / 2, bytes }
    }

    fn long(value: u32) -> Self {
        Self::Fixed { kind: tag::LONG, count: 1, bytes: value.to_le_bytes().to_vec() }
    }

    fn doubles(values: &[f64]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::Fixed { kind: tag::DOUBLE, count: values.len() as u64, bytes }
    }

    /// Text, which a zero ends.
    fn text(text: &[u8]) -> Self {
        let mut bytes = text.to_vec();
        if bytes.last() != Some(&0) {
            bytes.push(0);
        }
        Self::Fixed { kind: tag::ASCII, count: bytes.len() as u64, bytes }
    }

    fn encode(&self, big: bool) -> Option<(u16, u64, Vec<u8>)> {
        match self {
            Self::Fixed { kind, count, bytes } => Some((*kind, *count, bytes.clone())),
            Self::Offsets(offsets) => {
                let mut bytes = Vec::with_capacity(offsets.len() * if big { 8 } else { 4 });
                for &offset in offsets {
                    push(&mut bytes, offset, big)?;
                }
                Some((if big { tag::LONG8 } else { tag::LONG }, offsets.len() as u64, bytes))
            }
        }
    }
}

/// All tags but the tables.
fn describe(config: &RasterConfig, chunk: (u32, u32), predictor: u16) -> Vec<(u16, Values)> {
    let bands = config.bands;
    let each = |value: u16| Values::shorts(std::iter::repeat_n(value, bands));
    let format = match config.sample {
        SampleType::F32 | SampleType::F64 => 3,
        SampleType::I8 | SampleType::I16 | SampleType::I32 => 2,
        _ => 1,
    };
    let photometric = if config.colors.is_empty() { 1 } else { 3 };
    let mut entries = vec![
        (tag::IMAGE_WIDTH, Values::long(config.width)),
        (tag::IMAGE_LENGTH, Values::long(config.height)),
        (tag::BITS_PER_SAMPLE, each(8 * config.sample.bytes() as u16)),
        (tag::COMPRESSION, Values::shorts([8])),
        (tag::PHOTOMETRIC, Values::shorts([photometric])),
        (tag::SAMPLES_PER_PIXEL, Values::shorts([bands as u16])),
        (tag::PLANAR_CONFIGURATION, Values::shorts([if bands > 1 { 2 } else { 1 }])),
        (tag::PREDICTOR, Values::shorts([predictor])),
        (tag::SAMPLE_FORMAT, each(format)),
    ];
    match config.tile {
        Some(_) => {
            entries.push((tag::TILE_WIDTH, Values::long(chunk.0)));
            entries.push((tag::TILE_LENGTH, Values::long(chunk.1)));
        }
        None => entries.push((tag::ROWS_PER_STRIP, Values::long(chunk.1))),
    }
    if bands > 1 {
        entries.push((tag::EXTRA_SAMPLES, Values::shorts(std::iter::repeat_n(0, bands - 1))));
    }
    if !config.colors.is_empty() {
        entries.push((tag::COLOR_MAP, color_map(&config.colors)));
    }
    if let Some(metadata) = metadata(config) {
        entries.push((tag::GDAL_METADATA, Values::text(metadata.as_bytes())));
    }
    if let Some(value) = config.no_data {
        let text = if value.is_nan() { "nan".to_owned() } else { value.to_string() };
        entries.push((tag::GDAL_NODATA, Values::text(text.as_bytes())));
    }
    place(config, &mut entries);
    entries
}

/// The tags of the place, as they were read.
fn place(config: &RasterConfig, entries: &mut Vec<(u16, Values)>) {
    let Some(geo) = config.geo.as_ref().map(GeoReference::tags) else { return };
    for (tag, values) in [
        (tag::PIXEL_SCALE, &geo.pixel_scale),
        (tag::TIEPOINT, &geo.tiepoints),
        (tag::TRANSFORMATION, &geo.transformation),
        (tag::GEO_DOUBLES, &geo.doubles),
    ] {
        if !values.is_empty() {
            entries.push((tag, Values::doubles(values)));
        }
    }
    if !geo.keys.is_empty() {
        entries.push((tag::GEO_KEYS, Values::shorts(geo.keys.iter().copied())));
    }
    if !geo.ascii.is_empty() {
        entries.push((tag::GEO_ASCII, Values::text(&geo.ascii)));
    }
}

/// 256 reds, greens and blues of 16 bits; gray where no color is given.
fn color_map(colors: &[[u8; 3]]) -> Values {
    let color = |index: usize, channel: usize| {
        let byte = colors.get(index).map_or(index as u8, |color| color[channel]);
        u16::from(byte) * 257
    };
    Values::shorts((0..3).flat_map(|channel| (0..256).map(move |index| color(index, channel))))
}

/// GDAL's names, scale and offset of bands.
fn metadata(config: &RasterConfig) -> Option<String> {
    if config.scale == 1. && config.band_names.is_empty() {
        return None;
    }
    let mut text = "<GDALMetadata>\n".to_owned();
    for band in 0..config.bands {
        let mut item = |name: &str, value: &str| {
            let role = name.to_lowercase();
            // Writing to a `String` cannot fail.
            let _ = writeln!(
                text,
                "  <Item name=\"{name}\" sample=\"{band}\" role=\"{role}\">{value}</Item>"
            );
        };
        if let Some(name) = config.band_names.get(band) {
            // Twice: GDAL takes the text out of the XML, and then escapes out of the text.
            item("DESCRIPTION", &escape(&escape(name)));
        }
        if config.scale != 1. {
            item("OFFSET", "0");
            item("SCALE", &config.scale.to_string());
        }
    }
    text.push_str("</GDALMetadata>\n");
    Some(text)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_beyond_four_gibibytes_needs_a_big_tiff() {
        let entries = vec![(tag::TILE_OFFSETS, Values::Offsets(vec![1 << 33, 5]))];
        assert!(directory(&entries, 16, false).is_none());
        assert!(directory(&entries, 16, true).is_some());
        let entries = vec![(tag::TILE_OFFSETS, Values::Offsets(vec![16]))];
        assert!(directory(&entries, 16, false).is_some());
        assert!(directory(&entries, (1 << 32) - 4, false).is_none());
    }

    #[test]
    fn names_cannot_break_the_metadata() {
        let config =
            RasterConfig::new(1, 1, 1, SampleType::U8).with_band_names(vec!["<a> & b".to_owned()]);
        let text = metadata(&config).unwrap();
        assert!(text.contains(">&amp;lt;a&amp;gt; &amp;amp; b</Item>"), "{text}");
    }
}
