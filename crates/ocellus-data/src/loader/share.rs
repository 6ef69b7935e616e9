use std::ops::Range;

use crate::{Error, LoaderConfig, OnError, Result};

/// The part of every batch that a rank loads.
///
/// # Examples
///
/// ```
/// use ocellus_data::Share;
///
/// assert_eq!(Share::default(), Share { rank: 0, size: 1 });
/// assert_eq!(Share { rank: 1, size: 2 }.of(5), 2..5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The rank, from 0.
    pub rank: usize,
    /// The number of ranks.
    pub size: usize,
}

impl Default for Share {
    /// All of it.
    fn default() -> Self {
        Self { rank: 0, size: 1 }
    }
}

impl Share {
    /// Which of `count` samples it holds: one more or less than those of other ranks.
    #[must_use]
    pub fn of(&self, count: usize) -> Range<usize> {
        let until = |rank: usize| (rank as u128 * count as u128 / self.size as u128) as usize;
        until(self.rank)..until(self.rank + 1)
    }

    pub(super) fn check(&self, config: &LoaderConfig) -> Result<()> {
        let &Self { rank, size } = self;
        if rank >= size {
            let message = format!("loader: the share of rank {rank} of {size}: ranks count from 0");
            return Err(Error::Setting(message));
        }
        if size > 1 && config.on_error == OnError::Skip {
            return Err(Error::Setting(
                "loader: a file that is skipped moves the batches of all ranks, who do not know of it: leave \
                 it out of the indices, and set `on_error` to `Fail`"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// An error if a batch of an epoch has fewer samples than there are ranks.
    pub(super) fn check_epoch(&self, samples: usize, config: &LoaderConfig) -> Result<()> {
        let LoaderConfig { batch_size, drop_last, .. } = *config;
        let fewest = match samples % batch_size {
            0 => batch_size,
            _ if drop_last => batch_size,
            last => last,
        };
        if self.size > 1 && fewest < self.size {
            return Err(Error::Setting(format!(
                "loader: {samples} samples in batches of {batch_size} leave {fewest} for {} ranks, of which each \
                 needs one: set `drop_last`, or another `batch_size`",
                self.size
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_lie_behind_each_other_and_differ_by_one() {
        for count in 0..40 {
            for size in 1..9 {
                let mut end = 0;
                for rank in 0..size {
                    let share = Share { rank, size }.of(count);
                    assert_eq!(share.start, end);
                    assert!((count / size..=count.div_ceil(size)).contains(&share.len()));
                    end = share.end;
                }
                assert_eq!(end, count);
            }
        }
    }

    #[test]
    fn every_rank_needs_a_sample_of_every_batch() {
        let share = Share { rank: 0, size: 3 };
        let check = |samples, batch, drop_last| {
            share.check_epoch(samples, &LoaderConfig::new(batch).with_drop_last(drop_last))
        };
        check(9, 3, false).unwrap();
        check(12, 9, false).unwrap();
        check(11, 9, true).unwrap();
        let error = check(11, 9, false).unwrap_err().to_string();
        assert!(error.contains("leave 2 for 3 ranks") && error.contains("drop_last"), "{error}");
        assert!(check(9, 2, false).unwrap_err().to_string().contains("leave 1 for 3"));
        assert!(check(8, 2, true).unwrap_err().to_string().contains("leave 2 for 3"));
        assert!(check(2, 9, false).unwrap_err().to_string().contains("leave 2 for 3"));
        Share::default().check_epoch(1, &LoaderConfig::new(4)).unwrap();
    }

    #[test]
    fn a_rank_beyond_and_skipped_files_are_refused() {
        let check = |config: LoaderConfig| config.share.check(&config).unwrap_err().to_string();
        assert!(check(LoaderConfig::new(4).with_share(2, 2)).contains("rank 2 of 2"));
        assert!(check(LoaderConfig::new(4).with_share(0, 0)).contains("rank 0 of 0"));
        let skipping = LoaderConfig::new(4).with_share(0, 2).with_on_error(OnError::Skip);
        assert!(check(skipping).contains("skipped"));
    }
}
