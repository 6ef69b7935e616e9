use std::io::Read;

use flate2::read::ZlibDecoder;
use weezl::{BitOrder, LzwStatus, decode::Configuration};

use super::{jpeg, source::Fault};

/// How strips and tiles are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Lzw,
    Deflate,
    PackBits,
    Jpeg,
}

impl Compression {
    /// By the value of the tag.
    pub(crate) fn from_tag(value: u64) -> Result<Self, Fault> {
        let name = match value {
            1 => return Ok(Self::None),
            5 => return Ok(Self::Lzw),
            7 => return Ok(Self::Jpeg),
            8 | 32946 => return Ok(Self::Deflate),
            32773 => return Ok(Self::PackBits),
            2..=4 => "of fax machines",
            6 => "old JPEG",
            34712 => "JPEG 2000",
            34887 => "LERC",
            34925 => "LZMA",
            50000 => "ZSTD",
            50001 => "WebP",
            50002 | 52546 => "JPEG XL",
            _ => "unknown",
        };
        Err(format!(
            "compression {value} ({name}) is not read, only none, LZW, Deflate, PackBits and \
             JPEG: convert it by `gdal_translate -co COMPRESS=DEFLATE`"
        )
        .into())
    }

    /// The `need` bytes that `packed` holds. Memory grows with what is unpacked, never with what
    /// a header promises.
    pub(crate) fn unpack(
        self,
        packed: Vec<u8>,
        need: usize,
        tables: Option<&[u8]>,
    ) -> Result<Vec<u8>, Fault> {
        let mut unpacked = match self {
            Self::None => packed,
            Self::Deflate => {
                let mut out = Vec::new();
                let read = ZlibDecoder::new(&packed[..]).take(need as u64).read_to_end(&mut out);
                match read {
                    Err(error) if out.len() < need => {
                        return Err(format!("damaged Deflate data: {error}").into());
                    }
                    _ => out,
                }
            }
            Self::Lzw => lzw(&packed, need)?,
            Self::PackBits => pack_bits(&packed, need),
            Self::Jpeg => jpeg::unpack(&packed, need, tables)?,
        };
        if unpacked.len() < need {
            return Err(format!("its data end after {} of {need} bytes", unpacked.len()).into());
        }
        unpacked.truncate(need);
        Ok(unpacked)
    }
}

fn lzw(packed: &[u8], need: usize) -> Result<Vec<u8>, Fault> {
    if packed.starts_with(&[0, 1]) {
        return Err("LZW of before TIFF 6 is not read: convert it by `gdal_translate`".into());
    }
    let mut decoder = Configuration::with_tiff_size_switch(BitOrder::Msb, 8)
        .with_yield_on_full_buffer(true)
        .build();
    let mut out = Vec::new();
    let mut packed = packed;
    let mut piece = vec![0; need.clamp(1, 1 << 16)];
    while out.len() < need {
        let step = decoder.decode_bytes(packed, &mut piece);
        packed = &packed[step.consumed_in..];
        out.extend_from_slice(&piece[..step.consumed_out]);
        match step.status {
            Ok(LzwStatus::Ok) if step.consumed_in + step.consumed_out > 0 => {}
            Ok(_) => break,
            Err(error) => return Err(format!("damaged LZW data: {error}").into()),
        }
    }
    Ok(out)
}

fn pack_bits(packed: &[u8], need: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = packed;
    while let [head, tail @ ..] = rest {
        if out.len() >= need {
            break;
        }
        rest = match *head as i8 {
            -128 => tail,
            count @ 0.. => {
                let (literal, after) = tail.split_at(tail.len().min(count as usize + 1));
                out.extend_from_slice(literal);
                after
            }
            count => match tail {
                [byte, after @ ..] => {
                    out.resize(out.len() + 1 + usize::from(count.unsigned_abs()), *byte);
                    after
                }
                [] => tail,
            },
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacks_the_example_of_the_specification() {
        let packed = [
            0xfe, 0xaa, 0x02, 0x80, 0x00, 0x2a, 0xfd, 0xaa, 0x03, 0x80, 0x00, 0x2a, 0x22, 0xf7,
            0xaa,
        ];
        let unpacked = Compression::PackBits.unpack(packed.to_vec(), 24, None).unwrap();
        let expected = [
            0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0xaa, 0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0x22,
            0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
        ];
        assert_eq!(unpacked, expected);
    }

    #[test]
    fn names_a_compression_that_is_not_read() {
        for (value, name) in [(50000, "ZSTD"), (34887, "LERC"), (4711, "4711")] {
            let Err(Fault::Bad(reason)) = Compression::from_tag(value) else { panic!("{value}") };
            assert!(reason.contains(name), "{reason}");
        }
    }

    #[test]
    fn too_little_data_is_an_error() {
        for codec in [Compression::None, Compression::Lzw, Compression::PackBits] {
            assert!(codec.unpack(vec![0x80, 0, 0], 1 << 40, None).is_err(), "{codec:?}");
        }
    }
}
