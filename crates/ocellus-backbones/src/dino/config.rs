use crate::Stage;

/// Configuration of [`DinoV2`](crate::DinoV2).
///
/// | Network | width | blocks | heads | parameters |
/// | --- | --- | --- | --- | --- |
/// | DINOv2-S | 384 | 12 | 6 | 22,056,192 |
/// | DINOv2-B | 768 | 12 | 12 | 86,579,712 |
/// | DINOv2-L | 1024 | 24 | 16 | 304,367,616 |
///
/// Patches of 14 × 14 pixels, positions of 37 × 37 patches (518 × 518 pixels).
///
/// # Examples
///
/// ```
/// use ocellus_backbones::DinoV2Config;
///
/// let config = DinoV2Config::small();
/// assert_eq!((config.width, config.blocks, config.heads), (384, 12, 6));
/// assert!(!config.with_norm(false).norm);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DinoV2Config {
    /// The network's name, for messages and files.
    pub name: &'static str,
    /// Values of a token.
    pub width: usize,
    /// Blocks of attention.
    pub blocks: usize,
    /// Heads of each.
    pub heads: usize,
    /// Pixels of a patch's side.
    pub patch: usize,
    /// Patches of a side of the images that the stored positions are those of.
    pub positions: usize,
    /// Whether features are normalized by the network's last layer, as the authors' tasks do.
    pub norm: bool,
}

impl DinoV2Config {
    /// ViT-S/14.
    #[must_use]
    pub const fn small() -> Self {
        Self::published("DINOv2-S", 384, 12, 6)
    }

    /// ViT-B/14.
    #[must_use]
    pub const fn base() -> Self {
        Self::published("DINOv2-B", 768, 12, 12)
    }

    /// ViT-L/14.
    #[must_use]
    pub const fn large() -> Self {
        Self::published("DINOv2-L", 1024, 24, 16)
    }

    const fn published(name: &'static str, width: usize, blocks: usize, heads: usize) -> Self {
        Self { name, width, blocks, heads, patch: 14, positions: 37, norm: true }
    }

    /// Sets values of a token, blocks and heads.
    #[must_use]
    pub const fn with_size(mut self, width: usize, blocks: usize, heads: usize) -> Self {
        (self.width, self.blocks, self.heads) = (width, blocks, heads);
        self
    }

    /// Sets the pixels of a patch's side, and the patches of a side that positions are stored of.
    #[must_use]
    pub const fn with_patches(mut self, patch: usize, positions: usize) -> Self {
        (self.patch, self.positions) = (patch, positions);
        self
    }

    /// Sets whether features are normalized by the network's last layer.
    #[must_use]
    pub const fn with_norm(mut self, norm: bool) -> Self {
        self.norm = norm;
        self
    }

    pub(super) fn stages(&self) -> Vec<Stage> {
        vec![Stage::new(self.width, self.patch); self.blocks]
    }
}
