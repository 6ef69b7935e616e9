use super::{
    ObjectConfig, ObjectScores,
    labeler::Labeler,
    overlaps::{self, Candidate, Overlap},
};
use crate::{Error, Pixels, Result};

/// Objects and overlaps that are kept before those that are complete are counted and dropped: so
/// that doing so takes no longer than finding them.
const KEPT: usize = 1 << 12;

/// Compares the objects of a scene that comes in bands of rows, from the top.
///
/// Gives exactly what [`ObjectScores::of_image`] gives for the whole, whatever the bands are.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::{ObjectConfig, ObjectMatcher, ObjectScores, Pixels};
///
/// let truth: Vec<u8> = (0..600).map(|i| u8::from(i / 20 % 7 < 4 && i % 20 < 9)).collect();
/// let predicted: Vec<u8> = (0..600).map(|i| u8::from(i / 20 % 8 < 4 && i % 20 < 11)).collect();
/// let config = ObjectConfig::new(1);
///
/// let mut matcher = ObjectMatcher::new(20, &config)?;
/// for (truth, predicted) in truth.chunks(7 * 20).zip(predicted.chunks(7 * 20)) {
///     matcher.add_rows(&Pixels::new(truth, predicted)?)?;
/// }
/// let whole = ObjectScores::of_image(&Pixels::new(&truth, &predicted)?, 20, &config)?;
/// assert_eq!(matcher.finish(), whole);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Complexity
///
/// Linear time in the pixels, and O(k log k) for k overlaps. Memory for the runs of a row, and for
/// the objects that the last row may still change, with those that overlap them.
#[derive(Debug)]
pub struct ObjectMatcher {
    config: ObjectConfig,
    width: usize,
    /// Pixels so far.
    pixels: u64,
    truth: Labeler,
    predicted: Labeler,
    overlaps: Vec<Overlap>,
    /// As many objects or overlaps are dealt with next.
    limit: usize,
    states: [Vec<u8>; 2],
    scores: ObjectScores,
}

impl ObjectMatcher {
    /// For a scene of that width in pixels.
    ///
    /// # Errors
    ///
    /// If the width is 0, or a threshold is not above 0 and up to 1.
    pub fn new(width: usize, config: &ObjectConfig) -> Result<Self> {
        if width == 0 {
            return Err(Error::setting("width", width, "give the pixels of a row"));
        }
        config.check()?;
        Ok(Self {
            width,
            pixels: 0,
            truth: Labeler::new(config.connectivity),
            predicted: Labeler::new(config.connectivity),
            overlaps: Vec::new(),
            limit: KEPT,
            states: Default::default(),
            scores: ObjectScores::new(&config.thresholds),
            config: config.clone(),
        })
    }

    /// Takes the next rows.
    ///
    /// # Errors
    ///
    /// If they are not whole rows.
    pub fn add_rows<L: Copy + Into<u32>>(&mut self, pixels: &Pixels<'_, L>) -> Result<()> {
        for row in 0..pixels.rows(self.width)? {
            pixels.states(row, self.config.class, &mut self.states, self.width);
            self.truth.push(&self.states[0], self.pixels);
            self.predicted.push(&self.states[1], self.pixels);
            overlaps::push(&mut self.overlaps, &self.truth.runs, &self.predicted.runs);
            self.pixels += self.width as u64;
            if self.kept() >= self.limit {
                self.close();
                self.limit = KEPT.max(2 * self.kept());
            }
        }
        Ok(())
    }

    /// The scores of the scene.
    #[must_use]
    pub fn finish(mut self) -> ObjectScores {
        self.truth.runs.clear();
        self.predicted.runs.clear();
        self.close();
        self.scores
    }

    fn kept(&self) -> usize {
        self.truth.objects.len() + self.predicted.objects.len() + self.overlaps.len()
    }

    /// Counts and drops the objects that are complete, and that overlap, directly or through others,
    /// none that is not.
    fn close(&mut self) {
        for overlap in &mut self.overlaps {
            overlap.truth = self.truth.root(overlap.truth);
            overlap.predicted = self.predicted.root(overlap.predicted);
        }
        overlaps::merge(&mut self.overlaps);
        let open = self.open();
        let (open_truth, open_predicted) = open.split_at(self.truth.objects.len());
        let (kept, closed): (Vec<_>, Vec<_>) =
            self.overlaps.iter().partition(|overlap| open_truth[overlap.truth]);
        self.count(&closed, open_truth, open_predicted);
        let truth = self.truth.retain(open_truth);
        let predicted = self.predicted.retain(open_predicted);
        let renamed = |overlap: Overlap| Overlap {
            truth: truth[overlap.truth],
            predicted: predicted[overlap.predicted],
            ..overlap
        };
        self.overlaps = kept.into_iter().map(renamed).collect();
    }

