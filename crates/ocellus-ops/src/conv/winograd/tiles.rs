use super::transform::{OUT, SIDE};
use crate::conv::geometry::Geometry;
use crate::conv::vectors::Staged;
use crate::simd::MAX_LANES;

/// Values in a row of the staging area of a group of input tiles: each of up to [`MAX_LANES`] runs
/// has 4 values for each tile and 2 more; vectors may read a little further.
pub(super) const IN_ROW: usize = 6 * MAX_LANES + 16;

/// Values of that area.
pub(super) const IN_STAGE: usize = SIDE * IN_ROW;

/// Values in a row of the staging area of a group of output tiles.
pub(super) const OUT_ROW: usize = OUT * MAX_LANES;

/// Values of that area.
pub(super) const OUT_STAGE: usize = OUT * OUT_ROW;

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

/// The tiles of all images of a convolution, image by image, row by row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiling {
    rows: usize,
    columns: usize,
    /// Tiles of all images.
    pub(super) count: usize,
}

impl Tiling {
    pub(super) fn of(g: &Geometry) -> Self {
        let (rows, columns) = (g.output.0.div_ceil(OUT), g.output.1.div_ceil(OUT));
        Self { rows, columns, count: g.batch * rows * columns }
    }

    /// `count` groups of `lanes` tiles from tile `first` on.
    pub(super) fn groups(
        &self,
        g: &Geometry,
        first: usize,
        lanes: usize,
        count: usize,
    ) -> Vec<Group> {
        (0..count).map(|n| self.group(g, first + n * lanes, lanes)).collect()
    }

    /// Tiles `first..first + lanes`, those that exist.
    pub(super) fn group(&self, g: &Geometry, first: usize, lanes: usize) -> Group {
        let mut group = Group {
            inputs: Vec::new(),
            offsets: [0; MAX_LANES],
            contiguous: false,
            outputs: Vec::new(),
        };
        let last = (first + lanes).min(self.count);
        let (mut tile, mut start) = (first, 0);
        while tile < last {
            let column = tile % self.columns;
            let run = Run {
                image: tile / (self.rows * self.columns),
                row: tile / self.columns % self.rows * OUT,
                column: column * OUT,
                tiles: (self.columns - column).min(last - tile),
                lane: tile - first,
                start,
            };
            run.add(g, &mut group);
            group.contiguous = run.tiles == lanes;
            start += run.tiles * OUT + SIDE - OUT;
            tile += run.tiles;
        }
        group
    }
}

/// Neighboring tiles in one row.
struct Run {
    image: usize,
    /// The output row and column where the first begins.
    row: usize,
    column: usize,
    tiles: usize,
    /// The lane of the first.
    lane: usize,
    /// Where the first begins in a row of the input's staging area.
    start: usize,
}

impl Run {
    fn add(&self, g: &Geometry, group: &mut Group) {
        for tile in 0..self.tiles {
            group.offsets[self.lane + tile] = (self.start + OUT * tile) as i32;
        }
        let (height, width) = g.input;
        let image = self.image * g.groups * g.ci * g.input_plane();
        let end = self.column + self.tiles * OUT + SIDE - OUT;
        // The part of columns `self.column..end` of the padded image that is no padding.
        let from = self.column.max(g.padding.left);
        let to = end.min(width + g.padding.left);
        for r in 0..SIDE {
            let Some(y) = (self.row + r).checked_sub(g.padding.top).filter(|&y| y < height) else {
                continue;
            };
            if from < to {
                group.inputs.push(Staged {
                    image: image + y * width + from - g.padding.left,
                    stage: r * IN_ROW + self.start + from - self.column,
                    len: to - from,
                });
            }
        }
        let (height, width) = g.output;
        let image = self.image * g.groups * g.co * g.output_plane();
        for r in 0..OUT.min(height - self.row) {
            group.outputs.push(Staged {
                image: image + (self.row + r) * width + self.column,
                stage: r * OUT_ROW + OUT * self.lane,
                len: (OUT * self.tiles).min(width - self.column),
            });
        }
    }
}
