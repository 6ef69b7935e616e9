use std::fmt;

use super::BinaryCounts;
use crate::{Error, Result, check};

/// How often each class was taken for each: rows are the truth, columns the prediction.
///
/// An accumulator: add batch by batch, [`merge`](Self::merge) what threads or folds counted apart.
/// Metrics that weigh one class against the rest come from [`binary`](Self::binary),
/// [`per_class`](Self::per_class) and [`averaged`](Self::averaged).
///
/// # Examples
///
/// ```
/// use ocellus_metrics::{Average, BinaryCounts, ConfusionMatrix};
///
/// let truth = [0, 0, 1, 1, 2, 2, 2, 1];
/// let predicted = [0, 1, 1, 1, 2, 0, 2, 2];
/// let matrix = ConfusionMatrix::from_labels(&truth, &predicted, 3)?
///     .with_names(["normal", "benign", "malignant"])?;
/// assert_eq!(matrix.count(2, 0), Some(1)); // One malignant image was taken for a normal one.
/// assert_eq!(matrix.accuracy(), Some(0.625));
///
/// let malignant = matrix.binary(2)?;
/// assert_eq!(malignant.sensitivity(), Some(2. / 3.));
/// let macro_f1 = matrix.averaged(Average::Macro, BinaryCounts::f1).unwrap();
/// assert!((macro_f1 - 0.6111111).abs() < 1e-7);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ConfusionMatrix {
    names: Vec<String>,
    /// Row-major, `names.len()` rows and columns.
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// An empty matrix of that many classes, named `0`, `1`, …
    ///
    /// # Errors
    ///
    /// If there are fewer than two classes or more than 65,536.
    pub fn new(classes: usize) -> Result<Self> {
        if !(2..=65_536).contains(&classes) {
            return Err(Error::setting("classes", classes, "give two or more, up to 65536"));
        }
        let names = (0..classes).map(|class| class.to_string()).collect();
        Ok(Self { names, counts: vec![0; classes * classes] })
    }

    /// Names the classes, in the order of their indices.
    ///
    /// # Errors
    ///
    /// If there is not one name for each class.
    pub fn with_names<S: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() != self.classes() {
            return Err(Error::LengthMismatch {
                left: "names",
                left_len: names.len(),
                right: "classes",
                right_len: self.classes(),
                expected: "give one name per class",
            });
        }
        self.names = names;
        Ok(self)
    }

    /// Counts predicted classes against the truth.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new) and [`add_all`](Self::add_all).
    pub fn from_labels(truth: &[usize], predicted: &[usize], classes: usize) -> Result<Self> {
        let mut matrix = Self::new(classes)?;
        matrix.add_all(truth, predicted)?;
        Ok(matrix)
    }

    /// Counts the class of the highest score of each sample (the first of equals) against the truth.
    ///
    /// `scores` holds the scores of all classes of the first sample, then of the next: row-major
    /// `(samples, classes)`. For two classes and a threshold see [`BinaryCounts::from_scores`].
    ///
    /// # Errors
    ///
    /// If the lengths do not fit, a label is no class or a score is not finite.
    pub fn from_scores(truth: &[usize], scores: &[f64], classes: usize) -> Result<Self> {
        check::table(truth, scores, classes)?;
        let predicted: Vec<usize> = scores.chunks_exact(classes).map(argmax).collect();
        Self::from_labels(truth, &predicted, classes)
    }

    /// The matrix of given counts, a row for each true class.
    ///
    /// # Errors
    ///
    /// If there are fewer than two rows or a row has not as many entries as there are rows.
    pub fn from_rows(rows: &[impl AsRef<[u64]>]) -> Result<Self> {
        let mut matrix = Self::new(rows.len())?;
        for (row, counts) in matrix.counts.chunks_exact_mut(rows.len()).zip(rows) {
            let counts = counts.as_ref();
            if counts.len() != rows.len() {
                return Err(Error::LengthMismatch {
                    left: "a row",
                    left_len: counts.len(),
                    right: "the matrix",
                    right_len: rows.len(),
                    expected: "give as many columns as rows",
                });
            }
            row.copy_from_slice(counts);
        }
        Ok(matrix)
    }

    /// Counts one more prediction.
    ///
    /// # Errors
    ///
    /// If either is no class.
    pub fn add(&mut self, truth: usize, predicted: usize) -> Result<()> {
        self.add_all(&[truth], &[predicted])
    }

    /// Counts a batch of predictions. After an error the matrix is unchanged.
    ///
    /// # Errors
    ///
    /// If the slices are empty, differ in length or hold what is no class.
    pub fn add_all(&mut self, truth: &[usize], predicted: &[usize]) -> Result<()> {
        check::paired(("truth", truth), ("predicted", predicted))?;
        let classes = self.classes();
        check::labels("truth", truth, classes)?;
        check::labels("predicted", predicted, classes)?;
        for (&t, &p) in truth.iter().zip(predicted) {
            self.count_one(t, p);
        }
        Ok(())
    }

    /// Counts a prediction of classes that exist.
    #[inline]
    pub(crate) fn count_one(&mut self, truth: usize, predicted: usize) {
        let index = truth * self.classes() + predicted;
        let count = &mut self.counts[index];
        *count = count.saturating_add(1);
    }

    /// Adds what another matrix of the same classes counted.
    ///
    /// # Errors
    ///
    /// If the class names differ.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.names != other.names {
            return Err(Error::Unmergeable {
                left: format!("classes {:?}", self.names),
                right: format!("{:?}", other.names),
            });
        }
        for (count, &more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(more);
        }
        Ok(())
    }

    /// The number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.names.len()
    }

    /// The names of the classes.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How often the class `truth` was taken for `predicted`; `None` if either is no class.
    #[must_use]
    pub fn count(&self, truth: usize, predicted: usize) -> Option<u64> {
        self.rows().nth(truth)?.get(predicted).copied()
    }

    /// The counts, a row for each true class.
    #[must_use]
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        self.counts.chunks_exact(self.classes())
    }

    /// The number of samples of each true class.
    #[must_use]
    pub fn truth_totals(&self) -> Vec<u64> {
        self.rows().map(|row| sum(row.iter().copied())).collect()
    }

    /// The number of predictions of each class.
    #[must_use]
    pub fn predicted_totals(&self) -> Vec<u64> {
        (0..self.classes()).map(|class| sum(self.rows().map(|row| row[class]))).collect()
    }

    /// The number of samples.
    #[must_use]
    pub fn total(&self) -> u64 {
        sum(self.counts.iter().copied())
    }

    /// Each row as shares of its true class; `None` in the row of a class without samples.
    #[must_use]
    pub fn normalized(&self) -> Vec<Option<Vec<f64>>> {
        let share = |row: &[u64]| {
            let total = sum(row.iter().copied());
            (total > 0).then(|| row.iter().map(|&n| n as f64 / total as f64).collect())
        };
        self.rows().map(share).collect()
    }

    /// One class against all others, which count as negative.
    ///
    /// # Errors
    ///
    /// If `positive` is no class.
    pub fn binary(&self, positive: usize) -> Result<BinaryCounts> {
        check::labels("positive", &[positive], self.classes())?;
        Ok(self.one_against_rest(positive))
    }

    pub(super) fn one_against_rest(&self, positive: usize) -> BinaryCounts {
        let mut counts = BinaryCounts::default();
        for (truth, row) in self.rows().enumerate() {
            for (predicted, &n) in row.iter().enumerate() {
                counts += match (truth == positive, predicted == positive) {
                    (true, true) => BinaryCounts { tp: n, ..Default::default() },
                    (true, false) => BinaryCounts { fn_: n, ..Default::default() },
                    (false, true) => BinaryCounts { fp: n, ..Default::default() },
                    (false, false) => BinaryCounts { tn: n, ..Default::default() },
                };
            }
        }
        counts
    }
}

