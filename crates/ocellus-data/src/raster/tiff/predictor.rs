/// How samples are stored as differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Predictor {
    None,
    /// Difference to the sample before it in the row and band.
    Horizontal,
    /// Differences of the bytes of floats, the highest of all first.
    Float,
}

impl Predictor {
    /// Turns the bytes of a strip or tile into samples of this machine's byte order.
    ///
    /// `row` is the bytes of a row, `samples` the samples of a pixel, `size` the bytes of one.
    pub(crate) fn undo(
        self,
        bytes: &mut [u8],
        row: usize,
        samples: usize,
        size: usize,
        big_endian: bool,
    ) {
        if self == Self::Float {
            let mut packed = vec![0; row];
            for row in bytes.chunks_exact_mut(row) {
                packed.copy_from_slice(row);
                accumulate::<1>(&mut packed, samples, |a, b| [a[0].wrapping_add(b[0])]);
                interleave(&packed, row, size);
            }
            return;
        }
        if big_endian != cfg!(target_endian = "big") && size > 1 {
            bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        if self == Self::Horizontal {
            bytes.chunks_exact_mut(row).for_each(|row| sum(row, samples, size));
        }
    }

    /// Turns samples of this machine's byte order into what [`Predictor::undo`] reads from a
    /// little-endian file.
    pub(crate) fn apply(self, bytes: &mut [u8], row: usize, samples: usize, size: usize) {
        if self == Self::Horizontal {
            bytes.chunks_exact_mut(row).for_each(|row| subtract(row, samples, size));
        }
        if self == Self::Float {
            let mut packed = vec![0; row];
            for row in bytes.chunks_exact_mut(row) {
                deinterleave(row, &mut packed, size);
                subtract(&mut packed, samples, 1);
                row.copy_from_slice(&packed);
            }
        } else if cfg!(target_endian = "big") {
            bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
    }
}

/// Adds to each sample the one before it.
fn sum(row: &mut [u8], samples: usize, size: usize) {
    match size {
        1 => accumulate::<1>(row, samples, |a, b| [a[0].wrapping_add(b[0])]),
        2 => accumulate::<2>(row, samples, |a, b| {
            u16::from_ne_bytes(a).wrapping_add(u16::from_ne_bytes(b)).to_ne_bytes()
        }),
        4 => accumulate::<4>(row, samples, |a, b| {
            u32::from_ne_bytes(a).wrapping_add(u32::from_ne_bytes(b)).to_ne_bytes()
        }),
        _ => accumulate::<8>(row, samples, |a, b| {
            u64::from_ne_bytes(a).wrapping_add(u64::from_ne_bytes(b)).to_ne_bytes()
        }),
    }
}

fn accumulate<const N: usize>(
    row: &mut [u8],
    samples: usize,
    add: impl Fn([u8; N], [u8; N]) -> [u8; N],
) {
    let (values, _) = row.as_chunks_mut::<N>();
    for at in samples..values.len() {
        values[at] = add(values[at - samples], values[at]);
    }
}

/// Subtracts from each sample the one before it.
fn subtract(row: &mut [u8], samples: usize, size: usize) {
    match size {
        1 => differences::<1>(row, samples, |a, b| [a[0].wrapping_sub(b[0])]),
        2 => differences::<2>(row, samples, |a, b| {
            u16::from_ne_bytes(a).wrapping_sub(u16::from_ne_bytes(b)).to_ne_bytes()
        }),
        4 => differences::<4>(row, samples, |a, b| {
            u32::from_ne_bytes(a).wrapping_sub(u32::from_ne_bytes(b)).to_ne_bytes()
        }),
        _ => differences::<8>(row, samples, |a, b| {
            u64::from_ne_bytes(a).wrapping_sub(u64::from_ne_bytes(b)).to_ne_bytes()
        }),
    }
}

fn differences<const N: usize>(
    row: &mut [u8],
    samples: usize,
    subtract: impl Fn([u8; N], [u8; N]) -> [u8; N],
) {
    let (values, _) = row.as_chunks_mut::<N>();
    for at in (samples..values.len()).rev() {
        values[at] = subtract(values[at], values[at - samples]);
    }
}

/// Samples from planes of their bytes, the highest first.
fn interleave(planes: &[u8], row: &mut [u8], size: usize) {
    let count = row.len() / size;
    for (at, sample) in row.chunks_exact_mut(size).enumerate() {
        for (byte, value) in sample.iter_mut().enumerate() {
            *value = planes[plane(byte, size) * count + at];
        }
    }
}

fn deinterleave(row: &[u8], planes: &mut [u8], size: usize) {
    let count = row.len() / size;
    for (at, sample) in row.chunks_exact(size).enumerate() {
        for (byte, &value) in sample.iter().enumerate() {
            planes[plane(byte, size) * count + at] = value;
        }
    }
}

/// The plane of a sample's byte at this place in memory.
fn plane(byte: usize, size: usize) -> usize {
    if cfg!(target_endian = "big") { byte } else { size - 1 - byte }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undoes_what_it_did() {
        for predictor in [Predictor::None, Predictor::Horizontal, Predictor::Float] {
            for size in [1, 2, 4, 8] {
                for samples in [1, 3] {
                    let row = samples * size * 5;
                    let bytes: Vec<u8> = (0..row * 3).map(|v| (v * v + 7 * v) as u8).collect();
                    let mut packed = bytes.clone();
                    predictor.apply(&mut packed, row, samples, size);
                    predictor.undo(&mut packed, row, samples, size, false);
                    assert_eq!(packed, bytes, "{predictor:?}, {samples} samples of {size} bytes");
                }
            }
        }
    }

    #[test]
    fn adds_along_a_row_and_within_a_band() {
        let mut bytes = [1, 10, 1, 10, 1, 10, 5, 5, 0, 0, 0, 0];
        Predictor::Horizontal.undo(&mut bytes, 6, 2, 1, false);
        assert_eq!(bytes, [1, 10, 2, 20, 3, 30, 5, 5, 5, 5, 5, 5]);
    }
}
