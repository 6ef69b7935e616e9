use rayon::prelude::*;

use crate::{Error, LabeledScene, Regions, Result, random::Random, raster::Window};

const VALIDATION: u64 = 0x7a1;
const REFINEMENT: u64 = 0x7a2;

/// Chooses regions for validation that sample what a scene holds.
///
/// The scene is cut into blocks. By their colors, their texture and their share of buildings they are
/// sorted into as many strata as regions are wanted, alike within; of each stratum one block is
/// drawn. So fields, water, houses and halls come into validation about as often as they are there
/// \[1, IV-A\].
///
/// # Examples
///
/// ```
/// use ocellus_data::{TileGrid, Validation, synthetic::Landscape};
///
/// let scene = Landscape::new(500, 400, 3);
/// let regions = Validation::new(100).with_seed(1).choose(&scene)?;
/// assert!((regions.share() - 0.2).abs() < 1e-9);
/// let grid = TileGrid::new(60, 20);
/// for tile in regions.tiles_within(&grid)? {
///     assert!(regions.tiles_outside(&grid)?.iter().all(|t| t.intersection(tile).is_none()));
/// }
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// # References
///
/// 1. S. Ghassemi et al. *Satellite image segmentation with deep residual architectures for
///    time-critical applications.* EUSIPCO 2018.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Validation {
    /// About the side of a block, in pixels: at least that of a tile, or it holds none.
    pub side: u32,
    /// Share of the scene, about: as near as whole blocks come.
    pub share: f64,
    /// What the draw depends on.
    pub seed: u64,
}

impl Default for Validation {
    /// Blocks of two of the paper's tiles, a fifth of the scene.
    fn default() -> Self {
        Self::new(728)
    }
}

impl Validation {
    /// Blocks of about this side, a fifth of the scene.
    #[must_use]
    pub const fn new(side: u32) -> Self {
        Self { side, share: 0.2, seed: 0 }
    }

    /// Sets the share of the scene.
    #[must_use]
    pub const fn with_share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Chooses. The scene is read once, block by block.
    ///
    /// # Errors
    ///
    /// If the share is not between 0 and 1, the scene has fewer than two blocks, or it cannot be
    /// read.
    pub fn choose(&self, scene: &dyn LabeledScene) -> Result<Regions> {
        require_share(self.share)?;
        let (width, height) = scene.size();
        let side = self.side.max(1);
        let cuts = |length: u32| f64::from(length) / f64::from(side);
        let [columns, rows] = [width, height].map(|length| cuts(length).round().max(1.) as u32);
        let blocks = columns * rows;
        if blocks < 2 {
            return Err(Error::Split(format!(
                "{} of {width}×{height} pixels has no two blocks of {side}: hold whole scenes out, \
                 or take smaller blocks",
                scene.name()
            )));
        }
        let part = |n: u32, length: u32, of: u32| {
            (u64::from(n) * u64::from(length) / u64::from(of)) as u32
        };
        let block = |n: u32| {
            let (i, j) = (n % columns, n / columns);
            let (x, y) = (part(i, width, columns), part(j, height, rows));
            let (right, bottom) = (part(i + 1, width, columns), part(j + 1, height, rows));
            Window::new(x, y, right - x, bottom - y)
        };
        let blocks: Vec<Window> = (0..blocks).map(block).collect();
        let count = (self.share * blocks.len() as f64).round() as usize;
        let count = count.clamp(1, blocks.len() - 1);
        let looks = looks(scene, &blocks, true)?;
        let random = Random::keyed(self.seed, blocks.len() as u64, count as u64, VALIDATION);
        Regions::new(width, height, drawn(&blocks, &looks, count, random))
    }
}

/// Chooses the regions of a scene that somebody labels to refine a trained network.
///
/// A few compact blocks that differ in color and texture: the truth is not looked at, as an
/// annotator cannot either. The rest of the scene is for evaluation ([`Regions::outside`]).
///
/// # Examples
///
/// ```
/// use ocellus_data::{AnnotatedBlocks, synthetic::Landscape};
///
/// let scene = Landscape::new(700, 500, 3);
/// for (blocks, share) in [(AnnotatedBlocks::small(), 0.07), (AnnotatedBlocks::large(), 0.15)] {
///     let regions = blocks.with_seed(5).choose(&scene)?;
///     assert!((regions.share() - share).abs() < 0.002, "{}", regions.share());
/// }
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct AnnotatedBlocks {
    /// Share of the scene.
    pub share: f64,
    /// Number of blocks that it is made of.
    pub blocks: usize,
    /// What the draw depends on.
    pub seed: u64,
}

impl AnnotatedBlocks {
    /// This share of a scene, in so many blocks.
    #[must_use]
    pub const fn new(share: f64, blocks: usize) -> Self {
        Self { share, blocks, seed: 0 }
    }

    /// The paper's small area: 7 % of the scene, in two blocks.
    #[must_use]
    pub const fn small() -> Self {
        Self::new(0.07, 2)
    }

    /// The paper's large area: 15 % of the scene, in three blocks.
    #[must_use]
    pub const fn large() -> Self {
        Self::new(0.15, 3)
    }

