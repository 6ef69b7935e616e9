/// What the header of a BMP file says of its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    /// The least length of the file, if its pixels are not compressed.
    pub(super) bytes: Option<u64>,
}

/// The header of OS/2's BMP, which has 16-bit sides.
const CORE: u32 = 12;

impl Header {
    /// The header at the start of a file, if that is a BMP.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        let half = |at: usize| Some(u16::from_le_bytes(start.get(at..at + 2)?.try_into().ok()?));
        let word = |at: usize| Some(u32::from_le_bytes(start.get(at..at + 4)?.try_into().ok()?));
        if !start.starts_with(b"BM") {
            return None;
        }
        let pixels = word(10)?;
        let (width, height, depth, compression) = match word(14)? {
            CORE => (half(18)?.into(), half(20)?.into(), half(24)?, 0),
            // A negative height means rows from the top; a negative width nothing: the decoder says so.
            _ => (word(18)?, word(22)?.cast_signed().unsigned_abs(), half(28)?, word(30)?),
        };
        // None, and none but with masks of the channels' bits.
        let plain = matches!(compression, 0 | 3 | 6);
        let row = (u64::from(width) * u64::from(depth)).div_ceil(32).saturating_mul(4);
        let bytes =
            plain.then(|| u64::from(pixels).saturating_add(row.saturating_mul(height.into())));
        Some(Self { width, height, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(width: i32, height: i32, depth: u16, compression: u32) -> Vec<u8> {
        let mut bytes = b"BM\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend(54u32.to_le_bytes());
        bytes.extend(40u32.to_le_bytes());
        bytes.extend(width.to_le_bytes());
        bytes.extend(height.to_le_bytes());
        bytes.extend([1, 0]);
        bytes.extend(depth.to_le_bytes());
        bytes.extend(compression.to_le_bytes());
        bytes
    }

    #[test]
    fn rows_are_padded_to_four_bytes() {
        let micrograph = Header::of(&header(2560, -1920, 24, 0)).unwrap();
        assert_eq!((micrograph.width, micrograph.height), (2560, 1920));
        assert_eq!(micrograph.bytes, Some(54 + 2560 * 1920 * 3));
        assert_eq!(Header::of(&header(5, 2, 24, 0)).unwrap().bytes, Some(54 + 2 * 16));
        assert_eq!(Header::of(&header(9, 3, 1, 0)).unwrap().bytes, Some(54 + 3 * 4));
    }

    #[test]
    fn compressed_files_have_no_known_length() {
        assert_eq!(Header::of(&header(5, 2, 8, 1)).unwrap().bytes, None);
    }

    #[test]
    fn the_old_header_has_short_sides() {
        let mut bytes = b"BM\0\0\0\0\0\0\0\0\x1a\0\0\0\x0c\0\0\0".to_vec();
        bytes.extend([7, 0, 3, 0, 1, 0, 24, 0]);
        assert_eq!(
            Header::of(&bytes),
            Some(Header { width: 7, height: 3, bytes: Some(26 + 3 * 24) })
        );
    }

    #[test]
    fn no_start_is_too_short_or_too_large_a_number() {
        let whole = header(i32::MIN, i32::MIN, u16::MAX, 0);
        assert!(Header::of(&whole).unwrap().bytes.unwrap() > 1 << 40);
        assert!((0..whole.len()).all(|length| Header::of(&whole[..length]).is_none()));
        assert_eq!(Header::of(b"\x89PNG\r\n"), None);
    }
}
