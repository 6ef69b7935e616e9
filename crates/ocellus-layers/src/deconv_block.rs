use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;

use crate::conv_norm::refuse_batch_statistics;
use crate::{BatchNorm2d, BatchNorm2dConfig, ConvTranspose2d, ConvTranspose2dConfig};

/// A transposed convolution, batch normalization and ReLU: a step of a decoder.
///
/// ```text
/// y = relu(norm(deconv(x)))
/// ```
///
/// For inference, [`pack`](Self::pack) makes one operation of the three.
///
/// # Shapes
///
/// As of [`ConvTranspose2d`].
///
/// # Parameters
///
/// - `deconv.weight`, `deconv.bias`: as [`ConvTranspose2d`]'s
/// - `bn.weight`, `bn.bias`, `bn.running_mean`, `bn.running_var`: as [`BatchNorm2d`]'s
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use candle_nn::{VarBuilder, VarMap};
/// use ocellus_layers::{ConvTranspose2dConfig, DeconvBlock};
///
/// let weights = VarMap::new();
/// let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
/// let config = ConvTranspose2dConfig::new(8, 4, 4).with_stride((2, 2)).with_padding(1);
/// let block = DeconvBlock::new(&config, vb)?;
/// let y = block.forward_t(&Tensor::ones((1, 8, 3, 5), DType::F32, &Device::Cpu)?, true)?;
/// assert_eq!(y.dims(), [1, 4, 6, 10]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DeconvBlock {
    deconv: ConvTranspose2d,
    /// None once it is part of `deconv`.
    norm: Option<BatchNorm2d>,
}

impl DeconvBlock {
    /// Builds the block from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// As [`ConvTranspose2d::new`] and [`BatchNorm2d::new`].
    pub fn new(config: &ConvTranspose2dConfig, vb: VarBuilder) -> Result<Self> {
        let norm = BatchNorm2d::new(&BatchNorm2dConfig::new(config.out_channels), vb.pp("bn"))?;
        Ok(Self { deconv: ConvTranspose2d::new(config, vb.pp("deconv"))?, norm: Some(norm) })
    }

    /// Folds the normalization, with its running statistics, into the transposed convolution, for
    /// inference. Parameters that change later have no effect, and training is an error from here
    /// on.
    ///
    /// # Errors
    ///
    /// If a parameter is on a device that fails.
    pub fn pack(&mut self) -> Result<()> {
        if let Some(norm) = self.norm.take() {
            let (weight, bias) = norm.fold(self.deconv.weight(), self.deconv.bias(), 1)?;
            self.deconv = self.deconv.with_parameters(&weight, &bias);
        }
        Ok(())
    }
}

impl ModuleT for DeconvBlock {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match &self.norm {
            Some(norm) => norm.forward_relu_t(&self.deconv.forward(x)?, None, train),
            None => {
                refuse_batch_statistics(train)?;
                self.deconv.forward_relu(x)
            }
        }
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
        let config = ConvTranspose2dConfig::new(2, 3, 4).with_stride((2, 2)).with_padding(1);
        check_model(
            |vb| DeconvBlock::new(&config, vb),
            |block, x, train| block.forward_t(&x[0], train),
            &[
                vec![fill((2, 2, 5, 4), 0.1, DType::F32)?],
                vec![fill((1, 2, 7, 3), 0.2, DType::F32)?],
            ],
        )
    }

    #[test]
    fn packing_changes_no_result() -> Result<()> {
        let weights = VarMap::new();
        let vb = VarBuilder::from_varmap(&weights, DType::F64, &Device::Cpu);
        let config = ConvTranspose2dConfig::new(4, 6, 4).with_stride((2, 2)).with_padding(1);
        let mut block = DeconvBlock::new(&config, vb)?;
        for (name, var) in weights.data().lock().unwrap().iter() {
            if name.starts_with("bn.") {
                let values = fill(var.shape().clone(), name.len() as f64, DType::F64)?;
                var.set(&(values + 1.5)?)?;
            }
        }
        let x = fill((3, 4, 9, 8), 0.1, DType::F64)?;
        let plain = block.forward_t(&x, false)?;
        block.pack()?;
        let packed = block.forward_t(&x, false)?;
        assert_close(&packed, &plain, 1e-12)?;
        assert!(!packed.track_op());
        assert!(block.forward_t(&x, true).is_err());
        Ok(())
    }
}
