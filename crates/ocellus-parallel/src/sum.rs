use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Storage, Tensor, bail};

use crate::ProcessGroup;

/// The sum of a tensor over all ranks, through which gradients flow.
///
/// ```text
/// forward:   y = Σ_r x_r       on every rank
/// backward:  dx = Σ_r dy_r     on every rank
/// ```
///
/// So the gradients are those of the sum of all ranks' losses. Every rank must run the backward pass,
/// on a graph of the same form: it is an exchange too.
///
/// # Shapes
///
/// - input and output: any, of floats; the same on all ranks
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_parallel::{ProcessGroup, all_reduce_sum};
///
/// let x = Tensor::new(&[1f32, 2.], &Device::Cpu)?;
/// let y = all_reduce_sum(&x, &ProcessGroup::default())?; // One rank: itself.
/// assert_eq!(y.to_vec1::<f32>()?, [1., 2.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// As of [`Communicator::all_reduce_sum`](crate::Communicator::all_reduce_sum).
pub fn all_reduce_sum(x: &Tensor, group: &ProcessGroup) -> Result<Tensor> {
    if group.is_alone() {
        return Ok(x.clone());
    }
    let sum = one(group, x)?;
    x.apply_op1(Sum { sum, group: group.clone() })
}

fn one(group: &ProcessGroup, x: &Tensor) -> Result<Tensor> {
    let sums = group.all_reduce_sum(std::slice::from_ref(x))?;
    match sums.into_iter().next() {
        Some(sum) => sum.contiguous(),
        None => bail!("no sum of {:?} over the ranks", x.dims()),
    }
}

/// Gives a sum that is there already, and its gradient.
struct Sum {
    sum: Tensor,
    group: ProcessGroup,
}

impl CustomOp1 for Sum {
    fn name(&self) -> &'static str {
        "all-reduce-sum"
    }

    fn cpu_fwd(&self, _: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        match &*self.sum.storage_and_layout().0 {
            Storage::Cpu(storage) => Ok((storage.clone(), layout.shape().clone())),
            _ => bail!("the sum of a tensor of the CPU is not there"),
        }
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        _: &candle_core::CudaStorage,
        layout: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        use candle_core::backend::BackendStorage;
        match &*self.sum.storage_and_layout().0 {
            Storage::Cuda(storage) => {
                let whole = Layout::contiguous(layout.shape().clone());
                Ok((storage.try_clone(&whole)?, layout.shape().clone()))
            }
            _ => bail!("the sum of a tensor of a GPU is not there"),
        }
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        one(&self.group, gradient).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};
    use ocellus_testing::{assert_close, check_gradients, fill};

    use super::*;
    use crate::testing::on_ranks;

    const SIZE: usize = 3;

    fn input(rank: usize) -> Result<Tensor> {
        fill((2, 3), rank as f64, DType::F64)
    }

    /// What each rank makes of the sum.
    fn loss(rank: usize, own: &Tensor, sum: &Tensor) -> Result<Tensor> {
        let weights = fill((2, 3), 0.3 * rank as f64, DType::F64)?;
        (sum.sqr()? * own)?.mul(&weights)?.sum_all()
    }

    /// All ranks' inputs behind each other to all ranks' losses: what the ranks compute together.
    fn total(all: &[Tensor]) -> Result<Tensor> {
        let mut sum = all[0].clone();
        for x in &all[1..] {
            sum = (sum + x)?;
        }
        let mut total = Tensor::new(0f64, &Device::Cpu)?;
        for (rank, own) in all.iter().enumerate() {
            total = (total + loss(rank, own, &sum)?)?;
        }
        Ok(total)
    }

    #[test]
    fn the_gradients_are_those_of_all_losses_together() -> Result<()> {
        let inputs = (0..SIZE).map(input).collect::<Result<Vec<_>>>()?;
        check_gradients(total, &inputs, 1e-7)?; // By finite differences.
        let whole = inputs.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
        let tensors: Vec<Tensor> = whole.iter().map(|x| x.as_tensor().clone()).collect();
        let expected = total(&tensors)?.backward()?;
        let ranks = on_ranks(SIZE, |group| {
            let own = Var::from_tensor(&input(group.rank())?)?;
            let sum = all_reduce_sum(own.as_tensor(), &group)?;
            let gradients = loss(group.rank(), own.as_tensor(), &sum)?.backward()?;
            Ok(gradients.get(own.as_tensor()).unwrap().clone())
        });
        for (rank, (x, gradient)) in whole.iter().zip(ranks).enumerate() {
            let expected = expected.get(x.as_tensor()).unwrap();
            let gradient = gradient.unwrap_or_else(|e| panic!("rank {rank}: {e}"));
            assert_close(&gradient, expected, 1e-12)?;
        }
        Ok(())
    }

    #[test]
    fn views_and_half_precision_are_summed() -> Result<()> {
        for dtype in [DType::F16, DType::BF16, DType::F32] {
            let sums = on_ranks(2, |group| {
                let x = Tensor::new(&[[1f32, 2., 3.], [4., 5., 6.]], &Device::Cpu)?;
                let x = Var::from_tensor(&x.to_dtype(dtype)?)?;
                let y = all_reduce_sum(&x.t()?, &group)?;
                let gradients = y.sum_all()?.backward()?;
                let gradient = gradients.get(x.as_tensor()).unwrap().to_dtype(DType::F32)?;
                Ok((y.to_dtype(DType::F32)?.to_vec2::<f32>()?, gradient.to_vec2::<f32>()?))
            });
            for sum in sums {
                let (y, gradient) = sum.unwrap();
                assert_eq!(y, [[2., 8.], [4., 10.], [6., 12.]]);
                assert_eq!(gradient, [[2.; 3]; 2]);
            }
        }
        Ok(())
    }
}
