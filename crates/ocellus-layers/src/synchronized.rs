use candle_core::{DType, Result, Tensor, bail};
use ocellus_ops::BatchStatistics;
use ocellus_parallel::{ProcessGroup, all_reduce_sum};

/// Mean and biased variance of each channel over the batches of all ranks, of f32 or f64. Gradients
/// flow through them, to the inputs of all ranks.
///
/// ```text
/// N = Σ_r n_r,  μ = Σ_r Σ_i x / N,  σ² = (Σ_r [Σ_i (x − μ_r)² + n_r μ_r²]) / N − μ²
/// ```
///
/// A rank sends one tensor of `2 · channels + 1` numbers in f64, and as many for the gradients. The
/// squares are of deviations from the rank's own mean, so that no digits of f32 are lost; what is left to
/// subtract are numbers of f64.
pub(crate) fn moments(name: &str, x: &Tensor, group: &ProcessGroup) -> Result<Moments> {
    let (batch, channels, height, width) = x.dims4()?;
    let own = batch * height * width;
    let planes = x.reshape((batch, channels, height * width))?;
    let sum = sum(&planes)?;
    let mean = (&sum / own.max(1) as f64)?;
    // As a constant: the sum of the deviations is zero, and so is what it adds to the gradient.
    let shift = mean.detach().to_dtype(planes.dtype())?.reshape((1, channels, 1))?;
    let squares = self::sum(&planes.broadcast_sub(&shift)?.sqr()?)?;
    let count = Tensor::new(&[own as f64], x.device())?;
    let sums = Tensor::cat(&[&sum, &(squares + (&sum * &mean)?)?, &count], 0)?;
    let all = all_reduce_sum(&sums, group)?;
    let count = all.narrow(0, 2 * channels, 1)?.detach();
    // Looked at only where there may be too few, for on a GPU that means to wait for it.
    if own < 2 && count.get(0)?.to_scalar::<f64>()? < 2. {
        bail!(
            "`{name}`: the statistics of a batch need more than one value per channel, the {} ranks have one \
             at most: use a larger batch or image",
            group.size()
        )
    }
    let mean = all.narrow(0, 0, channels)?.broadcast_div(&count)?;
    let var = (all.narrow(0, channels, channels)?.broadcast_div(&count)? - mean.sqr()?)?;
    // Of equal values, rounding may leave less than zero.
    let var = var.relu()?;
    let unbiased = var.detach().broadcast_mul(&(&count / (&count - 1.)?)?)?;
    let seen = Seen {
        mean: mean.detach().to_dtype(planes.dtype())?,
        unbiased_var: unbiased.to_dtype(planes.dtype())?,
    };
    Ok(Moments { mean: mean.to_dtype(planes.dtype())?, var: var.to_dtype(planes.dtype())?, seen })
}

pub(crate) struct Moments {
    pub(crate) mean: Tensor,
    pub(crate) var: Tensor,
    /// For the running statistics.
    pub(crate) seen: Seen,
}

/// What the running statistics take in of a batch, without gradients.
pub(crate) struct Seen {
    pub(crate) mean: Tensor,
    pub(crate) unbiased_var: Tensor,
}

impl Seen {
    pub(crate) fn new(batch: BatchStatistics) -> Result<Self> {
        let BatchStatistics { mean, var, count, .. } = batch;
        let count = count as f64;
        Ok(Self { mean, unbiased_var: (var * (count / (count - 1.)))? })
    }
}

