use crate::Result;

/// The rows that may be among the nearest of a query, by bounds of their squared distances.
///
/// A row whose lower bound is above the k-th smallest upper bound is not among the k nearest: all
/// others are kept.
#[derive(Clone, Debug)]
pub(super) struct Candidates {
    count: usize,
    limit: f64,
    capacity: usize,
    kept: Vec<Candidate>,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    lower: f64,
    upper: f64,
    row: u32,
}

impl Candidates {
    pub(super) fn new(count: usize) -> Self {
        let capacity = (4 * count).max(64);
        Self { count, limit: f64::INFINITY, capacity, kept: Vec::new() }
    }

    /// What lower bounds must not be above; it only falls.
    pub(super) fn limit(&self) -> f64 {
        self.limit
    }

    /// Looks at a row. Bounds that are not numbers pass.
    pub(super) fn push(&mut self, lower: f64, upper: f64, row: usize) {
        if lower > self.limit {
            return;
        }
        self.kept.push(Candidate { lower, upper, row: row as u32 });
        if self.kept.len() >= self.capacity {
            self.prune();
            self.capacity = self.capacity.max(2 * self.kept.len());
        }
    }

    fn prune(&mut self) {
        if self.kept.len() < self.count {
            return;
        }
        let by_upper = |a: &Candidate, b: &Candidate| a.upper.total_cmp(&b.upper);
        let kth = self.kept.select_nth_unstable_by(self.count - 1, by_upper).1.upper;
        self.limit = self.limit.min(kth);
        let limit = self.limit;
        self.kept.retain(|candidate| candidate.lower <= limit || candidate.lower.is_nan());
    }

    /// Takes over those of another part of the rows.
    pub(super) fn merge(&mut self, other: Self) {
        for Candidate { lower, upper, row } in other.kept {
            self.push(lower, upper, row as usize);
        }
    }

    /// How many rows are left.
    pub(super) fn settle(&mut self) -> usize {
        self.prune();
        self.kept.len()
    }

    /// The nearest rows by their distances, those of several equal ones that come first. Distances are
    /// computed in the order of their lower bounds, until no other row can be nearer.
    pub(super) fn nearest(
        mut self,
        mut distance: impl FnMut(usize) -> Result<f64>,
    ) -> Result<Vec<(f64, usize)>> {
        /// More than the rounding errors of a distance in double precision.
        const ROUNDING: f64 = 1e-9;
        self.prune();
        self.kept.sort_unstable_by(|a, b| a.lower.total_cmp(&b.lower));
        let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        let mut found: Vec<(f64, usize)> = Vec::with_capacity(self.count + 1);
        for Candidate { lower, row, .. } in self.kept {
            let last = found.get(self.count - 1);
            if last.is_some_and(|last| lower > last.0 * (1. + ROUNDING)) {
                break;
            }
            let one = (distance(row as usize)?, row as usize);
            let place = found.partition_point(|other| order(other, &one).is_lt());
            found.insert(place, one);
            found.truncate(self.count);
        }
        Ok(found)
    }
}

/// Puts together what was found of the blocks of queries, of which there are `parts`, among one block
/// of rows after the other.
pub(super) fn merge(found: Vec<Vec<Candidates>>, parts: usize) -> Vec<Candidates> {
    let mut all: Vec<Vec<Candidates>> = Vec::with_capacity(parts);
    for (number, block) in found.into_iter().enumerate() {
        match all.get_mut(number % parts.max(1)) {
            Some(before) => {
                before.iter_mut().zip(block).for_each(|(before, more)| before.merge(more));
            }
            None => all.push(block),
        }
    }
    all.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(candidates: Candidates) -> Vec<usize> {
        let mut rows: Vec<usize> =
            candidates.kept.into_iter().map(|one| one.row as usize).collect();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn keeps_the_nearest_and_what_may_be() {
        let distance = |row: usize| ((row * 619) % 1000) as f64;
        let smallest = |limit: f64| (0..1000).filter(|&i| distance(i) <= limit).collect::<Vec<_>>();
        for (count, error) in [(1, 0.), (3, 2.5), (200, 0.), (1000, 0.)] {
            let look = |candidates: &mut Candidates, from: usize, to: usize| {
                for row in from..to {
                    candidates.push(distance(row) - error, distance(row) + error, row);
                }
            };
            let expected = smallest(count as f64 - 1. + 2. * error);
            let mut whole = Candidates::new(count);
            look(&mut whole, 0, 1000);
            assert_eq!(whole.settle(), expected.len());
            let nearest = whole.clone().nearest(|row| Ok(distance(row))).unwrap();
            let found: Vec<f64> = nearest.iter().map(|one| one.0).collect();
            assert_eq!(found, (0..count).map(|place| place as f64).collect::<Vec<_>>());
            assert_eq!(rows(whole), expected);
            let mut parts = Candidates::new(count);
            for (from, to) in [(0, 333), (333, 666), (666, 1000)] {
                let mut part = Candidates::new(count);
                look(&mut part, from, to);
                parts.merge(part);
            }
            parts.settle();
            assert_eq!(rows(parts), expected);
        }
    }

    #[test]
    fn distances_that_cannot_matter_are_not_computed() {
        let mut candidates = Candidates::new(2);
        for row in 0..10 {
            candidates.push(row as f64, 100., row);
        }
        let nearest = candidates.nearest(|row| {
            assert!(row < 4, "{row}");
            Ok(row as f64 + 2.)
        });
        assert_eq!(nearest.unwrap(), [(2., 0), (3., 1)]);
    }

    #[test]
    fn what_is_not_a_number_is_kept() {
        let mut candidates = Candidates::new(1);
        for row in 0..200 {
            candidates.push(f64::NEG_INFINITY, f64::INFINITY, row);
            candidates.push(f64::NAN, f64::NAN, row);
        }
        assert_eq!(candidates.settle(), 400);
    }
}
