//! Products and decompositions of dense matrices, in the same bits at any number of threads.
//!
//! ```
//! use ndarray::array;
//! use ocellus_cluster::linalg::{Cholesky, product};
//!
//! let a = array![[4f64, 2.], [2., 3.]];
//! let x = Cholesky::new(a.view())?.solve(array![[2.], [5.]].view())?;
//! assert!((product(a.view(), x.view())? - array![[2.], [5.]]).iter().all(|d| d.abs() < 1e-12));
//! # Ok::<(), ocellus_cluster::Error>(())
//! ```
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`product`], [`add_product`] | A·B and C + α·A·B; a transposed factor is a view, `a.t()` |
//! | [`product_by_rows`] | A·B whose rows do not depend on each other, to the bit |
//! | [`gram`], [`add_gram`] | AᵀA and C + α·AᵀA, by half of the work |
//! | [`Cholesky`] | L of A = LLᵀ: solutions, L⁻¹B, log-determinant |
//! | [`SymmetricEigen`] | eigenvalues, the largest first, and eigenvectors |
//! | [`TopEigen`] | the largest eigenvalues alone, by iterations |
//! | [`Svd`] | the thin singular value decomposition |
//! | [`orthonormal`] | an orthonormal basis of the columns |
//!
//! Matrices are `ndarray` views of any strides, of `f32` or `f64`; what is contiguous, transposed or
//! not, is not copied. Products run on all of rayon's threads, decompositions on one.

mod by_rows;
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
mod top_eigen;

pub use by_rows::product_by_rows;
pub use cholesky::Cholesky;
pub use eigen::SymmetricEigen;
pub use gram::{add_gram, gram};
pub use orthonormal::orthonormal;
pub use product::{add_product, product};
pub use svd::Svd;
pub use top_eigen::TopEigen;
