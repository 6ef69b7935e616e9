use candle_core::{ModuleT, Result, Tensor, bail};

use crate::norm_statistics::Evaluation;

/// Sets the running statistics of all [`BatchNorm2d`](crate::BatchNorm2d) in a network to those of
/// new images, and gives the number of batches.
///
/// ```text
/// μ = (1 / B) Σ_b μ_b,  σ² = (1 / B) Σ_b σ²_b,  b = 1 … B batches, σ²_b over n − 1
/// ```
///
/// Labels are not needed: a network trained on one sensor is fitted so to the brightness and contrast
/// of another, \[1\]. Each batch is normalized by its own statistics on the way, as in training.
/// The result depends on the batches, not on the statistics before, on the layers' momentum or on the
/// number of threads; the weights stay as they are. It is what PyTorch's `update_bn` computes.
/// Batches count equally: let them be of one size.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::{VarBuilder, VarMap};
/// use ocellus_layers::{BatchNorm2d, BatchNorm2dConfig, recalibrate};
///
/// let weights = VarMap::new();
/// let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
/// let norm = BatchNorm2d::new(&BatchNorm2dConfig::new(1), vb)?;
///
/// let batch = |values: [f32; 2]| Tensor::new(&[[[values]]], &Device::Cpu);
/// assert_eq!(recalibrate(&norm, [batch([1., 3.]), batch([7., 7.])])?, 2);
/// assert_eq!(norm.running_mean().to_vec1::<f32>()?, [4.5]); // (2 + 7) / 2
/// assert_eq!(norm.running_var().to_vec1::<f32>()?, [1.]); // (2 + 0) / 2
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If there is no batch, one of them is an error, or the network fails, as a packed one does. The
/// running statistics are then those of the batches before it, or the former ones if it was the
/// first.
///
/// # References
///
/// 1. Y. Li, N. Wang, J. Shi, X. Hou and J. Liu. *Adaptive batch normalization for practical domain
///    adaptation.* Pattern Recognition 80, 2018. <https://arxiv.org/abs/1603.04779>
pub fn recalibrate<M: ModuleT + ?Sized>(
    network: &M,
    batches: impl IntoIterator<Item = Result<Tensor>>,
) -> Result<usize> {
    let mut seen = 0;
    for batch in batches {
        let batch = batch?;
        Evaluation::Average { seen }.run(|| network.forward_t(&batch, false))?;
        seen += 1;
    }
    if seen == 0 {
        bail!("there is no batch to take statistics of: give at least one")
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::{VarBuilder, VarMap};
    use ocellus_testing::{Golden, assert_close, fill, with_threads};

    use super::*;
    use crate::{BatchNorm2d, BatchNorm2dConfig, ResidualUnit, ResidualUnitConfig};

    /// The three batches of the golden case, which trains with PyTorch's cumulative average.
    #[test]
    fn matches_pytorchs_cumulative_average_whatever_the_momentum() -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "batch_norm")?;
        for momentum in [Some(0.1), Some(0.9), None] {
            let vb = VarBuilder::from_varmap(&VarMap::new(), DType::F64, &Device::Cpu);
            let config = BatchNorm2dConfig::new(3).with_momentum(momentum);
            let norm = BatchNorm2d::new(&config, vb)?;
            norm.forward_t(&fill((2, 3, 4, 4), 0.7, DType::F64)?, true)?; // Statistics of others.
            let batches = (0..3).map(|i| golden.get(&format!("input.{i}")).cloned());
            assert_eq!(recalibrate(&norm, batches)?, 3);
            let get = |name: &str| golden.get(&format!("output.cumulative.{name}"));
            assert_close(&norm.running_mean(), get("running_mean")?, 1e-12)?;
            assert_close(&norm.running_var(), get("running_var")?, 1e-12)?;
        }
        Ok(())
    }

    fn unit(weights: &VarMap) -> Result<ResidualUnit> {
        let vb = VarBuilder::from_varmap(weights, DType::F32, &Device::Cpu);
        let unit = ResidualUnit::new(&ResidualUnitConfig::basic(2, 3), vb)?;
        let data = weights.data().lock().unwrap();
        let mut all: Vec<_> = data.iter().collect();
        all.sort_by_key(|(name, _)| *name);
        for (i, (_, var)) in all.into_iter().enumerate() {
            var.set(&fill(var.shape().clone(), i as f64, DType::F32)?)?;
        }
        Ok(unit)
    }

    #[test]
    fn is_the_same_bits_at_any_number_of_threads() -> Result<()> {
        let statistics = |threads| {
            with_threads(threads, || -> Result<Vec<Vec<f32>>> {
                let weights = VarMap::new();
                let unit = unit(&weights)?;
                let batches = (0..4).map(|i| fill((2, 2, 33, 29), f64::from(i), DType::F32));
                recalibrate(&unit, batches)?;
                let data = weights.data().lock().unwrap();
                let mut all: Vec<_> =
                    data.iter().filter(|(name, _)| name.contains("running_")).collect();
                all.sort_by_key(|(name, _)| *name);
                all.into_iter().map(|(_, var)| var.to_vec1::<f32>()).collect()
            })
        };
        let one = statistics(1)?;
        assert_eq!(one.len(), 6);
        assert_eq!(one, statistics(3)?);
        Ok(())
    }

    #[test]
    fn evaluation_on_one_batch_is_then_nearly_that_with_its_statistics() -> Result<()> {
        let unit = unit(&VarMap::new())?;
        let x = fill((2, 2, 65, 64), 0.2, DType::F32)?;
        recalibrate(&unit, [Ok(x.clone())])?;
        let evaluated = unit.forward_t(&x, false)?;
        assert_close(&evaluated, &unit.forward_t(&x, true)?, 1e-3) // n − 1 against n.
    }

    #[test]
    fn no_batch_and_a_broken_one_are_errors() -> Result<()> {
        let unit = unit(&VarMap::new())?;
        let error = recalibrate(&unit, []).unwrap_err().to_string();
        assert!(error.contains("no batch"), "{error}");
        let broken = || Err(candle_core::Error::msg("cannot read tile 7"));
        let error = recalibrate(&unit, [broken()]).unwrap_err().to_string();
        assert!(error.contains("tile 7"), "{error}");
        Ok(())
    }
}
