use std::fmt::Debug;

use candle_core::Tensor;

use crate::Result;

/// A rank's way to the others: sums, values of one for all, and waiting for each other.
///
/// All ranks must call the same operations in the same order, with tensors of the same number, shapes
/// and types; where they do not, every rank gets an error. All get the same bits.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_parallel::{Communicator, ThreadCommunicator};
///
/// let ranks = ThreadCommunicator::group(2)?;
/// let sums = std::thread::scope(|scope| {
///     let work = ranks.into_iter().map(|rank| {
///         scope.spawn(move || {
///             let own = Tensor::new(&[1f32, rank.rank() as f32], &Device::Cpu)?;
///             Ok(rank.all_reduce_sum(&[own])?[0].to_vec1::<f32>()?)
///         })
///     });
///     let work: Vec<_> = work.collect();
///     work.into_iter()
///         .map(|thread| thread.join().unwrap())
///         .collect::<Result<Vec<_>, ocellus_parallel::Error>>()
/// });
/// assert_eq!(sums?, [[2., 1.], [2., 1.]]);
/// # Ok::<(), ocellus_parallel::Error>(())
/// ```
pub trait Communicator: Debug + Send + Sync {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn size(&self) -> usize;

    /// The sums over all ranks, one for each tensor, where the tensors are.
    ///
    /// Ranks are added in their order, in f64 for floats: the same bits on all ranks and in every
    /// run. One call for many tensors costs one exchange. No gradient flows: see
    /// [`all_reduce_sum`](crate::all_reduce_sum()).
    ///
    /// # Errors
    ///
    /// If a rank is lost, gave up, or does something else; if a tensor is not of floats.
    fn all_reduce_sum(&self, tensors: &[Tensor]) -> Result<Vec<Tensor>>;

    /// The values that rank `root` has, where the tensors are.
    ///
    /// # Errors
    ///
    /// If there is no such rank; if a rank is lost, gave up, or does something else.
    fn broadcast(&self, tensors: &[Tensor], root: usize) -> Result<Vec<Tensor>>;

    /// Waits until all ranks are here.
    ///
    /// # Errors
    ///
    /// If a rank is lost, gave up, or does something else.
    fn barrier(&self) -> Result<()>;

    /// Tells the others that this rank cannot go on, so that they end with its reason instead of
    /// waiting for it. The group is of no more use.
    fn give_up(&self, reason: &str);
}

/// The only rank: everything is as it is.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_parallel::{Alone, Communicator};
///
/// let x = Tensor::new(&[1f32, 2.], &Device::Cpu)?;
/// let sums = Alone.all_reduce_sum(std::slice::from_ref(&x))?;
/// assert_eq!(sums[0].to_vec1::<f32>()?, [1., 2.]);
/// assert_eq!((Alone.rank(), Alone.size()), (0, 1));
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Communicator for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn all_reduce_sum(&self, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(tensors.iter().map(Tensor::detach).collect())
    }

    fn broadcast(&self, tensors: &[Tensor], root: usize) -> Result<Vec<Tensor>> {
        check_root(root, 1)?;
        Ok(tensors.iter().map(Tensor::detach).collect())
    }

    fn barrier(&self) -> Result<()> {
        Ok(())
    }

    fn give_up(&self, _: &str) {}
}

pub(crate) fn check_root(root: usize, size: usize) -> Result<()> {
    if root < size {
        return Ok(());
    }
    let message = format!("broadcast from rank {root} of {size}: they count from 0");
    Err(crate::Error::Setting(message))
}
