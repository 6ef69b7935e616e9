#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use std::marker::PhantomData;
use std::ops::Range;

use super::grad_block::ByTile;
use super::maps::Map;
use super::tiles::{Area, Run, Strip};
use super::transform::{PHASE_OUT, SIDE};
use crate::conv::vectors::{copy, prefetch};
use crate::cpu::Float;
use crate::simd::{Kernel, MAX_LANES, Simd};

/// Columns of pixels that are read at a time. Channels often lie a power of two apart, where a cache
/// or the table of pages holds few of them: each is read for a while before the next.
const COLUMNS: usize = 64;

/// Values between the rows of two channels.
const ROW: usize = COLUMNS + MAX_LANES;

/// Columns of pixels of a tile, at most: of two phases.
const SPAN: usize = 2 * PHASE_OUT;

/// Channels ahead whose pixels are asked for.
const AHEAD: usize = 4;

/// Tiles of images to be transformed with their channels in vectors.
#[derive(Clone, Copy)]
pub(super) struct Image<'a, T> {
    pub(super) data: &'a [T],
    /// Values from a channel to the next.
    pub(super) plane: usize,
    pub(super) channels: usize,
    pub(super) area: Area,
    /// Phases along a side, 1 or 2: every pixel belongs to one.
    pub(super) phases: usize,
}

/// The points of tiles, channels in vectors, for panels `panels` of the channels and some of the
/// vertical phases.
///
/// A vector of pixels of each channel is mapped vertically, then the six rows are transposed, then
/// mapped horizontally: only new pixels are transposed.
pub(super) struct TransformChannels<'a, T, M> {
    pub(super) image: Image<'a, T>,
    pub(super) runs: &'a [Run],
    pub(super) phases: Range<usize>,
    pub(super) panels: Range<usize>,
    pub(super) layout: ByTile,
    /// Where the first of these panels begins in the first of these phases.
    pub(super) to: *mut T,
    pub(super) map: PhantomData<M>,
}

impl<T: Float, M: Map> Kernel<T> for TransformChannels<'_, T, M> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(self) {
        let (image, layout, phases) = (&self.image, &self.layout, self.image.phases);
        let mut buffers = Buffers {
            rows: [[T::zero(); ROW * MAX_LANES]; SIDE],
            window: [T::zero(); (SPAN + COLUMNS) * MAX_LANES],
            rest: [[T::zero(); SPAN * MAX_LANES]; SIDE],
        };
        for run in self.runs {
            for (n, phase) in self.phases.clone().enumerate() {
                let strip = image.area.strip(run, [phase, M::SIDE, phases]);
                for half in 2 * self.panels.start..2 * self.panels.end {
                    let panel = n * phases * layout.panels + half / 2 - self.panels.start;
                    let to =
                        panel * layout.panel() + run.first * layout.row() + half % 2 * S::LANES;
                    // SAFETY: the strip lies within the planes; `to` has room for the layout.
                    unsafe {
                        let to = self.to.add(to);
                        transform::<S, M>(
                            image,
                            run,
                            &strip,
                            half * S::LANES,
                            layout,
                            &mut buffers,
                            to,
                        );
                    }
                }
            }
        }
    }
}

/// Pixels on their way, in whole cache lines.
#[repr(align(64))]
struct Buffers<T> {
    /// Rows of the channels, mapped vertically: `[point][channel][column]`.
    rows: [[T; ROW * MAX_LANES]; SIDE],
    /// One of these rows from the next tile on, channels in vectors: `[column][channel]`.
    window: [T; (SPAN + COLUMNS) * MAX_LANES],
    /// What was left in it of each row.
    rest: [[T; SPAN * MAX_LANES]; SIDE],
}

/// A row of tiles, for the channels of a vector.
#[inline(always)]
unsafe fn transform<S: Simd, M: Map>(
    image: &Image<S::T>,
    run: &Run,
    strip: &Strip,
    channel: usize,
    layout: &ByTile,
    buffers: &mut Buffers<S::T>,
    to: *mut S::T,
) {
    let (step, span) = (image.area.step, image.phases * M::SIDE);
    let columns = &strip.columns;
    let (mut tile, mut column) = (0, 0);
    while tile < run.tiles {
        // SAFETY: by the caller's promise; the window has room for the rest and these columns.
        unsafe {
            let count = if columns.contains(&column) {
                let count = COLUMNS.min(columns.end - column);
                read::<S, M>(image, strip, channel, column..column + count, buffers);
                count.next_multiple_of(S::LANES)
            } else {
                let zeros = columns.start.saturating_sub(column);
                if zeros == 0 { COLUMNS } else { zeros.min(COLUMNS) }
            };
            let rest = column - tile * step;
            let tiles = if rest + count < span { 0 } else { (rest + count - span) / step + 1 };
            let tiles = tiles.min(run.tiles - tile);
            let left = (rest + count - tiles * step).min(SPAN);
            for i in 0..SIDE {
                let (window, kept) = (buffers.window.as_mut_ptr(), buffers.rest[i].as_mut_ptr());
                copy::<S>(kept, window, rest * S::LANES);
                let new = window.add(rest * S::LANES);
                if columns.contains(&column) {
                    transpose::<S>(&buffers.rows[i], count, new);
                } else {
                    for n in 0..count {
                        S::store(new.add(n * S::LANES), S::splat(S::T::default()));
                    }
                }
                let to = to.add(tile * layout.row() + i * SIDE * layout.point());
                map_row::<S, M>(image, window, tiles, layout, to);
                copy::<S>(window.add(tiles * step * S::LANES), kept, left * S::LANES);
            }
            tile += tiles;
            column += count;
        }
    }
}

