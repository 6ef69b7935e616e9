#![allow(unsafe_code, reason = "results are written to memory that is not cleared before")]

use std::mem::MaybeUninit;

use candle_core::{Device, Result, Tensor, WithDType};

use super::blocks::{Block, Blocks};
use super::channel::{Channel, rectified};
use crate::cpu::{Float, read};
use crate::parallel::{sums, wide};
use crate::simd::vectorized;

/// The backward pass of a normalization: one pass over memory for sums, one for the gradient of x.
pub(super) struct Backward<'a, T> {
    pub(super) x: &'a [T],
    pub(super) blocks: Blocks,
    pub(super) channels: Vec<Channel<T>>,
    pub(super) of_batch: bool,
    /// The gradient of outputs up to it is zero.
    pub(super) floor: T,
}

/// `[Σ g, Σ g (x − mean)]` of a channel, or a block.
type Sums = [f64; 2];

impl<T: Float> Backward<'_, T> {
    /// The gradients of x, affine and residual, each only if something asks for it.
    pub(super) fn gradients(
        &self,
        [x, affine]: [&Tensor; 2],
        residual: Option<&Tensor>,
        y: &Tensor,
        gradient: &[T],
    ) -> Result<[Option<Tensor>; 3]> {
        let wanted = affine.track_op() || (self.of_batch && x.track_op());
        let tensor = |values| Tensor::from_vec(values, x.shape(), &Device::Cpu);
        let Some(residual) = residual else {
            // Without a residual, x alone says which outputs were positive: y is not read.
            let sums = if wanted { self.sums(gradient) } else { vec![] };
            return Ok([
                tracked(x, || tensor(self.input_gradient(&sums, gradient, self.floor)))?,
                tracked(affine, || self.affine_gradient(&sums))?,
                None,
            ]);
        };
        let (masked, sums) = self.masked(&read(y)?, gradient, wanted);
        Ok([
            tracked(x, || tensor(self.input_gradient(&sums, &masked, T::nan())))?,
            tracked(affine, || self.affine_gradient(&sums))?,
            tracked(residual, || tensor(masked))?,
        ])
    }

    fn sums(&self, gradient: &[T]) -> Vec<Sums> {
        let sums = self.blocks.map(|block| {
            let channel = self.channels[block.channel];
            channel.sums(block.of(self.x), block.of(gradient), self.floor)
        });
        self.by_channel(&sums)
    }

    /// The gradient where the output was positive, which is that of the residual; and its sums.
    fn masked(&self, y: &[T], gradient: &[T], wanted: bool) -> (Vec<T>, Vec<Sums>) {
        let fill = |block: Block, masked: &mut [MaybeUninit<T>]| {
            let outputs = masked.iter_mut().zip(block.of(y)).zip(block.of(gradient));
            vectorized(|| {
                outputs.for_each(|((masked, &y), &g)| {
                    masked.write(rectified(y, self.floor, g));
                });
            });
            if !wanted {
                return Sums::default();
            }
            // SAFETY: all have just been written.
            let masked = unsafe { masked.assume_init_ref() };
            self.channels[block.channel].sums(block.of(self.x), masked, T::nan())
        };
        // SAFETY: blocks of all tensors have the same number of elements.
        let (masked, sums) = unsafe { self.blocks.fill(fill) };
        (masked, self.by_channel(&sums))
    }

    fn by_channel(&self, blocks: &[Sums]) -> Vec<Sums> {
        let add = |a: Sums, b: Sums| [a[0] + b[0], a[1] + b[1]];
        let channel = |c| self.blocks.of_channel(blocks, c).fold([0.; 2], add);
        (0..self.channels.len()).map(channel).collect()
    }

    /// The gradient of x, from that of the outputs, which counts where they exceed the floor.
    fn input_gradient(&self, sums: &[Sums], gradient: &[T], floor: T) -> Vec<T> {
        let count = (self.x.len() / self.channels.len()) as f64;
        let moments = |(channel, sums): (&Channel<T>, &Sums)| {
            channel.through_moments(sums.map(|sum| sum / count))
        };
        let moments: Option<Vec<_>> =
            self.of_batch.then(|| self.channels.iter().zip(sums).map(moments).collect());
        let fill = |block: Block, dx: &mut [MaybeUninit<T>]| {
            let channel = self.channels[block.channel];
            let inputs = dx.iter_mut().zip(block.of(self.x)).zip(block.of(gradient));
            match &moments {
                None => vectorized(|| {
                    inputs.for_each(|((dx, &x), &g)| {
                        dx.write(channel.scaled(rectified(channel.at(x), floor, g)));
                    });
                }),
                Some(moments) => {
                    let moments = moments[block.channel];
                    vectorized(|| {
                        inputs.for_each(|((dx, &x), &g)| {
                            let g = rectified(channel.at(x), floor, g);
                            dx.write(channel.through(moments, g, x));
                        });
                    });
                }
            }
        };
        // SAFETY: blocks of all tensors have the same number of elements.
        unsafe { self.blocks.fill(fill).0 }
    }

    /// The gradients of the weights, then of the biases.
    fn affine_gradient(&self, sums: &[Sums]) -> Result<Tensor> {
        let by_weight =
            self.channels.iter().zip(sums).map(|(c, sums)| sums[1] * c.inverse_deviation);
        let by_bias = sums.iter().map(|sums| sums[0]);
        let values: Vec<T> = by_weight.chain(by_bias).map(WithDType::from_f64).collect();
        Tensor::from_vec(values, 2 * sums.len(), &Device::Cpu)
    }
}

fn tracked(x: &Tensor, f: impl FnOnce() -> Result<Tensor>) -> Result<Option<Tensor>> {
    if x.track_op() { f().map(Some) } else { Ok(None) }
}

impl<T: Float> Channel<T> {
    /// The sums of a gradient, which counts where the outputs exceed the floor.
    fn sums(&self, x: &[T], gradient: &[T], floor: T) -> Sums {
        sums(x, gradient, |x, g| {
            let g = wide(rectified(self.at(x), floor, g));
            [g, self.deviation(x) * g]
        })
    }
}
