#![allow(unsafe_code, reason = "the matrix unit works through pointers")]

use std::arch::x86_64::*;
use std::ops::Range;

use super::factor::PANEL;
use super::pack::PANEL_STEP;
use super::product::Ending;
use super::unit::{AHEAD, Step, TILE, Unit};
use crate::cpu::Output;

/// Steps that are multiplied at a time: a panel of each factor lies in a level-1 cache.
const STEPS: usize = 3;

/// Sums of two panels.
pub(super) const SUMS: usize = 4 * TILE;

/// A block of a product: some panels of either factor, packed.
pub(super) struct Block<'a> {
    /// Panels from their first on, each of `steps`.
    pub(super) a: &'a [f32],
    pub(super) b: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) steps: usize,
}

impl Block<'_> {
    /// `[panel of b][panel of a][four tiles]`.
    ///
    /// # Safety
    ///
    /// The matrix unit must be available.
    pub(super) unsafe fn multiply(&self, sums: &mut [f32]) {
        let panel = self.steps * PANEL_STEP;
        assert!(self.rows * panel <= self.a.len() && self.columns * panel <= self.b.len());
        assert!(self.rows * self.columns * SUMS <= sums.len());
        // SAFETY: by the caller's promise; all panels and sums are within their slices.
        unsafe {
            let unit = Unit::configured();
            for first in (0..self.steps).step_by(STEPS) {
                let steps = STEPS.min(self.steps - first);
                // Each call asks for its share of the panels' next steps.
                let ahead = if first + STEPS < self.steps { STEPS * PANEL_STEP } else { 0 };
                for column in 0..self.columns {
                    let b = self.b.as_ptr().add(column * panel + first * PANEL_STEP);
                    for row in 0..self.rows {
                        let a = self.a.as_ptr().add(row * panel + first * PANEL_STEP);
                        let c = sums.as_mut_ptr().add((column * self.rows + row) * SUMS);
                        let next_a = a.wrapping_add(ahead + column * STEPS * AHEAD);
                        let next_b = b.wrapping_add(ahead + row * STEPS * AHEAD);
                        let accumulate = first > 0;
                        unit.multiply(Step { a, b, next_a, next_b, c, steps, accumulate });
                    }
                }
            }
        }
    }
}

/// Rows ahead of the one that is written, whose cache lines are asked for.
const SOON: usize = 2;

/// Where the sums of a panel of rows go.
pub(super) struct Place {
    pub(super) rows: Range<usize>,
    /// From row to row.
    pub(super) row_step: usize,
    /// From the sums of a panel of columns to those of the next.
    pub(super) panel: usize,
}

impl Place {
    /// Writes the sums, or adds them to those that are there, row by row. Each of `panels` tells where
    /// the first value of a panel of columns lies, and how many columns it has.
    ///
    /// # Safety
    ///
    /// The processor must have AVX-512; these rows and columns must be this thread's alone, and
    /// written before if `add`.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn write(
        &self,
        sums: &[f32],
        panels: &[(usize, usize)],
        (add, ending): (bool, Option<Ending>),
        out: &Output<f32>,
    ) {
        assert!(panels.is_empty() || sums.len() >= (panels.len() - 1) * self.panel + SUMS);
        assert!(self.rows.len() <= PANEL && panels.iter().all(|&(_, count)| count <= PANEL));
        for (n, row) in self.rows.clone().enumerate() {
            for &(start, count) in panels {
                let soon = out.start().wrapping_add(start + (n + SOON) * self.row_step);
                _mm_prefetch::<_MM_HINT_ET0>(soon.cast());
                _mm_prefetch::<_MM_HINT_ET0>(soon.wrapping_add(count - 1).cast());
                if let Some(gate) = ending.and_then(|ending| ending.gate) {
                    let soon = gate.as_ptr().wrapping_add(start + (n + SOON) * self.row_step);
                    _mm_prefetch::<_MM_HINT_T0>(soon.cast());
                    _mm_prefetch::<_MM_HINT_T0>(soon.wrapping_add(count - 1).cast());
                }
            }
            for (panel, &(start, count)) in panels.iter().enumerate() {
                for half in 0..count.div_ceil(16) {
                    let start = start + n * self.row_step + 16 * half;
                    let tile = panel * self.panel + (n / 16 * 2 + half) * TILE + n % 16 * 16;
                    let count = (count - 16 * half).min(16);
                    // SAFETY: by the caller's promise; the tile lies within the sums.
                    unsafe {
                        let v = _mm512_loadu_ps(sums.as_ptr().add(tile));
                        write_vector(v, (row, start, count), (add, ending), out);
                    }
                }
            }
        }
    }
}

/// Writes `count` values of a row.
///
/// # Safety
///
/// As of [`Place::write`].
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn write_vector(
    mut v: __m512,
    (row, start, count): (usize, usize, usize),
    (add, ending): (bool, Option<Ending>),
    out: &Output<f32>,
) {
    let mask = ((1u32 << count) - 1) as __mmask16;
    let to = out.at(start, count);
    // SAFETY: by the caller's promise; masked lanes are neither read nor written.
    unsafe {
        if add {
            v = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, to), v);
        }
        if let Some(Ending { epilogue, gate }) = ending {
            if let Some(bias) = epilogue.bias {
                v = _mm512_add_ps(v, _mm512_set1_ps(bias[row]));
            }
            if let Some(residual) = epilogue.residual {
                let residual = residual[start..start + count].as_ptr();
                v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask, residual));
            }
            if epilogue.relu {
                // A NaN stays.
                let zero = _mm512_setzero_ps();
                let off = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(v, zero);
                v = _mm512_mask_mov_ps(v, off, zero);
            }
            if let Some(gate) = gate {
                let gate = _mm512_maskz_loadu_ps(mask, gate[start..start + count].as_ptr());
                let off = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(gate, _mm512_setzero_ps());
                v = _mm512_mask_mov_ps(v, off, _mm512_setzero_ps());
            }
        }
        _mm512_mask_storeu_ps(to, mask, v);
    }
}
