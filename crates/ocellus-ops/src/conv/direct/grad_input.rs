#![allow(unsafe_code, reason = "tasks write disjoint parts of the gradient")]

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::columns::scatter;
use super::forward::forward;
use super::tile::{Tile, channel_parts, tiles};
use crate::conv::epilogue::Epilogue;
use crate::conv::geometry::Geometry;
use crate::conv::weights::Weights;
use crate::cpu::{Float, Output, Strided, matmul, with_scratch};

/// The transpose of [`forward`]: x from y, which is the gradient by the input, and a transposed
/// convolution. `bias` is per channel of x.
pub(in crate::conv) fn grad_input<T: Float>(
    g: &Geometry,
    y: &[T],
    weight: &[T],
    bias: Option<&[T]>,
) -> Vec<T> {
    match g.turned() {
        Some(turned) => forward(&turned, y, Weights::Plain(&turn(g, weight)), Epilogue::of(bias)),
        None => scattered(g, y, weight, bias),
    }
}

/// The filters turned by half a turn, with input and output channels exchanged.
fn turn<T: Float>(g: &Geometry, weight: &[T]) -> Vec<T> {
    let (taps, depth) = (g.taps(), g.depth());
    let mut turned = vec![T::zero(); weight.len()];
    let filter = g.co * taps;
    turned.par_chunks_mut(filter.max(1)).enumerate().for_each(|(channel, turned)| {
        let (group, c) = (channel / g.ci, channel % g.ci);
        for (o, turned) in turned.chunks_exact_mut(taps).enumerate() {
            let source = &weight[(group * g.co + o) * depth + c * taps..][..taps];
            for (to, &from) in turned.iter_mut().zip(source.iter().rev()) {
                *to = from;
            }
        }
    });
    turned
}

/// By columns: the products of filters and y, added where each tap meets x.
fn scattered<T: Float>(g: &Geometry, y: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
    let parts = channel_parts(g);
    // Tiles of one image (or of one set of images) belong to one task: they overlap in x.
    let mut sets: Vec<Vec<Tile>> = Vec::new();
    for tile in tiles(g) {
        match sets.last_mut() {
            Some(set) if set[0].images == tile.images => set.push(tile),
            _ => sets.push(vec![tile]),
        }
    }
    let len = g.input_shape().iter().product();
    let fill = |out: &Output<T>| {
        let tasks = sets.len() * g.groups * parts.len();
        (0..tasks).into_par_iter().with_max_len(1).for_each(|task| {
            let set = &sets[task / (g.groups * parts.len())];
            let group = task / parts.len() % g.groups;
            scatter_set(g, y, weight, bias, set, group, &parts[task % parts.len()], out);
        });
    };
    // SAFETY: sets × groups × parts cover every channel of every image; each task writes its own.
    unsafe { Output::collect(len, fill) }
}

/// The channels `part` of the images of a set.
#[expect(clippy::too_many_arguments, reason = "an inner routine")]
fn scatter_set<T: Float>(
    g: &Geometry,
    y: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    set: &[Tile],
    group: usize,
    part: &Range<usize>,
    out: &Output<T>,
) {
    let plane = g.input_plane();
    let channel = |image: usize, c: usize| (image * g.groups + group) * g.ci + c;
    for image in set[0].images.clone() {
        for c in part.clone() {
            let value = bias.map_or(T::zero(), |b| b[group * g.ci + c]);
            // SAFETY: this channel of this image is this task's.
            unsafe { out.slice(channel(image, c) * plane, plane) }.fill(MaybeUninit::new(value));
        }
    }
    let rows = part.len() * g.taps();
    let widest = set.iter().map(|t| t.images.len() * t.pixels(g).len()).max().unwrap_or(0);
    let filters = &weight[group * g.co * g.depth() + part.start * g.taps()..];
    let filters = Strided::row_major(filters, g.depth()).transposed();
    with_scratch((rows + g.co) * widest, |scratch| {
        let (columns, values) = scratch.split_at_mut(rows * widest);
        for tile in set {
            let width = tile.images.len() * tile.pixels(g).len();
            let source = values_of(g, y, tile, group, values);
            // SAFETY: `columns` holds `rows` rows of `width`.
            unsafe {
                matmul((rows, width, g.co), columns.as_mut_ptr(), width, false, filters, source);
            };
            for (i, image) in tile.images.clone().enumerate() {
                for (n, c) in part.clone().enumerate() {
                    // SAFETY: written above, and this task's.
                    let plane = unsafe { out.written(channel(image, c) * plane, plane) };
                    let start = n * g.taps() * width + i * tile.pixels(g).len();
                    scatter(g, plane, &tile.rows, &columns[start..], width);
                }
            }
        }
    });
}

/// The values of y in a tile as a matrix (channel × pixel); those of several images are copied
/// side by side to `buffer`.
fn values_of<'a, T: Float>(
    g: &Geometry,
    y: &'a [T],
    tile: &Tile,
    group: usize,
    buffer: &'a mut [T],
) -> Strided<'a, T> {
    let (plane, pixels) = (g.output_plane(), tile.pixels(g));
    let start = |image: usize| (image * g.groups + group) * g.co * plane + pixels.start;
    if tile.images.len() == 1 {
        return Strided::row_major(&y[start(tile.images.start)..], plane);
    }
    let width = tile.images.len() * plane;
    for (i, image) in tile.images.clone().enumerate() {
        for c in 0..g.co {
            let source = &y[start(image) + c * plane..][..plane];
            buffer[c * width + i * plane..][..plane].copy_from_slice(source);
        }
    }
    Strided::row_major(buffer, width)
}
