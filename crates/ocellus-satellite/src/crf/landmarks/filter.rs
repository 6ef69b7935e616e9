use rayon::prelude::*;

use super::coordinates::{Coordinates, GROUP};
use super::grid::{Line, blur, step};
use super::pivots::Pivots;
use crate::crf::gaussian::Gaussian;
use crate::crf::lattice::{Features, Pixels};

/// Approximates Σⱼ exp(−|fᵢ − fⱼ|² / 2) vⱼ over pixels, by factors of the kernel: that of colors in terms of a
/// few landmarks, that of positions on a coarse grid.
///
/// ```text
/// k(i, j) = g(posᵢ − posⱼ) · exp(−|cᵢ − cⱼ|² / 2),   exp(−|cᵢ − cⱼ|² / 2) ≈ zᵢ · zⱼ + [i = j] (1 − |zᵢ|²)
/// zᵢ = T⁻¹ (exp(−|cᵢ − landmarkₘ|² / 2))ₘ,   T Tᵀ = the landmarks' own matrix
/// Σⱼ k(i, j) vⱼ ≈ zᵢ · Σⱼ g(posᵢ − posⱼ) zⱼ vⱼ + (1 − |zᵢ|²) vᵢ
/// ```
///
/// The sums over j are blurred images, one a landmark, held at knots θα / 3 apart and linear in between; a group of
/// them is in memory at a time. What the
/// landmarks leave is positive semidefinite, and largest where a color is unlike all of them: such a
/// pixel keeps its own value exactly.
#[derive(Debug)]
pub(in crate::crf) struct Landmarks {
    coordinates: Coordinates,
    rows: Line,
    columns: Line,
    gain: f32,
    blur: Gaussian,
    /// What the pixels between two rows of knots give to the first and to the second.
    halves: Vec<f32>,
    /// `(rows, columns, landmarks of a group)` of the knots.
    grid: Vec<f32>,
    blurred: Vec<f32>,
    sums: Vec<f32>,
}

impl Landmarks {
    /// For an image, with room for that many channels and at most so many landmarks.
    pub(in crate::crf) fn new(features: &Features, channels: usize, most: usize) -> Self {
        let block = features.block();
        let theta = features.position();
        let step = step(theta);
        let (deviation, peak) = blur(theta, step);
        let rows = Line::new(step, block.origin[0], block.height());
        let columns = Line::new(step, block.origin[1], block.width());
        let coordinates = Coordinates::new(features, &Pivots::choose(features, most));
        let values = rows.knots * columns.knots * GROUP;
        let between = (rows.knots - 1) * columns.knots * GROUP;
        Self {
            gain: (peak * peak) as f32,
            blur: Gaussian::new(deviation, rows.knots, columns.knots, GROUP),
            halves: vec![0.; 2 * between],
            grid: vec![0.; values],
            blurred: vec![0.; values],
            sums: vec![0.; block.pixels() * channels],
            coordinates,
            rows,
            columns,
        }
    }

    /// Filters `channels` values a pixel; the sums of a run of pixels are handed to `write` with
    /// the first pixel and those pixels' slice of `output`, which has `channels` values a pixel.
    pub(in crate::crf) fn filter(
        &mut self,
        channels: usize,
        input: Pixels,
        output: &mut [f32],
        write: impl Fn(usize, &[f32], &mut [f32]) + Sync,
    ) {
        for channel in 0..channels {
            let value =
                |pixel: usize| input.values[pixel * input.stride + channel] * input.scale[pixel];
            self.keep(channels, channel, value);
            for first in (0..self.coordinates.rank).step_by(GROUP) {
                self.splat(first, value);
                self.gather();
                self.blur.filter(&self.grid, &mut self.blurred, |_, sums, row| {
                    row.copy_from_slice(sums);
                });
                self.slice(first, channels, channel);
            }
        }
        let row = self.columns.length * channels;
        let rows = output.par_chunks_mut(row).zip(self.sums.par_chunks(row));
        rows.enumerate()
            .for_each(|(y, (output, sums))| write(y * self.columns.length, sums, output));
    }

