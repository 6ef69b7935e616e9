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
    /// Header, classes `(rows, width)`, levels `(classes, rows, width)`: as a piece lies on disk.
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

    /// Puts in probabilities `(classes, rows, columns)`, where there is data.
    pub(super) fn fill(&mut self, probabilities: &[f32], valid: &[bool]) {
        let pixels = self.pixels();
        let (classes, levels) = self.bytes[HEADER..].split_at_mut(pixels);
        for (n, _) in valid.iter().enumerate().filter(|(_, valid)| **valid) {
            let mut best = (0, f32::NEG_INFINITY);
            for (class, &p) in probabilities[n..].iter().step_by(pixels).enumerate() {
                levels[class * pixels + n] = (p.clamp(0., 1.) * LEVELS).round() as u8;
                if p > best.1 {
                    best = (class, p);
                }
            }
            classes[n] = best.0 as u8;
        }
    }

    /// As it lies on disk.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Puts in the first of some pieces of these rows: its first column, 8 bytes, and its
    /// [`bytes`](Self::bytes). The pieces after it.
    pub(super) fn paste<'a>(&mut self, pieces: &'a [u8]) -> Result<&'a [u8]> {
        let damaged = || Error::Shape(format!("{} bytes are no piece of a scene", pieces.len()));
        let number = |n: usize| {
            let bytes = pieces.get(8 * n..8 * n + 8)?.try_into().ok()?;
            usize::try_from(u64::from_le_bytes(bytes)).ok()
        };
        let number = |n: usize| number(n).ok_or_else(damaged);
        let (x, start, height, width) = (number(0)?, number(1)?, number(2)?, number(3)?);
        let fits = x.checked_add(width).is_some_and(|end| end <= self.width) && width > 0;
        if !fits || (start, height) != (self.rows.start, self.rows.len()) {
            return Err(damaged());
        }
        let planes = (self.bytes.len() - HEADER) / self.pixels();
        let end = 8 + HEADER + planes * height * width;
        let piece = pieces.get(8 + HEADER..end).ok_or_else(damaged)?;
        let rows = self.bytes[HEADER..].chunks_exact_mut(self.width);
        for (row, piece) in rows.zip(piece.chunks_exact(width)) {
            row[x..x + width].copy_from_slice(piece);
        }
        Ok(&pieces[end..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_probabilities_wins_and_levels_are_rounded() {
        let mut rows = Classified::empty(3..5, 2, 2);
        let probabilities = [0.5, 0.2, 1., f32::NAN, 0.5, 0.8, 0., f32::NAN];
        rows.fill(&probabilities, &[true, true, true, false]);
        let n = NO_DATA;
        assert_eq!(rows.classes(), [0, 1, 0, n]);
        assert_eq!(rows.levels(), [125, 50, 250, n, 125, 200, 0, n]);
    }

    #[test]
    fn pieces_come_back_and_damaged_ones_are_an_error() {
        let pieces: Vec<u8> = [(0, 1, 0.25), (1, 2, 0.75)]
            .into_iter()
            .flat_map(|(x, width, p): (u64, usize, f32)| {
                let mut piece = Classified::empty(3..5, width, 2);
                let values = [vec![p; 2 * width], vec![1. - p; 2 * width]].concat();
                piece.fill(&values, &vec![true; 2 * width]);
                [&x.to_le_bytes(), piece.bytes()].concat()
            })
            .collect();
        let empty = || Classified::empty(3..5, 3, 2);
        let mut whole = empty();
        let rest = whole.paste(&pieces).unwrap();
        assert!(whole.paste(rest).unwrap().is_empty());
        assert_eq!(whole.classes(), [1, 0, 0, 1, 0, 0]);
        assert_eq!(whole.levels(), [63, 188, 188, 63, 188, 188, 188, 63, 63, 188, 63, 63]);
        for len in 0..pieces.len() - rest.len() {
            assert!(empty().paste(&pieces[..len]).is_err(), "{len}");
        }
        for at in [0, 8, 16, 24] {
            let mut bad = pieces.clone();
            bad[at..at + 8].fill(255);
            assert!(empty().paste(&bad).is_err(), "{at}");
        }
    }
}
