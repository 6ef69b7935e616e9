use crate::{Dataset, Error, Example, Fold, Fractions, Holdout, Result, Splitter, Variant};

/// A data set with images derived from each of its own, and splits that keep an image and all that is
/// derived from it on one side.
///
/// [`holdout`](Self::holdout) and [`k_fold`](Self::k_fold) split the *origins*, then derive: training
/// gets all variants, validation and test the originals alone unless asked otherwise. The order of the
/// blood-cancer paper, which derives first and then splits at random, tests on turned copies of what
/// was trained on: it exists as [`LeakySplit`](crate::LeakySplit), a type that no function takes for
/// an honest split. A split from elsewhere is audited by [`leaked`](Self::leaked).
///
/// # Examples
///
/// ```
/// use ocellus_data::{Dataset, Derived, Splitter, Variant, synthetic::Smear};
///
/// let cells = Smear::new(32).dataset(40);
/// let splitter = Splitter::new(&cells.labels()).with_groups(&cells.groups())?.with_seed(1);
/// let derived = Derived::new(cells, &Variant::PAPER)?;
/// assert_eq!(derived.len(), 3 * 40);
///
/// for fold in derived.k_fold(&splitter, 5)? {
///     assert_eq!(fold.train.len(), 3 * (40 - fold.test.len()));
///     assert_eq!(derived.leaked(&fold.train, &fold.test), 0.);
/// }
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Derived<D> {
    dataset: D,
    variants: Vec<Variant>,
    test_variants: bool,
}

impl<D: Dataset> Derived<D> {
    /// These variants of every image, in this order; the first must be [`Variant::Original`].
    ///
    /// # Errors
    ///
    /// If the first is another, or a setting of one is out of its range.
    pub fn new(dataset: D, variants: &[Variant]) -> Result<Self> {
        if variants.first() != Some(&Variant::Original) {
            let message = format!("the variants {variants:?} must begin with the original");
            return Err(Error::Setting(message));
        }
        variants.iter().try_for_each(Variant::check)?;
        Ok(Self { dataset, variants: variants.to_vec(), test_variants: false })
    }

    /// Sets whether validation and test get all variants too, as they do in the paper. Off by default.
    #[must_use]
    pub fn with_test_variants(mut self, all: bool) -> Self {
        self.test_variants = all;
        self
    }

    /// The images that others are derived from.
    #[must_use]
    pub fn inner(&self) -> &D {
        &self.dataset
    }

    /// The variants of each image.
    #[must_use]
    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// The image of [`inner`](Self::inner) that an image is derived from: the least group that a split
    /// must keep together.
    #[must_use]
    pub fn origin(&self, index: usize) -> usize {
        index / self.variants.len()
    }

    /// All images that are derived from these, themselves included.
    #[must_use]
    pub fn derived_from(&self, origins: &[usize]) -> Vec<usize> {
        let count = self.variants.len();
        origins.iter().flat_map(|origin| origin * count..(origin + 1) * count).collect()
    }

    /// These images themselves.
    #[must_use]
    pub fn originals(&self, origins: &[usize]) -> Vec<usize> {
        origins.iter().map(|origin| origin * self.variants.len()).collect()
    }

    /// The share of the tested images of whose origin an image is trained on: 0 in an honest split.
    #[must_use]
    pub fn leaked(&self, train: &[usize], test: &[usize]) -> f64 {
        let mut trained = vec![false; self.dataset.len()];
        for &index in train {
            if let Some(origin) = trained.get_mut(self.origin(index)) {
                *origin = true;
            }
        }
        let seen = |index: &&usize| trained.get(self.origin(**index)).is_some_and(|&seen| seen);
        let leaked = test.iter().filter(seen).count();
        if test.is_empty() { 0. } else { leaked as f64 / test.len() as f64 }
    }

    /// Splits the origins as [`Splitter::holdout`] does, then derives. Indices are those of this data
    /// set.
    ///
    /// # Errors
    ///
    /// If the splitter is not of as many samples as there are origins, or as [`Splitter::holdout`].
    pub fn holdout(&self, splitter: &Splitter, fractions: Fractions) -> Result<Holdout> {
        self.check(splitter)?;
        let split = splitter.holdout(fractions)?;
        Ok(Holdout {
            train: self.derived_from(&split.train),
            validation: self.tested(&split.validation),
            test: self.tested(&split.test),
        })
    }

    /// Splits the origins as [`Splitter::k_fold`] does, then derives. Indices are those of this data
    /// set.
    ///
    /// # Errors
    ///
    /// If the splitter is not of as many samples as there are origins, or as [`Splitter::k_fold`].
    pub fn k_fold(&self, splitter: &Splitter, folds: usize) -> Result<Vec<Fold>> {
        self.check(splitter)?;
        let derive = |fold: Fold| Fold {
            train: self.derived_from(&fold.train),
            test: self.tested(&fold.test),
        };
        Ok(splitter.k_fold(folds)?.into_iter().map(derive).collect())
    }

    fn tested(&self, origins: &[usize]) -> Vec<usize> {
        if self.test_variants { self.derived_from(origins) } else { self.originals(origins) }
    }

    fn check(&self, splitter: &Splitter) -> Result<()> {
        let (samples, origins) = (splitter.samples(), self.dataset.len());
        if samples == origins {
            return Ok(());
        }
        Err(Error::Split(format!(
            "a splitter of {samples} samples for {origins} origins: give one of the images that \
             others are derived from, not of the derived ones"
        )))
    }
}

impl<D: Dataset> Dataset for Derived<D> {
    fn len(&self) -> usize {
        self.dataset.len() * self.variants.len()
    }

    fn label(&self, index: usize) -> usize {
        self.dataset.label(self.origin(index))
    }

    fn name(&self, index: usize) -> String {
        let variant = &self.variants[index % self.variants.len()];
        self.dataset.name(self.origin(index)) + &variant.suffix()
    }

    fn load(&self, index: usize) -> Result<Example> {
        let example = self.dataset.load(self.origin(index))?;
        self.variants[index % self.variants.len()].apply(example)
    }
}
