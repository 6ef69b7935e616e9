//! Which of several buffers is filled next, while a device still fetches from some of them.

/// Buffers at most: one is filled, one is fetched from, and one of another size.
const MOST: usize = 3;

/// A buffer that is not being filled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Buffer {
    pub(crate) bytes: usize,
    /// Whether the device has fetched all of it.
    pub(crate) idle: bool,
}

/// What to do for memory of some size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// That buffer is free.
    Take(usize),
    /// One more is needed.
    Make,
    /// That one is free when the device has fetched it.
    Wait(usize),
    /// One more is needed in the place of that one, which is too small.
    Replace(usize),
}

/// The choice among buffers in the order in which they were filled.
pub(crate) fn choose(buffers: &[Buffer], bytes: usize) -> Choice {
    let fits = |buffer: &Buffer| buffer.bytes >= bytes;
    // The smallest that will do: a large one is left for what needs it.
    let idle = buffers.iter().enumerate().filter(|(_, buffer)| buffer.idle && fits(buffer));
    if let Some((index, _)) = idle.min_by_key(|(_, buffer)| buffer.bytes) {
        return Choice::Take(index);
    }
    if buffers.len() < MOST {
        return Choice::Make;
    }
    match buffers.iter().position(fits) {
        Some(oldest) => Choice::Wait(oldest),
        None => Choice::Replace(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffers(list: &[(usize, bool)]) -> Vec<Buffer> {
        list.iter().map(|&(bytes, idle)| Buffer { bytes, idle }).collect()
    }

    #[test]
    fn the_smallest_idle_one_that_fits_is_taken() {
        let all = buffers(&[(10, true), (40, true), (20, true)]);
        assert_eq!(choose(&all, 15), Choice::Take(2));
        assert_eq!(choose(&all, 10), Choice::Take(0));
        assert_eq!(choose(&all, 21), Choice::Take(1));
    }

    #[test]
    fn while_all_are_fetched_from_more_are_made_up_to_three() {
        assert_eq!(choose(&[], 0), Choice::Make);
        assert_eq!(choose(&buffers(&[(10, false), (10, false)]), 10), Choice::Make);
        let all = buffers(&[(5, false), (10, false), (10, false)]);
        assert_eq!(choose(&all, 10), Choice::Wait(1));
    }

    #[test]
    fn where_none_is_large_enough_the_oldest_is_replaced() {
        assert_eq!(choose(&buffers(&[(5, true)]), 6), Choice::Make);
        let all = buffers(&[(5, false), (4, true), (3, true)]);
        assert_eq!(choose(&all, 6), Choice::Replace(0));
    }
}
