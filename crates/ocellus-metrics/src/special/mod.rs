//! The few special functions that intervals and tests need, to about 13 digits.

mod beta;
mod gamma;
mod normal;
mod student;
mod tails;

pub(crate) use beta::incomplete_beta;
pub(crate) use normal::{normal_cdf, normal_quantile, normal_two_sided};
pub(crate) use student::{student_quantile, student_two_sided};
pub use tails::{chi_squared_tail, f_tail};