/// A table for a terminal: names at the left are the truth, above the prediction.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let corner = "truth \\ predicted";
        let first = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let first = first.max(corner.len());
        let digits = self.counts.iter().map(|n| n.to_string().len()).max().unwrap_or(0);
        let widths: Vec<usize> =
            self.names.iter().map(|name| name.chars().count().max(digits)).collect();
        write!(f, "{corner:<first$}")?;
        for (name, &width) in self.names.iter().zip(&widths) {
            write!(f, "  {name:>width$}")?;
        }
        for (name, row) in self.names.iter().zip(self.rows()) {
            write!(f, "\n{name:<first$}")?;
            for (n, &width) in row.iter().zip(&widths) {
                write!(f, "  {n:>width$}")?;
            }
        }
        Ok(())
    }
}

/// The negative class has index 0, the positive class 1.
impl From<BinaryCounts> for ConfusionMatrix {
    fn from(counts: BinaryCounts) -> Self {
        let BinaryCounts { tp, fp, fn_, tn } = counts;
        let names = vec!["negative".to_owned(), "positive".to_owned()];
        Self { names, counts: vec![tn, fp, fn_, tp] }
    }
}

fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

/// The index of the greatest, the first of equals.
pub(crate) fn argmax(scores: &[f64]) -> usize {
    let mut best = 0;
    for (i, &score) in scores.iter().enumerate() {
        if score > scores[best] {
            best = i;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prints_as_a_table() {
        let counts = BinaryCounts { tp: 99, fp: 5, fn_: 0, tn: 78 };
        let text = ConfusionMatrix::from(counts).with_names(["MM", "ALL"]).unwrap().to_string();
        assert_eq!(
            text,
            "truth \\ predicted  MM  ALL\nMM                 78    5\nALL                 0   99"
        );
    }

    #[test]
    fn takes_the_first_of_equal_scores() {
        let matrix = ConfusionMatrix::from_scores(&[1, 2], &[1., 1., 0., -5., -7., -5.], 3);
        let matrix = matrix.unwrap();
        assert_eq!(matrix.count(1, 0), Some(1));
        assert_eq!(matrix.count(2, 0), Some(1));
        assert_eq!(matrix.normalized()[0], None);
        assert_eq!(matrix.normalized()[2], Some(vec![1., 0., 0.]));
    }

    #[test]
    fn an_unknown_class_changes_nothing() {
        let mut matrix = ConfusionMatrix::new(2).unwrap();
        let error = matrix.add_all(&[0, 1, 0], &[0, 1, 2]).unwrap_err().to_string();
        assert_eq!(error, "predicted[2] is class 2, but there are 2 classes, numbered from 0");
        assert_eq!(matrix.total(), 0);
        assert_eq!(matrix.count(0, 2), None);
        assert_eq!(matrix.count(2, 0), None);
        assert!(matrix.binary(2).is_err());
    }

    #[test]
    fn rejects_impossible_shapes() {
        assert!(ConfusionMatrix::new(1).is_err());
        assert!(ConfusionMatrix::new(usize::MAX).is_err());
        assert!(ConfusionMatrix::from_rows(&[vec![1, 2], vec![3]]).is_err());
        assert!(ConfusionMatrix::new(2).unwrap().with_names(["a"]).is_err());
        assert!(ConfusionMatrix::from_scores(&[0], &[1., 2., 3.], 2).is_err());
        assert!(ConfusionMatrix::from_labels(&[], &[], 2).is_err());
    }

    #[test]
    fn does_not_merge_other_classes() {
        let mut a = ConfusionMatrix::new(2).unwrap();
        let b = ConfusionMatrix::new(2).unwrap().with_names(["no", "yes"]).unwrap();
        let error = a.merge(&b).unwrap_err().to_string();
        assert!(error.contains("[\"no\", \"yes\"]"), "{error}");
    }

    proptest! {
        #[test]
        fn parts_merge_to_the_whole(
            pairs in prop::collection::vec((0usize..4, 0usize..4), 2..60), cut in 1usize..59,
        ) {
            let cut = cut.min(pairs.len() - 1);
            let (truth, predicted): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let whole = ConfusionMatrix::from_labels(&truth, &predicted, 4).unwrap();
            let mut a = ConfusionMatrix::from_labels(&truth[..cut], &predicted[..cut], 4).unwrap();
            let b = ConfusionMatrix::from_labels(&truth[cut..], &predicted[cut..], 4).unwrap();
            a.merge(&b).unwrap();
            prop_assert_eq!(a, whole);
        }
    }
}
