#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]
//! Each vector type does in every lane what it says.
//!
//! SAFETY of all blocks: `with_each_isa` gives what the processor has; arrays hold all lanes.

use super::{Isa, Kernel, MAX_LANES, Simd, with_each_isa};
use crate::cpu::Float;

/// Runs a kernel with every instruction set, for f32 and f64.
macro_rules! with_all {
    ($kernel:expr) => {
        with_each_isa(|isa| {
            // SAFETY: the processor has it.
            unsafe {
                f32::dispatch(isa, $kernel);
                f64::dispatch(isa, $kernel);
            }
        });
    };
}

fn numbers<T: Float, const N: usize>(from: f64) -> [T; N] {
    std::array::from_fn(|i| <T as candle_core::WithDType>::from_f64(from + i as f64 * 0.75))
}

/// What a lane is to hold, from those of three vectors.
type Scalar<T> = fn(T, T, T) -> T;

struct Arithmetic;

impl<T: Float> Kernel<T> for Arithmetic {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let (a, b): ([T; 16], [T; 16]) = (numbers(-3.), numbers(2.5));
        let mut y = [T::zero(); 16];
        let three = <T as candle_core::WithDType>::from_f64(3.);
        unsafe {
            let (va, vb, c) = (S::load(a.as_ptr()), S::load(b.as_ptr()), S::splat(three));
            let cases: [(S::V, Scalar<T>); 6] = [
                (S::add(va, vb), |a, b, _| a + b),
                (S::sub(va, vb), |a, b, _| a - b),
                (S::mul(va, vb), |a, b, _| a * b),
                (S::mul_add(va, vb, c), |a, b, c| a * b + c),
                (S::neg_mul_add(va, vb, c), |a, b, c| c - a * b),
                (S::relu(va), |a, _, _| if a > T::zero() { a } else { T::zero() }),
            ];
            for (n, (v, f)) in cases.into_iter().enumerate() {
                S::store(y.as_mut_ptr(), v);
                for lane in 0..S::LANES {
                    // All values are small multiples of 1/16: exact whatever is rounded when.
                    assert!(y[lane] == f(a[lane], b[lane], three), "case {n}, lane {lane}");
                }
            }
        }
    }
}

struct Shuffles;

impl<T: Float> Kernel<T> for Shuffles {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let x: [T; 80] = numbers(0.);
        let mut y = [T::zero(); 80];
        unsafe {
            let v = S::deinterleave4(x.as_ptr());
            for (j, &v) in v.iter().enumerate() {
                S::store(y.as_mut_ptr(), v);
                for lane in 0..S::LANES {
                    assert!(y[lane] == x[4 * lane + j]);
                }
            }
            S::interleave4(y.as_mut_ptr(), v);
            assert!(y[..4 * S::LANES] == x[..4 * S::LANES]);
            let five = [0, 1, 2, 3, 4].map(|j| S::load(x.as_ptr().add(j * S::LANES)));
            S::interleave5(y.as_mut_ptr(), five);
            for i in 0..5 * S::LANES {
                assert!(y[i] == x[i % 5 * S::LANES + i / 5]);
            }
            S::interleave2(y.as_mut_ptr(), [v[0], v[2]]);
            for lane in 0..S::LANES {
                assert!(y[2 * lane] == x[4 * lane] && y[2 * lane + 1] == x[4 * lane + 2]);
            }
            for count in 0..=S::LANES {
                S::store(y.as_mut_ptr(), S::load_first(x[80 - count..].as_ptr(), count));
                for lane in 0..S::LANES {
                    let expected = if lane < count { x[80 - count + lane] } else { T::zero() };
                    assert!(y[lane] == expected, "{count} of {}", S::LANES);
                }
            }
            let offsets: [i32; MAX_LANES] = std::array::from_fn(|i| (i as i32 * 7 + 3) % 80);
            S::store(y.as_mut_ptr(), S::gather(x.as_ptr(), &offsets));
            for lane in 0..S::LANES {
                assert!(y[lane] == x[offsets[lane] as usize]);
            }
        }
    }
}

struct Transposes;

impl<T: Float> Kernel<T> for Transposes {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        const STRIDE: usize = 19;
        let x: [T; MAX_LANES * MAX_LANES] = numbers(1.);
        let mut y = [T::zero(); MAX_LANES * STRIDE];
        unsafe {
            let mut v = [S::splat(T::zero()); MAX_LANES];
            for (i, v) in v[..S::LANES].iter_mut().enumerate() {
                *v = S::load(x.as_ptr().add(i * S::LANES));
            }
            S::store_transposed(y.as_mut_ptr(), STRIDE, &v);
        }
        for i in 0..S::LANES {
            for j in 0..S::LANES {
                assert!(y[i * STRIDE + j] == x[j * S::LANES + i]);
            }
            assert!(y[i * STRIDE + S::LANES..(i + 1) * STRIDE].iter().all(T::is_zero));
        }
    }
}

#[test]
fn arithmetic_is_done_lane_by_lane() {
    with_all!(Arithmetic);
}

#[test]
fn lanes_are_gathered_and_interleaved() {
    with_all!(Shuffles);
}

#[test]
fn matrices_are_transposed() {
    with_all!(Transposes);
}

#[test]
fn lanes_are_as_many_as_the_instruction_set_has() {
    with_each_isa(|isa| {
        assert_eq!(isa.lanes::<f32>(), if isa == Isa::Avx512 { 16 } else { 8 });
        assert_eq!(isa.lanes::<f64>(), 8);
    });
}
