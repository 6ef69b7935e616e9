use crate::{Error, Result};

/// The shares of training, validation and test; they sum to 1.
///
/// # Examples
///
/// ```
/// use ocellus_data::Fractions;
///
/// assert_eq!(Fractions::default(), Fractions::new(0.75, 0.15, 0.10)?);
/// assert!(Fractions::new(0.9, 0.2, 0.1).is_err());
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fractions {
    /// Share of the training samples.
    pub train: f64,
    /// Share of the validation samples; 0 leaves the part empty.
    pub validation: f64,
    /// Share of the test samples; 0 leaves the part empty.
    pub test: f64,
}

impl Default for Fractions {
    /// 75, 15 and 10 percent, as the attention-VGG paper splits.
    fn default() -> Self {
        Self { train: 0.75, validation: 0.15, test: 0.10 }
    }
}

impl Fractions {
    /// These shares.
    ///
    /// # Errors
    ///
    /// If one is negative, training is 0, or they do not sum to 1.
    pub fn new(train: f64, validation: f64, test: f64) -> Result<Self> {
        let sum = train + validation + test;
        let fine = train > 0. && validation >= 0. && test >= 0. && (sum - 1.).abs() < 1e-6;
        match fine {
            true => Ok(Self { train, validation, test }),
            false => Err(Error::Split(format!(
                "shares {train}, {validation} and {test} sum to {sum}: give three of 0 or more \
                 that sum to 1, the first above 0"
            ))),
        }
    }

    pub(crate) fn shares(self) -> [f64; 3] {
        [self.train, self.validation, self.test]
    }
}

/// Three parts of a data set: indices, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holdout {
    /// What the model learns from.
    pub train: Vec<usize>,
    /// What settings and stopping are chosen on.
    pub validation: Vec<usize>,
    /// What is reported, once.
    pub test: Vec<usize>,
}

impl Holdout {
    /// The parts under the names that a [record](crate::write_split) bears.
    #[must_use]
    pub fn named(&self) -> Vec<(String, Vec<usize>)> {
        [("train", &self.train), ("validation", &self.validation), ("test", &self.test)]
            .map(|(name, part)| (name.to_owned(), part.clone()))
            .to_vec()
    }
}
