use candle_core::{DType, Result, Tensor, bail};

use super::composed;
use super::kernel::Normalize;
use super::statistics::{BatchStatistics, Moments, moments};
use crate::cpu::{dispatch, widened};
use crate::cuda;
use crate::implementation::{Code, code};
use crate::run::require_float;

/// What the public functions are asked for.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a> {
    /// The function's name, for messages.
    pub(super) op: &'static str,
    pub(super) x: &'a Tensor,
    /// Added to the normalized input.
    pub(super) residual: Option<&'a Tensor>,
    pub(super) weight: Option<&'a Tensor>,
    pub(super) bias: Option<&'a Tensor>,
    pub(super) eps: f64,
    /// Whether negative results become zero.
    pub(super) relu: bool,
}

impl Arguments<'_> {
    /// Normalizes with the batch's statistics.
    pub(super) fn train(self) -> Result<(Tensor, BatchStatistics)> {
        let Self { op, x, .. } = self;
        let channels = self.check(&[])?;
        let count = x.elem_count() / channels;
        if count < 2 {
            bail!(
                "{op}: input {:?} has {count} value per channel, which has no variance: train with \
                 larger batches (drop the last, incomplete one) or use batch_norm_inference",
                x.dims()
            )
        }
        let (weight, bias) = self.affine(channels)?;
        let code = code(op, x)?;
        if let Code::Gpu(machine) = code {
            let affine = Tensor::cat(&[weight, bias], 0)?;
            let normalize = cuda::Normalize { name: op, machine, eps: self.eps, relu: self.relu };
            return normalize.train(x, &affine, self.residual);
        }
        let mut statistics = None;
        let y = self.run(|x, residual| {
            let (y, found) = if matches!(code, Code::Processor) {
                let x = x.contiguous()?;
                let (moments, found) = dispatch!(x.dtype(), op, T => {
                    let moments = moments::<T>(&x)?;
                    let found = BatchStatistics::new::<T>(&moments, count)?;
                    (moments, found)
                });
                (self.normalize(&x, residual, moments, true, &weight, &bias)?, found)
            } else {
                let (y, found) = composed::training(x, &weight, &bias, self.eps)?;
                (self.finish(y, residual)?, found)
            };
            statistics = Some(found);
            Ok(y)
        })?;
        match statistics {
            Some(statistics) => Ok((y, statistics)),
            None => bail!("{op}: no statistics were computed"),
        }
    }

    /// Normalizes with given statistics.
    pub(super) fn infer(self, mean: &Tensor, var: &Tensor) -> Result<Tensor> {
        let channels = self.check(&[("mean", mean), ("variance", var)])?;
        let (weight, bias) = self.affine(channels)?;
        // The kernel has no gradients for the statistics: the composition has.
        let compose = mean.track_op() || var.track_op();
        let kernel = match code(self.op, self.x)? {
            Code::Gpu(machine) if !compose => {
                let affine = Tensor::cat(&[weight, bias], 0)?;
                let Self { op: name, eps, relu, .. } = self;
                let normalize = cuda::Normalize { name, machine, eps, relu };
                return normalize.infer(self.x, &affine, self.residual, [mean, var]);
            }
            Code::Processor => !compose,
            Code::Gpu(_) | Code::Composed => false,
        };
        self.run(|x, residual| {
            if !kernel {
                let (mean, var) = (mean.to_dtype(x.dtype())?, var.to_dtype(x.dtype())?);
                let y = composed::inference(x, &mean, &var, &weight, &bias, self.eps)?;
                return self.finish(y, residual);
            }
            let values = |x: &Tensor| x.to_dtype(DType::F64)?.to_vec1::<f64>();
            let pairs = values(mean)?.into_iter().zip(values(var)?);
            let moments = pairs.map(|(mean, var)| Moments { mean, var }).collect();
            self.normalize(x, residual, moments, false, &weight, &bias)
        })
    }

    /// Runs `f` on input and residual in the type that is computed in.
    fn run(&self, f: impl FnOnce(&Tensor, Option<&Tensor>) -> Result<Tensor>) -> Result<Tensor> {
        let inputs: Vec<&Tensor> = [self.x].into_iter().chain(self.residual).collect();
        widened(&inputs, |inputs| f(&inputs[0], inputs.get(1)))
    }

    fn normalize(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        moments: Vec<Moments>,
        of_batch: bool,
        weight: &Tensor,
        bias: &Tensor,
    ) -> Result<Tensor> {
        let Self { op: name, eps, relu, .. } = *self;
        // One tensor of both: an operation of candle has three inputs at most.
        let affine = Tensor::cat(&[weight, bias], 0)?;
        Normalize { name, moments, eps, of_batch, relu }.apply(x, &affine, residual)
    }

    /// What follows the normalization, from other operations.
    fn finish(&self, y: Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        let y = match residual {
            Some(residual) => (y + residual)?,
            None => y,
        };
        if self.relu { crate::relu(&y) } else { Ok(y) }
    }

    /// The number of channels, if everything has that many.
    fn check(&self, statistics: &[(&str, &Tensor)]) -> Result<usize> {
        let Self { op, x, eps, .. } = self;
        require_float(op, x)?;
        let &[_, channels, ..] = x.dims() else {
            bail!("{op}: input {:?} is not (batch, channels, …)", x.dims())
        };
        if channels == 0 {
            bail!("{op}: input {:?} has no channels", x.dims())
        }
        if !(0. ..f64::INFINITY).contains(eps) {
            bail!("{op}: eps {eps} must be finite and not negative")
        }
        let affine = [("weight", self.weight), ("bias", self.bias)];
        let given = affine.into_iter().filter_map(|(name, tensor)| Some((name, tensor?)));
        for (name, tensor) in statistics.iter().copied().chain(given) {
            if tensor.dims() != [channels] {
                bail!("{op}: {name} {:?} for {channels} channels", tensor.dims())
            }
        }
        self.residual.map_or(Ok(()), |residual| self.check_residual(residual))?;
        Ok(channels)
    }

    fn check_residual(&self, residual: &Tensor) -> Result<()> {
        let Self { op, x, .. } = self;
        if residual.dims() != x.dims() {
            let (given, input) = (residual.dims(), x.dims());
            bail!("{op}: residual {given:?} for an input {input:?}: give both the same shape")
        }
        if residual.dtype() != x.dtype() {
            let (given, input) = (residual.dtype(), x.dtype());
            bail!("{op}: the residual is {given:?}, the input {input:?}: convert one with to_dtype")
        }
        if !residual.device().same_device(x.device()) {
            bail!("{op}: the residual is on another device than the input: move one")
        }
        Ok(())
    }

    /// Weight and bias, in the type that is computed in.
    fn affine(&self, channels: usize) -> Result<(Tensor, Tensor)> {
        let dtype = if self.x.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
        let or =
            |given: Option<&Tensor>, default: fn(usize, DType, &_) -> Result<Tensor>| match given {
                Some(tensor) => tensor.to_dtype(dtype),
                None => default(channels, dtype, self.x.device()),
            };
        Ok((or(self.weight, Tensor::ones)?, or(self.bias, Tensor::zeros)?))
    }
}
