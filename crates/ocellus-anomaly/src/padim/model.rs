use std::f64::consts::TAU;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use super::{
    gaussians::{Gaussians, LANES, packed},
    places::Places,
};
use crate::{
    Error, Evidence, FeatureModel, MapConfig, Result, ScaleEvidence, State, model::check_features,
};

/// What [`Padim`](crate::Padim) has learned.
///
/// Its evidence is of one scale, the finest:
///
/// ```text
/// distance d;  log-likelihood (−½ d² − ½ ln det Σ − ½ k ln 2π) / k;  probability exp(−½ d² / k)
/// ```
///
/// for k channels: the probability is relative to the density at the mean. Its latents are the
/// whitened residuals L⁻¹ (x − μ).
#[derive(Clone, Debug)]
pub struct PadimModel {
    channels: Vec<usize>,
    places: Places,
    gaussians: Gaussians,
    map: MapConfig,
}

impl PadimModel {
    pub(crate) const KIND: &'static str = "padim";

    pub(super) fn new(
        channels: Vec<usize>,
        places: Places,
        gaussians: Gaussians,
        map: MapConfig,
    ) -> Self {
        Self { channels, places, gaussians, map }
    }

    /// The channels that are read, counted through all scales.
    #[must_use]
    pub fn channels(&self) -> &[usize] {
        &self.channels
    }

    /// The means, `(height · width, channels)`.
    ///
    /// # Errors
    ///
    /// If memory is short.
    pub fn mean(&self) -> Result<Tensor> {
        let shape = (self.places.count(), self.places.dim());
        Ok(Tensor::from_slice(self.gaussians.mean(), shape, &Device::Cpu)?)
    }

    pub(crate) fn restore(state: &State) -> Result<Self> {
        let channels: Vec<usize> = state.get_all("channels")?;
        let numbers: Vec<usize> = state.get_all("scales")?;
        let (scales, rest) = numbers.as_chunks::<3>();
        if channels.is_empty() || !rest.is_empty() {
            return Err(Error::Value("has no channels, or scales of no size".to_owned()));
        }
        let scales: Vec<_> = scales.iter().map(|&[c, h, w]| (c, h, w)).collect();
        let places = Places::new(&scales, &channels).map_err(|e| Error::Value(e.to_string()))?;
        let (dim, count) = (places.dim(), places.count());
        let mean = state.tensor("mean", DType::F32, &[count, dim])?;
        let factors = state.tensor("factors", DType::F32, &[count, packed(dim)])?;
        let vector = |x: Tensor| -> Result<Vec<f32>> { Ok(x.flatten_all()?.to_vec1()?) };
        let gaussians = Gaussians::new(dim, vector(mean)?, vector(factors)?);
        Ok(Self::new(channels, places, gaussians, MapConfig::restore(state)?))
    }

    /// Whitened vectors of up to [`LANES`] images: for each place, entry and lane.
    fn whitened(&self, values: &[Vec<f32>], images: std::ops::Range<usize>) -> Vec<f32> {
        let stride = self.places.dim() * LANES;
        let mut vectors = vec![0.; self.places.count() * stride];
        for (lane, image) in images.enumerate() {
            self.places.gather(values, image, &mut vectors, stride, |part, entry, x| {
                part[entry * LANES + lane] = x;
            });
        }
        self.gaussians.whiten(&mut vectors);
        vectors
    }

    /// d² of each image and place.
    fn squared_distances(&self, features: &[Tensor]) -> Result<Vec<f32>> {
        let (values, images) = (Places::values(features)?, features[0].dim(0)?);
        let (dim, count) = (self.places.dim(), self.places.count());
        let mut squared = vec![0.; images * count];
        for (group, squared) in squared.chunks_mut(LANES * count).enumerate() {
            let first = group * LANES;
            let whitened = self.whitened(&values, first..images.min(first + LANES));
            let sums: Vec<[f32; LANES]> = whitened
                .par_chunks(dim * LANES)
                .map(|vectors| {
                    let mut sums = [0.; LANES];
                    for lanes in vectors.as_chunks::<LANES>().0 {
                        for (sum, y) in sums.iter_mut().zip(lanes) {
                            *sum += y * y;
                        }
                    }
                    sums
                })
                .collect();
            for (lane, squared) in squared.chunks_mut(count).enumerate() {
                for (squared, sums) in squared.iter_mut().zip(&sums) {
                    *squared = sums[lane];
                }
            }
        }
        Ok(squared)
    }
}

impl FeatureModel for PadimModel {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn scales(&self) -> &[(usize, usize, usize)] {
        self.places.scales()
    }

    fn evidence(&self, features: &[Tensor]) -> Result<Evidence> {
        let squared = self.squared_distances(features)?;
        let (height, width) = self.places.size();
        let (dim, log_dets) = (self.places.dim() as f64, self.gaussians.log_dets());
        let map = |f: &(dyn Fn(f64, f64) -> f64 + Sync)| -> Result<Tensor> {
            let value = |(i, &d): (usize, &f32)| f(d.into(), log_dets[i % log_dets.len()]) as f32;
            let values: Vec<f32> = squared.par_iter().enumerate().map(value).collect();
            let images = values.len() / (height * width);
            Ok(Tensor::from_vec(values, (images, 1, height, width), &Device::Cpu)?)
        };
        let constant = dim * TAU.ln();
        let scale = ScaleEvidence::default()
            .with_distance(map(&|d, _| d.sqrt())?)
            .with_log_likelihood(map(&|d, log_det| -0.5 * (d + log_det + constant) / dim)?)
            .with_probability(map(&|d, _| (-0.5 * d / dim).exp())?);
        Ok(Evidence::new(vec![scale]))
    }

    fn latents(&self, features: &[Tensor]) -> Result<Vec<Tensor>> {
        let images = check_features(features, self.scales())?;
        let values = Places::values(features)?;
        let ((height, width), dim) = (self.places.size(), self.places.dim());
        let mut groups = Vec::new();
        for first in (0..images).step_by(LANES) {
            let here = LANES.min(images - first);
            let whitened = self.whitened(&values, first..first + here);
            let whitened = Tensor::from_vec(whitened, (height * width, dim, LANES), &Device::Cpu)?;
            groups.push(whitened.permute((2, 1, 0))?.narrow(0, 0, here)?);
        }
        Ok(vec![Tensor::cat(&groups, 0)?.reshape((images, dim, height, width))?])
    }

    fn anomaly_map(&self, evidence: &Evidence, size: (usize, usize)) -> Result<Tensor> {
        let distance = evidence.scales.first().and_then(|scale| scale.distance.as_ref());
        let Some(distance) = distance else {
            return Err(Error::Value(
                "evidence without distances: it is another detector's".into(),
            ));
        };
        self.map.apply(distance, size)
    }

    fn save(&self, state: &mut State) -> Result<()> {
        let scales: Vec<usize> = self.scales().iter().flat_map(|&(c, h, w)| [c, h, w]).collect();
        state.set_all("channels", &self.channels);
        state.set_all("scales", &scales);
        self.map.save(state);
        let (count, factors) = (self.places.count(), self.gaussians.factors());
        let shape = (count, factors.len() / count);
        state.set_tensor("mean", &self.mean()?);
        state.set_tensor("factors", &Tensor::from_slice(factors, shape, &Device::Cpu)?);
        Ok(())
    }
}
