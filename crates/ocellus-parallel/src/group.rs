use std::{ops::Deref, sync::Arc};

use candle_core::{DType, Device, Tensor};

use crate::{Alone, Communicator, Error, Result};

/// The greatest text that one rank sends to the others: more is a mistake.
const LARGEST_TEXT: usize = 1 << 30;

/// The ranks that work on one thing: a handle to their [`Communicator`], cheap to clone.
///
/// # Examples
///
/// ```
/// use ocellus_parallel::ProcessGroup;
///
/// let group = ProcessGroup::default();
/// assert_eq!((group.rank(), group.size()), (0, 1));
/// assert!(group.is_alone());
/// ```
#[derive(Clone, Debug)]
pub struct ProcessGroup(Arc<dyn Communicator>);

impl ProcessGroup {
    /// The group of that communicator.
    #[must_use]
    pub fn new(communicator: impl Communicator + 'static) -> Self {
        Self(Arc::new(communicator))
    }

    /// Whether there is one rank only.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.size() == 1
    }

    /// The sums over all ranks of plain numbers, the same bits on all.
    ///
    /// # Errors
    ///
    /// As of [`Communicator::all_reduce_sum`].
    pub fn sum(&self, values: &[f64]) -> Result<Vec<f64>> {
        if self.is_alone() {
            return Ok(values.to_vec());
        }
        let tensor = Tensor::new(values, &Device::Cpu)?;
        Ok(self.all_reduce_sum(&[tensor])?[0].to_vec1()?)
    }

    /// The bytes that rank 0 has; those of the others do not count.
    ///
    /// # Errors
    ///
    /// As of [`Communicator::broadcast`]; if there are more than 2³⁰.
    pub fn share_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        if self.is_alone() {
            return Ok(bytes.to_vec());
        }
        let length = Tensor::new(bytes.len() as i64, &Device::Cpu)?;
        let length = self.broadcast(&[length], 0)?[0].to_scalar::<i64>()?;
        let length = usize::try_from(length).ok().filter(|&length| length <= LARGEST_TEXT);
        let Some(length) = length else {
            return Err(Error::Setting("more than 2³⁰ bytes to share: send tensors".to_owned()));
        };
        if length == 0 {
            return Ok(Vec::new());
        }
        let tensor = match self.rank() {
            0 => Tensor::new(bytes, &Device::Cpu)?,
            _ => Tensor::zeros(length, DType::U8, &Device::Cpu)?,
        };
        Ok(self.broadcast(&[tensor], 0)?[0].to_vec1()?)
    }
}

impl Default for ProcessGroup {
    /// The one rank of a program that is not parallel.
    fn default() -> Self {
        Self::new(Alone)
    }
}

impl Deref for ProcessGroup {
    type Target = dyn Communicator;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl<C: Communicator + 'static> From<C> for ProcessGroup {
    fn from(communicator: C) -> Self {
        Self::new(communicator)
    }
}

/// Handles of one group are equal, and so are all groups of one rank.
impl PartialEq for ProcessGroup {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.is_alone() && other.is_alone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::on_ranks;

    #[test]
    fn numbers_are_summed_and_bytes_come_from_rank_0() {
        for size in [1, 2, 3] {
            let got = on_ranks(size, |group| {
                let own = group.rank() as f64 + 0.5;
                let text = vec![7u8; 3 - group.rank()];
                Ok((group.sum(&[own, 1.])?, group.share_bytes(&text)?, group.share_bytes(&[])?))
            });
            let sum: f64 = (0..size).map(|rank| rank as f64 + 0.5).sum();
            for rank in got {
                let (sums, text, none) = rank.unwrap();
                assert_eq!((sums, text, none), (vec![sum, size as f64], vec![7; 3], vec![]));
            }
        }
    }

    #[test]
    fn groups_are_equal_if_they_are_one() -> Result<()> {
        let alone = ProcessGroup::default();
        assert_eq!(alone, ProcessGroup::new(Alone));
        let mut ranks = crate::ThreadCommunicator::group(2)?.into_iter().map(ProcessGroup::new);
        let (first, second) = (ranks.next().unwrap(), ranks.next().unwrap());
        assert_eq!(first, first.clone());
        assert!(first != second && first != alone);
        Ok(())
    }
}
