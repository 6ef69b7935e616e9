use super::{Tile, TilePlan};
use crate::{Error, Result};

/// A part of the scene that is final.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Piece {
    /// Its first row of pixels.
    pub y: usize,
    /// Its first column of pixels.
    pub x: usize,
    /// Its rows of pixels.
    pub height: usize,
    /// Its columns of pixels.
    pub width: usize,
    /// Its values, `(channels, height, width)`.
    pub values: Vec<f32>,
}

/// Puts overlapping tiles together to a scene, piece by piece.
///
/// ```text
/// y(p) = Σ_t w_t(p) v_t(p) / Σ_t w_t(p)      over the tiles t that hold p, w of the plan's blending
/// ```
///
/// Tiles come row by row, from the left. Each hands out what no later tile meets, so that the pieces
/// of all tiles are the scene, each pixel once.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Stitcher, TileConfig};
///
/// let plan = TileConfig::new(4, 2).plan(6, 6)?;
/// let mut stitcher = Stitcher::new(plan.clone(), 1);
/// let mut pixels = 0;
/// for tile in plan.tiles() {
///     let piece = stitcher.add(&vec![0.5; tile.height * tile.width])?;
///     assert!(piece.values.iter().all(|value| (value - 0.5).abs() < 1e-6));
///     pixels += piece.values.len();
/// }
/// assert_eq!(pixels, 36);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// # Complexity
///
/// Memory for channels · overlap · (width of the scene) values, and one tile.
#[derive(Clone, Debug)]
pub struct Stitcher {
    plan: TilePlan,
    channels: usize,
    row: usize,
    column: usize,
    /// Weighted sums of rows of tiles before, `[channel][row from the tiles' first][column]`.
    carry: Vec<f32>,
    /// Whether there are such rows.
    carries: bool,
    /// Weighted sums of this row, `[channel][row][column from the tile's first]`.
    strip: Vec<f32>,
}

impl Stitcher {
    /// For tiles of that many values a pixel.
    #[must_use]
    pub fn new(plan: TilePlan, channels: usize) -> Self {
        Self::starting_at(plan, channels, 0)
    }

    /// Begins with a later row of tiles. The pieces of the rows from
    /// [`first_needed`](TilePlan::first_needed)`(row)` to `row` are not what they would be with the
    /// rows before, those from `row` on are, to the bit.
    #[must_use]
    pub fn starting_at(plan: TilePlan, channels: usize, row: usize) -> Self {
        let config = plan.config();
        let carry = vec![0.; channels * config.overlap * plan.scene().1];
        let strip = vec![0.; channels * config.size * config.size];
        Self { plan, channels, row, column: 0, carry, carries: false, strip }
    }

    /// The tile that comes next; none if the scene is complete.
    #[must_use]
    pub fn next_tile(&self) -> Option<Tile> {
        (self.row < self.plan.row_count())
            .then(|| self.plan.row(self.row).nth(self.column))
            .flatten()
    }

    /// Adds the values of the next tile, `(channels, height, width)`.
    ///
    /// # Errors
    ///
    /// If they are another number, or no tile is left.
    pub fn add(&mut self, values: &[f32]) -> Result<Piece> {
        let Some(tile) = self.next_tile() else {
            return Err(Error::Shape("all tiles of the scene have been added".into()));
        };
        if values.len() != self.channels * tile.height * tile.width {
            return Err(Error::Shape(format!(
                "{} values for tile ({}, {}), which has {} channels of {}×{} pixels",
                values.len(),
                tile.row,
                tile.column,
                self.channels,
                tile.height,
                tile.width
            )));
        }
        self.add_weighted(&tile, values);
        let piece = self.finish(&tile);
        self.advance(&tile);
        Ok(piece)
    }

    fn add_weighted(&mut self, tile: &Tile, values: &[f32]) {
        let size = self.plan.config().size;
        let (down, across) =
            (self.plan.rows.weights(tile.row), self.plan.columns.weights(tile.column));
        for (n, values) in values.chunks_exact(tile.width).enumerate() {
            let (channel, y) = (n / tile.height, n % tile.height);
            let sums = &mut self.strip[(channel * size + y) * size..];
            for ((sum, value), weight) in sums.iter_mut().zip(values).zip(&across) {
                *sum += value * (weight * down[y]);
            }
        }
    }

    /// The columns that no later tile of the row meets: their upper part is final, the lower one is
    /// kept for the next row.
    fn finish(&mut self, tile: &Tile) -> Piece {
        let TilePlan { rows, columns, .. } = &self.plan;
        let (size, overlap) = (self.plan.config().size, self.plan.config().overlap);
        let (height, width) = (rows.done(tile.row), columns.done(tile.column));
        let mut values = Vec::with_capacity(self.channels * height * width);
        let scene = self.plan.scene().1;
        let across = &columns.sums[tile.x..tile.x + width];
        for channel in 0..self.channels {
            for y in 0..tile.height {
                let sums = &mut self.strip[(channel * size + y) * size..][..width];
                if self.carries && y < overlap {
                    let before = &self.carry[(channel * overlap + y) * scene + tile.x..][..width];
                    sums.iter_mut().zip(before).for_each(|(sum, before)| *sum += before);
                }
                if y < height {
                    let down = rows.sums[tile.y + y];
                    values
                        .extend(sums.iter().zip(across).map(|(sum, across)| sum / (across * down)));
                } else {
                    // That row of the carry has been read: y − height < y.
                    let to = (channel * overlap + y - height) * scene + tile.x;
                    self.carry[to..to + width].copy_from_slice(sums);
                }
            }
        }
        Piece { y: tile.y, x: tile.x, height, width, values }
    }

