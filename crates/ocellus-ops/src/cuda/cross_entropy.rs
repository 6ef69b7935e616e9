//! Cross-entropy, without waiting for the GPU: what is wrong with a target shows as NaN.

use candle_core::{DType, Result, Tensor};

use super::launch::{Divisor, Grid};
use super::loss::{self, add_parts, each, parts};
use super::machine::{Machine, Output, launch, settled};
use super::node::node;
use super::softmax::{kernel, shared};
use crate::axis::Axis;
use crate::backward::collect;
use crate::{CrossEntropyConfig, Reduction};

/// The loss of logits beside a target that fits them in shape and type.
pub(crate) fn cross_entropy(
    machine: &Machine,
    logits: &Tensor,
    target: &Tensor,
    config: &CrossEntropyConfig,
) -> Result<Tensor> {
    let x = settled(logits)?;
    let operands = Operands::new(machine, &x, target, config)?;
    let loss = operands.forward(machine, &x)?;
    let machine = machine.clone();
    node("cross_entropy", &[logits], loss, move |arguments, _, gradient| {
        let x = arguments[0];
        let dx = operands.backward(&machine, &settled(x)?, &settled(gradient)?)?;
        Ok(vec![collect(x, dx.tensor())?])
    })
}

/// What the kernels read beside the logits, all on their device.
struct Operands {
    indices: Tensor,
    probabilities: Tensor,
    weights: Tensor,
    /// What the sum of the losses is divided by, `(1)`.
    divisor: Tensor,
    is_dense: bool,
    reduction: Reduction,
    dim: usize,
    /// What of a target is kept where the rest is spread over the classes.
    kept: f64,
    /// What each class gets of that.
    spread: f64,
}

impl Operands {
    fn new(
        machine: &Machine,
        x: &Tensor,
        target: &Tensor,
        config: &CrossEntropyConfig,
    ) -> Result<Self> {
        let CrossEntropyConfig { dim, label_smoothing, reduction, .. } = *config;
        let axis = Axis::new(x.dims(), dim);
        let weights = match &config.class_weights {
            Some(weights) => settled(&weights.to_device(x.device())?.to_dtype(DType::F64)?)?,
            None => Tensor::ones(axis.size, DType::F64, x.device())?,
        };
        let target = settled(&target.to_device(x.device())?)?;
        let is_dense = target.dtype().is_float();
        let count = if reduction == Reduction::Mean { axis.positions() as f64 } else { 1. };
        let mut divisor = Tensor::new(&[count], x.device())?;
        // In the place of what there is not stands something that is never read.
        let (mut indices, mut probabilities) = (weights.clone(), weights.clone());
        if is_dense {
            probabilities = target.to_dtype(x.dtype())?;
        } else {
            let (found, taken) = classes(machine, x.dtype(), &target, &weights, config)?;
            indices = found.tensor();
            if reduction == Reduction::Mean {
                let taken = parts(machine, taken, x.dtype())?;
                divisor = add_parts(machine, taken, (1.into(), DType::F64), 1.)?.tensor();
            }
        }
        let (kept, spread) = (1. - label_smoothing, label_smoothing / axis.size as f64);
        Ok(Self {
            indices,
            probabilities,
            weights,
            divisor,
            is_dense,
            reduction,
            dim,
            kept,
            spread,
        })
    }

    fn forward(&self, machine: &Machine, x: &Tensor) -> Result<Output> {
        let axis = Axis::new(x.dims(), self.dim);
        let (lanes, grid) = shared(axis);
        let positions = axis.positions();
        let mut losses = machine.output(positions, DType::F64)?;
        launch!(
            machine,
            kernel("cross_entropy_forward"),
            x.dtype(),
            grid,
            [
                x,
                &self.indices,
                &self.probabilities,
                &self.weights,
                &mut losses,
                positions,
                axis.size,
                Divisor(axis.inner),
                lanes,
                self.is_dense,
                self.kept,
                self.spread,
            ]
        )?;
        if self.reduction == Reduction::None {
            let shape = [&x.dims()[..self.dim], &x.dims()[self.dim + 1..]].concat();
            return each(machine, losses, (shape.into(), x.dtype()));
        }
        let parts = parts(machine, losses, x.dtype())?;
        let mut mean = machine.output((), x.dtype())?;
        let pieces = parts.shape.elem_count();
        let parts = parts.tensor();
        launch!(
            machine,
            loss::kernel("mean_of_parts"),
            x.dtype(),
            Grid::blocks(1),
            [&parts, &self.divisor, &mut mean, pieces]
        )?;
        Ok(mean)
    }

