use std::cmp::Ordering;

use super::labeler::{Object, Run};

/// What a true and a predicted object share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overlap {
    /// Indices of the objects.
    pub(super) truth: usize,
    pub(super) predicted: usize,
    /// Pixels of both.
    pub(super) shared: u64,
}

/// Appends what the runs of a row share.
pub(super) fn push(overlaps: &mut Vec<Overlap>, truth: &[Run], predicted: &[Run]) {
    let (mut t, mut p) = (0, 0);
    while let (Some(a), Some(b)) = (truth.get(t), predicted.get(p)) {
        let (start, end) = (a.start.max(b.start), a.end.min(b.end));
        if start < end {
            overlaps.push(Overlap {
                truth: a.object,
                predicted: b.object,
                shared: (end - start) as u64,
            });
        }
        if a.end < b.end { t += 1 } else { p += 1 }
    }
}

/// Adds up what belongs to the same two objects.
pub(super) fn merge(overlaps: &mut Vec<Overlap>) {
    overlaps.sort_unstable_by_key(|o| (o.truth, o.predicted));
    overlaps.dedup_by(|next, kept| {
        let same = (next.truth, next.predicted) == (kept.truth, kept.predicted);
        if same {
            kept.shared += next.shared;
        }
        same
    });
}

/// An overlap with what decides over its match.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) overlap: Overlap,
    union: u64,
    /// First pixels of the objects.
    firsts: (u64, u64),
}

impl Candidate {
    pub(super) fn new(overlap: Overlap, truth: &[Object], predicted: &[Object]) -> Self {
        let (t, p) = (truth[overlap.truth], predicted[overlap.predicted]);
        Self { overlap, union: t.area + p.area - overlap.shared, firsts: (t.first, p.first) }
    }

    /// The larger intersection over union first, exactly; equal ones in the order of the scene.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let product = |a: &Self, b: &Self| u128::from(a.overlap.shared) * u128::from(b.union);
        product(other, self).cmp(&product(self, other)).then(self.firsts.cmp(&other.firsts))
    }

    pub(super) fn iou(&self) -> f64 {
        self.overlap.shared as f64 / self.union as f64
    }

    /// The intersection over union in units of 2⁻⁶⁴, sums of which do not depend on their order.
    pub(super) fn iou_in_units(&self) -> u128 {
        (u128::from(self.overlap.shared) << 64) / u128::from(self.union)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_a_row_share_what_both_have() {
        let run = |(start, end, object)| Run { start, end, object };
        let truth = [(0, 3, 0), (5, 9, 1), (10, 12, 0)].map(run);
        let predicted = [(2, 6, 7), (7, 8, 8), (8, 11, 7)].map(run);
        let mut overlaps = Vec::new();
        push(&mut overlaps, &truth, &predicted);
        push(&mut overlaps, &truth, &predicted[1..]);
        merge(&mut overlaps);
        let found: Vec<_> = overlaps.iter().map(|o| (o.truth, o.predicted, o.shared)).collect();
        assert_eq!(found, [(0, 7, 1 + 1 + 1), (1, 7, 1 + 1 + 1), (1, 8, 2)]);
    }
}