    /// Sets the seed.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Chooses. The scene is read once, block by block.
    ///
    /// # Errors
    ///
    /// If the share is not between 0 and 1, there are no blocks or too many to fit, or the scene
    /// cannot be read.
    pub fn choose(&self, scene: &dyn LabeledScene) -> Result<Regions> {
        require_share(self.share)?;
        let (width, height) = scene.size();
        let pixels = self.share * f64::from(width) * f64::from(height) / self.blocks as f64;
        // Square, if the scene is not narrower.
        let tall = pixels.sqrt().min(f64::from(height)).max(pixels / f64::from(width));
        let (block_height, block_width) = (tall.round(), (pixels / tall.round()).round());
        let fits = |length: u32, side: f64| (f64::from(length) / side).floor();
        let (columns, rows) = (fits(width, block_width), fits(height, block_height));
        if self.blocks == 0 || tall < 1. || columns * rows < self.blocks as f64 {
            return Err(Error::Split(format!(
                "{} % of {} ({width}×{height} pixels) do not make {} blocks: take another number",
                100. * self.share,
                scene.name(),
                self.blocks
            )));
        }
        let mut random = Random::keyed(self.seed, self.blocks as u64, pixels as u64, REFINEMENT);
        // The lattice of blocks is shifted at random within what is left over.
        let (spare_x, spare_y) =
            (f64::from(width) - columns * block_width, f64::from(height) - rows * block_height);
        let left = random.below(spare_x as usize + 1) as u32;
        let top = random.below(spare_y as usize + 1) as u32;
        let (block_width, block_height) = (block_width as u32, block_height as u32);
        let block = |n: u32| {
            let (i, j) = (n % columns as u32, n / columns as u32);
            let (x, y) = (left + i * block_width, top + j * block_height);
            Window::new(x, y, block_width, block_height)
        };
        let blocks: Vec<Window> = (0..(columns * rows) as u32).map(block).collect();
        let looks = looks(scene, &blocks, false)?;
        Regions::new(width, height, drawn(&blocks, &looks, self.blocks, random))
    }
}

fn require_share(share: f64) -> Result<()> {
    match share > 0. && share < 1. {
        true => Ok(()),
        false => Err(Error::Split(format!("a share of {share}: give one between 0 and 1"))),
    }
}

/// What blocks look like, each number on a common scale: mean and roughness of each band, and the
/// share of each pixel class other than 0, if the truth may be looked at.
fn looks(scene: &dyn LabeledScene, blocks: &[Window], truth: bool) -> Result<Vec<Vec<f64>>> {
    let look = |block: &Window| -> Result<Vec<f64>> {
        let (image, mask) = scene.read(*block)?;
        let mut look = Vec::new();
        for plane in image.planes() {
            let sum: f64 = plane.iter().map(|&v| f64::from(v)).sum();
            let step =
                |row: &[f32]| row.windows(2).map(|p| f64::from((p[1] - p[0]).abs())).sum::<f64>();
            let steps: f64 = plane.chunks_exact(image.width()).map(step).sum();
            look.extend([sum / plane.len() as f64, steps / plane.len() as f64]);
        }
        if truth {
            let labeled = mask.data().iter().filter(|&&class| class > 0. && class < 255.).count();
            look.push(labeled as f64 / mask.data().len() as f64);
        }
        Ok(look)
    };
    let mut looks: Vec<Vec<f64>> = blocks.par_iter().map(look).collect::<Result<_>>()?;
    let count = looks.len() as f64;
    for number in 0..looks.first().map_or(0, Vec::len) {
        let mean = looks.iter().map(|look| look[number]).sum::<f64>() / count;
        let variance = looks.iter().map(|look| (look[number] - mean).powi(2)).sum::<f64>() / count;
        let scale = if variance > 0. { 1. / variance.sqrt() } else { 0. };
        looks.iter_mut().for_each(|look| look[number] = (look[number] - mean) * scale);
    }
    Ok(looks)
}

/// One block of each stratum.
fn drawn(blocks: &[Window], looks: &[Vec<f64>], count: usize, mut random: Random) -> Vec<Window> {
    let mut all: Vec<usize> = (0..blocks.len()).collect();
    let mut strata = Vec::new();
    part(&mut all, looks, count, &mut strata);
    let draw = |stratum: Vec<usize>| blocks[stratum[random.below(stratum.len())]];
    let mut windows: Vec<Window> = strata.into_iter().map(draw).collect();
    windows.sort_by_key(|window| (window.y, window.x));
    windows
}

/// Halves what is to be parted where it differs most, until there are so many parts.
fn part(members: &mut [usize], looks: &[Vec<f64>], count: usize, parts: &mut Vec<Vec<usize>>) {
    if count <= 1 {
        parts.push(members.to_vec());
        return;
    }
    let spread = |number: usize| {
        let mean = members.iter().map(|&m| looks[m][number]).sum::<f64>() / members.len() as f64;
        members.iter().map(|&m| (looks[m][number] - mean).powi(2)).sum::<f64>()
    };
    let numbers = 0..looks.first().map_or(0, Vec::len);
    let widest = numbers.max_by(|&a, &b| spread(a).total_cmp(&spread(b))).unwrap_or(0);
    members.sort_by(|&a, &b| looks[a][widest].total_cmp(&looks[b][widest]).then(a.cmp(&b)));
    let (low, high) = (count / 2, count - count / 2);
    let middle = (members.len() * low / count).clamp(low, members.len() - high);
    let (left, right) = members.split_at_mut(middle);
    part(left, looks, low, parts);
    part(right, looks, high, parts);
}
