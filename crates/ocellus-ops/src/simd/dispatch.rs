#![allow(unsafe_code, reason = "functions compiled for an instruction set")]

#[cfg(test)]
use std::cell::Cell;

use super::{Portable, Simd};
use crate::cpu::Float;

/// A computation written once for all vectors.
///
/// `run` and all that it calls with vectors must be `#[inline(always)]`: what is not inlined is
/// compiled for the lowest processor.
pub(crate) trait Kernel<T: Float> {
    /// What it gives.
    type Output;

    /// Computes it with the vectors `S`.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of `S`; else as each kernel says.
    unsafe fn run<S: Simd<T = T>>(self) -> Self::Output;
}

/// The instruction sets that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Isa {
    /// What every processor of the target has.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512F.
    Avx512,
}

#[cfg(test)]
thread_local! {
    static FORCED: Cell<Option<Isa>> = const { Cell::new(None) };
}

impl Isa {
    /// The best that this processor has, or what a test has forced on this thread. Threads that
    /// share an operation must be told the same: ask once, before the work is cut.
    pub(crate) fn current() -> Self {
        #[cfg(test)]
        if let Some(isa) = FORCED.get() {
            return isa;
        }
        Self::best()
    }

    fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f") {
                return Self::Avx512;
            }
            if std::arch::is_x86_feature_detected!("avx2")
                && std::arch::is_x86_feature_detected!("fma")
            {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// Lanes of a vector of `T`.
    pub(crate) fn lanes<T: Float>(self) -> usize {
        struct Lanes;
        impl<T: Float> Kernel<T> for Lanes {
            type Output = usize;
            #[inline(always)]
            unsafe fn run<S: Simd<T = T>>(self) -> usize {
                S::LANES
            }
        }
        // SAFETY: nothing is computed.
        unsafe { T::dispatch(self, Lanes) }
    }
}

/// Runs `f` with the instruction set forced on this thread, and every one up to the best.
#[cfg(test)]
pub(crate) fn with_each_isa(mut f: impl FnMut(Isa)) {
    for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512] {
        if isa <= Isa::best() {
            FORCED.set(Some(isa));
            f(isa);
            FORCED.set(None);
        }
    }
}

/// Loops over slices, that compilers make into loops over vectors.
pub(crate) trait Loop {
    /// What they give.
    type Output;

    /// Runs them. To be `#[inline(always)]`: what is not inlined is compiled for the lowest
    /// processor.
    fn run(self) -> Self::Output;
}

/// Runs the loops compiled for the best instruction set of this processor.
pub(crate) fn vectorized_loop<L: Loop>(f: L) -> L::Output {
    struct Run<L>(L);
    impl<L: Loop> Kernel<f32> for Run<L> {
        type Output = L::Output;
        #[inline(always)]
        unsafe fn run<S: Simd<T = f32>>(self) -> L::Output {
            self.0.run()
        }
    }
    // SAFETY: the processor has what `current` says; the kernel asks for nothing else.
    unsafe { dispatch_f32(Isa::current(), Run(f)) }
}

/// As [`vectorized_loop`]. The closure must be short, a loop or two of a few operations: compilers
/// do not inline a longer one.
pub(crate) fn vectorized<R>(f: impl FnOnce() -> R) -> R {
    struct Closure<F>(F);
    impl<R, F: FnOnce() -> R> Loop for Closure<F> {
        type Output = R;
        #[inline(always)]
        fn run(self) -> R {
            (self.0)()
        }
    }
    vectorized_loop(Closure(f))
}

/// Runs the kernel on f32 with the vectors of `isa`.
///
/// # Safety
///
/// `isa` must come from [`Isa::current`]; else as the kernel says.
pub(crate) unsafe fn dispatch_f32<K: Kernel<f32>>(isa: Isa, kernel: K) -> K::Output {
    // SAFETY: the processor has what `isa` says; the rest is the caller's promise.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512(kernel),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2(kernel),
            _ => kernel.run::<Portable<f32>>(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn avx512<K: Kernel<f32>>(kernel: K) -> K::Output {
    // SAFETY: by the caller's promise.
    unsafe { kernel.run::<super::avx512::Avx512>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<K: Kernel<f32>>(kernel: K) -> K::Output {
    // SAFETY: by the caller's promise.
    unsafe { kernel.run::<super::avx2::Avx2>() }
}
