use std::cell::Cell;

/// Which statistics batch normalization uses outside of training.
///
/// # Examples
///
/// ```
/// use ocellus_layers::NormStatistics;
///
/// assert_eq!(NormStatistics::default(), NormStatistics::Running);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NormStatistics {
    /// The running ones, gathered in training: a result depends on its image alone.
    #[default]
    Running,
    /// Those of the batch at hand, which follow a change of sensor or scene at once. A result then
    /// depends on the whole image and on the others of its batch.
    Batch,
}

/// What batch normalization does outside of training.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Evaluation {
    Running,
    Batch,
    /// Normalizes by the batch's statistics, and makes the running ones the average of those of
    /// `seen` batches before and of this one.
    Average {
        seen: usize,
    },
}

thread_local! {
    static CURRENT: Cell<Evaluation> = const { Cell::new(Evaluation::Running) };
}

impl Evaluation {
    pub(crate) fn current() -> Self {
        CURRENT.get()
    }

    /// Runs `f` in this state; the former is put back after it, also when `f` unwinds.
    pub(crate) fn run<T>(self, f: impl FnOnce() -> T) -> T {
        struct Restore(Evaluation);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0);
            }
        }
        let _restore = Restore(CURRENT.replace(self));
        f()
    }
}

/// What becomes of a batch's statistics, where they normalize.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tracking {
    Nothing,
    /// They enter the running ones by the momentum.
    Training,
    /// The running ones become the average over the batches.
    Average {
        seen: usize,
    },
}

impl Tracking {
    /// None where the running statistics normalize.
    pub(crate) fn of(train: bool) -> Option<Self> {
        if train {
            return Some(Self::Training);
        }
        match Evaluation::current() {
            Evaluation::Running => None,
            Evaluation::Batch => Some(Self::Nothing),
            Evaluation::Average { seen } => Some(Self::Average { seen }),
        }
    }
}

/// Runs `f`, in which every [`BatchNorm2d`](crate::BatchNorm2d) that this thread evaluates uses those
/// statistics.
///
/// Running statistics change in training alone, never here. A layer that is packed for inference has
/// its running statistics within its weights: to use those of the batch is an error there.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use candle_nn::{VarBuilder, VarMap};
/// use ocellus_layers::{BatchNorm2d, BatchNorm2dConfig, NormStatistics, with_norm_statistics};
///
/// let weights = VarMap::new();
/// let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
/// let norm = BatchNorm2d::new(&BatchNorm2dConfig::new(1).with_eps(1e-12), vb)?;
///
/// let x = Tensor::new(&[[[[10f32, 30.]]]], &Device::Cpu)?;
/// let y = with_norm_statistics(NormStatistics::Batch, || norm.forward_t(&x, false))?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [-1., 1.]);
/// assert_eq!(norm.running_mean().to_vec1::<f32>()?, [0.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn with_norm_statistics<T>(statistics: NormStatistics, f: impl FnOnce() -> T) -> T {
    let evaluation = match statistics {
        NormStatistics::Running => Evaluation::Running,
        NormStatistics::Batch => Evaluation::Batch,
    };
    evaluation.run(f)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, ModuleT, Result};
    use candle_nn::{VarBuilder, VarMap};
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::{BatchNorm2d, BatchNorm2dConfig, Conv2dConfig, ConvNorm2d};

    fn norm() -> Result<BatchNorm2d> {
        let vb = VarBuilder::from_varmap(&VarMap::new(), DType::F64, &Device::Cpu);
        BatchNorm2d::new(&BatchNorm2dConfig::new(3), vb)
    }

    #[test]
    fn the_batchs_statistics_give_what_training_gives_and_leave_no_trace() -> Result<()> {
        let (adapting, training) = (norm()?, norm()?);
        let x = fill((2, 3, 5, 4), 0.3, DType::F64)?;
        let before = (adapting.running_mean().copy()?, adapting.running_var().copy()?);
        with_norm_statistics(NormStatistics::Batch, || -> Result<()> {
            assert_close(&adapting.forward_t(&x, false)?, &training.forward_t(&x, true)?, 0.)?;
            let fused = adapting.forward_relu_t(&x, Some(&x), false)?;
            assert_close(&fused, &training.forward_relu_t(&x, Some(&x), true)?, 0.)
        })?;
        assert_close(&adapting.running_mean(), &before.0, 0.)?;
        assert_close(&adapting.running_var(), &before.1, 0.)
    }

    #[test]
    fn the_state_before_comes_back_also_after_a_panic() -> Result<()> {
        let x = fill((2, 3, 5, 4), 0.3, DType::F64)?;
        let norm = norm()?;
        let plain = norm.forward_t(&x, false)?;
        let unwound = std::panic::catch_unwind(|| {
            with_norm_statistics(NormStatistics::Batch, || panic!("on purpose"))
        });
        assert!(unwound.is_err());
        assert_close(&norm.forward_t(&x, false)?, &plain, 0.)?;
        let inner = with_norm_statistics(NormStatistics::Batch, || {
            with_norm_statistics(NormStatistics::Running, || norm.forward_t(&x, false))
        })?;
        assert_close(&inner, &plain, 0.)
    }

    #[test]
    fn a_packed_layer_refuses_the_batchs_statistics() -> Result<()> {
        let vb = VarBuilder::from_varmap(&VarMap::new(), DType::F32, &Device::Cpu);
        let config = Conv2dConfig::new(2, 3, 3).with_padding(1);
        let mut unit = ConvNorm2d::new(&config, vb.pp("conv"), vb.pp("bn"))?;
        unit.pack()?;
        let x = fill((1, 2, 5, 4), 0.3, DType::F32)?;
        let y = with_norm_statistics(NormStatistics::Batch, || unit.forward_t(&x, false));
        let error = y.unwrap_err().to_string();
        assert!(error.contains("packed with its running statistics"), "{error}");
        Ok(())
    }
}