    /// What each pixel gives to itself beyond the landmarks.
    fn keep(&mut self, channels: usize, channel: usize, value: impl Fn(usize) -> f32 + Sync) {
        let rests = self.coordinates.rest.par_iter().enumerate();
        self.sums
            .par_chunks_mut(channels)
            .zip(rests)
            .with_min_len(8192)
            .for_each(|(sums, (pixel, rest))| sums[channel] = rest * value(pixel));
    }

    /// For the landmarks from `first` on.
    fn splat(&mut self, first: usize, value: impl Fn(usize) -> f32 + Sync) {
        let (rows, columns) = (&self.rows, &self.columns);
        let (width, coordinates) = (columns.knots * GROUP, &self.coordinates);
        self.halves.par_chunks_mut(2 * width).enumerate().for_each_init(
            || vec![0.; width],
            |line, (knot, halves)| {
                halves.fill(0.);
                let (upper, lower) = halves.split_at_mut(width);
                for y in rows.between(knot) {
                    line.fill(0.);
                    for x in 0..columns.length {
                        let pixel = y * columns.length + x;
                        let (knot, share) = columns.place(x);
                        let value = value(pixel);
                        let weights = (value * (1. - share), value * share);
                        let (left, right) = line[knot * GROUP..][..2 * GROUP].split_at_mut(GROUP);
                        let both = left.iter_mut().zip(right).zip(coordinates.group(pixel, first));
                        for ((left, right), z) in both {
                            *left += weights.0 * z;
                            *right += weights.1 * z;
                        }
                    }
                    let (_, share) = rows.place(y);
                    for ((upper, lower), value) in upper.iter_mut().zip(&mut *lower).zip(&*line) {
                        *upper += (1. - share) * value;
                        *lower += share * value;
                    }
                }
            },
        );
    }

    /// Adds up both halves of each row of knots.
    fn gather(&mut self) {
        let width = self.columns.knots * GROUP;
        let halves = &self.halves;
        self.grid.par_chunks_mut(width).enumerate().for_each(|(knot, row)| {
            let half = |n: usize| halves.get(n * width..(n + 1) * width);
            match knot.checked_sub(1).and_then(|above| half(2 * above + 1)) {
                Some(above) => row.copy_from_slice(above),
                None => row.fill(0.),
            }
            let below = half(2 * knot).into_iter().flatten();
            row.iter_mut().zip(below).for_each(|(sum, value)| *sum += value);
        });
    }

    fn slice(&mut self, first: usize, channels: usize, channel: usize) {
        let (coordinates, gain) = (&self.coordinates, self.gain);
        let (rows, columns, blurred) = (&self.rows, &self.columns, &self.blurred);
        let width = columns.knots * GROUP;
        let sums = &mut self.sums[..rows.length * columns.length * channels];
        let lines = sums.par_chunks_mut(columns.length * channels);
        lines.enumerate().for_each_init(
            || vec![0.; width],
            |line, (y, sums)| {
                let (knot, share) = rows.place(y);
                let (upper, lower) = blurred[knot * width..][..2 * width].split_at(width);
                for ((line, upper), lower) in line.iter_mut().zip(upper).zip(lower) {
                    *line = (1. - share) * upper + share * lower;
                }
                for (x, sum) in sums.iter_mut().skip(channel).step_by(channels).enumerate() {
                    let (knot, share) = columns.place(x);
                    let (left, right) = line[knot * GROUP..][..2 * GROUP].split_at(GROUP);
                    let z = coordinates.group(y * columns.length + x, first);
                    *sum += gain * dot(z, left, right, share);
                }
            },
        );
    }
}

