//! Stands for `cuda` where that is not built: there is no GPU to run on.

use candle_core::{Result, Tensor, Var};

use crate::conv::{ConvOp, Geometry as ConvGeometry};
use crate::coupling::Geometry;
use crate::cpu::UnaryKernel;
use crate::farthest::FarthestPoints;
use crate::neighbors::Neighbors;
use crate::whiten::Whitened;
use crate::{BatchStatistics, CrossEntropyConfig};

/// What runs kernels on a GPU: nothing.
#[derive(Clone, Debug)]
pub(crate) enum Machine {}

impl Machine {
    pub(crate) fn of(_: &Tensor) -> Option<Self> {
        None
    }
}

pub(crate) trait OnGpu {
    const HAS_KERNEL: bool = false;
}

impl<K> OnGpu for K {}

pub(crate) fn apply<K: UnaryKernel>(machine: Machine, _: &Tensor, _: K) -> Result<Tensor> {
    match machine {}
}

pub(crate) fn cross_entropy(
    machine: &Machine,
    _: &Tensor,
    _: &Tensor,
    _: &CrossEntropyConfig,
) -> Result<Tensor> {
    match *machine {}
}

pub(crate) fn concat(machine: Machine, _: &Tensor, _: &Tensor, _: usize) -> Result<Tensor> {
    match machine {}
}

pub(crate) fn leading_channels(
    machine: Machine,
    _: &Tensor,
    _: usize,
    _: Option<&Tensor>,
) -> Result<Tensor> {
    match machine {}
}

pub(crate) fn coupling(
    machine: Machine,
    _: Geometry,
    _: &Tensor,
    _: &Tensor,
    _: &Tensor,
) -> Result<Tensor> {
    match machine {}
}

pub(crate) fn linear(
    machine: Machine,
    _: &Tensor,
    _: &Tensor,
    _: Option<&Tensor>,
) -> Result<Tensor> {
    match machine {}
}

pub(crate) fn convolves(_: &ConvGeometry) -> bool {
    false
}

pub(crate) fn convolution(
    machine: Machine,
    _: ConvOp,
    _: &Tensor,
    _: &Tensor,
    _: Option<&Tensor>,
) -> Result<Tensor> {
    match machine {}
}

#[expect(dead_code, reason = "it is never computed")]
pub(crate) struct Normalize {
    pub(crate) name: &'static str,
    pub(crate) machine: Machine,
    pub(crate) eps: f64,
    pub(crate) relu: bool,
}

impl Normalize {
    pub(crate) fn train(
        self,
        _: &Tensor,
        _: &Tensor,
        _: Option<&Tensor>,
    ) -> Result<(Tensor, BatchStatistics)> {
        match self.machine {}
    }

    pub(crate) fn infer(
        self,
        _: &Tensor,
        _: &Tensor,
        _: Option<&Tensor>,
        _: [&Tensor; 2],
    ) -> Result<Tensor> {
        match self.machine {}
    }
}

pub(crate) const MOST_NEIGHBORS: usize = 24;

pub(crate) fn nearest_neighbors(
    machine: &Machine,
    _: &Tensor,
    _: &Tensor,
    _: usize,
) -> Result<Neighbors> {
    match *machine {}
}

pub(crate) fn farthest_points(
    machine: &Machine,
    _: &Tensor,
    _: &Tensor,
    _: usize,
    _: usize,
) -> Result<FarthestPoints> {
    match *machine {}
}

pub(crate) fn whiten_packed(
    machine: &Machine,
    _: &Tensor,
    _: &Tensor,
    _: &Tensor,
) -> Result<Whitened> {
    match *machine {}
}

pub(crate) fn update(
    machine: &Machine,
    _: &str,
    _: &[f64],
    _: (&Var, &[&Tensor]),
    _: usize,
) -> Result<Vec<Tensor>> {
    match *machine {}
}
