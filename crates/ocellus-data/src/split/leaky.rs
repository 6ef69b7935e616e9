use crate::{Dataset, Derived, Fractions, Result, Splitter};

/// The split of the blood-cancer paper, which leaks: images are derived first, then split at random, so
/// that a test image's turned copy or edges are trained on. For measuring what that does to a score,
/// and for nothing else.
///
/// It is a type of its own, which nothing that takes a [`Holdout`](crate::Holdout) or a
/// [`Fold`](crate::Fold) accepts; say how much leaked wherever a score of it is shown. Groups are torn
/// apart too.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Derived, Fractions, LeakySplit, Variant, synthetic::Smear};
///
/// let derived = Derived::new(Smear::new(32).dataset(100), &Variant::PAPER)?;
/// let split = LeakySplit::holdout(&derived, Fractions::new(0.75, 0., 0.25)?, 1)?;
/// assert_eq!((split.train.len(), split.test.len()), (225, 75));
/// assert!(split.leaked > 0.85); // Nearly all of the test.
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LeakySplit {
    /// What is learned from: indices of the derived data set, sorted.
    pub train: Vec<usize>,
    /// What settings are chosen on.
    pub validation: Vec<usize>,
    /// What is tested on.
    pub test: Vec<usize>,
    /// The share of the test whose origin has an image in training.
    pub leaked: f64,
}

impl LeakySplit {
    /// Parts at random among all derived images, within each class.
    ///
    /// # Errors
    ///
    /// As [`Splitter::holdout`].
    pub fn holdout<D: Dataset>(
        derived: &Derived<D>,
        fractions: Fractions,
        seed: u64,
    ) -> Result<Self> {
        let split = torn(derived, seed).holdout(fractions)?;
        let leaked = derived.leaked(&split.train, &split.test);
        Ok(Self { train: split.train, validation: split.validation, test: split.test, leaked })
    }

    /// Folds at random among all derived images, within each class.
    ///
    /// # Errors
    ///
    /// As [`Splitter::k_fold`].
    pub fn k_fold<D: Dataset>(derived: &Derived<D>, folds: usize, seed: u64) -> Result<Vec<Self>> {
        let folds = torn(derived, seed).k_fold(folds)?;
        let leaky = |fold: crate::Fold| {
            let leaked = derived.leaked(&fold.train, &fold.test);
            Self { train: fold.train, validation: Vec::new(), test: fold.test, leaked }
        };
        Ok(folds.into_iter().map(leaky).collect())
    }
}

/// A splitter that knows neither origins nor groups.
fn torn<D: Dataset>(derived: &Derived<D>, seed: u64) -> Splitter {
    let labels: Vec<usize> = (0..derived.len()).map(|index| derived.label(index)).collect();
    Splitter::new(&labels).with_seed(seed)
}