/// Reads some columns of the channels, and maps them vertically.
#[inline(always)]
unsafe fn read<S: Simd, M: Map>(
    image: &Image<S::T>,
    strip: &Strip,
    channel: usize,
    columns: Range<usize>,
    buffers: &mut Buffers<S::T>,
) {
    for lane in 0..S::LANES {
        let offset = (channel + lane) * image.plane + columns.start - strip.columns.start;
        let ahead = ahead::<S>(image, strip, lane, &columns);
        for at in (0..columns.len()).step_by(S::LANES) {
            let count = S::LANES.min(columns.len() - at);
            // SAFETY: by the caller's promise.
            unsafe {
                let mut d = [S::splat(S::T::default()); SIDE];
                if channel + lane < image.channels {
                    let mut i = 0;
                    while i < M::SIDE {
                        if let Some(row) = strip.rows[i] {
                            debug_assert!(row + offset + at + count <= image.data.len());
                            let from = image.data.as_ptr().add(row + offset + at);
                            d[i] = if count == S::LANES {
                                S::load(from)
                            } else {
                                S::load_first(from, count)
                            };
                            prefetch(from.wrapping_offset(ahead), 1);
                        }
                        i += 1;
                    }
                }
                let v = M::points::<S>(d);
                let mut i = 0;
                while i < SIDE {
                    S::store(buffers.rows[i].as_mut_ptr().add(lane * ROW + at), v[i]);
                    i += 1;
                }
            }
        }
    }
}

/// Where the columns lie that are read a little later, from those that are read.
#[inline(always)]
fn ahead<S: Simd>(
    image: &Image<S::T>,
    strip: &Strip,
    lane: usize,
    columns: &Range<usize>,
) -> isize {
    let (plane, lanes, ahead) = (image.plane as isize, S::LANES as isize, AHEAD as isize);
    if lane + AHEAD < S::LANES {
        ahead * plane
    } else if columns.end < strip.columns.end {
        (ahead - lanes) * plane + columns.len() as isize
    } else {
        ahead * plane - (columns.start - strip.columns.start) as isize
    }
}

/// Writes columns of a row with channels in vectors.
#[inline(always)]
unsafe fn transpose<S: Simd>(row: &[S::T], columns: usize, to: *mut S::T) {
    for column in (0..columns).step_by(S::LANES) {
        // SAFETY: by the caller's promise.
        unsafe {
            let mut v = [S::splat(S::T::default()); MAX_LANES];
            let mut lane = 0;
            while lane < S::LANES {
                v[lane] = S::load(row.as_ptr().add(lane * ROW + column));
                lane += 1;
            }
            S::store_transposed(to.add(column * S::LANES), S::LANES, &v);
        }
    }
}

/// Maps a row of the tiles in a window horizontally.
#[inline(always)]
unsafe fn map_row<S: Simd, M: Map>(
    image: &Image<S::T>,
    window: *const S::T,
    tiles: usize,
    layout: &ByTile,
    to: *mut S::T,
) {
    for phase in 0..image.phases {
        for tile in 0..tiles {
            // SAFETY: by the caller's promise.
            unsafe {
                let from = window.add((tile * image.area.step + phase) * S::LANES);
                let mut d = [S::splat(S::T::default()); SIDE];
                let mut j = 0;
                while j < M::SIDE {
                    d[j] = S::load(from.add(image.phases * j * S::LANES));
                    j += 1;
                }
                let v = M::points::<S>(d);
                let to = to.add(phase * layout.panels * layout.panel() + tile * layout.row());
                let mut j = 0;
                while j < SIDE {
                    S::store(to.add(j * layout.point()), v[j]);
                    j += 1;
                }
            }
        }
    }
}
