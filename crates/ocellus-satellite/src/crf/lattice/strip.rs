use std::ops::Range;

use super::features::Features;
use super::simplex::Simplex;
use super::table::PointTable;

/// Rows of a strip.
pub(super) const ROWS: usize = 32;

/// Columns of a cell: 4096 pixels, whose lattice values stay in the cache.
const COLUMNS: usize = 128;

/// Values at pixels: `stride` apart, each pixel's scaled by an entry of `scale`.
#[derive(Clone, Copy, Debug)]
pub(in crate::crf) struct Pixels<'a> {
    pub(in crate::crf) values: &'a [f32],
    pub(in crate::crf) stride: usize,
    pub(in crate::crf) scale: &'a [f32],
}

/// A rectangle of pixels that number their lattice points among themselves.
///
/// Splatting adds up within a cell, slicing reads from a cell's copy: both touch a small array in the
/// order of pixels, and cells need no locks.
#[derive(Debug)]
pub(super) struct Cell {
    pixels: Vec<Range<usize>>,
    corners: usize,
    /// `corners` for each pixel: a number within the cell.
    ids: Vec<u16>,
    weights: Vec<f32>,
    /// The number in the lattice for each number within the cell.
    pub(super) points: Vec<u32>,
}

impl Cell {
    /// The cells of the strip of rows that begins at `row`, with their points' coordinates in place of numbers.
    pub(super) fn of_strip(features: &Features, row: usize) -> Vec<(Self, Vec<i32>)> {
        let (height, width) = (features.block().height(), features.block().width());
        let corners = features.dims() + 1;
        let rows = row..height.min(row + ROWS);
        // Numbers are `u16`.
        let columns = COLUMNS.min((1 << 16) / (ROWS * corners)).max(1);
        let mut scratch = (Simplex::new(features.dims()), PointTable::new(features.dims()));
        (0..width)
            .step_by(columns)
            .map(|left| {
                let right = width.min(left + columns);
                let pixels = rows.clone().map(|y| y * width + left..y * width + right).collect();
                Self::new(features, pixels, &mut scratch)
            })
            .collect()
    }

    fn new(
        features: &Features,
        pixels: Vec<Range<usize>>,
        (simplex, table): &mut (Simplex, PointTable),
    ) -> (Self, Vec<i32>) {
        let corners = features.dims() + 1;
        let count = pixels.iter().map(ExactSizeIterator::len).sum::<usize>() * corners;
        let (mut ids, mut weights) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut feature = vec![0.; features.dims()];
        table.clear();
        for pixel in pixels.iter().cloned().flatten() {
            if !features.block().is_valid(pixel) {
                ids.resize(ids.len() + corners, 0);
                weights.resize(weights.len() + corners, 0.);
                continue;
            }
            features.write(pixel, &mut feature);
            simplex.enclose(&feature);
            simplex.for_each_corner(|key, weight| {
                ids.push(table.insert(key) as u16);
                weights.push(weight);
            });
        }
        let points = Vec::with_capacity(table.len());
        (Self { pixels, corners, ids, weights, points }, table.keys().to_vec())
    }

    /// How many values it needs for a channel: pixels without data refer to number 0.
    pub(super) fn len(&self) -> usize {
        self.points.len().max(1)
    }

    /// values[id] = Σ weight · pixel.
    pub(super) fn splat(&self, channels: usize, pixels: Pixels, values: &mut [f32]) {
        match channels {
            1 => self.splat_channels(1, pixels, values),
            2 => self.splat_channels(2, pixels, values),
            3 => self.splat_channels(3, pixels, values),
            4 => self.splat_channels(4, pixels, values),
            _ => self.splat_channels(channels, pixels, values),
        }
    }

    #[inline(always)]
    fn splat_channels(&self, channels: usize, pixels: Pixels, values: &mut [f32]) {
        values.fill(0.);
        let ids = self.ids.chunks_exact(self.corners);
        let weights = self.weights.chunks_exact(self.corners);
        let numbers = self.pixels.iter().cloned().flatten();
        for ((pixel, ids), weights) in numbers.zip(ids).zip(weights) {
            let from = &pixels.values[pixel * pixels.stride..][..channels];
            for (&id, weight) in ids.iter().zip(weights) {
                let weight = weight * pixels.scale[pixel];
                let into = &mut values[id as usize * channels..][..channels];
                into.iter_mut().zip(from).for_each(|(into, from)| *into += weight * from);
            }
        }
    }

    /// Σ weight · values[id] for each pixel, times `gain`: handed to `write` in runs, with the first pixel.
    pub(super) fn slice(
        &self,
        channels: usize,
        gain: f32,
        values: &[f32],
        sums: &mut [f32],
        mut write: impl FnMut(usize, &[f32]),
    ) {
        let mut first = 0;
        for run in &self.pixels {
            let sums = &mut sums[..run.len() * channels];
            let entries = first..first + run.len() * self.corners;
            let (ids, weights) = (&self.ids[entries.clone()], &self.weights[entries.clone()]);
            match channels {
                1 => gather(1, self.corners, ids, weights, values, gain, sums),
                2 => gather(2, self.corners, ids, weights, values, gain, sums),
                3 => gather(3, self.corners, ids, weights, values, gain, sums),
                4 => gather(4, self.corners, ids, weights, values, gain, sums),
                _ => gather(channels, self.corners, ids, weights, values, gain, sums),
            }
            write(run.start, sums);
            first = entries.end;
        }
    }

    /// The most pixels of a run.
    pub(super) fn longest_run() -> usize {
        COLUMNS
    }
}

#[inline(always)]
fn gather(
    channels: usize,
    corners: usize,
    ids: &[u16],
    weights: &[f32],
    values: &[f32],
    gain: f32,
    sums: &mut [f32],
) {
    let entries = ids.chunks_exact(corners).zip(weights.chunks_exact(corners));
    for (sum, (ids, weights)) in sums.chunks_exact_mut(channels).zip(entries) {
        sum.fill(0.);
        for (&id, weight) in ids.iter().zip(weights) {
            let from = &values[id as usize * channels..][..channels];
            sum.iter_mut().zip(from).for_each(|(sum, from)| *sum += weight * from);
        }
        sum.iter_mut().for_each(|sum| *sum *= gain);
    }
}
