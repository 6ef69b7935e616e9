//! Which of cuDNN's algorithms computes a convolution.

/// Bytes of memory that an algorithm may ask for to work in.
pub(crate) const WORKSPACE: usize = 1 << 30;

/// What cuDNN says of an algorithm, in the order of its expected speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate<A> {
    pub(crate) algorithm: A,
    /// Whether it can compute these sizes.
    pub(crate) works: bool,
    /// Whether it gives the same bits on every run.
    pub(crate) repeats: bool,
    /// Bytes that it works in.
    pub(crate) workspace: usize,
}

/// The fastest that works, gives the same bits on every run, and needs no more memory than that.
pub(crate) fn choose<A: Copy>(candidates: &[Candidate<A>]) -> Option<Candidate<A>> {
    let fits = |c: &&Candidate<A>| c.works && c.repeats && c.workspace <= WORKSPACE;
    candidates.iter().find(fits).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_repeats_and_fits_is_taken() {
        let candidate = |algorithm, works, repeats, workspace| Candidate {
            algorithm,
            works,
            repeats,
            workspace,
        };
        let candidates = [
            candidate(0, false, true, 0),
            candidate(1, true, false, 0),
            candidate(2, true, true, WORKSPACE + 1),
            candidate(3, true, true, WORKSPACE),
            candidate(4, true, true, 0),
        ];
        assert_eq!(choose(&candidates).map(|c| c.algorithm), Some(3));
        assert_eq!(choose(&candidates[..3]), None);
    }
}
