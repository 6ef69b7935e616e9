use ndarray::{Array1, Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::exact::{Method, Spectrum, by_gram, full};
use super::randomized::randomized;
use super::{Components, Pca, PcaModel, PcaSolver};
use crate::{Fit, Float, Result, check, moments};

impl<T: Float> Fit<T> for Pca {
    type Model = PcaModel<T>;

    fn fit(&self, x: ArrayView2<'_, T>) -> Result<PcaModel<T>> {
        let (rows, columns) = x.dim();
        check::samples(x)?;
        self.check(rows, columns)?;
        let mean: Array1<T> = moments::means(x).into_iter().map(T::narrow).collect();
        let centered = center(x, &mean);
        let total = total_variance(centered.view());
        let found = self.spectrum(centered.view(), total)?;
        Ok(PcaModel::new(self, rows, mean, found))
    }
}

impl Pca {
    fn spectrum<T: Float>(&self, x: ArrayView2<'_, T>, total: f64) -> Result<Spectrum<T>> {
        let (solver, seed) = (self.solver(x.nrows(), x.ncols()), self.seed);
        match (solver, self.components) {
            (PcaSolver::Krylov { tolerance }, Components::Count(count)) => {
                by_gram(x, total, self.components, Method::Top { count, tolerance, seed })
            }
            (PcaSolver::Randomized { oversamples, iterations }, Components::Count(count)) => {
                randomized(x, total, (count, oversamples, iterations), seed)
            }
            (PcaSolver::Gram, _) => by_gram(x, total, self.components, Method::All),
            _ => full(x, total),
        }
    }

    /// What [`PcaSolver::Auto`] stands for.
    pub(super) fn solver(&self, rows: usize, columns: usize) -> PcaSolver {
        const SMALL: usize = 300;
        let least = rows.min(columns);
        match (self.solver, self.components) {
            (PcaSolver::Auto, _) if least <= SMALL => PcaSolver::Full,
            (PcaSolver::Auto, Components::Count(count)) if count <= least / 8 => {
                PcaSolver::krylov()
            }
            (PcaSolver::Auto, _) => PcaSolver::Gram,
            (solver, _) => solver,
        }
    }
}

fn center<T: Float>(x: ArrayView2<'_, T>, mean: &Array1<T>) -> Array2<T> {
    let mut centered = Array2::zeros(x.dim());
    centered
        .axis_chunks_iter_mut(Axis(0), 64)
        .into_par_iter()
        .zip(x.axis_chunks_iter(Axis(0), 64))
        .for_each(|(mut centered, x)| {
            for (mut to, from) in centered.outer_iter_mut().zip(x.outer_iter()) {
                ndarray::Zip::from(&mut to).and(from).and(mean).for_each(|to, &x, &m| *to = x - m);
            }
        });
    centered
}

fn total_variance<T: Float>(centered: ArrayView2<'_, T>) -> f64 {
    let zeros = vec![0.; centered.ncols()];
    moments::squares(centered, &zeros).iter().sum::<f64>() / (centered.nrows() as f64 - 1.)
}
