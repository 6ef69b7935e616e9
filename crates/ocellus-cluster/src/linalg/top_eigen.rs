use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, s};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::product::fits;
use super::{SymmetricEigen, add_product, orthonormal, product};
use crate::{Error, Float, Result};

/// Products with the matrix, at most.
const STEPS: usize = 200;

/// The largest eigenvalues of a symmetric matrix and their eigenvectors, by block Lanczos iterations
/// with full orthogonalization and thick restarts \[1\].
///
/// It ends when every residual ‖Av − λv‖, which bounds the error of λ, is below `tolerance`·|λ|; what
/// is smaller than ε times the largest eigenvalue need only stay so. Iterations run in double precision:
/// in single, eigenvalues below 1e-5 of the largest would be lost.
///
/// # Examples
///
/// ```
/// use ndarray::{Array1, Array2};
/// use ocellus_cluster::linalg::TopEigen;
///
/// let a = Array2::from_diag(&Array1::from_iter((0..300).map(f64::from)));
/// let top = TopEigen::new(a.view(), 2, 1e-6, 0)?;
/// assert!((top.values[0] - 299.).abs() < 1e-6 && (top.values[1] - 298.).abs() < 1e-6);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # References
///
/// 1. Wu, Simon (2000). Thick-restart Lanczos method for large symmetric eigenvalue problems. SIAM
///    Journal on Matrix Analysis and Applications 22(2).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TopEigen<T> {
    /// The eigenvalues, the largest first.
    pub values: Array1<T>,
    /// Their eigenvectors in columns, of either sign.
    pub vectors: Array2<T>,
    /// Whether all residuals are below the tolerance.
    pub converged: bool,
    /// How often a block of vectors was multiplied by A; 0 where A is so small, or so much of it is
    /// wanted, that it was decomposed whole.
    pub steps: usize,
}

impl<T: Float> TopEigen<T> {
    /// The `count` largest eigenvalues; all, if there are fewer.
    ///
    /// # Errors
    ///
    /// If A is not square or holds NaN.
    ///
    /// # Complexity
    ///
    /// O(n²·count) for each step.
    pub fn new(a: ArrayView2<'_, T>, count: usize, tolerance: f64, seed: u64) -> Result<Self> {
        let size = a.nrows();
        fits("the eigenvalues of A", a.dim(), a.dim(), a.is_square())?;
        let count = count.min(size);
        let block = count.next_multiple_of(8).clamp(8, 64);
        let capacity = (4 * count + 2 * block).max(8 * block);
        if 2 * capacity > size {
            let SymmetricEigen { values, vectors } = SymmetricEigen::new(a)?;
            let (values, vectors) = (values.slice(s![..count]), vectors.slice(s![.., ..count]));
            let (values, vectors) = (values.to_owned(), vectors.to_owned());
            return Ok(Self { values, vectors, converged: true, steps: 0 });
        }
        let wide = widened(a);
        let start = Array2::from_shape_simple_fn((block, size), {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            move || StandardNormal.sample(&mut rng)
        });
        let mut lanczos = Lanczos {
            basis: Array2::zeros((capacity, size)),
            small: Array2::zeros((capacity, capacity)),
            filled: 0,
            next: orthonormal_rows(&start),
        };
        for step in 1..=STEPS {
            let coupling = lanczos.step(wide.view())?;
            let ritz = lanczos.ritz()?;
            let enough = lanczos.filled >= count;
            let converged =
                enough && found(&ritz, &coupling, count, tolerance, T::epsilon().widen())?;
            if converged || (step == STEPS && enough) {
                let weights = ritz.vectors.slice(s![.., ..count]);
                let basis = lanczos.basis.slice(s![..lanczos.filled, ..]);
                let vectors = product(basis.t(), weights)?.mapv(T::narrow);
                let values = ritz.values.slice(s![..count]).mapv(T::narrow);
                return Ok(Self { values, vectors, converged, steps: step });
            }
            if lanczos.filled + block > capacity {
                lanczos.restart(&ritz, count + block)?;
            }
        }
        Err(Error::NotConverged { what: "Lanczos iteration" })
    }
}

