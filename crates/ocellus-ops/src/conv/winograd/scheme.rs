use std::ops::Range;

use super::block::Layout;
use super::filters::FilterLayout;
use super::tiles::{Group, Tiling};
use crate::cpu::{Float, Output};
use crate::simd::Isa;

/// The channels of an image and of its transformed tiles.
#[derive(Clone, Copy)]
pub(super) struct Channels {
    pub(super) count: usize,
    /// Transformed channels for each.
    pub(super) phases: usize,
    /// Pixels of each.
    pub(super) plane: usize,
}

impl Channels {
    pub(super) fn transformed(&self) -> usize {
        self.count * self.phases
    }
}

/// An operation that is a product of transformed filters and tiles at each point: which they are,
/// and what becomes of the products.
pub(super) trait Scheme: Sync {
    type T: Float;

    fn tiling(&self) -> &Tiling;
    fn batch(&self) -> usize;

    /// What is read. Transformed channel `channel · phases + phase` is that of a tile.
    fn input(&self) -> Channels;

    /// What is written. Block `block · phases + phase` of transformed channels, as many as a vector
    /// has lanes, is that of the channels from `block · lanes` on.
    fn output(&self) -> Channels;

    /// Transforms the filters of some blocks of output and some input channels (both transformed).
    fn transform_filters(
        &self,
        isa: Isa,
        blocks: Range<usize>,
        inputs: Range<usize>,
        layout: FilterLayout,
        to: &mut [Self::T],
    );

    /// Transforms some channels of the tiles of a block. `to` is where the block begins; there these
    /// channels are the caller's alone, with room for the layout.
    fn transform_input(
        &self,
        isa: Isa,
        groups: &[Group],
        channels: Range<usize>,
        layout: Layout,
        to: *mut Self::T,
    );

    /// Transforms the products of some channels, and writes those tiles, which are the caller's
    /// alone.
    fn transform_output(
        &self,
        isa: Isa,
        groups: &[Group],
        channels: Range<usize>,
        layout: Layout,
        m: &[Self::T],
        out: &Output<Self::T>,
    );
}
