use candle_core::{DType, ModuleT, Result, Tensor, Var, bail};
use candle_nn::{Init, VarBuilder};
use ocellus_ops::{batch_norm_inference, batch_norm_inference_relu};
use ocellus_parallel::{ProcessGroup, current_group};

use crate::BatchNorm2dConfig;
use crate::norm_statistics::Tracking;
use crate::synchronized::{Seen, moments};

/// Batch normalization of images.
///
/// ```text
/// y = w ⊙ (x − μ) / √(σ² + ε) + b                                           [1], Algorithm 1
/// training:    μ, σ² of the batch (σ² over n);  running ← (1 − m) · running + m · batch (σ² over n − 1)
/// evaluation:  μ, σ² the running ones
/// ```
///
/// [`with_norm_statistics`](crate::with_norm_statistics) evaluates with the batch's statistics, and
/// [`recalibrate`](crate::recalibrate()) replaces the running ones.
///
/// Within [`synchronized`](ocellus_parallel::synchronized), training takes the statistics of all ranks of a
/// group together, so that ranks with shares of a batch are one with the whole: outputs, gradients
/// and running statistics. That is made of candle's operations, and reads the input some six times more
/// than the kernel for one rank; what ranks exchange is `2 · channels + 1` numbers there and back.
///
/// Images of half precision are normalized in f32, by parameters and statistics of f32.
///
/// The running statistics are changed in place in the store that `vb` comes from, if it hands out
/// variables (a `VarMap` or an `ocellus_params::ParamStore`); else the layer keeps its own.
///
/// # Shapes
///
/// - input and output: `(batch, channels, height, width)`
///
/// # Parameters
///
/// - `weight`, `bias`: `(channels)`, 1 and 0
/// - `running_mean`, `running_var`: `(channels)`, 0 and 1; not trained
/// - `num_batches_tracked`: a scalar, only where the momentum is `None`; not trained
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use candle_nn::{VarBuilder, VarMap};
/// use ocellus_layers::{BatchNorm2d, BatchNorm2dConfig};
///
/// let weights = VarMap::new();
/// let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
/// let norm = BatchNorm2d::new(&BatchNorm2dConfig::new(1), vb)?;
///
/// let x = Tensor::new(&[[[[1f32, 3.]]]], &Device::Cpu)?;
/// let y = norm.forward_t(&x, true)?.flatten_all()?.to_vec1::<f32>()?;
/// assert!((y[0] + 1.).abs() < 1e-4 && (y[1] - 1.).abs() < 1e-4);
/// assert_eq!(norm.running_mean().to_vec1::<f32>()?, [0.2]); // 0.9 · 0 + 0.1 · 2
/// assert_eq!(norm.running_var().to_vec1::<f32>()?, [1.1]); // 0.9 · 1 + 0.1 · 2 (over n − 1)
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// 1. S. Ioffe and C. Szegedy. *Batch normalization: Accelerating deep network training by reducing
///    internal covariate shift.* ICML 2015. <https://arxiv.org/abs/1502.03167>
#[derive(Clone, Debug)]
pub struct BatchNorm2d {
    weight: Option<Tensor>,
    bias: Option<Tensor>,
    running_mean: Var,
    running_var: Var,
    batches: Option<Var>,
    eps: f64,
    momentum: Option<f64>,
    name: String,
}

impl BatchNorm2d {
    /// Builds the layer from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If eps is not positive, the momentum not in [0, 1], or a parameter is missing or of another
    /// shape.
    pub fn new(config: &BatchNorm2dConfig, vb: VarBuilder) -> Result<Self> {
        let &BatchNorm2dConfig { channels, eps, momentum, affine, weight_init } = config;
        let name = vb.prefix();
        if !(eps > 0. && eps.is_finite()) {
            bail!("`{name}`: batch norm's eps must be positive, got {eps}")
        }
        if let Some(momentum) = momentum.filter(|m| !(0. ..=1.).contains(m)) {
            bail!("`{name}`: batch norm's momentum must be in [0, 1], got {momentum}")
        }
        let get = |name, init| vb.get_with_hints(channels, name, init);
        let scale = |name, init| affine.then(|| get(name, init)).transpose();
        let batches = match momentum {
            None => Some(Var::from_tensor(&vb.get_with_hints(
                (),
                "num_batches_tracked",
                Init::Const(0.),
            )?)?),
            Some(_) => None,
        };
        Ok(Self {
            weight: scale("weight", weight_init.unwrap_or(Init::Const(1.)))?,
            bias: scale("bias", Init::Const(0.))?,
            running_mean: Var::from_tensor(&get("running_mean", Init::Const(0.))?)?,
            running_var: Var::from_tensor(&get("running_var", Init::Const(1.))?)?,
            batches,
            eps,
            momentum,
            name,
        })
    }