/// The sum of each channel in f64; rows in the type of the tensor.
fn sum(planes: &Tensor) -> Result<Tensor> {
    planes.sum(2)?.to_dtype(DType::F64)?.sum(0)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use candle_core::{Device, ModuleT, Var};
    use candle_nn::{VarBuilder, VarMap};
    use ocellus_parallel::{ThreadCommunicator, synchronized};
    use ocellus_testing::{assert_close, fill};

    use crate::{BatchNorm2d, BatchNorm2dConfig};

    use super::*;

    const CHANNELS: usize = 3;

    /// What a layer gives for a share of the batch: outputs, gradients of x, weight and bias,
    /// running mean and variance.
    struct Given {
        y: Tensor,
        dx: Tensor,
        affine: [Tensor; 2],
        running: [Tensor; 2],
    }

    /// Two steps on a batch's rows `from..to`, with all of it in the loss.
    fn steps(from: usize, to: usize, fused: bool, dtype: DType) -> Result<Given> {
        let weights = VarMap::new();
        let vb = VarBuilder::from_varmap(&weights, dtype, &Device::Cpu);
        let norm = BatchNorm2d::new(&BatchNorm2dConfig::new(CHANNELS), vb)?;
        let parameter = |name: &str| weights.data().lock().unwrap()[name].clone();
        parameter("weight").set(&(fill(CHANNELS, 0.3, dtype)? + 2.)?)?;
        parameter("bias").set(&fill(CHANNELS, 0.6, dtype)?)?;
        let rows = |phase| fill((5, CHANNELS, 4, 3), phase, dtype)?.narrow(0, from, to - from);
        // Far from zero, where squares would lose their digits.
        norm.forward_t(&(rows(0.9)? + 3.)?, true)?;
        let x = Var::from_tensor(&(rows(0.1)? * 2.)?)?;
        let y = match fused {
            true => norm.forward_relu_t(x.as_tensor(), Some(&rows(0.2)?), true)?,
            false => norm.forward_t(x.as_tensor(), true)?,
        };
        let loss = (&y * rows(0.7)?)?.sum_all()?;
        let gradients = loss.backward()?;
        let of = |x: &Tensor| gradients.get(x).unwrap().clone();
        Ok(Given {
            y: y.detach(),
            dx: of(x.as_tensor()),
            affine: ["weight", "bias"].map(|name| of(parameter(name).as_tensor())),
            running: [norm.running_mean(), norm.running_var()],
        })
    }

    /// The shares of the batch's five rows, each a rank.
    fn ranks(shares: &[(usize, usize)], fused: bool, dtype: DType) -> Vec<Given> {
        let ranks = ThreadCommunicator::group(shares.len()).unwrap();
        thread::scope(|scope| {
            let threads: Vec<_> = ranks
                .into_iter()
                .zip(shares)
                .map(|(rank, &(from, to))| {
                    let group = ProcessGroup::new(rank);
                    scope.spawn(move || synchronized(&group, || steps(from, to, fused, dtype)))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
        })
    }

    fn check(dtype: DType, tolerance: f64) -> Result<()> {
        for fused in [false, true] {
            let whole = steps(0, 5, fused, dtype)?;
            for shares in [&[(0, 2), (2, 5)][..], &[(0, 1), (1, 4), (4, 5)], &[(0, 5)]] {
                let given = ranks(shares, fused, dtype);
                let all = |of: fn(&Given) -> &Tensor| {
                    Tensor::cat(&given.iter().map(of).collect::<Vec<_>>(), 0)
                };
                assert_close(&all(|rank| &rank.y)?, &whole.y, tolerance)?;
                assert_close(&all(|rank| &rank.dx)?, &whole.dx, tolerance)?;
                for i in 0..2 {
                    let mut sum = given[0].affine[i].clone();
                    for rank in &given[1..] {
                        sum = (sum + &rank.affine[i])?;
                    }
                    assert_close(&sum, &whole.affine[i], tolerance)?;
                    for rank in &given {
                        assert_close(&rank.running[i], &whole.running[i], tolerance)?;
                        assert_close(&rank.running[i], &given[0].running[i], 0.)?;
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn ranks_with_shares_are_one_with_the_whole_batch() -> Result<()> {
        check(DType::F64, 1e-12)
    }

    #[test]
    fn in_single_precision_too() -> Result<()> {
        check(DType::F32, 2e-5)
    }

    #[test]
    fn ranks_of_one_value_each_have_statistics_together() -> Result<()> {
        let ranks = ThreadCommunicator::group(2)?;
        let statistics = |group: &ProcessGroup, value: f64| -> Result<(f64, f64)> {
            let x = Tensor::new(&[[[[value]]]], &Device::Cpu)?;
            let moments = moments("bn", &x, group)?;
            assert_eq!(moments.seen.unbiased_var.to_vec1::<f64>()?, [2.]);
            Ok((moments.mean.to_vec1()?[0], moments.var.to_vec1()?[0]))
        };
        thread::scope(|scope| {
            let threads: Vec<_> = ranks
                .into_iter()
                .map(|rank| {
                    let value = 1. + 2. * ocellus_parallel::Communicator::rank(&rank) as f64;
                    scope.spawn(move || statistics(&ProcessGroup::new(rank), value))
                })
                .collect();
            for thread in threads {
                assert_eq!(thread.join().unwrap().unwrap(), (2., 1.));
            }
        });
        Ok(())
    }

    #[test]
    fn a_single_rank_of_one_value_is_refused_as_ever() -> Result<()> {
        let vb = VarBuilder::zeros(DType::F64, &Device::Cpu).pp("head.bn");
        let norm = BatchNorm2d::new(&BatchNorm2dConfig::new(1), vb)?;
        let x = Tensor::zeros((1, 1, 1, 1), DType::F64, &Device::Cpu)?;
        let error = synchronized(&ProcessGroup::default(), || norm.forward_t(&x, true));
        assert!(error.unwrap_err().to_string().contains("`head.bn`"));
        Ok(())
    }
}
