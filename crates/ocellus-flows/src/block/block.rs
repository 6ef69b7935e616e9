use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use ocellus_ops::{Clamp, CouplingConfig, NetworkCoupling, leading_channels};

use super::Subnet;
use super::global_affine::GlobalAffine;
use super::mixing::Mixer;
use super::subnet::SubnetLayers;
use crate::FlowConfig;

/// FrEIA's `AllInOneBlock`: coupling, global affine map, mixing of the channels.
#[derive(Clone, Debug)]
pub(crate) struct CouplingBlock {
    channels: usize,
    subnet: SubnetLayers,
    affine: GlobalAffine,
    mixer: Mixer,
    alpha: f64,
    clamp: Clamp,
}

impl CouplingBlock {
    pub(crate) fn new(config: &FlowConfig, subnet: Subnet, vb: &VarBuilder) -> Result<Self> {
        let &FlowConfig { channels, condition, mixing, alpha, clamp, .. } = config;
        let active = channels / 2;
        let inputs = channels - active + condition;
        Ok(Self {
            channels,
            subnet: SubnetLayers::new(subnet, inputs, 2 * active, &vb.pp("subnet"))?,
            affine: GlobalAffine::new(channels, subnet, vb)?,
            mixer: Mixer::new(mixing, channels, vb)?,
            alpha,
            clamp,
        })
    }

    /// What scales and shifts the active channels, from a tensor that begins with the passive ones.
    fn coefficients(&self, x: &Tensor, condition: Option<&Tensor>) -> Result<Tensor> {
        let passive = self.channels - self.channels / 2;
        self.subnet.forward(&leading_channels(x, passive, condition)?)
    }

    /// The block as a part of an operation on `(batch, C + 1, height, width)`: C channels and the
    /// log-determinant so far. What [`mix_state`](Self::mix_state) does is left.
    pub(crate) fn coupling(&self) -> Result<NetworkCoupling<'_>> {
        let mut config = CouplingConfig::new(self.alpha).with_clamp(self.clamp);
        config.permutation = self.mixer.permutation()?;
        let ([first, second], conv) = self.subnet.parts();
        Ok(NetworkCoupling { first, second, conv, affine: self.affine.factors()?, config })
    }

    /// Whether the coupling has done all.
    pub(crate) fn is_permuted(&self) -> bool {
        matches!(self.mixer, Mixer::Hard(_))
    }

    /// Rotates the channels of a state.
    pub(crate) fn mix_state(&self, state: &Tensor) -> Result<Tensor> {
        self.mixer.mix_state(state)
    }

    /// Undoes it on C channels; gives them, and the log-determinant of the way back at each pixel.
    pub(crate) fn retreat(
        &self,
        y: &Tensor,
        condition: Option<&Tensor>,
    ) -> Result<(Tensor, Tensor)> {
        let (channels, active) = (self.channels, self.channels / 2);
        let passive = channels - active;
        let factors = self.affine.factors()?;
        let row = |i: usize| factors.narrow(0, i, 1)?.reshape((1, channels, 1, 1));
        let (scale, offset) = (row(0)?, row(1)?);
        let u = self.mixer.unmix(y)?.broadcast_sub(&offset)?.broadcast_div(&scale)?;
        let a = (self.coefficients(&u, condition)? * 0.1)?;
        let s = a.narrow(1, 0, active)?;
        let log_scale = match self.clamp {
            Clamp::SoftLimit => (s / self.alpha)?.tanh()?,
            _ => s.tanh()?,
        };
        let log_scale = (log_scale * self.alpha)?;
        let shifted = (u.narrow(1, passive, active)? - a.narrow(1, active, active)?)?;
        let x = (shifted * log_scale.neg()?.exp()?)?;
        let x = Tensor::cat(&[&u.narrow(1, 0, passive)?, &x], 1)?;
        let scales = scale.log()?.sum_all()?.reshape((1, 1, 1, 1))?;
        Ok((x, log_scale.sum_keepdim(1)?.broadcast_add(&scales)?.neg()?))
    }
}