    /// The running mean, `(channels)`.
    #[must_use]
    pub fn running_mean(&self) -> Tensor {
        self.running_mean.as_detached_tensor()
    }

    /// The running variance, `(channels)`.
    #[must_use]
    pub fn running_var(&self) -> Tensor {
        self.running_var.as_detached_tensor()
    }

    /// Weight and bias of a convolution that computes `norm(conv(x))` with the running statistics;
    /// `dim` is the dimension of the weight that counts output channels: 0, of a transposed
    /// convolution 1.
    ///
    /// ```text
    /// W' = W · s,  b' = b_norm + (b − μ) · s,  s = w_norm / √(σ² + ε), per output channel
    /// ```
    ///
    /// Computed in f64. The bias is `(channels)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use candle_nn::{VarBuilder, VarMap};
    /// use ocellus_layers::{BatchNorm2d, BatchNorm2dConfig};
    ///
    /// let weights = VarMap::new();
    /// let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
    /// let norm = BatchNorm2d::new(&BatchNorm2dConfig::new(4).with_eps(3.), vb)?; // μ = 0, σ² = 1
    ///
    /// let weight = Tensor::ones((4, 2, 3, 3), DType::F32, &Device::Cpu)?;
    /// let (weight, bias) = norm.fold(&weight, None, 0)?;
    /// assert_eq!(weight.mean_all()?.to_scalar::<f32>()?, 0.5);
    /// assert_eq!(bias.to_vec1::<f32>()?, [0.; 4]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If that dimension of the weight, or the bias, has another size.
    pub fn fold(
        &self,
        weight: &Tensor,
        bias: Option<&Tensor>,
        dim: usize,
    ) -> Result<(Tensor, Tensor)> {
        let wide = |x: &Tensor| x.detach().to_dtype(DType::F64);
        let mut scale = (wide(&self.running_var())? + self.eps)?.sqrt()?.recip()?;
        if let Some(weight) = &self.weight {
            scale = (scale * wide(weight)?)?;
        }
        let mut shift = wide(&self.running_mean())?.neg()?;
        if let Some(bias) = bias {
            shift = (shift + wide(bias)?)?;
        }
        shift = (shift * &scale)?;
        if let Some(bias) = &self.bias {
            shift = (shift + wide(bias)?)?;
        }
        let mut shape = vec![1; weight.rank()];
        let Some(size) = shape.get_mut(dim) else {
            bail!("`{}`: a weight {:?} has no dimension {dim}", self.name, weight.dims())
        };
        *size = scale.elem_count();
        let folded = wide(weight)?.broadcast_mul(&scale.reshape(shape)?)?;
        Ok((folded.to_dtype(weight.dtype())?, shift.to_dtype(weight.dtype())?))
    }

    /// The layer, the sum with a residual and ReLU in one: `max(0, y + residual)`, in less time and
    /// memory than one by one.
    ///
    /// In training it updates the running statistics as the layer alone does.
    ///
    /// # Errors
    ///
    /// As of the layer; if the residual has another shape or type than the input.
    pub fn forward_relu_t(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        train: bool,
    ) -> Result<Tensor> {
        let (weight, bias) = (self.weight.as_ref(), self.bias.as_ref());
        if let Some(group) = current_group().filter(|_| train) {
            return self.synchronized(x, &group, |x, mean, var, [weight, bias]| {
                let residual = residual.map(|r| r.to_dtype(x.dtype())).transpose()?;
                let (residual, weight, bias) = (residual.as_ref(), weight.as_ref(), bias.as_ref());
                batch_norm_inference_relu(x, residual, mean, var, weight, bias, self.eps)
            });
        }
        if let Some(tracking) = Tracking::of(train) {
            self.check_batch(x)?;
            let (y, statistics) =
                ocellus_ops::batch_norm_relu(x, residual, weight, bias, self.eps)?;
            self.track(Seen::new(statistics)?, tracking)?;
            return Ok(y);
        }
        let (mean, var) = (self.running_mean(), self.running_var());
        batch_norm_inference_relu(x, residual, &mean, &var, weight, bias, self.eps)
    }

