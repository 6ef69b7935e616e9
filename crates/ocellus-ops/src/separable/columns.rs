use std::mem::MaybeUninit;

use super::Banded;
use crate::cpu::Float;
use crate::simd::{Loop, vectorized_loop};

/// Elements before and behind the rows that a map of columns may read; their values do not count.
pub(super) const MARGIN: usize = 8;

/// The map of columns, prepared for rows that lie behind each other.
pub(super) enum Columns<T> {
    Periodic(Periodic<T>),
    /// Outputs of one or two inputs.
    Pairs(Vec<Pair<T>>),
    /// Each output's first input and weights.
    Irregular(Vec<(usize, Vec<T>)>),
}

/// A map by which the outputs `outputs · q ..` read the same number of inputs from
/// `inputs · q + offset` on: several rows behind each other are as one long row.
pub(super) struct Periodic<T> {
    outputs: usize,
    inputs: usize,
    offset: isize,
    taps: usize,
    /// Those of the first input of all outputs, then of the second, and so on; zero where an
    /// output has none.
    weights: Vec<T>,
}

impl<T: Float> Columns<T> {
    /// For up to `rows` rows at once.
    pub(super) fn new(matrix: &Banded, rows: usize) -> Self {
        let periodic =
            [(1, 1), (2, 1), (1, 2)].into_iter().find_map(|p| Periodic::new(matrix, p, rows));
        match periodic {
            Some(periodic) => Self::Periodic(periodic),
            None if matrix.bands.iter().all(|(_, weights)| (1..=2).contains(&weights.len())) => {
                Self::Pairs(matrix.bands.iter().map(Pair::new).collect())
            }
            None => Self::Irregular(matrix.typed()),
        }
    }

    /// Writes whole rows of outputs, from rows of `width` elements between margins.
    pub(super) fn apply(&self, lines: &[T], width: usize, y: &mut [MaybeUninit<T>]) {
        match self {
            Self::Periodic(periodic) => periodic.apply(lines, y),
            Self::Pairs(pairs) => vectorized_loop(Two { pairs, lines: &lines[MARGIN..], width, y }),
            Self::Irregular(bands) => {
                vectorized_loop(Bands { bands, lines: &lines[MARGIN..], width, y });
            }
        }
    }
}

impl<T: Float> Periodic<T> {
    fn new(matrix: &Banded, (outputs, inputs): (usize, usize), rows: usize) -> Option<Self> {
        if matrix.len() * inputs != matrix.size * outputs {
            return None;
        }
        let bands = || matrix.bands.iter().enumerate().filter(|(_, band)| !band.1.is_empty());
        // The first input counted from those of the period.
        let first = |o: usize, first: usize| first as isize - (o / outputs * inputs) as isize;
        let offset = bands().map(|(o, band)| first(o, band.0)).min()?;
        let end = bands().map(|(o, band)| first(o, band.0) + band.1.len() as isize).max()?;
        let taps = (end - offset) as usize;
        if taps > 4 || offset.unsigned_abs() + taps + 2 > MARGIN {
            return None;
        }
        let len = matrix.len() * rows;
        let mut weights = vec![T::zero(); taps * len];
        for (o, band) in bands() {
            let skipped = (first(o, band.0) - offset) as usize;
            for (tap, &weight) in (skipped..).zip(&band.1) {
                for row in 0..rows {
                    weights[tap * len + row * matrix.len() + o] = T::from_f64(weight);
                }
            }
        }
        Some(Self { outputs, inputs, offset, taps, weights })
    }

