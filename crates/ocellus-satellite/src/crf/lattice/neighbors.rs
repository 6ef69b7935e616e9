use rayon::prelude::*;

use super::table::{NONE, PointTable};

/// Points of a task.
const CHUNK: usize = 4096;

/// The two points next to each point along each of the d + 1 axes; the number of points where there is none.
#[derive(Debug)]
pub(super) struct Neighbors {
    axes: Vec<Vec<[u32; 2]>>,
}

impl Neighbors {
    pub(super) fn new(table: &PointTable, dims: usize) -> Self {
        let count = table.len();
        let missing = count as u32;
        let axis = |axis: usize| {
            let mut pairs = vec![[missing; 2]; count];
            let keys = table.keys().par_chunks(CHUNK * dims);
            pairs.par_chunks_mut(CHUNK).zip(keys).for_each(|(pairs, keys)| {
                let mut next = vec![0; dims];
                for (pair, key) in pairs.iter_mut().zip(keys.chunks_exact(dims)) {
                    next.iter_mut().zip(key).for_each(|(next, key)| *next = key - 1);
                    if let Some(next) = next.get_mut(axis) {
                        *next += dims as i32 + 1;
                    }
                    let found = table.find(&next);
                    pair[0] = if found == NONE { missing } else { found };
                }
            });
            // Who has a next point is the one before it.
            for point in 0..count {
                let next = pairs[point][0];
                if next != missing {
                    pairs[next as usize][1] = point as u32;
                }
            }
            pairs
        };
        Self { axes: (0..=dims).into_par_iter().map(axis).collect() }
    }

    /// Blurs along all axes in turn: v + (v₋ + v₊) / 2, from and to `values`; both arrays end in a row of zeros for
    /// missing points.
    pub(super) fn blur(&self, channels: usize, values: &mut Vec<f32>, spare: &mut Vec<f32>) {
        for pairs in &self.axes {
            let from = values.as_slice();
            let chunks = spare.par_chunks_mut(CHUNK * channels).zip(pairs.par_chunks(CHUNK));
            chunks.enumerate().for_each(|(chunk, (into, pairs))| {
                let own = &from[chunk * CHUNK * channels..];
                match channels {
                    1 => blur(1, pairs, own, from, into),
                    2 => blur(2, pairs, own, from, into),
                    3 => blur(3, pairs, own, from, into),
                    4 => blur(4, pairs, own, from, into),
                    _ => blur(channels, pairs, own, from, into),
                }
            });
            std::mem::swap(values, spare);
        }
    }
}

#[inline(always)]
fn blur(channels: usize, pairs: &[[u32; 2]], own: &[f32], all: &[f32], into: &mut [f32]) {
    let points = into.chunks_exact_mut(channels).zip(own.chunks_exact(channels));
    for (&[next, previous], (into, own)) in pairs.iter().zip(points) {
        let next = &all[next as usize * channels..][..channels];
        let previous = &all[previous as usize * channels..][..channels];
        for (((into, own), next), previous) in into.iter_mut().zip(own).zip(next).zip(previous) {
            *into = own + 0.5 * (next + previous);
        }
    }
}