    /// What `normalize` makes of images, mean and variance of all ranks' batches, weight and bias. The
    /// running statistics take in the new ones.
    ///
    /// All in f32 at least: the gradient is a difference of that by the images and that by their
    /// statistics, which in half precision would lose its digits.
    fn synchronized(
        &self,
        x: &Tensor,
        group: &ProcessGroup,
        normalize: impl FnOnce(&Tensor, &Tensor, &Tensor, [Option<Tensor>; 2]) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let half = matches!(x.dtype(), DType::F16 | DType::BF16);
        let wide = if half { x.to_dtype(DType::F32)? } else { x.clone() };
        let moments = moments(&self.name, &wide, group)?;
        self.track(moments.seen, Tracking::Training)?;
        let affine = |p: &Option<Tensor>| p.as_ref().map(|p| p.to_dtype(wide.dtype())).transpose();
        let affine = [affine(&self.weight)?, affine(&self.bias)?];
        normalize(&wide, &moments.mean, &moments.var, affine)?.to_dtype(x.dtype())
    }

    fn check_batch(&self, x: &Tensor) -> Result<()> {
        let (batch, _, height, width) = x.dims4()?;
        if batch * height * width < 2 {
            bail!(
                "`{}`: the statistics of a batch need more than one value per channel, got {:?}: use a \
                 larger batch or image, or evaluation with the running statistics",
                self.name,
                x.dims()
            )
        }
        Ok(())
    }

    fn track(&self, seen: Seen, tracking: Tracking) -> Result<()> {
        let average = |seen: f64| -> Result<f64> {
            if let Some(batches) = &self.batches {
                batches.set(&batches.ones_like()?.affine(seen + 1., 0.)?)?;
            }
            Ok(1. / (seen + 1.))
        };
        let share = match (tracking, &self.batches, self.momentum) {
            (Tracking::Nothing, ..) => return Ok(()),
            (Tracking::Average { seen }, ..) => average(seen as f64)?,
            (Tracking::Training, Some(batches), _) => {
                let seen = batches.as_detached_tensor().to_dtype(DType::F64)?;
                average(seen.to_scalar::<f64>()?)?
            }
            (Tracking::Training, None, momentum) => momentum.unwrap_or(0.),
        };
        for (running, new) in
            [(&self.running_mean, seen.mean), (&self.running_var, seen.unbiased_var)]
        {
            let new = (new.to_dtype(running.dtype())? * share)?;
            let kept = (running.as_detached_tensor() * (1. - share))?;
            running.set(&(kept + new)?)?;
        }
        Ok(())
    }
}

impl ModuleT for BatchNorm2d {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let (weight, bias) = (self.weight.as_ref(), self.bias.as_ref());
        if let Some(group) = current_group().filter(|_| train) {
            return self.synchronized(x, &group, |x, mean, var, [weight, bias]| {
                batch_norm_inference(x, mean, var, weight.as_ref(), bias.as_ref(), self.eps)
            });
        }
        if let Some(tracking) = Tracking::of(train) {
            self.check_batch(x)?;
            let (y, statistics) = ocellus_ops::batch_norm(x, weight, bias, self.eps)?;
            self.track(Seen::new(statistics)?, tracking)?;
            return Ok(y);
        }
        let (mean, var) = (self.running_mean(), self.running_var());
        batch_norm_inference(x, &mean, &var, weight, bias, self.eps)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarMap;
    use ocellus_testing::{Golden, assert_close, fill};

    use super::*;

