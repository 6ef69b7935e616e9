use super::{ObjectConfig, ObjectMatcher, overlaps::Candidate};
use crate::{BinaryCounts, Error, Pixels, Result};

/// How many objects, such as buildings, are found, and how well.
///
/// The objects of a class are its connected regions. A true and a predicted one match if their
/// intersection over union (IoU) is at least the threshold; each has one match at most:
///
/// ```text
/// tp = matches,  fp = predicted objects − matches,  fn = true objects − matches
/// ```
///
/// Above an IoU of 0.5 no object has two candidates. Else, in descending order of IoU, two that are
/// both free are matched; of equal ones those that begin first in the scene.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::{BinaryCounts, ObjectConfig, ObjectScores, Pixels};
///
/// // Two buildings; one is predicted with one pixel too many, and there is a false alarm.
/// let truth =     [1u8, 1, 0, 0, 0, 0, 1, 0];
/// let predicted = [1u8, 1, 1, 0, 1, 0, 0, 0];
/// let config = ObjectConfig::new(1).with_thresholds([0.5, 0.75]);
/// let scores = ObjectScores::of_image(&Pixels::new(&truth, &predicted)?, 8, &config)?;
/// let at_half = scores.counts(0).unwrap();
/// assert_eq!((at_half.tp, at_half.fp, at_half.fn_), (1, 1, 1));
/// assert_eq!(scores.mean_iou(0), Some(2. / 3.));
/// assert_eq!(scores.averaged(BinaryCounts::f1), Some(0.25)); // 0.5 at 0.5, 0 at 0.75.
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # References
///
/// 1. A. Van Etten et al. *SpaceNet: a remote sensing dataset and challenge series.* 2018: the F1
///    of buildings at an IoU of 0.5. <https://arxiv.org/abs/1807.01232>
/// 2. A. Kirillov et al. *Panoptic segmentation.* CVPR 2019: the proof that matches above 0.5 are
///    unique. <https://arxiv.org/abs/1801.00868>
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ObjectScores {
    /// The least intersections over union that make a match.
    pub thresholds: Vec<f64>,
    /// True objects.
    pub truth: u64,
    /// Predicted objects.
    pub predicted: u64,
    /// True objects that are predicted in parts: two or more predicted ones have more than half of
    /// their pixels in it.
    pub split: u64,
    /// Predicted objects that join true ones: two or more have more than half of their pixels in it.
    pub joined: u64,
    /// Matches at each threshold.
    matches: Vec<u64>,
    /// Sums of their intersections over union, in units of 2⁻⁶⁴: exact, whatever the order.
    ious: Vec<u128>,
}

impl ObjectScores {
    pub(super) fn new(thresholds: &[f64]) -> Self {
        Self {
            thresholds: thresholds.to_vec(),
            truth: 0,
            predicted: 0,
            split: 0,
            joined: 0,
            matches: vec![0; thresholds.len()],
            ious: vec![0; thresholds.len()],
        }
    }

    /// Compares the objects of one whole image. For scenes too large for that see
    /// [`ObjectMatcher`].
    ///
    /// # Errors
    ///
    /// If `width` does not divide the number of pixels, or a threshold is not above 0 and up to 1.
    pub fn of_image<L: Copy + Into<u32>>(
        pixels: &Pixels<'_, L>,
        width: usize,
        config: &ObjectConfig,
    ) -> Result<Self> {
        let mut matcher = ObjectMatcher::new(width, config)?;
        matcher.add_rows(pixels)?;
        Ok(matcher.finish())
    }

    pub(super) fn add_match(&mut self, candidate: &Candidate) {
        let iou = candidate.iou();
        for (i, &threshold) in self.thresholds.iter().enumerate() {
            if iou >= threshold {
                self.matches[i] += 1;
                self.ious[i] += candidate.iou_in_units();
            }
        }
    }

    /// Hits, false alarms and misses at the threshold of that index; there are no true negatives
    /// among objects, so that `tn` is 0. `None` if there is no such threshold.
    #[must_use]
    pub fn counts(&self, threshold: usize) -> Option<BinaryCounts> {
        let &tp = self.matches.get(threshold)?;
        Some(BinaryCounts { tp, fp: self.predicted - tp, fn_: self.truth - tp, tn: 0 })
    }

    /// The mean intersection over union of the matches at the threshold of that index; `None`
    /// without a match.
    #[must_use]
    pub fn mean_iou(&self, threshold: usize) -> Option<f64> {
        let (&matches, &sum) = (self.matches.get(threshold)?, self.ious.get(threshold)?);
        (matches > 0).then(|| sum as f64 / 2f64.powi(64) / matches as f64)
    }

    /// The mean of a metric over the thresholds; `None` if it is undefined at one.
    #[must_use]
    pub fn averaged(&self, metric: impl Fn(&BinaryCounts) -> Option<f64>) -> Option<f64> {
        let at = |i| metric(&self.counts(i)?);
        let values: Option<Vec<f64>> = (0..self.thresholds.len()).map(at).collect();
        values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// Adds the objects of another scene.
    ///
    /// # Errors
    ///
    /// If the thresholds differ.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.thresholds != other.thresholds {
            return Err(Error::Unmergeable {
                left: format!("thresholds {:?}", self.thresholds),
                right: format!("{:?}", other.thresholds),
            });
        }
        self.truth += other.truth;
        self.predicted += other.predicted;
        self.split += other.split;
        self.joined += other.joined;
        for i in 0..self.thresholds.len() {
            self.matches[i] += other.matches[i];
            self.ious[i] += other.ious[i];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(truth: &str, predicted: &str, thresholds: &[f64]) -> ObjectScores {
        let labels = |row: &str| row.bytes().map(|c| c == b'#').collect::<Vec<_>>();
        let (truth, predicted) = (labels(truth), labels(predicted));
        let pixels = Pixels::new(&truth, &predicted).unwrap();
        let config = ObjectConfig::new(1).with_thresholds(thresholds);
        ObjectScores::of_image(&pixels, truth.len(), &config).unwrap()
    }

    #[test]
    fn equal_candidates_are_matched_from_the_top_left() {
        // A building of two pixels, the ends of which are predicted: both have an IoU of 1/3.
        let found = scores("###..", "#.#..", &[0.3, 0.5]);
        assert_eq!(found.counts(0).unwrap(), BinaryCounts { tp: 1, fp: 1, fn_: 0, tn: 0 });
        assert_eq!(found.counts(1).unwrap().tp, 0);
        assert_eq!((found.split, found.joined), (1, 0));
        assert_eq!(found.counts(2), None);
    }

    #[test]
    fn the_best_candidate_is_matched_first() {
        // The predicted one covers 1 of 4, and all 3 of the other: 3/5 against 1/8.
        let found = scores("####.###", "...#####", &[0.1]);
        assert_eq!(found.mean_iou(0), Some(0.6));
        assert_eq!((found.split, found.joined), (0, 0));
        assert_eq!(scores("##.##", "#####", &[0.5]).joined, 1);
    }

    #[test]
    fn nothing_is_undefined_and_others_do_not_merge() {
        let mut none = scores("...", "...", &[0.5, 1.]);
        assert_eq!(none.averaged(BinaryCounts::f1), None);
        assert_eq!((none.mean_iou(0), none.mean_iou(9)), (None, None));
        let other = scores("#..", "#..", &[0.5, 1.]);
        none.merge(&other).unwrap();
        assert_eq!(none, other);
        let error = none.merge(&scores("#", "#", &[0.5])).unwrap_err().to_string();
        assert!(error.contains("thresholds [0.5, 1.0] against [0.5]"), "{error}");
    }
}
