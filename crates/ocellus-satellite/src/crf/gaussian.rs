use rayon::prelude::*;

/// The Gaussian falls to 4e-6 of its peak there; what is cut off is 6e-7 of its sum.
const REACH: f64 = 5.;

/// Σⱼ exp(−|posᵢ − posⱼ|² / 2θ²) vⱼ over an image with `channels` values a pixel, by two passes.
///
/// A convolution cut off where it is below `f32`'s resolution costs O(θ) a value. A recursive filter or the
/// lattice would not depend on θ, but are off by 1e-3 and by several percent; θγ is a few pixels.
#[derive(Debug)]
pub(super) struct Gaussian {
    height: usize,
    width: usize,
    channels: usize,
    /// Weights at the distances 0, 1, 2, …
    rows: Vec<f32>,
    columns: Vec<f32>,
    /// After the first pass; a row is padded by zeros on both sides.
    filtered: Vec<f32>,
}

impl Gaussian {
    pub(super) fn new(theta: f64, height: usize, width: usize, channels: usize) -> Self {
        let rows = half_kernel(theta, height);
        let columns = half_kernel(theta, width);
        let padded = (width + 2 * (columns.len() - 1)) * channels;
        Self { height, width, channels, rows, columns, filtered: vec![0.; height * padded] }
    }

    /// Filters `(height, width, channels)` and hands the result to `write`, row by row, with the
    /// row's first pixel and slice of `output`.
    pub(super) fn filter(
        &mut self,
        input: &[f32],
        output: &mut [f32],
        write: impl Fn(usize, &[f32], &mut [f32]) + Sync,
    ) {
        self.filter_columns(input);
        let width = self.width * self.channels;
        let reach = self.columns.len() - 1;
        let padded = width + 2 * reach * self.channels;
        let rows = output.par_chunks_mut(width).zip(self.filtered.par_chunks(padded));
        rows.enumerate().for_each_init(
            || vec![0.; width],
            |sums, (row, (output, filtered))| {
                let at = |shift: usize| &filtered[shift * self.channels..][..width];
                sums.iter_mut().zip(at(reach)).for_each(|(s, v)| *s = self.columns[0] * v);
                for (distance, weight) in self.columns.iter().enumerate().skip(1) {
                    add_pair(sums, *weight, at(reach - distance), at(reach + distance));
                }
                write(row * self.width, sums, output);
            },
        );
    }

    /// The pass along columns: whole rows are weighed and added.
    fn filter_columns(&mut self, input: &[f32]) {
        let width = self.width * self.channels;
        let margin = (self.columns.len() - 1) * self.channels;
        let (height, weights) = (self.height, &self.rows);
        let row = |y: usize| &input[y * width..(y + 1) * width];
        self.filtered.par_chunks_mut(width + 2 * margin).enumerate().for_each(|(y, filtered)| {
            let sums = &mut filtered[margin..margin + width];
            sums.iter_mut().zip(row(y)).for_each(|(s, v)| *s = weights[0] * v);
            for (distance, &weight) in weights.iter().enumerate().skip(1) {
                match (y.checked_sub(distance), y + distance < height) {
                    (Some(above), true) => add_pair(sums, weight, row(above), row(y + distance)),
                    (Some(above), false) => add(sums, weight, row(above)),
                    (None, true) => add(sums, weight, row(y + distance)),
                    (None, false) => break,
                }
            }
        });
    }
}

fn add(sums: &mut [f32], weight: f32, values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += weight * v);
}

fn add_pair(sums: &mut [f32], weight: f32, a: &[f32], b: &[f32]) {
    for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
        *sum += weight * (a + b);
    }
}

/// The kernel at the distances 0, 1, 2, …, no farther than a line of `length` pixels.
fn half_kernel(theta: f64, length: usize) -> Vec<f32> {
    let reach = ((REACH * theta).ceil() as usize).min(length - 1);
    (0..=reach).map(|i| (-0.5 * (i as f64 / theta).powi(2)).exp() as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_sum_over_all_pairs() {
        for (height, width, channels, theta) in
            [(1, 1, 1, 3.), (1, 40, 2, 2.), (40, 1, 1, 0.3), (23, 31, 3, 3.), (12, 9, 1, 40.)]
        {
            let count = height * width * channels;
            let input: Vec<f32> =
                (0..count).map(|i| ((i * 37 % 101) as f32 / 50. - 1.).sin()).collect();
            let mut output = vec![0.; count];
            let mut gaussian = Gaussian::new(theta, height, width, channels);
            gaussian.filter(&input, &mut output, |_, sums, row| row.copy_from_slice(sums));
            let (mut error, mut norm) = (0., 0.);
            for (i, &actual) in output.iter().enumerate() {
                let (y, x, c) = (i / channels / width, i / channels % width, i % channels);
                let terms = (0..height * width).map(|j| {
                    let square = (j / width).abs_diff(y).pow(2) + (j % width).abs_diff(x).pow(2);
                    (-(square as f64) / 2. / theta / theta).exp()
                        * f64::from(input[j * channels + c])
                });
                let expected = terms.sum::<f64>();
                error += (f64::from(actual) - expected).powi(2);
                norm += expected.powi(2);
            }
            let relative = (error / norm).sqrt();
            assert!(relative < 2e-6, "{height}×{width}, θ {theta}: {relative}");
        }
    }
}