fn widened<T: Float>(a: ArrayView2<'_, T>) -> Array2<f64> {
    let mut wide = Array2::zeros(a.dim());
    wide.outer_iter_mut().into_par_iter().zip(a.outer_iter()).for_each(|(mut to, from)| {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = from.widen());
    });
    wide
}

/// Vectors lie in rows: a block of them is contiguous.
struct Lanczos {
    /// Orthonormal.
    basis: Array2<f64>,
    /// A within their span.
    small: Array2<f64>,
    /// How many there are.
    filled: usize,
    /// The next block, orthonormal to all before.
    next: Array2<f64>,
}

impl Lanczos {
    /// Takes up the next block and makes the one after it. Gives the part of the last images that lies
    /// along the latter.
    fn step(&mut self, a: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let block = self.next.nrows();
        let range = s![self.filled..self.filled + block, ..];
        self.basis.slice_mut(range).assign(&self.next);
        let image = product(self.next.view(), a)?;
        let first = self.filled;
        self.filled += block;
        let mut rest = image.clone();
        let along = self.project_out(rest.view_mut())?;
        self.small.slice_mut(s![first..self.filled, ..self.filled]).assign(&along);
        self.small.slice_mut(s![..self.filled, first..self.filled]).assign(&along.t());
        rest = orthonormal_rows(&rest);
        self.project_out(rest.view_mut())?;
        rest = orthonormal_rows(&rest);
        self.next = rest;
        product(self.next.view(), image.t())
    }

    /// Subtracts from the rows what lies in the span of the basis, and gives it.
    fn project_out(&self, mut rows: ArrayViewMut2<'_, f64>) -> Result<Array2<f64>> {
        let basis = self.basis.slice(s![..self.filled, ..]);
        let along = product(rows.view(), basis.t())?;
        add_product(-1., along.view(), basis, rows.view_mut())?;
        Ok(along)
    }

    /// Eigenvalues and eigenvectors of A within the span of the basis.
    fn ritz(&self) -> Result<SymmetricEigen<f64>> {
        SymmetricEigen::new(self.small.slice(s![..self.filled, ..self.filled]))
    }

    /// Keeps the leading Ritz vectors alone.
    fn restart(&mut self, ritz: &SymmetricEigen<f64>, keep: usize) -> Result<()> {
        let weights = ritz.vectors.slice(s![.., ..keep]);
        let kept = product(weights.t(), self.basis.slice(s![..self.filled, ..]))?;
        self.basis.slice_mut(s![..keep, ..]).assign(&kept);
        self.small.fill(0.);
        self.small.diag_mut().slice_mut(s![..keep]).assign(&ritz.values.slice(s![..keep]));
        self.filled = keep;
        Ok(())
    }
}

fn orthonormal_rows(rows: &Array2<f64>) -> Array2<f64> {
    orthonormal(rows.t()).reversed_axes().as_standard_layout().into_owned()
}

/// Whether each residual is below the tolerance, or its value and itself below the `floor`, what
/// rounding of the matrix's entries leaves of the largest value.
fn found(
    ritz: &SymmetricEigen<f64>,
    coupling: &Array2<f64>,
    count: usize,
    tolerance: f64,
    floor: f64,
) -> Result<bool> {
    let (filled, block) = (ritz.vectors.nrows(), coupling.nrows());
    let last = ritz.vectors.slice(s![filled - block.., ..count]);
    let residuals = product(coupling.view(), last)?;
    let largest = ritz.values.first().map_or(0., |value| value.abs());
    let (floor, rounding) = (floor * largest, 100. * f64::EPSILON * largest);
    Ok((0..count).all(|i| {
        let norm = residuals.column(i).iter().map(|v| v * v).sum::<f64>().sqrt();
        let value = ritz.values[i].abs();
        norm <= (tolerance * value).max(rounding) || (value <= floor && norm <= floor)
    }))
}
