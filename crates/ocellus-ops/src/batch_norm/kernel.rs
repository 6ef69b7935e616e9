#![allow(unsafe_code, reason = "results are written to memory that is not cleared before")]

use std::mem::MaybeUninit;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use super::backward::Backward;
use super::blocks::{Block, Blocks};
use super::channel::{Channel, rectified};
use super::statistics::Moments;
use crate::backward::collect;
use crate::cpu::{Float, dispatch, read, view};
use crate::simd::vectorized;

/// `(x − mean) / √(var + ε) · weight + bias`, plus a residual if there is one, channel by channel;
/// then ReLU if asked for.
///
/// The inputs are x, the weights followed by the biases, and the residual.
pub(super) struct Normalize {
    pub(super) name: &'static str,
    pub(super) moments: Vec<Moments>,
    pub(super) eps: f64,
    /// Whether the moments are those of the input, so that gradients flow through them.
    pub(super) of_batch: bool,
    /// Whether negative results become zero.
    pub(super) relu: bool,
}

impl Normalize {
    /// Runs the CPU kernel.
    pub(super) fn apply(
        self,
        x: &Tensor,
        affine: &Tensor,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        match residual {
            None => x.apply_op2(affine, self),
            Some(residual) => x.apply_op3(affine, residual, self),
        }
    }

    fn channels<T: Float>(&self, affine: &[T]) -> Vec<Channel<T>> {
        let (weight, bias) = affine.split_at(self.moments.len());
        let parameters = self.moments.iter().zip(weight).zip(bias);
        parameters.map(|((&m, &weight), &bias)| Channel::new(m, self.eps, weight, bias)).collect()
    }

    /// Results up to it become zero: none is up to a NaN.
    fn floor<T: Float>(&self) -> T {
        if self.relu { T::zero() } else { T::nan() }
    }

    fn forward<T: Float>(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        affine: &CpuStorage,
        affine_layout: &Layout,
        residual: Option<(&CpuStorage, &Layout)>,
    ) -> Result<(CpuStorage, Shape)> {
        let x = view::<T>(x, x_layout)?;
        let residual = residual.map(|(storage, layout)| view::<T>(storage, layout)).transpose()?;
        let channels = self.channels(&view(affine, affine_layout)?);
        let floor = self.floor();
        let fill = |block: Block, y: &mut [MaybeUninit<T>]| {
            let channel = channels[block.channel];
            let outputs = y.iter_mut().zip(block.of(&x));
            match &residual {
                None => vectorized(|| {
                    outputs.for_each(|(y, &x)| {
                        let sum = channel.at(x);
                        y.write(rectified(sum, floor, sum));
                    });
                }),
                Some(residual) => vectorized(|| {
                    outputs.zip(block.of(residual)).for_each(|((y, &x), &residual)| {
                        let sum = channel.at(x) + residual;
                        y.write(rectified(sum, floor, sum));
                    });
                }),
            }
        };
        // SAFETY: a block of y has as many elements as those of x and the residual.
        let (y, _) = unsafe { Blocks::new(x_layout.dims()).fill(fill) };
        Ok((T::to_cpu_storage_owned(y), x_layout.shape().clone()))
    }

    fn backward(
        &self,
        x: &Tensor,
        affine: &Tensor,
        residual: Option<&Tensor>,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        dispatch!(x.dtype(), self.name, T => {
            let (values, gradient) = (read::<T>(x)?, read::<T>(gradient)?);
            let pass = Backward {
                x: &values,
                blocks: Blocks::new(x.dims()),
                channels: self.channels(&read(affine)?),
                of_batch: self.of_batch,
                floor: self.floor(),
            };
            let [by_x, by_affine, by_residual] =
                pass.gradients([x, affine], residual, y, &gradient)?;
            let by_x = by_x.map(|gradient| collect(x, gradient)).transpose()?.flatten();
            Ok([by_x, by_affine, by_residual])
        })
    }
}

impl CustomOp2 for Normalize {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        affine: &CpuStorage,
        affine_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!(x.dtype(), self.name, T => {
            self.forward::<T>(x, x_layout, affine, affine_layout, None)
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        affine: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [by_x, by_affine, _] = self.backward(x, affine, None, y, gradient)?;
        Ok((by_x, by_affine))
    }
}

impl CustomOp3 for Normalize {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        affine: &CpuStorage,
        affine_layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!(x.dtype(), self.name, T => {
            let residual = Some((residual, residual_layout));
            self.forward::<T>(x, x_layout, affine, affine_layout, residual)
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        affine: &Tensor,
        residual: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [by_x, by_affine, by_residual] =
            self.backward(x, affine, Some(residual), y, gradient)?;
        Ok((by_x, by_affine, by_residual))
    }
}
