//! The row that is farthest from all centers, found by looking at few rows.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::distance::squared_distance;

/// Rows of a block.
const BLOCK: usize = 128;
/// Blocks that are refined one after the other before several are at once.
const ALONE: usize = 4;
/// Marks a row that is a center.
const CENTER: f32 = -1.;

/// The squared distance of every row to its nearest center, as far as it is known.
///
/// The distance to the centers that a row has seen so far is an upper bound of its distance to all.
/// So a row whose bound is below the exact distance of another cannot be the farthest, and need not
/// see the centers since: most rows see most centers never, and those that do see many at once.
/// What is found is what computing all distances would find, to the bit, whatever is looked at.
pub(super) struct Farthest<'a> {
    rows: &'a [f32],
    columns: usize,
    centers: Vec<usize>,
    bounds: Vec<f32>,
    /// How many centers went into each bound.
    seen: Vec<u32>,
    tops: Vec<Top>,
}

/// The row with the greatest bound of a block, the first of several.
#[derive(Clone, Copy, Debug)]
struct Top {
    bound: f32,
    row: usize,
    exact: bool,
}

impl Top {
    const NONE: Self = Self { bound: f32::NEG_INFINITY, row: usize::MAX, exact: true };

    fn is_before(&self, other: &Self) -> bool {
        self.bound > other.bound || self.bound == other.bound && self.row < other.row
    }
}

impl<'a> Farthest<'a> {
    /// Bounds without a center: the squares of `distances` to something else.
    pub(super) fn new(rows: ArrayView2<'a, f32>, distances: Option<Vec<f32>>) -> Self {
        let (count, columns) = rows.dim();
        let bounds = distances.unwrap_or_else(|| vec![f32::INFINITY; count]);
        let mut farthest = Self {
            rows: rows.to_slice().unwrap_or_default(),
            columns,
            centers: Vec::new(),
            seen: vec![0; count],
            tops: Vec::new(),
            bounds,
        };
        farthest.tops = farthest.bounds.chunks(BLOCK).enumerate().map(top).collect();
        farthest
    }

    /// Makes a row a center.
    pub(super) fn add(&mut self, row: usize) {
        self.centers.push(row);
        self.bounds[row] = CENTER;
        let block = row / BLOCK;
        let end = self.bounds.len().min((block + 1) * BLOCK);
        for top in &mut self.tops {
            top.exact = false;
        }
        self.tops[block] = top((block, &self.bounds[block * BLOCK..end]));
    }

    /// The row that is farthest from all centers, the first of several, and its squared distance;
    /// nothing if every row is a center.
    pub(super) fn find(&mut self) -> Option<(usize, f32)> {
        let (mut floor, mut round) = (f32::NEG_INFINITY, 0);
        loop {
            let best =
                self.tops.iter().fold(Top::NONE, |a, b| if b.is_before(&a) { *b } else { a });
            if best.exact || best.bound < 0. {
                return (best.bound >= 0.).then_some((best.row, best.bound));
            }
            if round < ALONE {
                self.refine_block(best.row / BLOCK, floor);
            } else {
                self.refine_many(4 << round.min(20), floor);
            }
            floor = self.floor();
            round += 1;
        }
    }

    /// The greatest distance that is known exactly.
    fn floor(&self) -> f32 {
        let exact = self.tops.iter().filter(|top| top.exact);
        exact.fold(f32::NEG_INFINITY, |floor, top| floor.max(top.bound))
    }

    fn refine_block(&mut self, block: usize, floor: f32) {
        let work = Work { rows: self.rows, columns: self.columns, centers: &self.centers };
        let (start, end) = (block * BLOCK, self.bounds.len().min((block + 1) * BLOCK));
        let (bounds, seen) = (&mut self.bounds[start..end], &mut self.seen[start..end]);
        self.tops[block] = work.refine(block, bounds, seen, floor);
    }

    /// Refines about that many blocks with the greatest bounds, at once.
    fn refine_many(&mut self, count: usize, floor: f32) {
        let open = |top: &&Top| !top.exact && top.bound >= floor.max(0.);
        let mut bounds: Vec<f32> = self.tops.iter().filter(open).map(|top| top.bound).collect();
        let least = if count < bounds.len() {
            *bounds.select_nth_unstable_by(count, |a, b| b.total_cmp(a)).1
        } else {
            f32::NEG_INFINITY
        };
        let work = Work { rows: self.rows, columns: self.columns, centers: &self.centers };
        let blocks = self.bounds.par_chunks_mut(BLOCK).zip(self.seen.par_chunks_mut(BLOCK));
        blocks.zip(&mut self.tops).enumerate().for_each(|(block, ((bounds, seen), top))| {
            if open(&&*top) && top.bound >= least {
                *top = work.refine(block, bounds, seen, floor);
            }
        });
    }
}

fn top((block, bounds): (usize, &[f32])) -> Top {
    let bound = greatest(bounds);
    let place = bounds.iter().position(|&other| other == bound);
    let row = place.map_or(usize::MAX, |place| block * BLOCK + place);
    Top { bound, row, exact: false }
}

/// In vectors, which a plain fold would not be.
fn greatest(bounds: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, rest) = bounds.as_chunks::<16>();
    let mut lanes = [f32::NEG_INFINITY; 16];
    for chunk in chunks {
        for (lane, &bound) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, bound);
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| larger(a, b))
}

struct Work<'a> {
    rows: &'a [f32],
    columns: usize,
    centers: &'a [usize],
}

impl Work<'_> {
    /// Shows the centers to the rows of a block with the greatest bounds, until the greatest is
    /// exact or below the floor.
    fn refine(&self, block: usize, bounds: &mut [f32], seen: &mut [u32], floor: f32) -> Top {
        loop {
            let mut best = top((block, bounds));
            if best.bound < floor || best.bound < 0. {
                return best;
            }
            let place = best.row - block * BLOCK;
            let pending = &self.centers[seen[place] as usize..];
            if pending.is_empty() {
                best.exact = true;
                return best;
            }
            let row = self.row(best.row);
            for &center in pending {
                let distance = squared_distance(row, self.row(center), bounds[place]);
                bounds[place] = bounds[place].min(distance);
            }
            seen[place] = self.centers.len() as u32;
        }
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.rows[row * self.columns..][..self.columns]
    }
}
