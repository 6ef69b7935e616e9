use ocellus_ops::Clamp;

use crate::{Mixing, Subnet};

/// Configuration of [`Flow`](crate::Flow).
///
/// # Examples
///
/// ```
/// use ocellus_flows::{FlowConfig, Mixing};
///
/// let config = FlowConfig::cflow(512, 128);
/// assert_eq!((config.blocks, config.alpha, config.mixing), (8, 1.9, Mixing::Hard));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FlowConfig {
    /// Channels of the data, at least 2.
    pub channels: usize,
    /// Channels of the condition; 0 is none.
    pub condition: usize,
    /// Coupling blocks.
    pub blocks: usize,
    /// The networks of the couplings: block i has number i, over and over again.
    pub subnets: Vec<Subnet>,
    /// The bound α of the logarithm of a coupling's scale.
    pub alpha: f64,
    /// How the bound is kept.
    pub clamp: Clamp,
    /// How channels change places after a block.
    pub mixing: Mixing,
}

impl FlowConfig {
    /// A decoder of CFLOW-AD: 8 blocks, linear layers, α = 1.9, anomalib's permutations.
    #[must_use]
    pub fn cflow(channels: usize, condition: usize) -> Self {
        Self {
            channels,
            condition,
            blocks: 8,
            subnets: vec![Subnet::Pointwise],
            alpha: 1.9,
            clamp: Clamp::Scaled,
            mixing: Mixing::Hard,
        }
    }

    /// A flow of FastFlow: convolutions of 3 × 3, alternating with 1 × 1 ones unless `only_3x3`,
    /// α = 2.
    #[must_use]
    pub fn fastflow(channels: usize, blocks: usize, only_3x3: bool, hidden_ratio: f64) -> Self {
        let conv = |kernel| Subnet::Conv { kernel, hidden_ratio };
        let subnets = if only_3x3 { vec![conv(3)] } else { vec![conv(3), conv(1)] };
        Self { blocks, subnets, alpha: 2., ..Self::cflow(channels, 0) }
    }

    /// Sets the number of coupling blocks.
    #[must_use]
    pub fn with_blocks(self, blocks: usize) -> Self {
        Self { blocks, ..self }
    }

    /// Sets the networks of the couplings, by turns.
    #[must_use]
    pub fn with_subnets(self, subnets: Vec<Subnet>) -> Self {
        Self { subnets, ..self }
    }

    /// Sets the bound of the logarithm of a coupling's scale.
    #[must_use]
    pub fn with_alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    /// Sets how the bound is kept.
    #[must_use]
    pub fn with_clamp(self, clamp: Clamp) -> Self {
        Self { clamp, ..self }
    }

    /// Sets how channels change places.
    #[must_use]
    pub fn with_mixing(self, mixing: Mixing) -> Self {
        Self { mixing, ..self }
    }
}
