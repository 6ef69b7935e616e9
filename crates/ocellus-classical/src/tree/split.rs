use super::Criterion;
use super::ranked::Column;

/// A sample of a node: its class, and how much it counts.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) class: u32,
    pub(super) weight: f64,
}

/// Where a node is parted: samples whose rank is at most `rank` are left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    pub(super) feature: usize,
    pub(super) rank: u32,
    pub(super) threshold: f64,
    pub(super) purity: f64,
}

/// Looks for the best place to part the samples of a node at.
pub(super) struct Search {
    pub(super) criterion: Criterion,
    pub(super) least: usize,
    left: Vec<f64>,
    right: Vec<f64>,
    keys: Vec<u64>,
    bins: Vec<f64>,
    counts: Vec<u32>,
}

/// Ranks for each sample up to which counting by ranks is faster than sorting.
const SPREAD: usize = 6;

impl Search {
    /// With `least` samples on each side.
    pub(super) fn new(criterion: Criterion, least: usize, classes: usize) -> Self {
        let (left, right) = (vec![0.; classes], vec![0.; classes]);
        Self { criterion, least, left, right, keys: vec![], bins: vec![], counts: vec![] }
    }

    /// The best split of a feature: `None` if its values are all equal, a split that is no better
    /// than `purity` is left out.
    pub(super) fn feature(
        &mut self,
        (feature, column): (usize, &Column),
        samples: &[u32],
        members: &[Member],
        totals: &[f64],
        best: &mut Option<Split>,
    ) -> bool {
        let ranks = &column.ranks;
        let (mut low, mut high) = (u32::MAX, 0);
        for &sample in samples {
            let rank = ranks[sample as usize];
            (low, high) = (low.min(rank), high.max(rank));
        }
        if low >= high {
            return false;
        }
        self.left.fill(0.);
        self.right.copy_from_slice(totals);
        let spread = (high - low) as usize + 1;
        let found = if spread <= SPREAD * samples.len() {
            self.count(ranks, (low, spread), samples, members);
            self.scan_counts(low, samples.len(), best.map(|split| split.purity))
        } else {
            self.sort(ranks, samples);
            self.scan_keys(members, best.map(|split| split.purity))
        };
        if let Some(Place { below, above, purity }) = found {
            let threshold = column.threshold(below, above);
            *best = Some(Split { feature, rank: below, threshold, purity });
        }
        true
    }

    fn count(&mut self, ranks: &[u32], range: (u32, usize), samples: &[u32], members: &[Member]) {
        let classes = self.left.len();
        let (low, spread) = range;
        self.counts.clear();
        self.counts.resize(spread, 0);
        self.bins.clear();
        self.bins.resize(spread * classes, 0.);
        for &sample in samples {
            let (bin, member) = ((ranks[sample as usize] - low) as usize, members[sample as usize]);
            self.counts[bin] += 1;
            self.bins[bin * classes + member.class as usize] += member.weight;
        }
    }

    fn scan_counts(&mut self, low: u32, samples: usize, purity: Option<f64>) -> Option<Place> {
        let classes = self.left.len();
        let mut best = Best::new(purity);
        let (mut before, mut below) = (0, 0);
        for (bin, &count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            if before >= self.least && samples - before >= self.least && before > 0 {
                best.offer(self.criterion.purity(&self.left, &self.right), (below, bin as u32));
            }
            let weights = &self.bins[bin * classes..][..classes];
            for ((left, right), weight) in self.left.iter_mut().zip(&mut self.right).zip(weights) {
                *left += weight;
                *right -= weight;
            }
            before += count as usize;
            below = bin as u32;
        }
        best.place.map(|Place { below, above, purity }| Place {
            below: below + low,
            above: above + low,
            purity,
        })
    }

    fn sort(&mut self, ranks: &[u32], samples: &[u32]) {
        let key = |&sample: &u32| u64::from(ranks[sample as usize]) << 32 | u64::from(sample);
        self.keys.clear();
        self.keys.extend(samples.iter().map(key));
        self.keys.sort_unstable();
    }

    fn scan_keys(&mut self, members: &[Member], purity: Option<f64>) -> Option<Place> {
        let mut best = Best::new(purity);
        for (before, pair) in (1..).zip(self.keys.windows(2)) {
            let member = members[(pair[0] & u64::from(u32::MAX)) as usize];
            self.left[member.class as usize] += member.weight;
            self.right[member.class as usize] -= member.weight;
            let (below, above) = ((pair[0] >> 32) as u32, (pair[1] >> 32) as u32);
            let enough = before >= self.least && self.keys.len() - before >= self.least;
            if below < above && enough {
                best.offer(self.criterion.purity(&self.left, &self.right), (below, above));
            }
        }
        best.place
    }
}

/// Between two ranks.
struct Place {
    below: u32,
    above: u32,
    purity: f64,
}

struct Best {
    purity: f64,
    place: Option<Place>,
}

impl Best {
    fn new(purity: Option<f64>) -> Self {
        Self { purity: purity.unwrap_or(f64::NEG_INFINITY), place: None }
    }

    #[inline]
    fn offer(&mut self, purity: f64, (below, above): (u32, u32)) {
        if purity > self.purity {
            self.purity = purity;
            self.place = Some(Place { below, above, purity });
        }
    }
}
