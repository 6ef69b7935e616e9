use super::{ChannelSelection, PadimModel, gaussians::Sums, places::Places};
use crate::{
    Error, FeatureSource, FitFeatures, MapConfig, Result, Smoothing, model::check_features,
};

/// PaDiM: a Gaussian for each place of the features, and the Mahalanobis distance to it.
///
/// ```text
/// x_p = a fixed part of the channels of all scales at place p of the finest
/// μ_p = mean of x_p,  Σ_p = covariance (n − 1) + ε I,  Σ_p = L_p L_pᵀ
/// d_p = ‖L_p⁻¹ (x_p − μ_p)‖                                                        [1], Eq. 1, 2
/// ```
///
/// Features of coarser scales are repeated to the size of the finest. The map is d, upsampled and
/// smoothed; the score of an image is its maximum.
///
/// # Parameters
///
/// For P places and d channels, P · d · (d + 3) / 2 numbers of 4 bytes: 64 MB for d = 100 at
/// 56 × 56. Fitting takes three times that and the features of 32 images, however many there are; it is done on the
/// CPU, whatever the features' device.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_anomaly::{FeatureModel, FitFeatures, Padim};
///
/// // Two scales; the second is repeated to 8 × 8.
/// let batch = |seed: f64| -> candle_core::Result<_> {
///     let x = Tensor::arange(0f32, 10. * 16. * 64., &Device::Cpu)?.affine(7.3, seed)?.sin()?;
///     let x = x.reshape((10, 16, 8, 8))?;
///     let coarse = x.narrow(1, 0, 4)?.narrow(2, 0, 4)?.narrow(3, 0, 4)?.contiguous()?;
///     Ok(vec![x, coarse])
/// };
/// let model = Padim::new(5).fit(&vec![batch(0.)?, batch(1.)?])?;
/// let scores = model.score(&batch(2.)?, (32, 32))?;
/// assert_eq!(scores.maps.dims(), [10, 1, 32, 32]);
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
///
/// # Complexity
///
/// O(P d²) for an image in fitting and in scoring, O(P d³) once.
///
/// # Deviations
///
/// anomalib and the code of xiahaifeng keep all features of all images and invert Σ; here sums are
/// gathered as images come, and triangular systems solved: the same to 1e-5, in half the memory.
///
/// # References
///
/// 1. T. Defard, A. Setkov, A. Loesch and R. Audigier. *PaDiM: a patch distribution modeling
///    framework for anomaly detection and localization.* ICPR workshops 2021.
///    <https://arxiv.org/abs/2011.08785>
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Padim {
    /// Channels that are read, of those of all scales together.
    pub channels: usize,
    /// Which ones.
    pub selection: ChannelSelection,
    /// What is added to the diagonals of the covariances.
    pub epsilon: f64,
    /// How distances become a map.
    pub map: MapConfig,
}

impl Padim {
    /// So many channels, drawn from seed 0, ε = 0.01, the map as anomalib's.
    ///
    /// The paper takes 100 of the 448 of ResNet-18's first three stages, and 550 of the 1792 of
    /// Wide-ResNet-50-2's.
    #[must_use]
    pub fn new(channels: usize) -> Self {
        Self {
            channels,
            selection: ChannelSelection::Torch { seed: 0 },
            epsilon: 0.01,
            map: MapConfig::default(),
        }
    }

    /// As the code of xiahaifeng: channels of Python's seed 1024, SciPy's smoothing. It expects
    /// [`Preparation`](crate::Preparation)s of 256 for the shorter side and a crop of 224.
    #[must_use]
    pub fn xiahaifeng(channels: usize) -> Self {
        let map = MapConfig::default().with_smoothing(Smoothing::Scipy { sigma: 4. });
        Self::new(channels).with_selection(ChannelSelection::Python { seed: 1024 }).with_map(map)
    }

    /// As anomalib: channels of PyTorch's seed, ε = 0.01 + 1e-5.
    #[must_use]
    pub fn anomalib(channels: usize, seed: u32) -> Self {
        let selection = ChannelSelection::Torch { seed };
        Self::new(channels).with_selection(selection).with_epsilon(0.01 + 1e-5)
    }

    /// Sets which channels are read.
    #[must_use]
    pub fn with_selection(mut self, selection: ChannelSelection) -> Self {
        self.selection = selection;
        self
    }

    /// Sets what is added to the diagonals of the covariances.
    #[must_use]
    pub fn with_epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Sets how distances become a map.
    #[must_use]
    pub fn with_map(mut self, map: MapConfig) -> Self {
        self.map = map;
        self
    }
}

impl FitFeatures for Padim {
    type Model = PadimModel;

    fn fit(&self, features: &dyn FeatureSource) -> Result<PadimModel> {
        if !(self.epsilon > 0. && self.epsilon.is_finite()) {
            return Err(Error::Setting(format!(
                "`epsilon` is {}: give a positive number, such as 0.01",
                self.epsilon
            )));
        }
        let mut gathered: Option<(Vec<usize>, Sums)> = None;
        for batch in features.pass(0)? {
            let batch = batch?;
            let fitted = gathered.as_ref().map_or(&[][..], |(_, sums)| sums.places().scales());
            check_features(&batch, fitted)?;
            let (_, sums) = match &mut gathered {
                Some(gathered) => gathered,
                none => none.insert(self.start(&batch)?),
            };
            sums.add(&batch)?;
        }
        let Some((channels, sums)) = gathered else {
            return Err(Error::Value("no image to fit on: give normal ones".to_owned()));
        };
        let (places, gaussians) = sums.finish(self.epsilon)?;
        Ok(PadimModel::new(channels, places, gaussians, self.map))
    }
}

impl Padim {
    fn start(&self, features: &[candle_core::Tensor]) -> Result<(Vec<usize>, Sums)> {
        let dims = features.iter().map(|x| Ok(x.dims4()?)).collect::<Result<Vec<_>>>()?;
        let scales: Vec<_> = dims.iter().map(|&(_, c, h, w)| (c, h, w)).collect();
        let all = scales.iter().map(|scale| scale.0).sum();
        let channels = self.selection.draw(self.channels, all)?;
        let sums = Sums::new(Places::new(&scales, &channels)?);
        Ok((channels, sums))
    }
}
