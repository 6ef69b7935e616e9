use candle_core::{Module, ModuleT, Result, Tensor, bail};
use candle_nn::VarBuilder;
use ocellus_ops::PackedConv2d;

use crate::norm_statistics::Evaluation;
use crate::{BatchNorm2d, BatchNorm2dConfig, Conv2d, Conv2dConfig};

/// A convolution and its batch normalization: the unit that residual networks are made of.
///
/// ```text
/// y = norm(conv(x))
/// ```
///
/// For inference, [`pack`](Self::pack) makes one convolution of the two.
///
/// # Shapes
///
/// As of [`Conv2d`].
///
/// # Parameters
///
/// Those of [`Conv2d`] and of [`BatchNorm2d`], each under a name of its own.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use candle_nn::{VarBuilder, VarMap};
/// use ocellus_layers::{Conv2dConfig, ConvNorm2d};
///
/// let weights = VarMap::new();
/// let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
/// let config = Conv2dConfig::new(8, 8, 3).with_padding(1).with_bias(false);
/// let mut unit = ConvNorm2d::new(&config, vb.pp("conv1"), vb.pp("bn1"))?;
///
/// let x = Tensor::ones((2, 8, 6, 5), DType::F32, &Device::Cpu)?;
/// let y = unit.forward_relu_t(&x, Some(&x), true)?; // relu(norm(conv(x)) + x)
/// assert_eq!(y.dims(), x.dims());
///
/// unit.pack()?;
/// let y = unit.forward_t(&x, false)?;
/// assert!(unit.forward_t(&x, true).is_err());
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConvNorm2d(State);

#[derive(Clone, Debug)]
enum State {
    Layers { conv: Conv2d, norm: BatchNorm2d },
    Packed(PackedConv2d),
}

impl ConvNorm2d {
    /// Builds the two from the parameters under `conv` and `norm`.
    ///
    /// # Errors
    ///
    /// As [`Conv2d::new`] and [`BatchNorm2d::new`].
    pub fn new(config: &Conv2dConfig, conv: VarBuilder, norm: VarBuilder) -> Result<Self> {
        let channels = BatchNorm2dConfig::new(config.out_channels);
        let (conv, norm) = (Conv2d::new(config, conv)?, BatchNorm2d::new(&channels, norm)?);
        Ok(Self(State::Layers { conv, norm }))
    }

    /// Folds the normalization, with its running statistics, into the convolution, and packs that
    /// for inference: faster by all that the normalization, a residual and ReLU cost. Parameters
    /// that change later have no effect, and training is an error from here on.
    ///
    /// # Errors
    ///
    /// If a parameter is on a device that fails.
    pub fn pack(&mut self) -> Result<()> {
        if let State::Layers { conv, norm } = &self.0 {
            let (weight, bias) = norm.fold(conv.weight(), conv.bias(), 0)?;
            self.0 = State::Packed(conv.packed(&weight, Some(&bias))?);
        }
        Ok(())
    }

    /// [`forward_t`](ModuleT::forward_t), the sum with a residual where there is one, and ReLU.
    ///
    /// # Errors
    ///
    /// As `forward_t`, and if the residual is not as the result.
    pub fn forward_relu_t(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        train: bool,
    ) -> Result<Tensor> {
        match &self.0 {
            State::Packed(conv) => {
                refuse_batch_statistics(train)?;
                conv.forward_fused(x, residual, true)
            }
            State::Layers { conv, norm } => norm.forward_relu_t(&conv.forward(x)?, residual, train),
        }
    }
}

impl ModuleT for ConvNorm2d {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match &self.0 {
            State::Packed(conv) => {
                refuse_batch_statistics(train)?;
                conv.forward(x)
            }
            State::Layers { conv, norm } => norm.forward_t(&conv.forward(x)?, train),
        }
    }
}

pub(crate) fn refuse_training(train: bool) -> Result<()> {
    if train {
        bail!("the layer is packed for inference and cannot be trained: build it anew")
    }
    Ok(())
}

/// What is packed has its running statistics within its weights.
pub(crate) fn refuse_batch_statistics(train: bool) -> Result<()> {
    refuse_training(train)?;
    match Evaluation::current() {
        Evaluation::Running => Ok(()),
        Evaluation::Batch | Evaluation::Average { .. } => bail!(
            "the layer is packed with its running statistics, those of a batch cannot be used: build \
             it anew"
        ),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarMap;
    use ocellus_testing::{assert_close, check_model, fill};

    use super::*;

    #[test]
    fn conforms() -> Result<()> {
        let config = Conv2dConfig::new(2, 3, 3).with_padding(1).with_bias(false);
        check_model(
            |vb| ConvNorm2d::new(&config, vb.pp("conv"), vb.pp("bn")),
            |unit, x, train| unit.forward_relu_t(&x[0], x.get(1), train),
            &[
                vec![fill((2, 2, 5, 4), 0.1, DType::F32)?],
                vec![fill((1, 2, 7, 3), 0.2, DType::F32)?, fill((1, 3, 7, 3), 0.3, DType::F32)?],
            ],
        )
    }

    #[test]
    fn packing_changes_no_result() -> Result<()> {
        for bias in [false, true] {
            let weights = VarMap::new();
            let vb = VarBuilder::from_varmap(&weights, DType::F64, &Device::Cpu);
            let config = Conv2dConfig::new(4, 6, 3).with_stride((2, 1)).with_bias(bias);
            let mut unit = ConvNorm2d::new(&config, vb.pp("conv"), vb.pp("bn"))?;
            let x = (fill((3, 4, 9, 8), 0.1, DType::F64)? * 3.)?;
            for (name, var) in weights.data().lock().unwrap().iter() {
                if name.starts_with("bn.") {
                    let values = fill(var.shape().clone(), name.len() as f64, DType::F64)?;
                    var.set(&(values + 1.5)?)?;
                }
            }
            let plain = unit.forward_t(&x, false)?;
            let residual = fill(plain.shape().clone(), 0.4, DType::F64)?;
            let fused = unit.forward_relu_t(&x, Some(&residual), false)?;
            unit.pack()?;
            assert_close(&unit.forward_t(&x, false)?, &plain, 1e-12)?;
            let packed = unit.forward_relu_t(&x, Some(&residual), false)?;
            assert_close(&packed, &fused, 1e-12)?;
            assert!(!packed.track_op());
            let error = unit.forward_t(&x, true).unwrap_err().to_string();
            assert!(error.contains("packed for inference"), "{error}");
        }
        Ok(())
    }
}
