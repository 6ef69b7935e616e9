use std::ops::Range;

use super::transform::{OUT, PHASE_OUT, SIDE};
use crate::conv::geometry::Geometry;
use crate::conv::vectors::Staged;
use crate::simd::MAX_LANES;

/// Values in a row of the staging area of a group of input tiles: each of up to [`MAX_LANES`] runs
/// has 4 values for each tile and 2 more; vectors may read a little further.
pub(super) const IN_ROW: usize = SIDE * MAX_LANES + 16;

/// Values of that area.
pub(super) const IN_STAGE: usize = SIDE * IN_ROW;

/// Values in a row of the staging area of a group of output tiles.
pub(super) const OUT_ROW: usize = OUT * MAX_LANES;

/// Values of that area.
pub(super) const OUT_STAGE: usize = OUT * OUT_ROW;

/// Values in a row of the staging area with tiles of one or two phases.
pub(super) const WIDE_ROW: usize = 2 * SIDE * MAX_LANES + 16;

/// As many neighboring tiles as a vector has lanes, and how they are read and written.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// What of the image the input tiles meet; the rest of the staging area is padding.
    pub(super) inputs: Vec<Staged>,
    /// Where each tile begins in a row of the staging area.
    pub(super) offsets: [i32; MAX_LANES],
    /// Whether the tiles are neighbors in one row of an image.
    pub(super) contiguous: bool,
    /// Where the output tiles go.
    pub(super) outputs: Vec<Staged>,
}

/// Images cut into square tiles of equal distances.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    /// Values of all channels of an image.
    image: usize,
    height: usize,
    width: usize,
    /// Pixels of the first tile before the image.
    top: usize,
    left: usize,
    /// Pixels from a tile to the next.
    pub(super) step: usize,
    /// Pixels of a tile's side.
    side: usize,
    /// Values in a row of the staging area.
    row: usize,
}

/// The tiles of all images of a convolution, image by image, row by row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiling {
    rows: usize,
    columns: usize,
    /// Tiles of all images.
    pub(super) count: usize,
    pub(super) input: Area,
    pub(super) output: Area,
}

impl Tiling {
    /// Those of a 3 × 3 convolution at stride 1.
    pub(super) fn of(g: &Geometry) -> Self {
        let input = Area { step: OUT, side: SIDE, row: IN_ROW, ..Area::of_input(g) };
        let output = Area { step: OUT, side: OUT, row: OUT_ROW, ..Area::of_output(g) };
        Self::new(g, g.output, OUT, input, output)
    }

    /// Those of a 4 × 4 convolution at stride 2: tiles of both phases of x, tiles of y.
    pub(super) fn strided(g: &Geometry) -> Self {
        let (step, side) = (2 * PHASE_OUT, 2 * SIDE);
        let input = Area { step, side, row: WIDE_ROW, ..Area::of_input(g) };
        let (step, side) = (PHASE_OUT, PHASE_OUT);
        let output = Area { step, side, row: WIDE_ROW, ..Area::of_output(g) };
        Self::new(g, g.output, PHASE_OUT, input, output)
    }

    /// Those of the transpose of that: tiles of y, tiles of both phases of x.
    ///
    /// Pixel 2 t + phase of the padded x meets the pixels t − 1 and t of y.
    pub(super) fn transposed(g: &Geometry) -> Self {
        let y = Area { top: 1, left: 1, ..Area::of_output(g) };
        let input = Area { step: PHASE_OUT, side: SIDE, row: WIDE_ROW, ..y };
        let (step, side) = (2 * PHASE_OUT, 2 * PHASE_OUT);
        let output = Area { step, side, row: WIDE_ROW, ..Area::of_input(g) };
        let padded = (g.input.0 + g.padding.top, g.input.1 + g.padding.left);
        Self::new(g, padded, step, input, output)
    }

    /// Tiles that cover `size`, `step` apart.
    fn new(g: &Geometry, size: (usize, usize), step: usize, input: Area, output: Area) -> Self {
        let (rows, columns) = (size.0.div_ceil(step), size.1.div_ceil(step));
        Self { rows, columns, count: g.batch * rows * columns, input, output }
    }

