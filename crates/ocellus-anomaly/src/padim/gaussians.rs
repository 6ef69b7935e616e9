use rayon::prelude::*;

use crate::{Error, Result};

/// Vectors of each place that are multiplied at once.
const BLOCK: usize = 32;

/// The sums that mean and covariance of each place are made of, of a stream of images.
///
/// ```text
/// s = Σ (x − c),  S = Σ (x − c)(x − c)ᵀ,  c the mean of the first images
/// μ = c + s / n,  Σ = (S − s sᵀ / n) / (n − 1)
/// ```
///
/// Shifted by c, no digits cancel; products of a block of images are in `f32`, sums of blocks in
/// `f64`. Blocks are cut by the number of images, so batches of any size give the same bits.
#[derive(Debug)]
pub(super) struct Sums {
    dim: usize,
    places: usize,
    count: usize,
    filled: usize,
    /// For each place, the vectors of the block, one after the other.
    block: Vec<f32>,
    shift: Vec<f32>,
    sums: Vec<f64>,
    /// For each place, the rows of the lower triangle.
    products: Vec<f64>,
}

impl Sums {
    pub(super) fn new(dim: usize, places: usize) -> Self {
        Self {
            dim,
            places,
            count: 0,
            filled: 0,
            block: vec![0.; places * BLOCK * dim],
            shift: vec![0.; places * dim],
            sums: vec![0.; places * dim],
            products: vec![0.; places * packed(dim)],
        }
    }

    /// Adds an image, whose vectors `fill(values, values of a place, first value of the image in
    /// them)` writes.
    pub(super) fn add(&mut self, fill: impl FnOnce(&mut [f32], usize, usize)) {
        fill(&mut self.block, BLOCK * self.dim, self.filled * self.dim);
        self.filled += 1;
        if self.filled == BLOCK {
            self.multiply();
        }
    }

    fn multiply(&mut self) {
        let (dim, filled, first) = (self.dim, self.filled, self.count == 0);
        if filled == 0 {
            return;
        }
        self.block
            .par_chunks_mut(BLOCK * dim)
            .zip(self.shift.par_chunks_mut(dim))
            .zip(self.sums.par_chunks_mut(dim))
            .zip(self.products.par_chunks_mut(packed(dim)))
            .for_each(|(((block, shift), sums), products)| {
                let block = &mut block[..filled * dim];
                if first {
                    mean(block, shift);
                }
                for vector in block.chunks_mut(dim) {
                    for ((x, shift), sum) in vector.iter_mut().zip(&*shift).zip(&mut *sums) {
                        *x -= shift;
                        *sum += f64::from(*x);
                    }
                }
                add_products(block, dim, products);
            });
        self.count += filled;
        self.filled = 0;
    }

    /// The Gaussians, with `epsilon` added to the diagonals of the covariances.
    pub(super) fn finish(mut self, epsilon: f64) -> Result<Gaussians> {
        self.multiply();
        let (dim, places, count) = (self.dim, self.places, self.count);
        if count < 2 {
            return Err(Error::Value(format!(
                "a covariance of {count} images: give two at least, better more than {dim} channels"
            )));
        }
        let n = count as f64;
        let mut mean = self.shift;
        mean.par_iter_mut().zip(&self.sums).for_each(|(mean, sum)| {
            *mean = (f64::from(*mean) + sum / n) as f32;
        });
        let mut factors = vec![0f32; places * packed(dim)];
        let failed = factors
            .par_chunks_mut(packed(dim))
            .zip(self.products.par_chunks_mut(packed(dim)))
            .zip(self.sums.par_chunks(dim))
            .enumerate()
            .map(|(place, ((factor, products), sums))| {
                for (i, row) in rows_mut(products, dim).enumerate() {
                    for (product, sum) in row.iter_mut().zip(sums) {
                        *product = (*product - sums[i] * sum / n) / (n - 1.);
                    }
                    row[i] += epsilon;
                }
                if !cholesky(products, dim) {
                    return Some(place);
                }
                for (low, high) in factor.iter_mut().zip(&*products) {
                    *low = *high as f32;
                }
                None
            })
            .flatten()
            .min();
        match failed {
            Some(place) => Err(Error::Value(format!(
                "the covariance of place {place} is not positive definite: raise `epsilon` above {epsilon}"
            ))),
            None => Ok(Gaussians::new(dim, mean, factors)),
        }
    }
}

