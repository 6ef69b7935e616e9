/// Whether a JPEG has its end-of-image marker.
///
/// The decoder fills the rest of a file that was cut off with gray and says nothing, so that half a
/// picture would train a model. Segments are walked up to the first scan, since a thumbnail inside
/// a segment has an end of its own; within the scans a marker `FF D9` stands for nothing else.
pub(crate) fn is_complete(bytes: &[u8]) -> bool {
    let mut at = 2; // After the start-of-image marker.
    loop {
        let Some(&[prefix, marker]) = bytes.get(at..at + 2) else {
            return false;
        };
        match (prefix, marker) {
            (0xff, 0xff) => at += 1,                          // Padding.
            (0xff, 0x01 | 0xd0..=0xd7) => at += 2,            // Markers without a segment.
            (0xff, 0xd9) => return true,                      // An end before any scan.
            (0xff, 0xda) => return has_end(&bytes[at + 2..]), // The first scan.
            (0xff, _) => {
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else {
                    return false;
                };
                at += 2 + usize::from(u16::from_be_bytes([high, low]));
            }
            _ => return has_end(&bytes[at..]), // Junk: the decoder says what it thinks of it.
        }
    }
}

fn has_end(scans: &[u8]) -> bool {
    scans.windows(2).any(|pair| pair == [0xff, 0xd9])
}
