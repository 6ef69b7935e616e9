use std::sync::Arc;

use rustfft::num_complex::Complex64;
use rustfft::{Fft, FftPlanner};

/// Rows that are transposed together.
const BLOCK: usize = 16;

/// The Fourier transform of real images of one size.
pub(super) struct Spectrum {
    pub(super) height: usize,
    pub(super) width: usize,
    rows: Arc<dyn Fft<f64>>,
    columns: Arc<dyn Fft<f64>>,
}

/// What a transform needs besides the image.
#[derive(Default)]
pub(super) struct Workspace {
    block: Vec<Complex64>,
    values: Vec<Complex64>,
    scratch: Vec<Complex64>,
}

impl Spectrum {
    pub(super) fn new(height: usize, width: usize) -> Self {
        let mut planner = FftPlanner::new();
        let rows = planner.plan_fft_forward(width);
        let columns = planner.plan_fft_forward(height);
        Self { height, width, rows, columns }
    }

    /// Horizontal frequencies 0 to ⌊width / 2⌋: the others are conjugates.
    pub(super) fn columns(&self) -> usize {
        self.width / 2 + 1
    }

    /// F(u, v) = Σ x(r, c) exp(−2πi (u r / height + v c / width)) at `v · height + u`.
    pub(super) fn transform<'a>(&self, gray: &[u8], work: &'a mut Workspace) -> &'a [Complex64] {
        let zero = Complex64::ZERO;
        let scratch =
            self.rows.get_inplace_scratch_len().max(self.columns.get_inplace_scratch_len());
        work.scratch.resize(scratch, zero);
        work.block.resize(BLOCK / 2 * self.width, zero);
        work.values.resize(self.columns() * self.height, zero);
        for (first, rows) in (0..).step_by(BLOCK).zip(gray.chunks(BLOCK * self.width)) {
            let pairs = self.pack(rows, &mut work.block);
            let block = &mut work.block[..pairs * self.width];
            self.rows.process_with_scratch(block, &mut work.scratch);
            let count = rows.len() / self.width;
            self.unpack(block, count, first, &mut work.values);
        }
        self.columns.process_with_scratch(&mut work.values, &mut work.scratch);
        &work.values
    }

    /// Two rows as the real and the imaginary part of one, so that one transform serves both.
    fn pack(&self, rows: &[u8], block: &mut [Complex64]) -> usize {
        let mut pairs = 0;
        let packed = block.chunks_exact_mut(self.width);
        for (pair, packed) in rows.chunks(2 * self.width).zip(packed) {
            let (real, imaginary) = pair.split_at(self.width);
            let imaginary = imaginary.iter().copied().chain(std::iter::repeat(0));
            for ((to, &re), im) in packed.iter_mut().zip(real).zip(imaginary) {
                *to = Complex64::new(f64::from(re), f64::from(im));
            }
            pairs += 1;
        }
        pairs
    }

    /// Parts the transforms of pairs of rows, and writes them as columns.
    fn unpack(&self, block: &[Complex64], count: usize, first: usize, values: &mut [Complex64]) {
        for (v, column) in values.chunks_exact_mut(self.height).enumerate() {
            let mirrored = (self.width - v) % self.width;
            let pairs = column[first..first + count].chunks_mut(2);
            for (to, row) in pairs.zip(block.chunks_exact(self.width)) {
                let (z, w) = (row[v], row[mirrored].conj());
                to[0] = (z + w) * 0.5;
                if let Some(second) = to.get_mut(1) {
                    let d = (z - w) * 0.5;
                    *second = Complex64::new(d.im, -d.re);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn image(height: usize, width: usize) -> Vec<u8> {
        (0..height * width).map(|i| (i * i * 31 + i * 17 + height) as u8).collect()
    }

    #[test]
    fn equals_the_definition_at_odd_and_even_sizes() {
        let mut work = Workspace::default();
        for (height, width) in [(1, 1), (2, 3), (7, 4), (19, 6), (16, 16), (33, 5)] {
            let gray = image(height, width);
            let spectrum = Spectrum::new(height, width);
            let values = spectrum.transform(&gray, &mut work).to_vec();
            for v in 0..spectrum.columns() {
                for u in 0..height {
                    let term = |(i, &x): (usize, &u8)| {
                        let (r, c) = (i / width, i % width);
                        let turns = (u * r) as f64 / height as f64 + (v * c) as f64 / width as f64;
                        Complex64::from_polar(f64::from(x), -TAU * turns)
                    };
                    let expected: Complex64 = gray.iter().enumerate().map(term).sum();
                    let found = values[v * height + u];
                    assert!((found - expected).norm() < 1e-9, "{found}, expected {expected}");
                }
            }
        }
    }

    #[test]
    fn keeps_the_energy_and_the_sum() {
        let (height, width) = (30, 21);
        let (gray, mut work) = (image(height, width), Workspace::default());
        let spectrum = Spectrum::new(height, width);
        let values = spectrum.transform(&gray, &mut work);
        let weight = |i: usize| if i < height { 1. } else { 2. };
        let energy: f64 = values.iter().enumerate().map(|(i, z)| weight(i) * z.norm_sqr()).sum();
        let expected: f64 = gray.iter().map(|&x| f64::from(x).powi(2)).sum();
        assert!((energy / (expected * (height * width) as f64) - 1.).abs() < 1e-12);
        let sum: f64 = gray.iter().map(|&x| f64::from(x)).sum();
        assert!((values[0] - sum).norm() < 1e-9);
    }
}