/// A Gaussian for each place: mean, and the Cholesky factor of the covariance.
#[derive(Clone, Debug)]
pub(super) struct Gaussians {
    dim: usize,
    mean: Vec<f32>,
    /// For each place, the rows of the lower triangle.
    factors: Vec<f32>,
    /// ln det Σ of each place.
    log_dets: Vec<f64>,
}

impl Gaussians {
    pub(super) fn new(dim: usize, mean: Vec<f32>, factors: Vec<f32>) -> Self {
        let log_det =
            |factor: &[f32]| (0..dim).map(|i| 2. * f64::from(factor[packed(i + 1) - 1]).ln()).sum();
        let log_dets = factors.par_chunks(packed(dim)).map(log_det).collect();
        Self { dim, mean, factors, log_dets }
    }

    pub(super) fn mean(&self) -> &[f32] {
        &self.mean
    }

    pub(super) fn factors(&self) -> &[f32] {
        &self.factors
    }

    pub(super) fn log_dets(&self) -> &[f64] {
        &self.log_dets
    }

    /// Replaces each vector by L⁻¹ (x − μ): for each place, `LANES` vectors side by side.
    pub(super) fn whiten(&self, vectors: &mut [f32]) {
        let dim = self.dim;
        vectors
            .par_chunks_mut(dim * LANES)
            .zip(self.mean.par_chunks(dim))
            .zip(self.factors.par_chunks(packed(dim)))
            .for_each(|((vectors, mean), factor)| {
                let (vectors, _) = vectors.as_chunks_mut::<LANES>();
                for (lanes, mean) in vectors.iter_mut().zip(mean) {
                    lanes.iter_mut().for_each(|x| *x -= mean);
                }
                solve(factor, vectors);
            });
    }
}

/// Images that are whitened side by side. Always so many, so that the same is computed for an image
/// whatever stands beside it.
pub(super) const LANES: usize = 16;

/// Entries of the lower triangle.
pub(super) const fn packed(dim: usize) -> usize {
    dim * (dim + 1) / 2
}

fn rows_mut(triangle: &mut [f64], dim: usize) -> impl Iterator<Item = &mut [f64]> {
    let mut rest = triangle;
    (0..dim).map(move |i| {
        let (row, after) = std::mem::take(&mut rest).split_at_mut(i + 1);
        rest = after;
        row
    })
}

fn mean(block: &[f32], mean: &mut [f32]) {
    let dim = mean.len();
    let mut sums = vec![0.; dim];
    for vector in block.chunks(dim) {
        for (sum, x) in sums.iter_mut().zip(vector) {
            *sum += f64::from(*x);
        }
    }
    let count = (block.len() / dim) as f64;
    for (mean, sum) in mean.iter_mut().zip(sums) {
        *mean = (sum / count) as f32;
    }
}

fn add_products(block: &[f32], dim: usize, products: &mut [f64]) {
    let mut row = vec![0f32; dim];
    for (i, products) in rows_mut(products, dim).enumerate() {
        let row = &mut row[..=i];
        row.fill(0.);
        for vector in block.chunks(dim) {
            for (sum, x) in row.iter_mut().zip(vector) {
                *sum += vector[i] * x;
            }
        }
        for (product, sum) in products.iter_mut().zip(row) {
            *product += f64::from(*sum);
        }
    }
}

/// Σ = L Lᵀ in place; whether Σ is positive definite.
fn cholesky(triangle: &mut [f64], dim: usize) -> bool {
    for i in 0..dim {
        let (above, row) = triangle.split_at_mut(packed(i));
        for j in 0..=i {
            let (left, rest) = row.split_at_mut(j);
            let other = if j < i { &above[packed(j)..][..j] } else { &*left };
            let sum = rest[0] - left.iter().zip(other).map(|(a, b)| a * b).sum::<f64>();
            if j < i {
                rest[0] = sum / above[packed(j + 1) - 1];
            } else if sum > 0. && sum.is_finite() {
                rest[0] = sum.sqrt();
            } else {
                return false;
            }
        }
    }
    true
}

/// Replaces the columns of `x` by L⁻¹ x.
fn solve(factor: &[f32], x: &mut [[f32; LANES]]) {
    for i in 0..x.len() {
        let (solved, rest) = x.split_at_mut(i);
        let row = &factor[packed(i)..][..=i];
        let mut lanes = rest[0];
        for (l, y) in row.iter().zip(&*solved) {
            for (lane, y) in lanes.iter_mut().zip(y) {
                *lane -= l * y;
            }
        }
        rest[0] = lanes.map(|lane| lane / row[i]);
    }
}
