use std::ops::Range;

use crate::{Error, Result};

/// The class, and the level of probability, of a pixel without data.
pub const NO_DATA: u8 = 255;

/// Levels between a probability of 0 and of 1.
const LEVELS: f32 = 250.;

/// Bytes in front of the pixels: first row, rows and columns, 8 each, little-endian.
const HEADER: usize = 24;

/// Some rows of a segmented scene, in bytes.
///
/// Probabilities are kept in steps of 0.004, 0 to 250; see [`probability`](Self::probability).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    rows: Range<usize>,
    width: usize,
    /// Header, classes `(rows, width)`, levels `(classes, rows, width)`: as it lies on disk, for a row
    /// of tiles of a wide scene is large.
    bytes: Vec<u8>,
}

impl Classified {
    /// Rows without data.
    pub(super) fn empty(rows: Range<usize>, width: usize, classes: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + (classes + 1) * rows.len() * width);
        for number in [rows.start, rows.len(), width] {
            bytes.extend((number as u64).to_le_bytes());
        }
        bytes.resize(bytes.capacity(), NO_DATA);
        Self { rows, width, bytes }
    }

    /// Which rows of the scene they are.
    #[must_use]
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The scene's columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The class of each pixel, row by row; [`NO_DATA`] where there is none.
    #[must_use]
    pub fn classes(&self) -> &[u8] {
        &self.bytes[HEADER..][..self.pixels()]
    }

    /// The levels of probability, `(classes, rows, width)`; [`NO_DATA`] where there is none.
    #[must_use]
    pub fn levels(&self) -> &[u8] {
        &self.bytes[HEADER + self.pixels()..]
    }

    fn pixels(&self) -> usize {
        self.rows.len() * self.width
    }

    /// The probability that a level stands for.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_satellite::{Classified, NO_DATA};
    ///
    /// assert_eq!(Classified::probability(125), Some(0.5));
    /// assert_eq!(Classified::probability(NO_DATA), None);
    /// ```
    #[must_use]
    pub fn probability(level: u8) -> Option<f32> {
        (level != NO_DATA).then(|| f32::from(level) / LEVELS)
    }

    /// Puts in columns from `x` on: probabilities `(classes, rows, columns)`, and where there is data.
    pub(super) fn fill(&mut self, x: usize, probabilities: &[f32], valid: &[bool]) {
        let (pixels, all) = (valid.len(), self.pixels());
        let width = pixels / self.rows.len();
        let (classes, levels) = self.bytes[HEADER..].split_at_mut(all);
        for (n, _) in valid.iter().enumerate().filter(|(_, valid)| **valid) {
            let to = n / width * self.width + x + n % width;
            let mut best = (0, f32::NEG_INFINITY);
            for (class, &p) in probabilities[n..].iter().step_by(pixels).enumerate() {
                levels[class * all + to] = (p.clamp(0., 1.) * LEVELS).round() as u8;
                if p > best.1 {
                    best = (class, p);
                }
            }
            classes[to] = best.0 as u8;
        }
    }

    /// As it lies on disk.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// From what [`bytes`](Self::bytes) gave.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        let damaged = || Error::Shape(format!("{} bytes are no rows of a scene", bytes.len()));
        let number = |n: usize| {
            let bytes = bytes.get(8 * n..8 * n + 8)?.try_into().ok()?;
            usize::try_from(u64::from_le_bytes(bytes)).ok()
        };
        let numbers = number(0).zip(number(1)).zip(number(2));
        let ((start, height), width) = numbers.ok_or_else(damaged)?;
        let end = start.checked_add(height).ok_or_else(damaged)?;
        let pixels = height.checked_mul(width).ok_or_else(damaged)?;
        let values = bytes.len() - HEADER;
        if pixels == 0 || values < pixels || !values.is_multiple_of(pixels) {
            return Err(damaged());
        }
        Ok(Self { rows: start..end, width, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_probabilities_wins_and_levels_are_rounded() {
        let mut rows = Classified::empty(3..5, 3, 2);
        let probabilities = [0.5, 0.2, 1., f32::NAN, 0.5, 0.8, 0., f32::NAN];
        rows.fill(1, &probabilities, &[true, true, true, false]);
        let n = NO_DATA;
        assert_eq!(rows.classes(), [n, 0, 1, n, 0, n]);
        assert_eq!(rows.levels(), [n, 125, 50, n, 250, n, n, 125, 200, n, 0, n]);
    }

    #[test]
    fn bytes_come_back_and_damaged_ones_are_an_error() {
        let mut rows = Classified::empty(3..5, 3, 2);
        rows.fill(0, &[0.25; 8], &[true; 4]);
        let bytes = rows.bytes().to_vec();
        assert_eq!(Classified::from_bytes(bytes.clone()).unwrap(), rows);
        for len in (0..30).chain([bytes.len() - 1]) {
            assert!(Classified::from_bytes(bytes[..len].to_vec()).is_err(), "{len}");
        }
        let mut huge = bytes;
        huge[..16].fill(255);
        assert!(Classified::from_bytes(huge).is_err());
    }
}