    /// `count` groups of `lanes` tiles from tile `first` on.
    pub(super) fn groups(&self, first: usize, lanes: usize, count: usize) -> Vec<Group> {
        (0..count).map(|n| self.group(first + n * lanes, lanes)).collect()
    }

    /// Tiles `first..first + lanes`, those that exist.
    fn group(&self, first: usize, lanes: usize) -> Group {
        let mut group = Group {
            inputs: Vec::new(),
            offsets: [0; MAX_LANES],
            contiguous: false,
            outputs: Vec::new(),
        };
        let mut start = 0;
        for run in self.runs(first..(first + lanes).min(self.count)) {
            let step = self.input.step;
            for n in 0..run.tiles {
                group.offsets[run.first + n] = (start + step * n) as i32;
            }
            self.input.add(&run, start, &mut group.inputs);
            self.output.add(&run, run.first * self.output.step, &mut group.outputs);
            group.contiguous = run.tiles == lanes;
            start += run.tiles * step + self.input.side - step;
        }
        group
    }

    /// Some tiles, row by row.
    pub(super) fn runs(&self, tiles: Range<usize>) -> Vec<Run> {
        let (mut runs, mut tile) = (Vec::new(), tiles.start);
        while tile < tiles.end {
            let column = tile % self.columns;
            let run = Run {
                first: tile - tiles.start,
                image: tile / (self.rows * self.columns),
                row: tile / self.columns % self.rows,
                column,
                tiles: (self.columns - column).min(tiles.end - tile),
            };
            tile += run.tiles;
            runs.push(run);
        }
        runs
    }
}

/// Neighboring tiles in one row.
pub(super) struct Run {
    /// The first, counted from where the runs begin.
    pub(super) first: usize,
    image: usize,
    /// The row and the column of the first, in tiles.
    row: usize,
    column: usize,
    pub(super) tiles: usize,
}

/// What of the image lies in a row of tiles.
pub(super) struct Strip {
    /// Where each row of pixels begins with the first that is no padding, if the channel is the
    /// first; none where all is padding.
    pub(super) rows: [Option<usize>; SIDE],
    /// The columns, counted from the first tile's, that are no padding.
    pub(super) columns: Range<usize>,
}

impl Area {
    /// x, with its padding.
    fn of_input(g: &Geometry) -> Self {
        let (height, width) = g.input;
        let (top, left) = (g.padding.top, g.padding.left);
        let image = g.groups * g.ci * g.input_plane();
        Self { image, height, width, top, left, step: 0, side: 0, row: 0 }
    }

    /// y.
    fn of_output(g: &Geometry) -> Self {
        let (height, width) = g.output;
        let image = g.groups * g.co * g.output_plane();
        Self { image, height, width, top: 0, left: 0, step: 0, side: 0, row: 0 }
    }

    /// The `count` rows from row `first` of a row of tiles on, `step` apart, in tiles of `side`
    /// columns.
    pub(super) fn strip(&self, run: &Run, [first, count, step]: [usize; 3]) -> Strip {
        let column = run.column * self.step;
        let from = column.max(self.left);
        let end = (column + (run.tiles - 1) * self.step + self.side).min(self.width + self.left);
        let mut rows = [None; SIDE];
        for (n, row) in rows[..count].iter_mut().enumerate() {
            let y = (run.row * self.step + first + n * step).checked_sub(self.top);
            *row = y
                .filter(|&y| y < self.height && from < end)
                .map(|y| run.image * self.image + y * self.width + from - self.left);
        }
        Strip { rows, columns: from - column..end.max(from) - column }
    }

    /// Adds what of the image lies in the tiles, whose rows begin at `start` in those of the staging
    /// area.
    fn add(&self, run: &Run, start: usize, to: &mut Vec<Staged>) {
        let column = run.column * self.step;
        let end = column + (run.tiles - 1) * self.step + self.side;
        // The part of columns `column..end` of the padded image that is no padding.
        let from = column.max(self.left);
        let end = end.min(self.width + self.left);
        for r in 0..self.side {
            let y = (run.row * self.step + r).checked_sub(self.top);
            let Some(y) = y.filter(|&y| y < self.height && from < end) else { continue };
            to.push(Staged {
                image: run.image * self.image + y * self.width + from - self.left,
                stage: r * self.row + start + from - column,
                len: end - from,
            });
        }
    }
}