    /// Three training batches, then one in evaluation.
    fn check(case: &str, momentum: Option<f64>) -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "batch_norm")?;
        let mut weights = VarMap::new();
        let vb = VarBuilder::from_varmap(&weights, DType::F64, &Device::Cpu);
        let norm = BatchNorm2d::new(&BatchNorm2dConfig::new(3).with_momentum(momentum), vb)?;
        weights.set([("weight", golden.get("param.weight")?)].into_iter())?;
        weights.set([("bias", golden.get("param.bias")?)].into_iter())?;
        let get = |name: &str| golden.get(&format!("output.{case}.{name}"));
        for step in 0..3 {
            let x = Var::from_tensor(golden.get(&format!("input.{step}"))?)?;
            let y = norm.forward_t(x.as_tensor(), true)?;
            assert_close(&y, get(&format!("{step}.y"))?, 1e-12)?;
            let grads = (y * golden.get("input.upstream")?)?.sum_all()?.backward()?;
            let dx = grads.get(x.as_tensor()).expect("a gradient");
            assert_close(dx, get(&format!("{step}.dx"))?, 1e-10)?;
            for (name, parameter) in [("dw", &norm.weight), ("db", &norm.bias)] {
                let parameter = parameter.as_ref().expect("affine");
                let gradient = grads.get(parameter).expect("a gradient");
                assert_close(gradient, get(&format!("{step}.{name}"))?, 1e-10)?;
            }
        }
        let vars = weights.data().lock().unwrap();
        assert_close(vars["running_mean"].as_tensor(), get("running_mean")?, 1e-12)?;
        assert_close(vars["running_var"].as_tensor(), get("running_var")?, 1e-12)?;
        let y = norm.forward_t(golden.get("input.0")?, false)?;
        assert_close(&y, get("evaluated")?, 1e-12)
    }

    #[test]
    fn matches_pytorch_with_momentum() -> Result<()> {
        check("momentum", Some(0.1))
    }

    #[test]
    fn matches_pytorch_with_the_cumulative_average() -> Result<()> {
        check("cumulative", None)
    }

    #[test]
    fn with_residual_and_relu_it_is_the_layer_then_both() -> Result<()> {
        let build = || {
            let vb = VarBuilder::from_varmap(&VarMap::new(), DType::F32, &Device::Cpu);
            BatchNorm2d::new(&BatchNorm2dConfig::new(3), vb)
        };
        let (one, other) = (build()?, build()?);
        let shape = (2, 3, 5, 7);
        let (x, residual) = (fill(shape, 0.1, DType::F32)?, fill(shape, 0.7, DType::F32)?);
        for train in [true, false] {
            for residual in [None, Some(&residual)] {
                let y = one.forward_relu_t(&x, residual, train)?;
                let mut expected = other.forward_t(&x, train)?;
                if let Some(residual) = residual {
                    expected = (expected + residual)?;
                }
                assert_close(&y, &expected.relu()?, 0.)?;
                assert_close(&one.running_mean(), &other.running_mean(), 0.)?;
                assert_close(&one.running_var(), &other.running_var(), 0.)?;
            }
        }
        Ok(())
    }

    #[test]
    fn rejects_one_value_per_channel_in_training() -> Result<()> {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu).pp("head.bn");
        let norm = BatchNorm2d::new(&BatchNorm2dConfig::new(2), vb)?;
        let x = Tensor::zeros((1, 2, 1, 1), DType::F32, &Device::Cpu)?;
        let error = norm.forward_t(&x, true).unwrap_err().to_string();
        assert!(error.contains("`head.bn`") && error.contains("got [1, 2, 1, 1]"), "{error}");
        norm.forward_t(&x, false)?;
        Ok(())
    }

    #[test]
    fn rejects_a_momentum_above_one() {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let config = BatchNorm2dConfig::new(2).with_momentum(Some(1.5));
        let error = BatchNorm2d::new(&config, vb).unwrap_err().to_string();
        assert!(error.contains("[0, 1], got 1.5"), "{error}");
    }

    #[test]
    fn evaluation_gives_no_gradient_to_the_running_statistics() -> Result<()> {
        let weights = VarMap::new();
        let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
        let norm = BatchNorm2d::new(&BatchNorm2dConfig::new(1), vb)?;
        let x = Tensor::ones((1, 1, 2, 2), DType::F32, &Device::Cpu)?;
        let grads = norm.forward_t(&x, false)?.sum_all()?.backward()?;
        assert!(grads.get(norm.running_mean.as_tensor()).is_none());
        assert!(grads.get(norm.running_var.as_tensor()).is_none());
        Ok(())
    }
}