/// z · ((1 − share) left + share right), always in the same order.
fn dot(z: &[f32], left: &[f32], right: &[f32], share: f32) -> f32 {
    let mut sums = [0.; 8];
    let (left, right) = (left.chunks_exact(8), right.chunks_exact(8));
    for ((z, left), right) in z.chunks_exact(8).zip(left).zip(right) {
        for lane in 0..8 {
            sums[lane] += z[lane] * ((1. - share) * left[lane] + share * right[lane]);
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crf::block::CrfBlock;

    fn wave(i: usize) -> f64 {
        ((i * 7919 % 10_007) as f64 * 0.731).sin()
    }

    /// Houses on a slope, three pixels of a color of their own.
    fn image(bands: usize, height: usize, width: usize) -> Vec<f32> {
        let pixels = height * width;
        let value = |i: usize| {
            let (pixel, y, x) = (i % pixels, i % pixels / width, i % width);
            let house = y / 9 % 2 == 1 && x / 11 % 2 == 0;
            let level = if house { 150. + 30. * (i / pixels) as f64 } else { 90. };
            let level = if pixel % 701 == 5 { 400. + (i % 97) as f64 } else { level };
            (level + 0.4 * x as f64 + 5. * (wave(i) + wave(i + 31) + wave(3 * i + 7))) as f32
        };
        (0..bands * pixels).map(value).collect()
    }

    fn exact(features: &Features, values: &[f32]) -> Vec<f64> {
        let place = |pixel: usize| {
            let mut place = vec![0.; features.dims()];
            features.write(pixel, &mut place);
            place
        };
        let places: Vec<_> = (0..values.len()).map(place).collect();
        let sum = |a: &Vec<f64>| -> f64 {
            let terms = places.iter().zip(values).map(|(b, &value)| {
                let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
                (-0.5 * squares).exp() * f64::from(value)
            });
            terms.sum()
        };
        places.par_iter().map(sum).collect()
    }

    #[test]
    fn sums_without_normalization_are_within_5_percent_of_the_exact_ones() {
        for bands in [1, 3, 4] {
            let image = image(bands, 50, 54);
            let block = CrfBlock::new(&image, bands, 50, 54).unwrap().with_origin(17, 40);
            let input: Vec<f32> = (0..2700).map(|i| 0.5 + 0.5 * wave(i + 5) as f32).collect();
            for [position, value] in [[80., 13.], [20., 20.], [10., 30.], [1.5, 30.]] {
                let features = Features::new(block, position, value).unwrap();
                let mut landmarks = Landmarks::new(&features, 1, 256);
                let (scale, mut output) = (vec![1.; 2700], vec![0.; 2700]);
                let input = Pixels { values: &input, stride: 1, scale: &scale };
                landmarks.filter(1, input, &mut output, |_, sums, row| row.copy_from_slice(sums));
                let expected = exact(&features, input.values);
                let pairs = output.iter().zip(&expected);
                let error: f64 = pairs.map(|(&a, e)| (f64::from(a) - e).powi(2)).sum();
                let error = (error / expected.iter().map(|e| e * e).sum::<f64>()).sqrt();
                assert!(error < 0.05, "{bands} bands, θ {position}, {value}: {error}");
            }
        }
    }

    #[test]
    fn channels_are_filtered_as_each_alone() {
        let image = image(2, 40, 50);
        let block = CrfBlock::new(&image, 2, 40, 50).unwrap();
        let features = Features::new(block, 7., 20.).unwrap();
        let values: Vec<f32> = (0..6000).map(|i| wave(i) as f32).collect();
        let scale = vec![0.5; 2000];
        let filter = |values: &[f32], channels: usize| {
            let mut output = vec![0.; 2000 * channels];
            let input = Pixels { values, stride: 3, scale: &scale };
            let mut landmarks = Landmarks::new(&features, channels, 20);
            landmarks
                .filter(channels, input, &mut output, |_, sums, row| row.copy_from_slice(sums));
            output
        };
        let together = filter(&values, 3);
        for channel in 0..3 {
            let alone = filter(&values[channel..], 1);
            assert!(together[channel..].iter().step_by(3).eq(&alone));
        }
    }
}