    fn backward(&self, machine: &Machine, x: &Tensor, g: &Tensor) -> Result<Output> {
        let axis = Axis::new(x.dims(), self.dim);
        let (lanes, grid) = shared(axis);
        let mut dx = machine.output(x.shape(), x.dtype())?;
        launch!(
            machine,
            kernel("cross_entropy_backward"),
            x.dtype(),
            grid,
            [
                x,
                &self.indices,
                &self.probabilities,
                &self.weights,
                g,
                &mut dx,
                axis.positions(),
                axis.size,
                Divisor(axis.inner),
                lanes,
                self.is_dense,
                self.kept,
                self.spread,
                self.reduction == Reduction::None,
                &self.divisor,
            ]
        )?;
        Ok(dx)
    }
}

/// The class at each position as the kernels know it, and its weight in a mean.
fn classes(
    machine: &Machine,
    dtype: DType,
    target: &Tensor,
    weights: &Tensor,
    config: &CrossEntropyConfig,
) -> Result<(Output, Output)> {
    let count = target.elem_count();
    let mut indices = machine.output(count, DType::U32)?;
    let mut taken = machine.output(count, DType::F64)?;
    launch!(
        machine,
        kernel("class_indices"),
        dtype,
        Grid::elements(count),
        [
            target,
            weights,
            &mut indices,
            &mut taken,
            count,
            target.dtype().size_in_bytes(),
            weights.elem_count(),
            config.ignore_index.is_some(),
            config.ignore_index.unwrap_or(0),
        ]
    )?;
    Ok((indices, taken))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use candle_core::{Device, Var};
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::cuda::emulator;

    fn loss(x: &Tensor, target: &Tensor, config: &CrossEntropyConfig) -> Result<Tensor> {
        cross_entropy(&Machine::Emulated, x, target, config)
    }

    #[test]
    fn what_is_no_class_makes_the_loss_nan_and_leaves_other_positions() -> Result<()> {
        if !emulator::is_available() {
            return Ok(());
        }
        let x = Var::from_tensor(&fill((4, 3), 0.3, DType::F64)?)?;
        let config = CrossEntropyConfig::default().with_ignore_index(-1);
        for stray in [3, -2, i64::MAX, 1 << 32, i64::from(u32::MAX)] {
            let target = Tensor::new(&[2, stray, -1, 0], &Device::Cpu)?;
            assert!(loss(&x, &target, &config)?.to_scalar::<f64>()?.is_nan());
            let each = config.clone().with_reduction(Reduction::None);
            let losses = loss(&x, &target, &each)?;
            let is_nan: Vec<_> = losses.to_vec1::<f64>()?.iter().map(|v| v.is_nan()).collect();
            assert_eq!(is_nan, [false, true, false, false]);
            let dx = losses.backward()?.get(&x).expect("a gradient").to_vec2::<f64>()?;
            assert!(dx[1].iter().all(|g| g.is_nan()));
            assert!(dx[0].iter().chain(&dx[3]).all(|g| g.is_finite()));
            assert_eq!(dx[2], [0.; 3]);
        }
        Ok(())
    }

    #[test]
    fn the_mean_of_nothing_is_nan() -> Result<()> {
        if !emulator::is_available() {
            return Ok(());
        }
        let x = fill((2, 3), 0.3, DType::F32)?;
        let config = CrossEntropyConfig::default().with_ignore_index(7);
        let target = Tensor::new(&[7u8, 7], &Device::Cpu)?;
        assert!(loss(&x, &target, &config)?.to_scalar::<f32>()?.is_nan());
        let sum = config.with_reduction(Reduction::Sum);
        assert_eq!(loss(&x, &target, &sum)?.to_scalar::<f32>()?, 0.);
        Ok(())
    }

    #[test]
    fn integers_of_all_types_and_views_are_read() -> Result<()> {
        if !emulator::is_available() {
            return Ok(());
        }
        let x = fill((4, 3), 0.3, DType::F32)?;
        let wide = Tensor::new(&[[2i64, 9], [0, 9], [1, 9], [255, 9]], &Device::Cpu)?;
        let view = wide.narrow(1, 0, 1)?.squeeze(1)?;
        let config = CrossEntropyConfig::default().with_ignore_index(255);
        let expected = crate::cross_entropy(&x, &view, &config)?;
        for dtype in [DType::U8, DType::U32, DType::I64] {
            assert_close(&loss(&x, &view.to_dtype(dtype)?, &config)?, &expected, 1e-7)?;
        }
        assert_close(&loss(&x, &view, &config)?, &expected, 1e-7)
    }
}
