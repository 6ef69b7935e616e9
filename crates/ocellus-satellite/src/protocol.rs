use ocellus_data::{Jitter, PatchDraw, TileGrid};
use serde::{Deserialize, Serialize};

use crate::{Objective, Refinement};

/// How a network is trained and used: plain numbers, for the program that owns the training loop.
///
/// # Examples
///
/// ```
/// use ocellus_satellite::Protocol;
///
/// let paper = Protocol::paper();
/// assert_eq!((paper.tile, paper.tile_stride, paper.crop), (364, 120, 256));
/// assert_eq!((paper.learning_rate, paper.momentum, paper.batch_size), (0.005, 0.9, 8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Protocol {
    /// What is minimized.
    pub objective: Objective,
    /// Side of the tiles that training images are cut into.
    pub tile: usize,
    /// From one tile to the next.
    pub tile_stride: usize,
    /// Side of the sample that a tile gives: the network's input in training.
    pub crop: usize,
    /// The probability of rotating a tile and cropping its center, in place of a random crop.
    pub rotation: f64,
    /// The probability of a flip, of either kind.
    pub flip: f64,
    /// The greatest change of a sample's brightness, in standard deviations of its bands.
    pub brightness: f64,
    /// The greatest change of its contrast.
    pub contrast: f64,
    /// The greatest change of both in each band on its own.
    pub color: f64,
    /// The share of each training image that is held apart for validation.
    pub validation_fraction: f64,
    /// Samples a step.
    pub batch_size: usize,
    /// The most passes over the tiles.
    pub epochs: usize,
    /// The passes without a better validation after which training ends.
    pub patience: usize,
    /// The learning rate of the first epochs.
    pub learning_rate: f64,
    /// The factor on it each [`rate_period`](Self::rate_period).
    pub rate_factor: f64,
    /// Epochs from one fall of the rate to the next.
    pub rate_period: usize,
    /// The momentum of the descent.
    pub momentum: f64,
    /// L2 regularization, as the weight decay of the optimizer: the gradient of ½ λ‖w‖².
    pub weight_decay: f64,
    /// The factor on the rate of layers that start from random weights beside a pretrained encoder:
    /// [`Config::fresh_patterns`](crate::Config::fresh_patterns).
    pub fresh_rate_scale: f64,
    /// Side of the tiles that a scene is segmented by.
    pub scene_tile: usize,
    /// How a trained network is refined on part of a scene.
    pub refinement: Refinement,
}

impl Protocol {
    /// The paper's protocol: 364-pixel tiles at a stride of 120, samples of 256, stochastic gradient
    /// descent of momentum 0.9 at 0.005, divided by 5 every 30 epochs, batches of 8; scenes by tiles of
    /// 512.
    ///
    /// # Deviations
    ///
    /// - λ is not given: 10⁻⁴, as residual networks are mostly trained; the authors' later code has 0
    ///   in one of its strategies and 10⁻³ to 10⁻⁵ in another.
    /// - "Training ends when the cost on the validation set stops decreasing": after 30 epochs without
    ///   a better one, and 120 at the most.
    /// - Equation 1 sums over pixels; the rate of 0.005 goes with the mean.
    /// - No change of brightness, contrast or color, as the paper found "marginal gains" only.
    /// - The encoder starts from random weights; where it does not, others get ten times its rate.
    #[must_use]
    pub const fn paper() -> Self {
        Self {
            objective: Objective::CrossEntropy,
            tile: 364,
            tile_stride: 120,
            crop: 256,
            rotation: 0.5,
            flip: 0.5,
            brightness: 0.,
            contrast: 0.,
            color: 0.,
            validation_fraction: 0.2,
            batch_size: 8,
            epochs: 120,
            patience: 30,
            learning_rate: 0.005,
            rate_factor: 0.2,
            rate_period: 30,
            momentum: 0.9,
            weight_decay: 1e-4,
            fresh_rate_scale: 10.,
            scene_tile: 512,
            refinement: Refinement::small(),
        }
    }

