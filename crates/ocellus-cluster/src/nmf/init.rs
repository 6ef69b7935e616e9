//! Where iterations start.

use ndarray::{Array2, ArrayView1, ArrayView2, s};

use super::{Nmf, NmfInit};
use crate::pca::{leading, normal};
use crate::{Float, Result, moments};

/// Wᵀ, k × n, and H, k × d.
pub(super) struct Factors<T> {
    pub(super) wt: Array2<T>,
    pub(super) h: Array2<T>,
}

impl Nmf {
    pub(super) fn start<T: Float>(&self, x: ArrayView2<'_, T>) -> Result<Factors<T>> {
        let (rows, columns) = x.dim();
        let means = moments::means(x);
        let mean = means.iter().sum::<f64>() / columns as f64;
        let fits = self.components <= rows.min(columns);
        match self.init {
            NmfInit::Nndsvd => self.nndsvd(x),
            NmfInit::Auto | NmfInit::Nndsvda if fits => {
                let mut factors = self.nndsvd(x)?;
                let fill = |v: T| if v == T::zero() { T::narrow(mean) } else { v };
                factors.wt.mapv_inplace(fill);
                factors.h.mapv_inplace(fill);
                Ok(factors)
            }
            _ => {
                let scale = (mean / self.components as f64).sqrt();
                let draw = |columns, seed| {
                    let numbers = normal::<T>(self.components, columns, seed);
                    numbers.mapv(|v| T::narrow(scale * v.widen().abs()))
                };
                let (h, wt) = (draw(columns, self.seed), draw(rows, self.seed ^ 0x9E37_79B9));
                Ok(Factors { wt, h })
            }
        }
    }

    /// Of each pair of singular vectors the larger of the products of their positive and of their
    /// negative parts.
    fn nndsvd<T: Float>(&self, x: ArrayView2<'_, T>) -> Result<Factors<T>> {
        const OVERSAMPLES: usize = 10;
        /// What is smaller is 0.
        const LEAST: f64 = 1e-6;
        let (rows, columns) = x.dim();
        let (count, least) = (self.components, rows.min(columns));
        let iterations = if 10 * count < least { 7 } else { 4 };
        let svd = leading(x, count, OVERSAMPLES, iterations, self.seed)?;
        let mut factors =
            Factors { wt: Array2::zeros((count, rows)), h: Array2::zeros((count, columns)) };
        for (j, sigma) in svd.values.iter().map(|sigma| sigma.widen()).enumerate() {
            let (left, right) = (svd.u.column(j), svd.vt.row(j));
            let parts = if j == 0 {
                let sign =
                    |vector: ArrayView1<'_, T>| vector.iter().map(|v| v.widen().abs()).collect();
                (sign(left), sign(right), sigma.sqrt())
            } else {
                dominant(left, right, sigma)
            };
            let (u, v, scale): (Vec<f64>, Vec<f64>, f64) = parts;
            for (to, from) in [(&mut factors.wt, u), (&mut factors.h, v)] {
                for (to, from) in to.slice_mut(s![j, ..]).iter_mut().zip(from) {
                    let value = scale * from;
                    *to = T::narrow(if value < LEAST { 0. } else { value });
                }
            }
        }
        Ok(factors)
    }
}

/// Two unit vectors without negative entries, and the root of what they explain.
fn dominant<T: Float>(
    left: ArrayView1<'_, T>,
    right: ArrayView1<'_, T>,
    sigma: f64,
) -> (Vec<f64>, Vec<f64>, f64) {
    let [positive, negative] = [1., -1.].map(|sign| [part(left, sign), part(right, sign)]);
    let weight = |[left, right]: &[Part; 2]| left.norm * right.norm;
    let larger = if weight(&positive) > weight(&negative) { positive } else { negative };
    let share = weight(&larger);
    let [left, right] = larger.map(Part::unit);
    (left, right, (sigma * share).sqrt())
}

/// The entries of one sign.
struct Part {
    entries: Vec<f64>,
    norm: f64,
}

fn part<T: Float>(vector: ArrayView1<'_, T>, sign: f64) -> Part {
    let entries: Vec<f64> = vector.iter().map(|v| (sign * v.widen()).max(0.)).collect();
    let norm = entries.iter().map(|v| v * v).sum::<f64>().sqrt();
    Part { entries, norm }
}

impl Part {
    fn unit(self) -> Vec<f64> {
        let norm = if self.norm > 0. { self.norm } else { 1. };
        self.entries.into_iter().map(|v| v / norm).collect()
    }
}