    /// Whether true, then predicted, objects belong to a group that the last row touches; false of
    /// parts that are no objects any more.
    fn open(&mut self) -> Vec<bool> {
        let first_predicted = self.truth.objects.len();
        let mut groups = Groups::new(first_predicted + self.predicted.objects.len());
        for overlap in &self.overlaps {
            groups.unite(overlap.truth, first_predicted + overlap.predicted);
        }
        let mut touched = vec![false; groups.parents.len()];
        for i in 0..self.truth.runs.len() {
            touched[groups.root(self.truth.root(self.truth.runs[i].object))] = true;
        }
        for i in 0..self.predicted.runs.len() {
            let object = self.predicted.root(self.predicted.runs[i].object);
            touched[groups.root(first_predicted + object)] = true;
        }
        (0..touched.len()).map(|i| touched[groups.root(i)]).collect()
    }

    /// Counts closed objects, and their matches.
    fn count(&mut self, closed: &[Overlap], open_truth: &[bool], open_predicted: &[bool]) {
        let objects = |labeler: &Labeler, open: &[bool]| {
            (0..open.len()).filter(|&i| !open[i] && labeler.is_root(i)).count() as u64
        };
        self.scores.truth += objects(&self.truth, open_truth);
        self.scores.predicted += objects(&self.predicted, open_predicted);
        let (truth, predicted) = (&self.truth.objects, &self.predicted.objects);
        // Of each object, how many others lie in it by more than half.
        let mut within_truth = vec![0; truth.len()];
        let mut within_predicted = vec![0; predicted.len()];
        let mut candidates = Vec::with_capacity(closed.len());
        for &overlap in closed {
            let Overlap { truth: t, predicted: p, shared } = overlap;
            within_truth[t] += u32::from(2 * shared > predicted[p].area);
            within_predicted[p] += u32::from(2 * shared > truth[t].area);
            candidates.push(Candidate::new(overlap, truth, predicted));
        }
        let several = |within: &[u32]| within.iter().filter(|&&n| n > 1).count() as u64;
        self.scores.split += several(&within_truth);
        self.scores.joined += several(&within_predicted);
        candidates.sort_unstable_by(Candidate::order);
        let (mut truth_taken, mut predicted_taken) =
            (vec![false; truth.len()], vec![false; predicted.len()]);
        for candidate in &candidates {
            let Overlap { truth: t, predicted: p, .. } = candidate.overlap;
            if !truth_taken[t] && !predicted_taken[p] {
                (truth_taken[t], predicted_taken[p]) = (true, true);
                self.scores.add_match(candidate);
            }
        }
    }
}

/// Objects that overlap, directly or through others.
struct Groups {
    parents: Vec<usize>,
}

impl Groups {
    fn new(len: usize) -> Self {
        Self { parents: (0..len).collect() }
    }

    fn root(&mut self, mut i: usize) -> usize {
        while self.parents[i] != i {
            self.parents[i] = self.parents[self.parents[i]];
            i = self.parents[i];
        }
        i
    }

    fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Connectivity;
    use crate::golden::{self, close, number, numbers};

    #[test]
    fn matches_scipys_labels() {
        for case in golden::maps() {
            for expected in case.expected["objects"].as_array().unwrap() {
                let connectivity = match number(&expected["connectivity"]) as u32 {
                    4 => Connectivity::Four,
                    _ => Connectivity::Eight,
                };
                let config = ObjectConfig::new(number(&expected["class"]) as u32)
                    .with_connectivity(connectivity)
                    .with_thresholds(numbers(&expected["thresholds"]));
                let scores = ObjectScores::of_image(&case.pixels(), case.width, &config).unwrap();
                let totals = [scores.truth, scores.predicted, scores.split, scores.joined];
                let totals = totals.map(|n| n as f64);
                golden::all_close(&totals, &numbers(&expected["totals"]), 0.);
                for (i, matches) in numbers(&expected["matches"]).into_iter().enumerate() {
                    assert_eq!(scores.counts(i).unwrap().tp as f64, matches);
                    if matches > 0. {
                        let iou = number(&expected["mean_iou"][i]);
                        close(scores.mean_iou(i).unwrap(), iou, 1e-12);
                    }
                }
            }
        }
    }

