use std::ops::Range;

use candle_core::{DType, Device, Tensor};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use ocellus_cluster::{NearestNeighbors, NearestNeighborsModel, NeighborDistance, RowSource as _};

use super::{
    ImageScore, PatchCore,
    patches::Patches,
    search::{OnCpu, OnDevice, Search},
};
use crate::{
    Error, Evidence, FeatureModel, MapConfig, Result, ScaleEvidence, State,
    on_cpu::values,
    on_device::{Sent, stays_there},
};

/// Patches that are compared with the bank at once.
const PATCHES: usize = 4096;

/// What [`PatchCore`] has learned: a bank of normal patches, in memory or in a detector's file
/// (see [`Detector::open`](crate::Detector::open)).
///
/// Its evidence is the distance of each patch, of one scale, the finest. It has no latents.
///
/// Features on CUDA are measured there: patches are pooled, and compared with a copy of the bank, which is sent when it is
/// first needed, whole, also where it else stays in a file. The search is exact on both, so scores differ by the rounding of the
/// patches alone.
#[derive(Clone, Debug)]
pub struct PatchCoreModel {
    patches: Patches,
    bank: NearestNeighborsModel,
    /// The bank on the device of the features.
    there: Sent,
    distance: NeighborDistance,
    neighbors: usize,
    image_score: ImageScore,
    map: MapConfig,
}

impl PatchCoreModel {
    pub(crate) const KIND: &'static str = "patchcore";

    pub(super) fn new(
        settings: &PatchCore,
        patches: Patches,
        bank: NearestNeighborsModel,
    ) -> Result<Self> {
        let ((rows, columns), neighbors) = (bank.rows().size(), settings.neighbors);
        if columns != patches.dims() {
            let (expected, scales) = (patches.dims(), patches.scales());
            return Err(Error::Shape(format!(
                "a bank of {columns} features, but patches of scales {scales:?} have {expected}: give \
                 the channels, heights and widths that it was made of"
            )));
        }
        if neighbors == 0 || neighbors > rows {
            return Err(Error::Setting(format!(
                "the score of a patch over {neighbors} of {rows} patches in the bank: take 1 at least, \
                 and no more than there are"
            )));
        }
        if let ImageScore::Reweighted { neighbors: support @ (0 | 1) } = settings.image_score {
            return Err(Error::Setting(format!(
                "a score reweighted over {support} patches of the bank: give 2 at least, or \
                 `ImageScore::Maximum`"
            )));
        }
        Ok(Self {
            patches,
            bank,
            there: Sent::default(),
            distance: settings.distance,
            neighbors,
            image_score: settings.image_score,
            map: settings.map,
        })
    }

    /// A bank `(patches, features)` that was chosen elsewhere, for features of those channels,
    /// heights and widths: the `memory_bank` of anomalib.
    ///
    /// # Errors
    ///
    /// If the settings make no sense, or the bank does not fit features of those sizes, is empty or
    /// not finite.
    pub fn from_bank(
        settings: &PatchCore,
        scales: &[(usize, usize, usize)],
        bank: &Tensor,
    ) -> Result<Self> {
        let patches = Patches::new(scales, settings.pooling, settings.resize)?;
        let (rows, columns) = bank.dims2()?;
        let bank = Array2::from_shape_vec((rows, columns), values(bank)?)
            .map_err(|e| Error::Shape(format!("a bank of {rows} × {columns}: {e}")))?;
        let bank = NearestNeighbors::new().with_distance(settings.distance).index(bank)?;
        Self::new(settings, patches, bank)
    }

    /// The bank, `(patches, features)`, in memory.
    ///
    /// # Errors
    ///
    /// If it stays in a file that cannot be read.
    pub fn bank(&self) -> Result<Tensor> {
        let size = self.bank.rows().size();
        let mut values = vec![0.; size.0 * size.1];
        self.bank.rows().read_rows(0, &mut values)?;
        Ok(Tensor::from_vec(values, size, &Device::Cpu)?)
    }

    pub(crate) fn restore(state: &State) -> Result<Self> {
        let patches = Patches::restore(state)?;
        let rows: usize = state.get("bank-rows")?;
        let size = [rows, patches.dims()];
        let mut settings = PatchCore::anomalib().with_map(MapConfig::restore(state)?);
        settings.distance = match state.get::<String>("distance")?.as_str() {
            "euclidean" => NeighborDistance::Euclidean,
            "squared" => NeighborDistance::Squared,
            other => return Err(Error::Value(format!("has `{other}` as its `distance`"))),
        };
        settings.neighbors = state.get("neighbors")?;
        settings.image_score = match state.find("reweighted-neighbors")? {
            Some(neighbors) => ImageScore::Reweighted { neighbors },
            None => ImageScore::Maximum,
        };
        let (scales, pooling, resize) = patches.settings();
        let settings = settings.with_pooling(pooling).with_resize(resize);
        let model = match state.table("bank") {
            Some(table) if table.size() == (rows, patches.dims()) => {
                let index = NearestNeighbors::new().with_distance(settings.distance);
                let bank = index.index_source(table.clone());
                bank.map_err(Error::from).and_then(|bank| Self::new(&settings, patches, bank))
            }
            _ => Self::from_bank(&settings, scales, &state.tensor("bank", DType::F32, &size)?),
        };
        model.map_err(|e| Error::Value(format!("has {e}")))
    }