    fn apply(&self, lines: &[T], y: &mut [MaybeUninit<T>]) {
        let lines = &lines[MARGIN.wrapping_add_signed(self.offset)..];
        let (taps, weights) = (self.taps, &self.weights[..]);
        match (self.outputs, self.inputs, taps) {
            (1, 1, 1) => vectorized_loop(Taps::<_, 1, 1, 1> { lines, weights, y }),
            (1, 1, 2) => vectorized_loop(Taps::<_, 1, 1, 2> { lines, weights, y }),
            (1, 1, 3) => vectorized_loop(Taps::<_, 1, 1, 3> { lines, weights, y }),
            (1, 1, _) => vectorized_loop(Taps::<_, 1, 1, 4> { lines, weights, y }),
            (2, _, 1) => vectorized_loop(Taps::<_, 2, 1, 1> { lines, weights, y }),
            (2, _, 2) => vectorized_loop(Taps::<_, 2, 1, 2> { lines, weights, y }),
            (2, _, 3) => vectorized_loop(Taps::<_, 2, 1, 3> { lines, weights, y }),
            (2, _, _) => vectorized_loop(Taps::<_, 2, 1, 4> { lines, weights, y }),
            (_, _, 1) => vectorized_loop(Taps::<_, 1, 2, 1> { lines, weights, y }),
            (_, _, 2) => vectorized_loop(Taps::<_, 1, 2, 2> { lines, weights, y }),
            (_, _, 3) => vectorized_loop(Taps::<_, 1, 2, 3> { lines, weights, y }),
            (_, _, _) => vectorized_loop(Taps::<_, 1, 2, 4> { lines, weights, y }),
        }
    }
}

/// P outputs from K inputs, the next P from as many S further on.
struct Taps<'a, T, const P: usize, const S: usize, const K: usize> {
    lines: &'a [T],
    weights: &'a [T],
    y: &'a mut [MaybeUninit<T>],
}

impl<T: Float, const P: usize, const S: usize, const K: usize> Loop for Taps<'_, T, P, S, K> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (y, _) = self.y.as_chunks_mut::<P>();
        let count = y.len();
        // In slices of one length no bounds are checked within the loop, which so becomes one over
        // vectors.
        let weights: [&[[T; P]]; K] = std::array::from_fn(|k| {
            &self.weights[self.weights.len() / K * k..].as_chunks().0[..count]
        });
        let inputs: [&[[T; S]]; K] =
            std::array::from_fn(|k| &self.lines[k / S * S..].as_chunks().0[..count]);
        for q in 0..count {
            for p in 0..P {
                let term = |k: usize| {
                    let (weight, x) = (weights[k][q][p], inputs[k][q][k % S]);
                    // Not the product: x may be infinite, and is another row's, or nothing.
                    if weight == T::zero() { T::zero() } else { weight * x }
                };
                let mut total = term(0);
                for k in 1..K {
                    total += term(k);
                }
                y[q][p].write(total);
            }
        }
    }
}

/// Two inputs and their weights; the second weight is zero where there is one.
pub(super) struct Pair<T> {
    inputs: [usize; 2],
    weights: [T; 2],
}

impl<T: Float> Pair<T> {
    fn new((first, weights): &(usize, Vec<f64>)) -> Self {
        let second = weights.get(1).copied();
        Self {
            inputs: [*first, first + usize::from(second.is_some())],
            weights: [T::from_f64(weights[0]), T::from_f64(second.unwrap_or(0.))],
        }
    }
}

struct Two<'a, T> {
    pairs: &'a [Pair<T>],
    lines: &'a [T],
    width: usize,
    y: &'a mut [MaybeUninit<T>],
}

impl<T: Float> Loop for Two<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let rows = self.y.chunks_mut(self.pairs.len()).zip(self.lines.chunks(self.width));
        for (y, line) in rows {
            for (y, Pair { inputs, weights }) in y.iter_mut().zip(self.pairs) {
                let [a, b] = [line[inputs[0]] * weights[0], line[inputs[1]] * weights[1]];
                // Not the product with zero: x may be infinite.
                y.write(if weights[1] == T::zero() { a } else { a + b });
            }
        }
    }
}

struct Bands<'a, T> {
    bands: &'a [(usize, Vec<T>)],
    lines: &'a [T],
    width: usize,
    y: &'a mut [MaybeUninit<T>],
}

impl<T: Float> Loop for Bands<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let rows = self.y.chunks_mut(self.bands.len()).zip(self.lines.chunks(self.width));
        for (y, line) in rows {
            for (y, (first, weights)) in y.iter_mut().zip(self.bands) {
                let mut total = T::zero();
                for (&weight, &x) in weights.iter().zip(&line[*first..]) {
                    total += weight * x;
                }
                y.write(total);
            }
        }
    }
}
