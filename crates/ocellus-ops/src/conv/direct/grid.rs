use std::ops::Range;

use super::phases::{Phase, Side};
use super::stage::{channel_step, push_run};
use crate::conv::geometry::Geometry;
use crate::conv::vectors::Staged;

/// How the pixels of a phase are taken as vectors, such that what a tap meets of y is a vector too.
///
/// The pixels of an image are counted along rows that are wider than both y and the phase: what
/// lies between the rows of y is zero, what lies between those of the phase is not used. Where rows
/// are so short that this would waste much, they are as wide as y, and there is a copy of y for
/// each horizontal offset of a tap.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    /// Pixels of a row.
    pub(super) width: usize,
    /// Where the vectors of an image start.
    pub(super) starts: Vec<usize>,
    lanes: usize,
    /// Copies of y, and whether there is one for each offset.
    copies: usize,
    narrow: bool,
    /// Pixels that the taps reach from a pixel, before it and after it.
    before: usize,
    after: usize,
}

/// Part of an image: consecutive vectors of pixels and what they meet.
struct Piece {
    /// Where the first plane of y of the image begins.
    plane: usize,
    /// The first pixel that is met, counted from [`Grid::before`] pixels before the image on.
    start: usize,
    len: usize,
    /// Where it is staged.
    at: usize,
}

/// What a block of pixels meets in a channel of y, and where that is staged.
#[derive(Default)]
pub(super) struct Stage {
    pub(super) runs: Vec<Staged>,
    /// What is zero in spite of the runs.
    pub(super) zeros: Vec<Range<usize>>,
    /// Where the vectors of pixels lie, as seen by a tap without an offset; two for a panel.
    pub(super) vectors: Vec<usize>,
    /// Values of a copy, and of all of them.
    copy: usize,
    pub(super) step: usize,
}

impl Grid {
    pub(super) fn of(g: &Geometry, [rows, columns]: &[Side; 2], lanes: usize) -> Self {
        let (oh, ow) = (rows.pixels, columns.pixels);
        let narrow = ow == g.output.1 && ow < lanes;
        // Pixels before a row are those after the one above.
        let width = if narrow { ow } else { (g.output.1 + columns.before).max(ow + columns.after) };
        let starts = if ow.is_multiple_of(lanes) {
            let row = |row| (0..ow).step_by(lanes).map(move |column| row * width + column);
            (0..oh).flat_map(row).collect()
        } else {
            (0..(oh - 1) * width + ow).step_by(lanes).collect()
        };
        let (copies, sides) = if narrow {
            (columns.before + 1 + columns.after, (0, 0))
        } else {
            (1, (columns.before, columns.after))
        };
        let (before, after) = (rows.before * width + sides.0, rows.after * width + sides.1);
        Self { width, starts, lanes, copies, narrow, before, after }
    }

    /// Where the taps of a phase lie in the packed filters, `tap` values apart, and where what they
    /// meet is staged, from a vector of pixels on.
    pub(super) fn taps(
        &self,
        g: &Geometry,
        sides: &[Side; 2],
        [row, column]: [&Phase; 2],
        tap: usize,
        stage: &Stage,
    ) -> Vec<(usize, usize)> {
        let offset =
            |side: &Side, phase: &Phase, n| side.before + n * phase.dilation - phase.padding;
        let right = if self.narrow { stage.copy } else { 1 };
        let mut taps = Vec::with_capacity(row.taps.len() * column.taps.len());
        for (i, ky) in row.taps.iter().enumerate() {
            let below = offset(&sides[0], row, i) * self.width;
            for (j, kx) in column.taps.iter().enumerate() {
                let at = below + offset(&sides[1], column, j) * right;
                taps.push(((ky * g.kernel.1 + kx) * tap, at));
            }
        }
        taps
    }

    /// What some vectors, counted through all images, meet of the channels of a group.
    pub(super) fn stage(
        &self,
        g: &Geometry,
        columns: &Side,
        vectors: Range<usize>,
        group: usize,
    ) -> Stage {
        let mut stage = Stage::default();
        let mut pieces = Vec::new();
        let mut next = vectors.start;
        while next < vectors.end {
            let (image, first) = (next / self.starts.len(), next % self.starts.len());
            let starts = &self.starts[first..];
            let starts = &starts[..starts.len().min(vectors.end - next)];
            let (start, at) = (starts[0], stage.copy);
            let len = self.before + starts[starts.len() - 1] - start + self.lanes + self.after;
            let plane = (image * g.groups + group) * g.co * g.output_plane();
            stage.vectors.extend(starts.iter().map(|s| s - start + at));
            pieces.push(Piece { plane, start, len, at });
            stage.copy += len;
            next += starts.len();
        }
        if !stage.vectors.len().is_multiple_of(2) {
            stage.vectors.push(stage.vectors[0]); // Not used.
        }
        for copy in 0..self.copies {
            for piece in &pieces {
                let at = copy * stage.copy + piece.at;
                if self.narrow {
                    self.shifted(g, piece, copy as isize - columns.before as isize, at, &mut stage);
                } else {
                    self.rows(g, piece, at, &mut stage);
                }
            }
        }
        stage.step = channel_step(self.copies * stage.copy);
        stage
    }

    /// The rows of y that a piece meets, with zeros between them.
    fn rows(&self, g: &Geometry, piece: &Piece, at: usize, stage: &mut Stage) {
        for row in 0..g.output.0 {
            let start = row * self.width + self.before;
            let from = start.max(piece.start);
            let to = (start + g.output.1).min(piece.start + piece.len);
            if from < to {
                let run = Staged {
                    image: piece.plane + row * g.output.1 + from - start,
                    stage: at + from - piece.start,
                    len: to - from,
                };
                push_run(&mut stage.runs, run);
            }
        }
    }

    /// The same with all rows moved by `shift` to the left, without anything between them.
    fn shifted(&self, g: &Geometry, piece: &Piece, shift: isize, at: usize, stage: &mut Stage) {
        let (width, plane) = (self.width as isize, g.output_plane() as isize);
        // Pixels of y of the first and the last value of the piece.
        let first = piece.start as isize - self.before as isize;
        let last = (first + piece.len as isize).min(plane);
        let from = first.max(0).max(-shift);
        let to = last.min(plane - shift);
        if from < to {
            stage.runs.push(Staged {
                image: piece.plane + (from + shift) as usize,
                stage: at + (from - first) as usize,
                len: (to - from) as usize,
            });
        }
        // What has moved here from the row below or above.
        let columns =
            if shift < 0 { 0..(-shift).min(width) } else { (width - shift).max(0)..width };
        for row in 0..g.output.0 as isize {
            let from = (row * width + columns.start).max(first);
            let to = (row * width + columns.end).min(last);
            if from < to {
                stage.zeros.push(at + (from - first) as usize..at + (to - first) as usize);
            }
        }
    }
}
