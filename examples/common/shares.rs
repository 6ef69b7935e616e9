//! What of a batch or a set is a process's, where several train together.

use std::ops::Range;

use anyhow::{Result, bail};
use ocellus::{data::Share, parallel::ProcessGroup};

/// Which of so many samples a process looks at, where each is looked at once.
pub(crate) fn part(group: &ProcessGroup, count: usize) -> Range<usize> {
    Share { rank: group.rank(), size: group.size() }.of(count)
}

/// An error if a batch of an epoch has fewer samples than there are processes: one without a sample could
/// not train as a part of the whole does.
pub(crate) fn check(group: &ProcessGroup, samples: usize, batch_size: usize) -> Result<()> {
    let last = match samples % batch_size {
        0 => batch_size.min(samples),
        rest => rest,
    };
    if last < group.size() {
        bail!(
            "{samples} images in batches of {batch_size} leave {last} for the last one, which {} processes cannot \
             share: choose another --batch-size, or fewer processes",
            group.size()
        )
    }
    Ok(())
}
