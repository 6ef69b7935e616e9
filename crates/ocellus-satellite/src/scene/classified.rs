use std::ops::Range;

use crate::{Error, Result};

/// The class, and the level of probability, of a pixel without data.
pub const NO_DATA: u8 = 255;

/// Levels between a probability of 0 and of 1.
const LEVELS: f32 = 250.;

/// Some rows of a segmented scene, in bytes.
///
/// Probabilities are kept in steps of 0.004, 0 to 250; see [`probability`](Self::probability).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Classified {
    /// The rows.
    pub rows: Range<usize>,
    /// The scene's columns.
    pub width: usize,
    /// The class of each pixel, row by row; [`NO_DATA`] where there is none.
    pub classes: Vec<u8>,
    /// The levels of probability, `(classes, rows, width)`; [`NO_DATA`] where there is none.
    pub levels: Vec<u8>,
}

impl Classified {
    /// Rows without data.
    pub(super) fn empty(rows: Range<usize>, width: usize, classes: usize) -> Self {
        let pixels = rows.len() * width;
        Self {
            rows,
            width,
            classes: vec![NO_DATA; pixels],
            levels: vec![NO_DATA; classes * pixels],
        }
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
        let (pixels, height) = (valid.len(), self.rows.len());
        let width = pixels / height;
        for (n, _) in valid.iter().enumerate().filter(|(_, valid)| **valid) {
            let to = n / width * self.width + x + n % width;
            let mut best = (0, f32::NEG_INFINITY);
            for (class, &p) in probabilities[n..].iter().step_by(pixels).enumerate() {
                self.levels[class * height * self.width + to] =
                    (p.clamp(0., 1.) * LEVELS).round() as u8;
                if p > best.1 {
                    best = (class, p);
                }
            }
            self.classes[to] = best.0 as u8;
        }
    }

    /// As bytes: first row, rows and columns in 8 bytes each, little-endian, classes, levels.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24 + self.classes.len() + self.levels.len());
        for number in [self.rows.start, self.rows.len(), self.width] {
            bytes.extend((number as u64).to_le_bytes());
        }
        bytes.extend(&self.classes);
        bytes.extend(&self.levels);
        bytes
    }

    /// What [`encode`](Self::encode) gave.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::Shape(format!("{} bytes are no rows of a scene", bytes.len()));
        let number = |n: usize| {
            let bytes = bytes.get(8 * n..8 * n + 8)?.try_into().ok()?;
            usize::try_from(u64::from_le_bytes(bytes)).ok()
        };
        let numbers = number(0).zip(number(1)).zip(number(2));
        let ((start, height), width) = numbers.ok_or_else(damaged)?;
        let end = start.checked_add(height).ok_or_else(damaged)?;
        let pixels = height.checked_mul(width).ok_or_else(damaged)?;
        let values = &bytes[24..];
        if pixels == 0 || values.len() < pixels || !values.len().is_multiple_of(pixels) {
            return Err(damaged());
        }
        let (classes, levels) = values.split_at(pixels);
        Ok(Self { rows: start..end, width, classes: classes.to_vec(), levels: levels.to_vec() })
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
        assert_eq!(rows.classes, [n, 0, 1, n, 0, n]);
        assert_eq!(rows.levels, [n, 125, 50, n, 250, n, n, 125, 200, n, 0, n]);
    }

    #[test]
    fn bytes_come_back_and_damaged_ones_are_an_error() {
        let mut rows = Classified::empty(3..5, 3, 2);
        rows.fill(0, &[0.25; 8], &[true; 4]);
        let bytes = rows.encode();
        assert_eq!(Classified::decode(&bytes).unwrap(), rows);
        for len in (0..30).chain([bytes.len() - 1]) {
            assert!(Classified::decode(&bytes[..len]).is_err(), "{len}");
        }
        let mut huge = bytes;
        huge[..16].fill(255);
        assert!(Classified::decode(&huge).is_err());
    }
}
