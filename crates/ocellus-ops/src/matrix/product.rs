#![allow(unsafe_code, reason = "tasks write disjoint, interleaved parts of the product")]

use std::ops::Range;

use rayon::prelude::*;

use super::block::{Block, Place, SUMS};
use super::factor::{Factor, Images};
use super::pack::{PANEL_STEP, Side, pack};
use super::unit::is_available;
use crate::conv::Epilogue;
use crate::cpu::{Output, with_scratch};
use crate::parallel::cut;

/// Panels of either factor in a block: its sums and some steps of all panels lie in a level-2 cache.
const BLOCK: usize = 8;

/// Steps of a sum at a time; then panels of either factor at a time: packed, each takes at most
/// 48 MB.
const STEPS: usize = 128;
const PANEL_STEPS: usize = 1 << 13;

/// What becomes of the sums.
#[derive(Clone, Copy)]
pub(crate) struct Ending<'a> {
    pub(crate) epilogue: Epilogue<'a, f32>,
    /// Where this, as large as the product, is not positive, zeros take the place of the sums: the
    /// gradient of a ReLU that gave it. It comes last.
    pub(crate) gate: Option<&'a [f32]>,
}

impl<'a> From<Epilogue<'a, f32>> for Ending<'a> {
    fn from(epilogue: Epilogue<'a, f32>) -> Self {
        Self { epilogue, gate: None }
    }
}

/// The product of the lines of two factors: `[image of b][line of a][line of b]`.
///
/// ```text
/// y[i, r, c] = Σ a[r] · b[i, c]
/// ```
///
/// Blocks are cut by the sizes alone, and a sum runs over its terms in order, whatever stands
/// beside it: the same bits at any number of threads, lines or images.
///
/// Nothing if there is no matrix unit.
pub(crate) fn product(a: &Factor, b: &Factor, ending: Ending) -> Option<Vec<f32>> {
    if !is_available() {
        return None;
    }
    let images = if b.stack == Images::AlongLines { b.images } else { 1 };
    let image_step = a.lines * b.lines;
    let fill = |out: &Output<f32>| {
        // SAFETY: there is a unit; the output is this call's.
        unsafe { run(a, b, ending, (out, image_step, false)) };
    };
    // SAFETY: the blocks cover all panels of lines, whose lines are the values of the product.
    Some(unsafe { Output::collect(images * image_step, fill) })
}

/// Adds the product to the first lines of images that are `image_step` apart, if there is a matrix
/// unit.
pub(crate) fn add_product(a: &Factor, b: &Factor, to: &mut [f32], image_step: usize) -> bool {
    let is_available = is_available();
    if is_available {
        // SAFETY: there is a unit; all values are there, and this call's.
        unsafe { run(a, b, Epilogue::of(None).into(), (&Output::of(to), image_step, true)) };
    }
    is_available
}

/// # Safety
///
/// The matrix unit must be available, and the output this call's alone; written if it is added to.
unsafe fn run(
    a: &Factor,
    b: &Factor,
    ending: Ending,
    (out, image_step, add): (&Output<f32>, usize, bool),
) {
    a.assert_within();
    b.assert_within();
    assert_eq!(a.steps_deep(), b.steps_deep(), "factors of other depths");
    assert!(a.stack == Images::AlongDepth || a.images == 1, "a stack of left factors");
    let depths = cut(a.steps_deep(), STEPS);
    for (n, steps) in depths.iter().enumerate() {
        // The last part ends the sums.
        let ending = (n + 1 == depths.len()).then_some(ending);
        let work = Work { a, b, steps: steps.clone(), image_step, add: add || n > 0, ending };
        // SAFETY: by the caller's promise.
        unsafe { work.run(out) };
    }
}

struct Work<'a> {
    a: &'a Factor<'a>,
    b: &'a Factor<'a>,
    steps: Range<usize>,
    /// From an image of the product to the next.
    image_step: usize,
    /// Whether there are sums of former steps.
    add: bool,
    ending: Option<Ending<'a>>,
}

