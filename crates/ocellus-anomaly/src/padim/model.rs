use std::f64::consts::TAU;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use ocellus_ops::{SOLVE_LANES, Whitened, whiten_packed};
use rayon::prelude::*;

use super::{
    gaussians::{Gaussians, packed},
    places::{Places, TILE, readable, with_images},
};
use crate::{
    Error, Evidence, FeatureModel, MapConfig, Result, ScaleEvidence, State,
    model::check_features,
    on_device::{Sent, stays_there},
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
///
/// Features on CUDA are measured there, with copies of means and factors that are sent when they are first needed: distances
/// differ from the CPU's by rounding in single precision, about 1e-6 of them.
#[derive(Clone, Debug)]
pub struct PadimModel {
    channels: Vec<usize>,
    places: Places,
    gaussians: Gaussians,
    /// Those on the device of the features: see [`PadimModel::sent`].
    there: Sent,
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
        Self { channels, places, gaussians, there: Sent::default(), map }
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

    /// For each place and each group of [`SOLVE_LANES`] images, the `width` rows of lanes that `write`
    /// makes of the whitened vectors. Lanes without an image hold nothing of use.
    fn whitened(
        &self,
        features: &[Tensor],
        width: usize,
        write: impl Fn(&[Lanes], &mut [Lanes]) + Sync,
    ) -> Result<Vec<Lanes>> {
        let images = features[0].dim(0)?;
        let (dim, groups) = (self.places.dim(), images.div_ceil(SOLVE_LANES));
        let mut out = vec![[0.; SOLVE_LANES]; self.places.count() * groups * width];
        with_images(&[(readable(features)?, 0..images)], |images| {
            out.par_chunks_mut(TILE * groups * width).enumerate().try_for_each(|(tile, out)| {
                let here = tile * TILE..tile * TILE + out.len() / (groups * width);
                let mut vectors = vec![0.; here.len() * dim * SOLVE_LANES];
                for (group, images) in images.chunks(SOLVE_LANES).enumerate() {
                    for (lane, image) in images.iter().enumerate() {
                        let steps = (dim * SOLVE_LANES, SOLVE_LANES);
                        self.places.gather(image, here.clone(), &mut vectors[lane..], steps);
                    }
                    let (lanes, _) = vectors.as_chunks_mut::<SOLVE_LANES>();
                    for (i, vectors) in lanes.chunks_mut(dim).enumerate() {
                        self.gaussians.whiten(here.start + i, vectors)?;
                        write(vectors, &mut out[(i * groups + group) * width..][..width]);
                    }
                }
                Ok(())
            })
        })?;
        Ok(out)
    }

    /// d² of each image and place.
    fn squared_distances(&self, features: &[Tensor]) -> Result<Vec<f32>> {
        let sums = self.whitened(features, 1, |vectors, sums| {
            for lanes in vectors {
                for (sum, y) in sums[0].iter_mut().zip(lanes) {
                    *sum += y * y;
                }
            }
        })?;
        let (images, places) = (features[0].dim(0)?, self.places.count());
        let groups = sums.len() / places;
        let value = |i: usize| {
            let (image, place) = (i / places, i % places);
            sums[place * groups + image / SOLVE_LANES][image % SOLVE_LANES]
        };
        Ok((0..images * places).into_par_iter().map(value).collect())
    }

    /// Means, factors and ln det Σ of all places, on the device of the features.
    fn sent(&self, features: &[Tensor]) -> Result<Arc<[Tensor]>> {
        let (count, dim) = (self.places.count(), self.places.dim());
        self.there.beside(&features[0], |device| {
            let (factors, log_dets) = (self.gaussians.factors(), self.gaussians.log_dets());
            Ok(vec![
                self.mean()?.to_device(device)?,
                Tensor::from_slice(factors, (count, packed(dim)), device)?,
                Tensor::from_slice(log_dets, count, device)?,
            ])
        })
    }

    /// What [`whitened`](Self::whitened) gives, on the device of the features.
    fn whitened_there(&self, features: &[Tensor]) -> Result<Whitened> {
        let sent = self.sent(features)?;
        Ok(whiten_packed(&self.places.vectors_there(features)?, &sent[0], &sent[1])?)
    }

    fn evidence_there(&self, features: &[Tensor]) -> Result<Evidence> {
        let squared = self.whitened_there(features)?.squared_distances.to_dtype(DType::F64)?;
        let ((height, width), dim) = (self.places.size(), self.places.dim() as f64);
        let map = |x: Tensor| -> Result<Tensor> {
            Ok(x.to_dtype(DType::F32)?.reshape((x.dim(0)?, 1, height, width))?)
        };
        let logarithm = squared.broadcast_add(&self.sent(features)?[2])?;
        let scale = ScaleEvidence::default()
            .with_distance(map(squared.sqrt()?)?)
            .with_log_likelihood(map(((logarithm + dim * TAU.ln())? * (-0.5 / dim))?)?)
            .with_probability(map((squared * (-0.5 / dim))?.exp()?)?);
        Ok(Evidence::new(vec![scale]))
    }
}

type Lanes = [f32; SOLVE_LANES];

impl FeatureModel for PadimModel {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn scales(&self) -> &[(usize, usize, usize)] {
        self.places.scales()
    }

    fn evidence(&self, features: &[Tensor]) -> Result<Evidence> {
        if stays_there(&features[0]) {
            return self.evidence_there(features);
        }
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
        let ((height, width), dim) = (self.places.size(), self.places.dim());
        if stays_there(&features[0]) {
            let residuals = self.whitened_there(features)?.residuals.transpose(1, 2)?;
            return Ok(vec![residuals.contiguous()?.reshape((images, dim, height, width))?]);
        }
        let whitened = self.whitened(features, dim, |vectors, out| out.copy_from_slice(vectors))?;
        let groups = images.div_ceil(SOLVE_LANES);
        let shape = (height * width, groups, dim, SOLVE_LANES);
        let whitened = Tensor::from_vec(whitened.into_flattened(), shape, &Device::Cpu)?;
        let latents =
            whitened.permute((1, 3, 2, 0))?.reshape((groups * SOLVE_LANES, dim, height, width))?;
        Ok(vec![latents.narrow(0, 0, images)?])
    }

    fn anomaly_map(&self, evidence: &Evidence, size: (usize, usize)) -> Result<Tensor> {
        self.map.apply(evidence.distance()?, size)
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
