/// How a network is trained: plain numbers, for a program to follow.
///
/// | | iterations | batch | Adam's rate | split |
/// | --- | --- | --- | --- | --- |
/// | [`paper`](Self::paper) | 1000 | 64 | 0.01 | 75 / 25 |
/// | [`practical`](Self::practical) | 1500 | 32 | 0.0005, falling as a cosine | inner folds |
/// | [`transfer`](Self::transfer) | 300 | 32 | 0.00003, falling as a cosine | inner folds |
///
/// # Examples
///
/// ```
/// use ocellus_blood::Protocol;
///
/// let protocol = Protocol::paper();
/// assert_eq!(protocol.epochs(424), 143);
/// assert_eq!(protocol.with_iterations(10).epochs(424), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Protocol {
    /// Steps of the optimizer.
    pub iterations: usize,
    /// Images a step.
    pub batch_size: usize,
    /// Learning rate of Adam.
    pub learning_rate: f64,
    /// Whether the rate falls to 0 as a cosine.
    pub cosine: bool,
    /// The share of the images that is tested on.
    pub test_fraction: f64,
    /// Whether images are turned and mirrored at random in training.
    pub augment: bool,
}

impl Protocol {
    /// The paper's: Adam at 0.01 without a schedule, 1000 iterations, a quarter to test on.
    ///
    /// # Deviations
    ///
    /// The batch is not given. What the paper makes of its images before they are split, turned and
    /// edge images, is not this: see `ocellus_data`.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            iterations: 1000,
            batch_size: 64,
            learning_rate: 0.01,
            cosine: false,
            test_fraction: 0.25,
            augment: false,
        }
    }

    /// What suits a few hundred single cells.
    #[must_use]
    pub fn practical() -> Self {
        Self {
            iterations: 1500,
            batch_size: 32,
            learning_rate: 5e-4,
            cosine: true,
            augment: true,
            ..Self::paper()
        }
    }

    /// What suits layers of thousands of units behind frozen convolutions, which learn a few hundred
    /// images by heart in no time: smaller steps, and fewer.
    #[must_use]
    pub fn transfer() -> Self {
        Self { iterations: 300, learning_rate: 3e-5, augment: false, ..Self::practical() }
    }

    /// Sets the steps of the optimizer.
    #[must_use]
    pub fn with_iterations(mut self, iterations: usize) -> Self {
        self.iterations = iterations;
        self
    }

    /// Sets the images a step.
    #[must_use]
    pub fn with_batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// Sets the learning rate.
    #[must_use]
    pub fn with_learning_rate(mut self, learning_rate: f64) -> Self {
        self.learning_rate = learning_rate;
        self
    }

    /// Sets whether the rate falls to 0 as a cosine.
    #[must_use]
    pub fn with_cosine(mut self, cosine: bool) -> Self {
        self.cosine = cosine;
        self
    }

    /// Sets whether images are turned and mirrored at random in training.
    #[must_use]
    pub fn with_augment(mut self, augment: bool) -> Self {
        self.augment = augment;
        self
    }

    /// Passes over so many images, of which the last one may be cut short.
    #[must_use]
    pub fn epochs(&self, images: usize) -> usize {
        let steps = images.div_ceil(self.batch_size.max(1)).max(1);
        self.iterations.div_ceil(steps)
    }
}
