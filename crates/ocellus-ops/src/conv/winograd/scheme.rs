use std::ops::Range;

use super::block::Layout;
use super::filters::FilterLayout;
use super::tiles::{Group, Tiling};
use crate::cpu::{Float, Output};
use crate::simd::Isa;

/// An operation that is a product of transformed filters and tiles at each point: what is
/// transformed, and what becomes of the products.
pub(super) trait Scheme: Sync {
    type T: Float;

    fn plan(&self) -> &Plan;

    /// Transforms filters, with room for the layout.
    fn transform_filters(&self, part: FilterPart, to: &mut [Self::T]);

    /// Transforms tiles. `to` is where their block begins; these channels there are the caller's
    /// alone, with room for the layout.
    fn transform_input(&self, part: TilePart, to: *mut Self::T);

    /// Transforms products, and writes those tiles, which are the caller's alone.
    fn transform_output(&self, part: TilePart, m: &[Self::T], out: &Output<Self::T>);
}

/// The sizes of a [`Scheme`].
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) batch: usize,
    pub(super) tiling: Tiling,
    /// What is read. Transformed channel `channel · phases + phase` is that of a tile.
    pub(super) input: Channels,
    /// What is written. Block `block · phases + phase` of transformed channels, as many as a vector
    /// has lanes, is that of the channels from `block · lanes` on.
    pub(super) output: Channels,
}

/// The channels of an image and of its transformed tiles.
#[derive(Clone, Copy)]
pub(super) struct Channels {
    pub(super) count: usize,
    /// Transformed channels for each.
    pub(super) phases: usize,
    /// Pixels of each.
    pub(super) plane: usize,
}

/// Some filters.
pub(super) struct FilterPart {
    pub(super) isa: Isa,
    /// Transformed channels: blocks of the output's, and those of the input.
    pub(super) blocks: Range<usize>,
    pub(super) inputs: Range<usize>,
    pub(super) layout: FilterLayout,
}

/// Some channels of the tiles of a block.
pub(super) struct TilePart<'a> {
    pub(super) isa: Isa,
    pub(super) groups: &'a [Group],
    pub(super) channels: Range<usize>,
    pub(super) layout: Layout,
}
