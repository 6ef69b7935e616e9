use crate::{ConfusionMatrix, Error, Result, check};

/// True and predicted classes of pixels, row by row: an image, or some rows of a scene.
///
/// The labels are `u8`, `u16`, `u32`, or `bool` for one class against none. A pixel that is not
/// valid, or whose true label is the ignored one, counts nowhere: it belongs to no class and makes
/// no boundary, as if the image ended there.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::{ConfusionMatrix, Pixels};
///
/// let truth = [0u8, 1, 1, 255, 0, 1];
/// let predicted = [0u8, 1, 0, 1, 1, 1];
/// let pixels = Pixels::new(&truth, &predicted)?.with_ignored(255);
/// let mut matrix = ConfusionMatrix::new(2)?;
/// matrix.add_pixels(&pixels)?;
/// let building = matrix.binary(1)?;
/// assert_eq!((building.tp, building.fp, building.fn_, building.tn), (2, 1, 1, 1));
/// assert_eq!(building.jaccard(), Some(0.5));
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pixels<'a, L> {
    truth: &'a [L],
    predicted: &'a [L],
    valid: Option<&'a [bool]>,
    ignored: Option<u32>,
}

/// What a pixel is to a class.
pub(super) const OTHER: u8 = 0;
/// See [`OTHER`].
pub(super) const INSIDE: u8 = 1;
/// See [`OTHER`].
pub(super) const VOID: u8 = 2;

impl<'a, L: Copy + Into<u32>> Pixels<'a, L> {
    /// The classes of the same pixels.
    ///
    /// # Errors
    ///
    /// If the slices are empty or differ in length.
    pub fn new(truth: &'a [L], predicted: &'a [L]) -> Result<Self> {
        check::paired(("truth", truth), ("predicted", predicted))?;
        Ok(Self { truth, predicted, valid: None, ignored: None })
    }

    /// Leaves out the pixels where the mask is false, such as those without data.
    ///
    /// # Errors
    ///
    /// If the mask has not one entry per pixel.
    pub fn with_valid(mut self, valid: &'a [bool]) -> Result<Self> {
        check::paired(("truth", self.truth), ("valid", valid))?;
        self.valid = Some(valid);
        Ok(self)
    }

    /// Leaves out the pixels of that true label.
    #[must_use]
    pub fn with_ignored(mut self, label: u32) -> Self {
        self.ignored = Some(label);
        self
    }

    fn counts(&self, index: usize) -> bool {
        self.valid.is_none_or(|valid| valid[index])
            && self.ignored.is_none_or(|label| self.truth[index].into() != label)
    }

    /// The number of rows of that width.
    pub(super) fn rows(&self, width: usize) -> Result<usize> {
        let len = self.truth.len();
        if width == 0 || !len.is_multiple_of(width) {
            return Err(Error::LengthMismatch {
                left: "truth",
                left_len: len,
                right: "a row",
                right_len: width,
                expected: "give whole rows",
            });
        }
        Ok(len / width)
    }

    /// What the pixels of a row are to a class, by the truth and by the prediction.
    pub(super) fn states(&self, row: usize, class: u32, states: &mut [Vec<u8>; 2], width: usize) {
        let range = row * width..(row + 1) * width;
        let truth = &self.truth[range.clone()];
        for (states, labels) in states.iter_mut().zip([truth, &self.predicted[range.clone()]]) {
            states.clear();
            let state = |label: &L| if (*label).into() == class { INSIDE } else { OTHER };
            states.extend(labels.iter().map(state));
            if let Some(ignored) = self.ignored {
                for (state, &label) in states.iter_mut().zip(truth) {
                    *state = if label.into() == ignored { VOID } else { *state };
                }
            }
            if let Some(valid) = self.valid {
                for (state, &valid) in states.iter_mut().zip(&valid[range.clone()]) {
                    *state = if valid { *state } else { VOID };
                }
            }
        }
    }
}

