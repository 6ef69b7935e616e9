use rayon::prelude::*;

use super::pivots::Pivots;
use crate::crf::lattice::Features;

/// Pixels that are solved for side by side.
const LANES: usize = 16;

/// Landmarks that are filtered side by side.
pub(super) const GROUP: usize = 32;

/// Pixels of a task.
const CHUNK: usize = 64 * LANES;

/// Each pixel's color in terms of the landmarks: k(i, j) ≈ zᵢ · zⱼ, and what is left of k(i, i) = 1.
#[derive(Debug)]
pub(super) struct Coordinates {
    /// z of each pixel; a multiple of [`GROUP`], filled up with zeros.
    pub(super) rank: usize,
    pub(super) z: Vec<f32>,
    pub(super) rest: Vec<f32>,
}

impl Coordinates {
    /// z = T⁻¹ (k(i, m))ₘ for the landmarks m. Pixels without data get zeros.
    pub(super) fn new(features: &Features, pivots: &Pivots) -> Self {
        let pixels = features.block().pixels();
        let rank = pivots.count.next_multiple_of(GROUP).max(GROUP);
        let (mut z, mut rest) = (vec![0.; pixels * rank], vec![0.; pixels]);
        let chunks = z.par_chunks_mut(CHUNK * rank).zip(rest.par_chunks_mut(CHUNK));
        chunks.enumerate().for_each_init(
            || Solver::new(features.dims(), rank),
            |solver, (chunk, (z, rest))| {
                let blocks = z.chunks_mut(LANES * rank).zip(rest.chunks_mut(LANES));
                for (block, (z, rest)) in blocks.enumerate() {
                    solver.solve(features, pivots, chunk * CHUNK + block * LANES, z, rest);
                }
            },
        );
        Self { rank, z, rest }
    }

    /// A pixel's coordinates for a group of landmarks.
    pub(super) fn group(&self, pixel: usize, first: usize) -> &[f32] {
        &self.z[pixel * self.rank + first..][..GROUP]
    }
}

struct Solver {
    place: Vec<f64>,
    /// Bands of the pixels, `[band][lane]`.
    colors: Vec<[f32; LANES]>,
    solved: Vec<[f32; LANES]>,
}

impl Solver {
    fn new(dims: usize, rank: usize) -> Self {
        Self {
            place: vec![0.; dims],
            colors: vec![[0.; LANES]; dims - 2],
            solved: vec![[0.; LANES]; rank],
        }
    }

    /// For the pixels from `first` on, as many as `rest` has entries.
    fn solve(
        &mut self,
        features: &Features,
        pivots: &Pivots,
        first: usize,
        z: &mut [f32],
        rest: &mut [f32],
    ) {
        let rank = z.len() / rest.len();
        for (lane, pixel) in (first..first + rest.len()).enumerate() {
            if !features.block().is_valid(pixel) {
                continue;
            }
            features.write(pixel, &mut self.place);
            let bands = self.place[2..].iter().zip(&pivots.center);
            for (colors, (value, center)) in self.colors.iter_mut().zip(bands) {
                colors[lane] = (value - center) as f32;
            }
        }
        let mut squares = [0.; LANES];
        let (mut row, bands) = (&pivots.factor[..], self.colors.len());
        for m in 0..pivots.count {
            let (factors, after) = row.split_at(m + 1);
            row = after;
            let mut values = self.kernel(&pivots.colors[m * bands..][..bands]);
            for (factor, solved) in factors[..m].iter().zip(&self.solved) {
                values.iter_mut().zip(solved).for_each(|(value, z)| *value -= factor * z);
            }
            values.iter_mut().for_each(|value| *value /= factors[m]);
            squares.iter_mut().zip(&values).for_each(|(sum, z)| *sum += z * z);
            self.solved[m] = values;
        }
        for (lane, (z, rest)) in z.chunks_exact_mut(rank).zip(rest).enumerate() {
            if features.block().is_valid(first + lane) {
                z.iter_mut().zip(&self.solved[..pivots.count]).for_each(|(z, s)| *z = s[lane]);
                *rest = (1. - squares[lane]).max(0.);
            }
        }
    }

    /// exp(−|c − landmark|² / 2) of each pixel.
    fn kernel(&self, landmark: &[f32]) -> [f32; LANES] {
        let mut squares = [0.; LANES];
        for (colors, center) in self.colors.iter().zip(landmark) {
            squares.iter_mut().zip(colors).for_each(|(sum, c)| *sum += (c - center) * (c - center));
        }
        squares.map(|square: f32| (-0.5 * square).exp())
    }
}