impl Work<'_> {
    /// # Safety
    ///
    /// The matrix unit must be available, and the output this call's alone.
    unsafe fn run(&self, out: &Output<f32>) {
        let panel = self.steps.len() * PANEL_STEP;
        let most = (PANEL_STEPS / self.steps.len()).max(BLOCK);
        let (rows, columns) = (cut(self.a.panels(), most), cut(self.b.panels(), most));
        let widest = |parts: &[Range<usize>]| parts.iter().map(Range::len).max().unwrap_or(0);
        let (left, right) = (widest(&rows) * panel, widest(&columns) * panel);
        with_scratch(left + right, |scratch| {
            let (left, right) = scratch.split_at_mut(left);
            for rows in &rows {
                // SAFETY: by the caller's promise.
                unsafe { self.pack(self.a, Side::Left, rows, left) };
                for columns in &columns {
                    // SAFETY: likewise.
                    unsafe {
                        self.pack(self.b, Side::Right, columns, right);
                        self.multiply((rows, left), (columns, right), out);
                    }
                }
            }
        });
    }

    /// # Safety
    ///
    /// The processor must have AVX-512.
    unsafe fn pack(&self, factor: &Factor, side: Side, panels: &Range<usize>, to: &mut [f32]) {
        let panel = self.steps.len() * PANEL_STEP;
        let to = &mut to[..panels.len() * panel];
        to.par_chunks_mut(BLOCK / 2 * panel).enumerate().with_max_len(1).for_each(|(n, to)| {
            let first = panels.start + n * (BLOCK / 2);
            let panels = first..first + to.len() / panel;
            // SAFETY: there is room for that many panels; the rest is the caller's promise.
            unsafe { pack(factor, side, panels, self.steps.clone(), to.as_mut_ptr()) };
        });
    }

    /// # Safety
    ///
    /// As of [`run`](Self::run).
    unsafe fn multiply(
        &self,
        (rows, a): (&Range<usize>, &[f32]),
        (columns, b): (&Range<usize>, &[f32]),
        out: &Output<f32>,
    ) {
        let (down, across) = (cut(rows.len(), BLOCK), cut(columns.len(), BLOCK));
        let panel = self.steps.len() * PANEL_STEP;
        let tasks = down.len() * across.len();
        (0..tasks).into_par_iter().with_max_len(1).for_each(|task| {
            let (down, across) = (&down[task % down.len()], &across[task / down.len()]);
            let block = Block {
                a: &a[down.start * panel..],
                b: &b[across.start * panel..],
                rows: down.len(),
                columns: across.len(),
                steps: self.steps.len(),
            };
            with_scratch(down.len() * across.len() * SUMS, |sums| {
                // SAFETY: by the caller's promise.
                unsafe { block.multiply(sums) };
                let columns: Vec<_> = across.clone().map(|n| columns.start + n).collect();
                for (n, row) in down.clone().enumerate() {
                    let sums = &sums[n * SUMS..];
                    // SAFETY: these panels are this task's; they were written if there are sums.
                    unsafe { self.write(rows.start + row, &columns, down.len(), sums, out) };
                }
            });
        });
    }

    /// Writes the sums of a panel of rows and some panels of columns, which are `apart` panels apart.
    ///
    /// # Safety
    ///
    /// As of [`Place::write`].
    unsafe fn write(
        &self,
        row: usize,
        columns: &[usize],
        apart: usize,
        sums: &[f32],
        out: &Output<f32>,
    ) {
        let (_, first, count) = self.a.place(row);
        let start = |&column: &usize| {
            let (image, column, columns) = self.b.place(column);
            (image * self.image_step + first * self.b.lines + column, columns)
        };
        let panels: Vec<_> = columns.iter().map(start).collect();
        let rows = first..first + count;
        let place = Place { rows, row_step: self.b.lines, panel: apart * SUMS };
        // SAFETY: by the caller's promise.
        unsafe { place.write(sums, &panels, (self.add, self.ending), out) };
    }
}
