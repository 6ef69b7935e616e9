use std::cell::RefCell;

use crate::ProcessGroup;

thread_local! {
    static CURRENT: RefCell<Option<ProcessGroup>> = const { RefCell::new(None) };
}

/// Runs `f`, in which layers that take statistics of a batch in training take those of all ranks of
/// the group: the batch is then that of all ranks together. Dropout takes this rank's part of that batch's mask.
///
/// All ranks must run the same layers, in the same order. Within it, a group of one rank puts the
/// layers back to their own rank's share.
///
/// # Examples
///
/// ```
/// use ocellus_parallel::{ProcessGroup, current_group, synchronized};
///
/// let group = ProcessGroup::default();
/// assert!(current_group().is_none());
/// synchronized(&group, || assert_eq!(current_group(), None)); // One rank: nothing to synchronize.
/// ```
pub fn synchronized<T>(group: &ProcessGroup, f: impl FnOnce() -> T) -> T {
    /// Puts the former group back, also when `f` unwinds.
    struct Restore(Option<ProcessGroup>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let group = (!group.is_alone()).then(|| group.clone());
    let _restore = Restore(CURRENT.replace(group));
    f()
}

/// The group of more than one rank whose layers are [`synchronized`] on this thread, if any: what a
/// layer with statistics of a batch asks for.
#[must_use]
pub fn current_group() -> Option<ProcessGroup> {
    CURRENT.with_borrow(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ThreadCommunicator;

    #[test]
    fn the_group_before_comes_back_also_after_a_panic() {
        let mut ranks = ThreadCommunicator::group(2).unwrap().into_iter();
        let group = ProcessGroup::new(ranks.next().unwrap());
        let panics = || synchronized(&group, || panic!("on purpose"));
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics));
        assert!(unwound.is_err());
        assert_eq!(current_group(), None);
        synchronized(&group, || {
            assert_eq!(current_group(), Some(group.clone()));
            synchronized(&ProcessGroup::default(), || assert_eq!(current_group(), None));
            assert_eq!(current_group(), Some(group.clone()));
        });
    }
}
