use ocellus_ops::{SOLVE_LANES, add_gram_packed, cholesky_packed, solve_packed};
use rayon::prelude::*;

use candle_core::Tensor;

use super::places::{Places, TILE, readable, with_images};
use crate::{Error, Result};

/// Images whose vectors are multiplied at once.
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
    places: Places,
    count: usize,
    /// Images of features that wait until the block is full.
    waiting: Vec<(Vec<Tensor>, std::ops::Range<usize>)>,
    filled: usize,
    shift: Vec<f32>,
    sums: Vec<f64>,
    /// For each place, the rows of the lower triangle.
    products: Vec<f64>,
}

impl Sums {
    pub(super) fn new(places: Places) -> Self {
        let (dim, count) = (places.dim(), places.count());
        Self {
            places,
            count: 0,
            waiting: Vec::new(),
            filled: 0,
            shift: vec![0.; count * dim],
            sums: vec![0.; count * dim],
            products: vec![0.; count * packed(dim)],
        }
    }

    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    /// Adds the images of a batch.
    pub(super) fn add(&mut self, features: &[Tensor]) -> Result<()> {
        let (features, mut first) = (readable(features)?, 0);
        let images = features[0].dim(0)?;
        while first < images {
            let end = images.min(first + BLOCK - self.filled);
            self.waiting.push((features.clone(), first..end));
            self.filled += end - first;
            first = end;
            if self.filled == BLOCK {
                self.multiply()?;
            }
        }
        Ok(())
    }

    fn multiply(&mut self) -> Result<()> {
        let (dim, filled, first) = (self.places.dim(), self.filled, self.count == 0);
        let (places, waiting) = (&self.places, std::mem::take(&mut self.waiting));
        with_images(&waiting, |images| {
            self.shift
                .par_chunks_mut(TILE * dim)
                .zip(self.sums.par_chunks_mut(TILE * dim))
                .zip(self.products.par_chunks_mut(TILE * packed(dim)))
                .enumerate()
                .try_for_each(|(tile, ((shifts, sums), products))| {
                    let start = tile * TILE;
                    let here = start..start + shifts.len() / dim;
                    let mut vectors = vec![0.; here.len() * filled * dim];
                    for (image, values) in images.iter().enumerate() {
                        let out = &mut vectors[image * dim..];
                        places.gather(values, here.clone(), out, (filled * dim, 1));
                    }
                    let places = vectors.chunks_mut(filled * dim).zip(shifts.chunks_mut(dim));
                    let sums = sums.chunks_mut(dim).zip(products.chunks_mut(packed(dim)));
                    for ((vectors, shift), (sums, products)) in places.zip(sums) {
                        if first {
                            mean(vectors, shift);
                        }
                        for vector in vectors.chunks_mut(dim) {
                            for ((x, shift), sum) in vector.iter_mut().zip(&*shift).zip(&mut *sums)
                            {
                                *x -= shift;
                                *sum += f64::from(*x);
                            }
                        }
                        add_gram_packed(vectors, dim, products)?;
                    }
                    Ok(())
                })
        })?;
        self.count += filled;
        self.filled = 0;
        Ok(())
    }

    /// The Gaussians, with `epsilon` added to the diagonals of the covariances.
    pub(super) fn finish(mut self, epsilon: f64) -> Result<(Places, Gaussians)> {
        if self.filled > 0 {
            self.multiply()?;
        }
        let (dim, count) = (self.places.dim(), self.count);
        if count < 2 {
            return Err(Error::Value(format!(
                "a covariance of {count} images: give two at least, better more than {dim} channels"
            )));
        }
        let n = count as f64;
        let mut mean = self.shift;
        for (mean, sum) in mean.iter_mut().zip(&self.sums) {
            *mean = (f64::from(*mean) + sum / n) as f32;
        }
        let mut factors = vec![0f32; self.places.count() * packed(dim)];
        factors
            .par_chunks_mut(packed(dim))
            .zip(self.products.par_chunks_mut(packed(dim)))
            .zip(self.sums.par_chunks(dim))
            .enumerate()
            .try_for_each(|(place, ((factor, products), sums))| {
                for i in 0..dim {
                    let row = &mut products[packed(i)..][..=i];
                    for (product, sum) in row.iter_mut().zip(sums) {
                        *product = (*product - sums[i] * sum / n) / (n - 1.);
                    }
                    row[i] += epsilon;
                }
                if !cholesky_packed(products, dim)? {
                    return Err(Error::Value(format!(
                        "the covariance of place {place} is not positive definite: raise `epsilon` \
                         above {epsilon}"
                    )));
                }
                for (single, double) in factor.iter_mut().zip(&*products) {
                    *single = *double as f32;
                }
                Ok(())
            })?;
        Ok((self.places, Gaussians::new(dim, mean, factors)))
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

    /// Replaces vectors at a place by L⁻¹ (x − μ), side by side.
    pub(super) fn whiten(&self, place: usize, vectors: &mut [[f32; SOLVE_LANES]]) -> Result<()> {
        for (lanes, mean) in vectors.iter_mut().zip(&self.mean[place * self.dim..]) {
            lanes.iter_mut().for_each(|x| *x -= mean);
        }
        let factor = &self.factors[place * packed(self.dim)..][..packed(self.dim)];
        Ok(solve_packed(factor, vectors)?)
    }
}

/// Entries of the lower triangle.
pub(super) const fn packed(dim: usize) -> usize {
    dim * (dim + 1) / 2
}

fn mean(vectors: &[f32], mean: &mut [f32]) {
    let dim = mean.len();
    let mut sums = vec![0.; dim];
    for vector in vectors.chunks(dim) {
        for (sum, x) in sums.iter_mut().zip(vector) {
            *sum += f64::from(*x);
        }
    }
    let count = (vectors.len() / dim) as f64;
    for (mean, sum) in mean.iter_mut().zip(sums) {
        *mean = (sum / count) as f32;
    }
}