    /// Scores of the patches of some images, and of these.
    fn measure(&self, search: &dyn Search, images: usize) -> Result<(Vec<f32>, Vec<f32>)> {
        let found = search.nearest(self.neighbors)?;
        let mean = |row: ArrayView1<'_, f32>| row.sum() / row.len() as f32;
        let scores: Vec<f32> = found.distances.rows().into_iter().map(mean).collect();
        let places = scores.len() / images.max(1);
        let strangest: Vec<usize> = scores
            .chunks(places.max(1))
            .enumerate()
            .map(|(image, scores)| image * places + first_maximum(scores))
            .collect();
        let greatest: Vec<f32> = strangest.iter().map(|&patch| scores[patch]).collect();
        let ImageScore::Reweighted { neighbors } = self.image_score else {
            return Ok((scores, greatest));
        };
        // The vectors of the bank that are nearest to the strangest patch, and those around them.
        let nearest: Vec<usize> =
            strangest.iter().map(|&patch| found.indices[[patch, 0]]).collect();
        let around = search.around(&nearest, neighbors.min(self.bank.rows().size().0))?;
        let weighted = greatest.iter().zip(&strangest).zip(around.indices.rows());
        let weighted = weighted.map(|((score, &patch), around)| {
            let (patch, around) = (search.patch(patch)?, search.rows(&around.to_vec())?);
            let distance = |row: ArrayView1<'_, f32>| euclidean(ArrayView1::from(&patch), row);
            let distances: Array1<f64> = around.rows().into_iter().map(distance).collect();
            let greatest = distances.iter().copied().fold(0., f64::max);
            let weights = distances.mapv(|d| (d - greatest).exp());
            Ok(((1. - weights[0] / weights.sum()) * f64::from(*score)) as f32)
        });
        Ok((scores, weighted.collect::<Result<_>>()?))
    }

    /// Those of some images of a batch.
    fn scores(&self, features: &[Tensor], images: Range<usize>) -> Result<(Vec<f32>, Vec<f32>)> {
        let count = images.len();
        if stays_there(&features[0]) {
            let part = |x: &Tensor| x.narrow(0, images.start, count);
            let features = features.iter().map(part).collect::<Result<Vec<_>, _>>()?;
            let bank = self
                .there
                .beside(&features[0], |device| Ok(vec![self.bank()?.to_device(device)?]))?;
            let patches = self.patches.rows_there(&features)?;
            let search = OnDevice { bank: bank[0].clone(), patches, distance: self.distance };
            return self.measure(&search, count);
        }
        let mut rows = Vec::new();
        for image in images {
            rows.extend(self.patches.rows(features, image)?);
        }
        let dims = self.patches.dims();
        let patches = ArrayView2::from_shape((rows.len() / dims, dims), &rows)
            .map_err(|e| Error::Shape(format!("patches of {dims} numbers: {e}")))?;
        self.measure(&OnCpu { bank: &self.bank, patches }, count)
    }
}

fn first_maximum(scores: &[f32]) -> usize {
    (0..scores.len()).fold(0, |a, b| if scores[b] > scores[a] { b } else { a })
}

fn euclidean(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum::<f64>().sqrt()
}

impl FeatureModel for PatchCoreModel {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn scales(&self) -> &[(usize, usize, usize)] {
        self.patches.scales()
    }

    fn evidence(&self, features: &[Tensor]) -> Result<Evidence> {
        let ((height, width), images) = (self.patches.size(), features[0].dim(0)?);
        let at_once = (PATCHES / (height * width)).max(1);
        let (mut patch_scores, mut image_scores) = (Vec::new(), Vec::new());
        for first in (0..images).step_by(at_once) {
            let (patches, images) = self.scores(features, first..images.min(first + at_once))?;
            patch_scores.extend(patches);
            image_scores.extend(images);
        }
        let device = if stays_there(&features[0]) { features[0].device() } else { &Device::Cpu };
        let distance = Tensor::from_vec(patch_scores, (images, 1, height, width), device)?;
        let scores = Tensor::from_vec(image_scores, images, device)?;
        let scale = ScaleEvidence::default().with_distance(distance);
        Ok(Evidence::new(vec![scale]).with_image_scores(scores))
    }

    fn latents(&self, _: &[Tensor]) -> Result<Vec<Tensor>> {
        Err(Error::Setting(
            "PatchCore has no latents: take its distances as features, or another detector"
                .to_owned(),
        ))
    }

    fn anomaly_map(&self, evidence: &Evidence, size: (usize, usize)) -> Result<Tensor> {
        self.map.apply(evidence.distance()?, size)
    }

    fn save(&self, state: &mut State) -> Result<()> {
        self.patches.save(state);
        self.map.save(state);
        let squared = self.distance == NeighborDistance::Squared;
        state.set("distance", if squared { "squared" } else { "euclidean" });
        state.set("neighbors", self.neighbors);
        if let ImageScore::Reweighted { neighbors } = self.image_score {
            state.set("reweighted-neighbors", neighbors);
        }
        state.set("bank-rows", self.bank.rows().size().0);
        state.set_tensor("bank", &self.bank()?);
        Ok(())
    }
}