    #[test]
    fn rejects_settings_out_of_range() {
        assert!(ObjectMatcher::new(0, &ObjectConfig::new(1)).is_err());
        for thresholds in [vec![], vec![0.], vec![0.5, 1.1], vec![f64::NAN]] {
            let config = ObjectConfig::new(1).with_thresholds(thresholds);
            let error = ObjectMatcher::new(3, &config).unwrap_err().to_string();
            assert!(error.contains("above 0, up to 1"), "{error}");
        }
        let mut matcher = ObjectMatcher::new(3, &ObjectConfig::new(1)).unwrap();
        assert!(matcher.add_rows(&Pixels::new(&[1u8; 4], &[1; 4]).unwrap()).is_err());
        assert_eq!(matcher.finish().truth, 0);
    }

    #[test]
    fn complete_objects_are_dropped() {
        let width = 400;
        let mut matcher = ObjectMatcher::new(width, &ObjectConfig::new(1)).unwrap();
        let dots: Vec<u8> = (0..width).map(|x| (x % 2) as u8).collect();
        let blank = vec![0u8; width];
        for _ in 0..200 {
            matcher.add_rows(&Pixels::new(&dots, &dots).unwrap()).unwrap();
            matcher.add_rows(&Pixels::new(&blank, &blank).unwrap()).unwrap();
            assert!(matcher.kept() < 2 * KEPT, "{}", matcher.kept());
        }
        let scores = matcher.finish();
        assert_eq!((scores.truth, scores.counts(0).unwrap().tp), (40_000, 40_000));
    }

    const BOTH: [Connectivity; 2] = [Connectivity::Four, Connectivity::Eight];

    /// The scores of bands of so many rows, with the limit set to `limit` before each.
    fn scores(
        labels: &[(u8, u8)],
        width: usize,
        connectivity: Connectivity,
        bands: &[usize],
        limit: usize,
    ) -> ObjectScores {
        let (truth, predicted): (Vec<u8>, Vec<u8>) = labels.iter().copied().unzip();
        let config =
            ObjectConfig::new(1).with_connectivity(connectivity).with_thresholds([0.05, 0.5, 0.9]);
        let mut matcher = ObjectMatcher::new(width, &config).unwrap();
        let (mut row, height) = (0, labels.len() / width);
        for &rows in bands {
            let range = row * width..(row + rows).min(height) * width;
            row += rows;
            if range.is_empty() {
                break;
            }
            matcher.limit = limit;
            let band = Pixels::new(&truth[range.clone()], &predicted[range]).unwrap();
            matcher.add_rows(&band.with_ignored(9)).unwrap();
        }
        matcher.finish()
    }

    /// A true and a predicted label, ignored ones among the true.
    fn labels() -> impl Strategy<Value = (u8, u8)> {
        let truth = prop::sample::select(vec![0u8, 0, 1, 1, 1, 9]);
        (truth, prop::sample::select(vec![0u8, 1, 1]))
    }

    proptest! {
        #[test]
        fn any_bands_give_what_the_whole_gives(
            width in 1usize..12,
            labels in prop::collection::vec(labels(), 12..300),
            bands in prop::collection::vec(1usize..9, 300),
        ) {
            let labels = &labels[..labels.len() / width * width];
            for connectivity in BOTH {
                let whole = scores(labels, width, connectivity, &[labels.len()], usize::MAX);
                prop_assert_eq!(&scores(labels, width, connectivity, &bands, 0), &whole);
                prop_assert_eq!(&scores(labels, width, connectivity, &bands, KEPT), &whole);
            }
        }

        #[test]
        fn truth_and_prediction_can_change_places(
            labels in prop::collection::vec((0u8..2, 0u8..2), 100),
        ) {
            let exchanged: Vec<(u8, u8)> = labels.iter().map(|&(t, p)| (p, t)).collect();
            for connectivity in BOTH {
                let of = |labels: &[(u8, u8)]| scores(labels, 10, connectivity, &[10], 0);
                let (a, b) = (of(&labels), of(&exchanged));
                prop_assert_eq!((a.truth, a.predicted), (b.predicted, b.truth));
                prop_assert_eq!((a.split, a.joined), (b.joined, b.split));
                // Above 0.5, whatever the order of equal candidates is.
                prop_assert_eq!(a.counts(2).unwrap().tp, b.counts(2).unwrap().tp);
                prop_assert_eq!(a.mean_iou(2), b.mean_iou(2));
            }
        }
    }
}