    /// For images of 256 pixels and an evening on a few cores: the paper's at half the size, and a
    /// third of its epochs.
    #[must_use]
    pub const fn practical() -> Self {
        Self {
            tile: 182,
            tile_stride: 60,
            crop: 128,
            epochs: 40,
            patience: 10,
            learning_rate: 0.01,
            rate_period: 12,
            scene_tile: 256,
            refinement: Refinement::small().with_epochs(30),
            ..Self::paper()
        }
    }

    /// For small networks and a minute.
    #[must_use]
    pub const fn tiny() -> Self {
        Self {
            tile: 136,
            tile_stride: 68,
            crop: 96,
            epochs: 20,
            patience: 20,
            learning_rate: 0.02,
            rate_period: 8,
            scene_tile: 192,
            refinement: Refinement::small().with_learning_rate(2e-3).with_epochs(40),
            ..Self::paper()
        }
    }

    /// The tiles that training images are cut into.
    #[must_use]
    pub const fn grid(&self) -> TileGrid {
        TileGrid::new(self.tile as u32, self.tile_stride as u32)
    }

    /// How a tile gives a sample.
    ///
    /// ```
    /// use ocellus_data::PatchDraw;
    /// use ocellus_satellite::Protocol;
    ///
    /// assert_eq!(Protocol::paper().patches(), PatchDraw::paper());
    /// ```
    #[must_use]
    pub const fn patches(&self) -> PatchDraw {
        let jitter = Jitter::new(self.brightness as f32, self.contrast as f32, self.color as f32);
        PatchDraw::paper()
            .with_size(self.crop)
            .with_crop(1. - self.rotation as f32)
            .with_flips(self.flip as f32, self.flip as f32)
            .with_jitter(jitter)
    }

    /// Sets what is minimized.
    #[must_use]
    pub const fn with_objective(mut self, objective: Objective) -> Self {
        self.objective = objective;
        self
    }

    /// Sets the greatest changes of a sample's brightness, contrast and color.
    #[must_use]
    pub const fn with_jitter(mut self, brightness: f64, contrast: f64, color: f64) -> Self {
        (self.brightness, self.contrast, self.color) = (brightness, contrast, color);
        self
    }

    /// Sets tiles, their stride and the samples that they give.
    #[must_use]
    pub const fn with_tiles(mut self, tile: usize, stride: usize, crop: usize) -> Self {
        self.tile = tile;
        self.tile_stride = stride;
        self.crop = crop;
        self
    }

    /// Sets the samples a step.
    #[must_use]
    pub const fn with_batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// Sets the most passes over the tiles.
    #[must_use]
    pub const fn with_epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Sets the passes without a better validation after which training ends.
    #[must_use]
    pub const fn with_patience(mut self, patience: usize) -> Self {
        self.patience = patience;
        self
    }

    /// Sets the learning rate of the first epochs.
    #[must_use]
    pub const fn with_learning_rate(mut self, learning_rate: f64) -> Self {
        self.learning_rate = learning_rate;
        self
    }

    /// Sets the L2 regularization.
    #[must_use]
    pub const fn with_weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Sets the side of the tiles that a scene is segmented by.
    #[must_use]
    pub const fn with_scene_tile(mut self, scene_tile: usize) -> Self {
        self.scene_tile = scene_tile;
        self
    }

    /// Sets how a trained network is refined.
    #[must_use]
    pub const fn with_refinement(mut self, refinement: Refinement) -> Self {
        self.refinement = refinement;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A square sample within a tile turned by 45° needs a side √2 times its own.
    #[test]
    fn a_rotated_sample_never_sees_beyond_its_tile() {
        for protocol in [Protocol::paper(), Protocol::practical(), Protocol::tiny()] {
            assert!(protocol.tile as f64 >= protocol.crop as f64 * 2f64.sqrt(), "{protocol:?}");
            assert!(protocol.tile_stride <= protocol.tile, "pixels that no tile holds");
            assert_eq!(protocol.crop % 32, 0);
            assert_eq!(protocol.scene_tile % 32, 0);
        }
    }
}
