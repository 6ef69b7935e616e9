#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]
//! Vectors of numbers as the kernels see them, and the choice of instruction set at run time.
//!
//! A kernel is written once against [`Simd`] and compiled three times: for AVX-512, for AVX2 with
//! FMA, and portably, with arrays that the compiler turns into what the target has.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dispatch;
mod portable;
#[cfg(test)]
mod tests;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(crate) use avx512::Avx512;
#[cfg(test)]
pub(crate) use dispatch::with_each_isa;
pub(crate) use dispatch::{Isa, Kernel, Loop, dispatch_f32, vectorized, vectorized_loop};
pub(crate) use portable::Portable;

use crate::cpu::Float;

/// The most lanes that a vector has.
pub(crate) const MAX_LANES: usize = 16;

/// One kind of vectors.
///
/// # Safety
///
/// All methods may only be called where [`dispatch`] calls a [`Kernel`]: there the processor is
/// known to have the instructions. All are to be inlined into the kernel, or they are slow.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// The numbers in a vector.
    type T: Float;
    /// A vector.
    type V: Copy;
    /// Numbers in a vector; even, at most [`MAX_LANES`].
    const LANES: usize;

    /// `x` in every lane.
    unsafe fn splat(x: Self::T) -> Self::V;
    /// The numbers from `from` on; any alignment.
    unsafe fn load(from: *const Self::T) -> Self::V;
    /// The first `count` numbers from `from` on, of which no others are read; zeros in the other
    /// lanes.
    #[inline(always)]
    unsafe fn load_first(from: *const Self::T, count: usize) -> Self::V {
        let mut lanes = [Self::T::default(); MAX_LANES];
        for (n, lane) in lanes[..count].iter_mut().enumerate() {
            // SAFETY: by the caller's promise.
            *lane = unsafe { *from.add(n) };
        }
        // SAFETY: as above.
        unsafe { Self::load(lanes.as_ptr()) }
    }
    /// Writes the lanes from `to` on; any alignment.
    unsafe fn store(to: *mut Self::T, v: Self::V);
    /// `a + b`.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// `a · b`.
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`, rounded once where the instruction set has it.
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c - a · b`, likewise.
    unsafe fn neg_mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The lanes that are not negative, zero for the others; a NaN stays one.
    unsafe fn relu(v: Self::V) -> Self::V;
    /// Lane i: `from[offsets[i]]`.
    unsafe fn gather(from: *const Self::T, offsets: &[i32; MAX_LANES]) -> Self::V;
    /// Writes lane i of vector j to `to[2 · i + j]`.
    unsafe fn interleave2(to: *mut Self::T, v: [Self::V; 2]);
    /// Vector j, lane i: `from[4 · i + j]`.
    unsafe fn deinterleave4(from: *const Self::T) -> [Self::V; 4];
    /// Writes lane i of vector j to `to[4 · i + j]`.
    unsafe fn interleave4(to: *mut Self::T, v: [Self::V; 4]);
    /// Writes lane i of vector j to `to[5 · i + j]`.
    #[inline(always)]
    unsafe fn interleave5(to: *mut Self::T, v: [Self::V; 5]) {
        for (j, v) in v.into_iter().enumerate() {
            let mut lanes = [Self::T::default(); MAX_LANES];
            // SAFETY: by the caller's promise.
            unsafe {
                Self::store(lanes.as_mut_ptr(), v);
                for (lane, &value) in lanes[..Self::LANES].iter().enumerate() {
                    *to.add(5 * lane + j) = value;
                }
            }
        }
    }
    /// Writes lane i of vector j to `to[i · stride + j]`, for [`Simd::LANES`] vectors: a matrix
    /// transposed.
    unsafe fn store_transposed(to: *mut Self::T, stride: usize, v: &[Self::V; MAX_LANES]);
}
