//! Products of f32 matrices by a processor's matrix unit (AMX), which takes bf16 alone.
//!
//! Each value is the sum of three numbers of bf16, exactly: their significands of 8 bits make up the
//! 24 of f32. Of the nine products of two such sums the six largest are added up in f32:
//!
//! ```text
//! a = a₁ + a₂ + a₃,   b = b₁ + b₂ + b₃,   |a₂| ≤ 2⁻⁸ |a|,   |a₃| ≤ 2⁻¹⁶ |a|
//! a b ≈ a₁b₁ + a₁b₂ + a₂b₁ + a₁b₃ + a₂b₂ + a₃b₁        with an error of about 2⁻²⁴ |a b|
//! ```
//!
//! That is what a product in f32 is rounded by. Numbers below 2⁻¹¹⁰ lose their last bits, and where
//! f32 gives an infinity this may give a NaN.

mod block;
mod factor;
mod pack;
mod product;
#[cfg(test)]
mod tests;
mod unit;

pub(crate) use factor::{Factor, Images};
pub(crate) use product::{Ending, add_product, product};