    fn advance(&mut self, tile: &Tile) {
        let size = self.plan.config().size;
        let done = self.plan.columns.done(tile.column);
        self.column = (self.column + 1) % self.plan.column_count();
        if self.column == 0 {
            self.row += 1;
            self.carries = true;
            self.strip.fill(0.);
        } else {
            for row in self.strip.chunks_exact_mut(size) {
                row.copy_within(done.., 0);
                row[size - done..].fill(0.);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Blend, TileConfig};

    const BLENDS: [Blend; 4] = [Blend::Average, Blend::Linear, Blend::Hann, Blend::Clip];

    fn value(tile: &Tile, channel: usize, y: usize, x: usize) -> f32 {
        let n = ((tile.row * 31 + tile.column) * 17 + channel) * 101 + y * 13 + x;
        ((n * 7919) % 1009) as f32 / 1009.
    }

    fn values(tile: &Tile, channels: usize) -> Vec<f32> {
        let pixels = (0..channels).flat_map(|c| (0..tile.height).map(move |y| (c, y)));
        pixels.flat_map(|(c, y)| (0..tile.width).map(move |x| value(tile, c, y, x))).collect()
    }

    /// All pieces from a row of tiles on, as a scene.
    fn stitched(plan: &TilePlan, channels: usize, from: usize) -> Vec<f32> {
        let (height, width) = plan.scene();
        let mut scene = vec![f32::NAN; channels * height * width];
        let mut stitcher = Stitcher::starting_at(plan.clone(), channels, from);
        while let Some(tile) = stitcher.next_tile() {
            let piece = stitcher.add(&values(&tile, channels)).unwrap();
            for (n, row) in piece.values.chunks_exact(piece.width).enumerate() {
                let (channel, y) = (n / piece.height, piece.y + n % piece.height);
                let to = (channel * height + y) * width + piece.x;
                assert!(scene[to..to + piece.width].iter().all(|value| value.is_nan()));
                scene[to..to + piece.width].copy_from_slice(row);
            }
        }
        scene
    }

    /// The formula, pixel by pixel in f64.
    fn naive(plan: &TilePlan, channels: usize) -> Vec<f32> {
        let (height, width) = plan.scene();
        let mut sums = vec![(0., 0.); channels * height * width];
        for tile in plan.tiles() {
            let (down, across) = (plan.rows.weights(tile.row), plan.columns.weights(tile.column));
            for (n, value) in values(&tile, channels).into_iter().enumerate() {
                let (channel, rest) =
                    (n / (tile.height * tile.width), n % (tile.height * tile.width));
                let (y, x) = (rest / tile.width, rest % tile.width);
                let weight = f64::from(down[y]) * f64::from(across[x]);
                let sum = &mut sums[(channel * height + tile.y + y) * width + tile.x + x];
                *sum = (sum.0 + weight * f64::from(value), sum.1 + weight);
            }
        }
        sums.into_iter().map(|(sum, weight)| (sum / weight) as f32).collect()
    }

    proptest! {
        #[test]
        fn pieces_are_the_formula_each_pixel_once(
            size in 1_usize..12, overlap in 0_usize..11,
            height in 1_usize..40, width in 1_usize..40, channels in 1_usize..3, blend in 0_usize..4,
        ) {
            prop_assume!(overlap < size);
            let config = TileConfig::new(size, overlap).with_blend(BLENDS[blend]);
            let plan = config.plan(height, width).unwrap();
            let (found, expected) = (stitched(&plan, channels, 0), naive(&plan, channels));
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found - expected).abs() < 1e-4, "{found} {expected}");
            }
        }

        #[test]
        fn work_taken_up_again_ends_with_the_same_bits(
            size in 2_usize..12, overlap in 0_usize..11, row in 0_usize..10, blend in 0_usize..4,
        ) {
            prop_assume!(overlap < size);
            let config = TileConfig::new(size, overlap).with_blend(BLENDS[blend]);
            let plan = config.plan(50, 23).unwrap();
            prop_assume!(row < plan.row_count());
            let whole = stitched(&plan, 2, 0);
            let part = stitched(&plan, 2, plan.first_needed(row));
            let first = plan.finished(row).start;
            for (whole, part) in whole.chunks(50 * 23).zip(part.chunks(50 * 23)) {
                prop_assert_eq!(&whole[first * 23..], &part[first * 23..]);
            }
        }
    }

    #[test]
    fn clip_changes_no_value() {
        let plan = TileConfig::new(8, 4).with_blend(Blend::Clip).plan(20, 12).unwrap();
        let scene = stitched(&plan, 1, 0);
        // Columns 4 to 8 are shared by the first two tiles; from 6 on the second counts.
        let tiles: Vec<_> = plan.row(0).collect();
        assert_eq!(scene[5], value(&tiles[0], 0, 0, 5));
        assert_eq!(scene[6], value(&tiles[1], 0, 0, 2));
    }

    #[test]
    fn rejects_other_values_and_too_many_tiles() {
        let mut stitcher = Stitcher::new(TileConfig::new(8, 2).plan(5, 5).unwrap(), 2);
        let error = stitcher.add(&[0.; 49]).unwrap_err().to_string();
        assert!(
            error.contains("49 values for tile (0, 0), which has 2 channels of 5×5"),
            "{error}"
        );
        assert_eq!(stitcher.add(&[0.; 50]).unwrap().values.len(), 50);
        assert!(stitcher.next_tile().is_none() && stitcher.add(&[0.; 50]).is_err());
    }
}
