use candle_nn::Init;

/// Configuration of [`BatchNorm2d`](crate::BatchNorm2d).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BatchNorm2dConfig {
    /// Channels of the input.
    pub channels: usize,
    /// Added to the variance.
    pub eps: f64,
    /// How much of the batch's statistics enters the running ones; `None` keeps their plain average
    /// over all batches.
    pub momentum: Option<f64>,
    /// Whether the result is scaled and shifted.
    pub affine: bool,
    /// How the scale is drawn; by default it is 1.
    pub weight_init: Option<Init>,
}

impl BatchNorm2dConfig {
    /// PyTorch's defaults: eps 10⁻⁵, momentum 0.1, scaled and shifted.
    #[must_use]
    pub fn new(channels: usize) -> Self {
        Self { channels, eps: 1e-5, momentum: Some(0.1), affine: true, weight_init: None }
    }

    /// Sets what is added to the variance.
    #[must_use]
    pub fn with_eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Sets how much of the batch's statistics enters the running ones; `None` averages all.
    #[must_use]
    pub fn with_momentum(mut self, momentum: Option<f64>) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets whether the result is scaled and shifted.
    #[must_use]
    pub fn with_affine(mut self, affine: bool) -> Self {
        self.affine = affine;
        self
    }

    /// Sets how the scale is drawn.
    #[must_use]
    pub fn with_weight_init(mut self, init: Init) -> Self {
        self.weight_init = Some(init);
        self
    }
}
