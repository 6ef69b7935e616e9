use super::stage::push_run;
use super::tile::Tile;
use crate::conv::geometry::Geometry;
use crate::conv::vectors::Staged;

/// A copy of the part of a channel of x that a tile of y meets, with zeros for the padding.
pub(super) struct Padded<'a> {
    g: &'a Geometry,
    /// Values of a row.
    width: usize,
    /// Rows between what neighboring pixels of y meet, and what neighboring taps meet.
    stride: usize,
    dilation: usize,
    /// Rows of x from a row of the copy to the next.
    skip: usize,
}

impl<'a> Padded<'a> {
    pub(super) fn of(g: &'a Geometry) -> Self {
        let width = (g.output.1.max(1) - 1) * g.stride.1 + (g.kernel.1 - 1) * g.dilation.1 + 1;
        // Rows that a kernel of one row jumps over are not copied.
        let (stride, dilation, skip) = match g.kernel.0 {
            1 => (1, 1, g.stride.0),
            _ => (g.stride.0, g.dilation.0, 1),
        };
        Self { g, width, stride, dilation, skip }
    }

    /// Rows of an image of a tile.
    fn rows(&self, tile: &Tile) -> usize {
        (tile.rows.len() - 1) * self.stride + (self.g.kernel.0 - 1) * self.dilation + 1
    }

    /// Values of a channel.
    pub(super) fn len(&self, tile: &Tile) -> usize {
        tile.images.len() * self.rows(tile) * self.width
    }

    /// Where what a tap meets begins.
    pub(super) fn tap(&self, tap: usize) -> usize {
        let (ky, kx) = (tap / self.g.kernel.1, tap % self.g.kernel.1);
        ky * self.dilation * self.width + kx * self.g.dilation.1
    }

    /// The rows of x in the copy; all else is zero.
    pub(super) fn runs(&self, tile: &Tile, group: usize) -> Vec<Staged> {
        let (g, rows) = (self.g, self.rows(tile));
        let left = g.padding.left.min(self.width);
        let mut runs = Vec::new();
        for (i, image) in tile.images.clone().enumerate() {
            let plane = (image * g.groups + group) * g.ci * g.input_plane();
            for row in 0..rows {
                let y = tile.rows.start * g.stride.0 + row * self.skip;
                let Some(y) = y.checked_sub(g.padding.top).filter(|&y| y < g.input.0) else {
                    continue;
                };
                let run = Staged {
                    image: plane + y * g.input.1,
                    stage: (i * rows + row) * self.width + left,
                    len: (self.width - left).min(g.input.1),
                };
                push_run(&mut runs, run);
            }
        }
        runs
    }

    /// Runs of pixels of a tile whose values in the copy are the horizontal stride apart: where they
    /// begin in the copy and among the pixels, and how many follow.
    pub(super) fn segments(&self, tile: &Tile) -> (Vec<(usize, usize)>, usize) {
        let (rows, width) = (tile.rows.len(), self.g.output.1);
        let count = tile.images.len() * rows;
        // A kernel of one row over whole rows: there is nothing between them.
        if self.g.kernel.0 == 1 && self.width == width * self.g.stride.1 {
            return (vec![(0, 0)], count * width);
        }
        let start = |n: usize| {
            let row = n / rows * self.rows(tile) + n % rows * self.stride;
            (row * self.width, n * width)
        };
        ((0..count).map(start).collect(), width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::{ConvAlgorithm, Padding};

    fn geometry(kernel: usize, stride: usize, padding: usize, input: usize) -> Geometry {
        let output = (input + 2 * padding - kernel) / stride + 1;
        Geometry {
            batch: 2,
            groups: 1,
            ci: 3,
            co: 4,
            input: (input, input),
            output: (output, output),
            kernel: (kernel, kernel),
            stride: (stride, stride),
            dilation: (1, 1),
            padding: Padding::from(padding),
            algorithm: ConvAlgorithm::Auto,
        }
    }

    /// Every tap finds the value of x that it meets, or zero.
    fn check(g: &Geometry, tile: &Tile) {
        let padded = Padded::of(g);
        let x: Vec<_> = (0..g.batch * g.ci * g.input_plane()).map(|i| i + 1).collect();
        let mut copy = vec![0; padded.len(tile)];
        for run in padded.runs(tile, 0) {
            copy[run.stage..run.stage + run.len]
                .copy_from_slice(&x[run.image..run.image + run.len]);
        }
        let (starts, depth) = padded.segments(tile);
        assert_eq!(starts.len() * depth, tile.images.len() * tile.pixels(g).len());
        for (tap, (start, pixel)) in
            (0..g.taps()).flat_map(|tap| starts.iter().map(move |&start| (tap, start)))
        {
            for n in 0..depth {
                let per_image = tile.pixels(g).len();
                let image = tile.images.start + (pixel + n) / per_image;
                let within = tile.pixels(g).start + (pixel + n) % per_image;
                let met = |at: usize, tap: usize| {
                    (at * g.stride.0 + tap).checked_sub(g.padding.top).filter(|&v| v < g.input.0)
                };
                let row = met(within / g.output.1, tap / g.kernel.1);
                let column = met(within % g.output.1, tap % g.kernel.1);
                let expected = row.zip(column).map_or(0, |(row, column)| {
                    x[image * g.ci * g.input_plane() + row * g.input.1 + column]
                });
                assert_eq!(copy[start + padded.tap(tap) + n * g.stride.1], expected);
            }
        }
    }

    #[test]
    fn taps_meet_what_the_definition_says() {
        for (kernel, stride, padding, input) in [
            (3, 1, 1, 6),
            (4, 2, 1, 8),
            (1, 1, 0, 5),
            (1, 2, 0, 6),
            (1, 2, 0, 5),
            (1, 1, 2, 3),
            (2, 3, 4, 3),
        ] {
            let g = geometry(kernel, stride, padding, input);
            check(&g, &Tile { images: 0..2, rows: 0..g.output.0 });
            check(&g, &Tile { images: 1..2, rows: g.output.0 / 2..g.output.0 });
        }
    }
}