impl ConfusionMatrix {
    /// Counts pixels: as [`add_all`](Self::add_all), but for small labels, and without those that
    /// are ignored, whose prediction may be anything. After an error the matrix is unchanged.
    ///
    /// A scene may come in parts of any size and order.
    ///
    /// ```
    /// use ocellus_metrics::{ConfusionMatrix, Pixels};
    ///
    /// let mut matrix = ConfusionMatrix::new(3)?;
    /// for (truth, predicted) in [([0u8, 2], [0u8, 2]), ([1, 1], [1, 2])] {
    ///     matrix.add_pixels(&Pixels::new(&truth, &predicted)?)?;
    /// }
    /// assert_eq!(matrix.accuracy(), Some(0.75));
    /// # Ok::<(), ocellus_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a label that counts is no class.
    pub fn add_pixels<L: Copy + Into<u32>>(&mut self, pixels: &Pixels<'_, L>) -> Result<()> {
        let classes = self.classes();
        for (what, labels) in [("truth", pixels.truth), ("predicted", pixels.predicted)] {
            let stray = |(index, &label): (usize, &L)| {
                let label = label.into() as usize;
                (label >= classes && pixels.counts(index)).then_some((index, label))
            };
            if let Some((index, label)) = labels.iter().enumerate().find_map(stray) {
                return Err(Error::UnknownClass { what, index, label, classes });
            }
        }
        let all = pixels.valid.is_none() && pixels.ignored.is_none();
        for (index, (&truth, &predicted)) in pixels.truth.iter().zip(pixels.predicted).enumerate() {
            if all || pixels.counts(index) {
                self.count_one(truth.into() as usize, predicted.into() as usize);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{BinaryCounts, golden};

    #[test]
    fn rejects_what_does_not_fit() {
        let labels = [0u8, 1, 2];
        assert!(Pixels::new(&labels, &labels[1..]).is_err());
        assert!(Pixels::<u8>::new(&[], &[]).is_err());
        let pixels = Pixels::new(&labels, &labels).unwrap();
        assert!(pixels.with_valid(&[true]).is_err());
        let error = pixels.rows(2).unwrap_err().to_string();
        assert_eq!(error, "truth has 3 entries, a row has 2: give whole rows");
        assert!(pixels.rows(0).is_err());
        let mut matrix = ConfusionMatrix::new(2).unwrap();
        let error = matrix.add_pixels(&pixels).unwrap_err().to_string();
        assert!(error.starts_with("truth[2] is class 2"), "{error}");
        assert_eq!(matrix.total(), 0);
        matrix.add_pixels(&pixels.with_ignored(2)).unwrap();
        assert_eq!(matrix.total(), 2);
    }

    #[test]
    fn matches_scikit_learn() {
        for case in golden::maps() {
            let mut matrix = ConfusionMatrix::new(3).unwrap();
            matrix.add_pixels(&case.pixels()).unwrap();
            let counts: Vec<f64> = matrix.rows().flatten().map(|&n| n as f64).collect();
            golden::all_close(&counts, &golden::numbers(&case.expected["confusion"]), 0.);
            let f1: Vec<f64> = matrix.per_class(BinaryCounts::f1).into_iter().flatten().collect();
            golden::all_close(&f1, &golden::numbers(&case.expected["f1"]), 1e-12);
        }
    }

    #[test]
    fn masks_of_one_class_are_labels() {
        let (truth, predicted) = ([true, false, true], [true, true, true]);
        let mut matrix = ConfusionMatrix::new(2).unwrap();
        matrix.add_pixels(&Pixels::new(&truth, &predicted).unwrap()).unwrap();
        assert_eq!(matrix.binary(1).unwrap().f1(), Some(0.8));
    }

    proptest! {
        #[test]
        fn what_is_left_is_counted_as_labels_are(
            pixels in prop::collection::vec((0u8..4, 0u8..3, any::<bool>()), 1..50),
        ) {
            let truth: Vec<u8> = pixels.iter().map(|p| if p.0 == 3 { 255 } else { p.0 }).collect();
            let predicted: Vec<u8> = pixels.iter().map(|p| p.1).collect();
            let valid: Vec<bool> = pixels.iter().map(|p| p.2).collect();
            let mut matrix = ConfusionMatrix::new(3).unwrap();
            let all = Pixels::new(&truth, &predicted).unwrap().with_ignored(255);
            matrix.add_pixels(&all.with_valid(&valid).unwrap()).unwrap();
            let mut expected = ConfusionMatrix::new(3).unwrap();
            for (t, p, valid) in pixels {
                if valid && t < 3 {
                    expected.add(t.into(), p.into()).unwrap();
                }
            }
            prop_assert_eq!(matrix, expected);
        }
    }
}
