//! Products and decompositions of dense matrices, in the same bits at any number of threads.
//!
//! ```
//! use ndarray::array;
//! use ocellus_cluster::linalg::{Cholesky, product};
//!
//! let a = array![[4., 2.], [2., 3.]];
//! let x = Cholesky::new(a.view())?.solve(array![[2.], [5.]].view())?;
//! assert!((product(a.view(), x.view())? - array![[2.], [5.]]).iter().all(|d| d.abs() < 1e-12));
//! # Ok::<(), ocellus_cluster::Error>(())
//! ```
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`product`], [`add_product`] | A·B and C + α·A·B; a transposed factor is a view, `a.t()` |
//! | [`gram`], [`add_gram`] | AᵀA and C + α·AᵀA, by half of the work |
//! | [`Cholesky`] | L of A = LLᵀ: solutions, L⁻¹B, log-determinant |
//! | [`SymmetricEigen`] | eigenvalues, the largest first, and eigenvectors |
//! | [`Svd`] | the thin singular value decomposition |
//! | [`orthonormal`] | an orthonormal basis of the columns |
//!
//! Matrices are `ndarray` views of any strides, of `f32` or `f64`; what is contiguous, transposed or
//! not, is not copied. Products run on all of rayon's threads, decompositions on one.

mod cholesky;
mod cut;
mod dense;
mod eigen;
mod gram;
#[cfg(test)]
mod laws;
mod orthonormal;
mod product;
mod svd;

pub use cholesky::Cholesky;
pub use eigen::SymmetricEigen;
pub use gram::{add_gram, gram};
pub use orthonormal::orthonormal;
pub use product::{add_product, product};
pub use svd::Svd;
