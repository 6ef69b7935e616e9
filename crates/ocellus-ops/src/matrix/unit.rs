#![allow(unsafe_code, reason = "the operating system is asked, and instructions written down")]
//! The matrix unit itself: its permission, its configuration, and the innermost product.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::sync::OnceLock;

use crate::simd::Isa;

/// f32 values of a tile: 16 rows of 64 bytes.
pub(super) const TILE: usize = 256;

/// Values that a step asks for in advance: twelve cache lines.
pub(super) const AHEAD: usize = 192;

/// Whether this processor has the unit and this process may use it.
pub(crate) fn is_available() -> bool {
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    Isa::current() == Isa::Avx512 && *ALLOWED.get_or_init(allowed)
}

/// Asks Linux for the unit's registers, for all threads of the process.
fn allowed() -> bool {
    /// `ARCH_REQ_XCOMP_PERM` of `arch_prctl`, and the number of the tiles' state.
    const REQUEST: (libc::c_long, libc::c_long) = (0x1023, 18);
    /// AMX-BF16 and AMX-TILE, in what leaf 7 gives in EDX.
    const FEATURES: u32 = 1 << 22 | 1 << 24;
    let features = __cpuid_count(7, 0).edx;
    if features & FEATURES != FEATURES || !std::arch::is_x86_feature_detected!("avx512bw") {
        return false;
    }
    // SAFETY: the call touches no memory of the process.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST.0, REQUEST.1) == 0 }
}

/// The unit, configured for eight tiles of 16 rows of 64 bytes, on this thread until it is dropped.
pub(super) struct Unit(());

/// What one call of [`Unit::multiply`] takes.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// Panels of the left and right factor: for each step three thirds of two tiles.
    pub(super) a: *const f32,
    pub(super) b: *const f32,
    /// What is needed soon, [`AHEAD`] values of it a step: into the level-2 cache.
    pub(super) next_a: *const f32,
    pub(super) next_b: *const f32,
    /// Four tiles of sums.
    pub(super) c: *mut f32,
    /// Steps, at least one.
    pub(super) steps: usize,
    /// Whether the sums begin with what `c` holds.
    pub(super) accumulate: bool,
}

impl Unit {
    /// # Safety
    ///
    /// [`is_available`] must have said so, and there must be no other on this thread.
    pub(super) unsafe fn configured() -> Self {
        #[repr(C, align(64))]
        struct Config([u8; 64]);
        let mut config = Config([0; 64]);
        config.0[0] = 1;
        for tile in 0..8 {
            config.0[16 + 2 * tile] = 64;
            config.0[48 + tile] = 16;
        }
        // SAFETY: the unit is there; the configuration is a valid one.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) config.0.as_ptr(), options(nostack, readonly));
        }
        Self(())
    }

    /// The sums of 32 × 32 values, with terms in six thirds-by-thirds, the small ones first.
    ///
    /// # Safety
    ///
    /// The pointers must be valid for as many steps, and `c` for writes by this thread alone.
    pub(super) unsafe fn multiply(&self, step: Step) {
        debug_assert!(step.steps > 0);
        // SAFETY: the unit is configured on this thread; the rest is the caller's promise.
        unsafe {
            asm!(
                "test {accumulate:e}, {accumulate:e}",
                "jz 2f",
                "tileloadd tmm0, [{c} + {row}*1]",
                "tileloadd tmm1, [{c} + {row}*1 + 1024]",
                "tileloadd tmm2, [{c} + {row}*1 + 2048]",
                "tileloadd tmm3, [{c} + {row}*1 + 3072]",
                "jmp 3f",
                "2:",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "3:",
                // a₁ b₃
                "tileloadd tmm4, [{a} + {row}*1]",
                "tileloadd tmm6, [{b} + {row}*1 + 4096]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "prefetcht1 [{next_a} + 0]",
                "tileloadd tmm7, [{b} + {row}*1 + 5120]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "prefetcht1 [{next_b} + 0]",
                "tileloadd tmm5, [{a} + {row}*1 + 1024]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "prefetcht1 [{next_a} + 64]",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "prefetcht1 [{next_b} + 64]",
                // a₁ b₂
                "tileloadd tmm6, [{b} + {row}*1 + 2048]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "prefetcht1 [{next_a} + 128]",
                "tileloadd tmm7, [{b} + {row}*1 + 3072]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "prefetcht1 [{next_b} + 128]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "prefetcht1 [{next_a} + 192]",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "prefetcht1 [{next_b} + 192]",
                // a₂ b₂
                "tileloadd tmm4, [{a} + {row}*1 + 2048]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "prefetcht1 [{next_a} + 256]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "prefetcht1 [{next_b} + 256]",
                "tileloadd tmm5, [{a} + {row}*1 + 3072]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "prefetcht1 [{next_a} + 320]",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "prefetcht1 [{next_b} + 320]",
                // a₂ b₁
                "tileloadd tmm6, [{b} + {row}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "prefetcht1 [{next_a} + 384]",
                "tileloadd tmm7, [{b} + {row}*1 + 1024]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "prefetcht1 [{next_b} + 384]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "prefetcht1 [{next_a} + 448]",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "prefetcht1 [{next_b} + 448]",
                // a₃ b₁
                "tileloadd tmm4, [{a} + {row}*1 + 4096]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "prefetcht1 [{next_a} + 512]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "prefetcht1 [{next_b} + 512]",
                "tileloadd tmm5, [{a} + {row}*1 + 5120]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "prefetcht1 [{next_a} + 576]",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "prefetcht1 [{next_b} + 576]",
                // a₁ b₁
                "tileloadd tmm4, [{a} + {row}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "prefetcht1 [{next_a} + 640]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "prefetcht1 [{next_b} + 640]",
                "tileloadd tmm5, [{a} + {row}*1 + 1024]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "prefetcht1 [{next_a} + 704]",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "prefetcht1 [{next_b} + 704]",
                "add {a}, 6144",
                "add {b}, 6144",
                "add {next_a}, 768",
                "add {next_b}, 768",
                "dec {steps}",
                "jnz 3b",
                "tilestored [{c} + {row}*1], tmm0",
                "tilestored [{c} + {row}*1 + 1024], tmm1",
                "tilestored [{c} + {row}*1 + 2048], tmm2",
                "tilestored [{c} + {row}*1 + 3072], tmm3",
                a = inout(reg) step.a => _,
                b = inout(reg) step.b => _,
                c = in(reg) step.c,
                next_a = inout(reg) step.next_a => _,
                next_b = inout(reg) step.next_b => _,
                row = in(reg) 64usize,
                steps = inout(reg) step.steps => _,
                accumulate = in(reg) u32::from(step.accumulate),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        // SAFETY: the unit is there; its tiles are not needed any more.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}
