use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use ocellus_cluster::{
    GreedyCoreset, NearestNeighbors, NeighborDistance, RowSource as _, RowStore,
};
use ocellus_ops::farthest_points;

use super::{PatchCoreModel, PatchPooling, patches::Patches};
use crate::{
    Error, FeatureSource, FitFeatures, MapConfig, Result, Smoothing, Upsampling,
    model::check_features, on_cpu::values, on_device::stays_there,
};

/// What the score of an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageScore {
    /// The greatest score of its patches.
    Maximum,
    /// The greatest score s* of its patches, less where the nearest vector of the bank is a rare one:
    ///
    /// ```text
    /// s = (1 − exp d₀ / Σⱼ exp dⱼ) s*,  dⱼ = ‖patch − mⱼ‖
    /// ```
    ///
    /// with m₀ the vector of the bank that is nearest to the patch and mⱼ those that are nearest to
    /// m₀, m₀ included.
    Reweighted {
        /// How many vectors of the bank: 2 at least; all, if it has fewer.
        neighbors: usize,
    },
}

/// PatchCore: distances of patches to the nearest of a bank of normal ones.
///
/// ```text
/// x_p = features of all scales around place p of the finest
/// M = a coreset of all x_p of all normal images
/// d_p = mean of the k smallest ‖x_p − m‖ over m in M                                [1], Eq. 6
/// ```
///
/// The map is d, upsampled and smoothed; the score of an image is an [`ImageScore`].
///
/// # Parameters
///
/// The bank: a share of all patches of all images, 4 bytes for each of their numbers. Fitting holds all
/// patches, in memory or in a [folder](Self::folder), and their projections (see
/// [`GreedyCoreset`]) in memory.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_anomaly::{FeatureModel, FitFeatures, PatchCore};
/// use ocellus_cluster::GreedyCoreset;
///
/// let fine = Tensor::arange(0f32, 4. * 6. * 64., &Device::Cpu)?.affine(7.3, 0.)?.sin()?;
/// let fine = fine.reshape((4, 6, 8, 8))?;
/// let coarse = fine.narrow(2, 0, 4)?.narrow(3, 0, 4)?.contiguous()?;
/// let normal = vec![vec![fine, coarse]];
///
/// let settings = PatchCore::anomalib().with_coreset(GreedyCoreset::anomalib(0.5).with_seed(1));
/// let model = settings.fit(&normal)?;
/// assert_eq!(model.bank()?.dims(), [128, 12]);
/// assert_eq!(model.score(&normal[0], (32, 32))?.maps.dims(), [4, 1, 32, 32]);
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
///
/// # Deviations
///
/// Of equal patches, anomalib's coreset may hold the same one twice, ours holds each once. Distances
/// are exact here; anomalib's ‖x‖² + ‖m‖² − 2 x·m is not where patches are near the bank: a patch of the
/// bank is at 0, not at 0.01.
///
/// # References
///
/// 1. K. Roth, L. Pemula, J. Zepeda, B. Schölkopf, T. Brox and P. Gehler. *Towards total recall in
///    industrial anomaly detection.* CVPR 2022. <https://arxiv.org/abs/2106.08265>
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PatchCore {
    /// How the neighborhood of a place becomes a vector.
    pub pooling: PatchPooling,
    /// How coarser scales are resized to the finest.
    pub resize: Upsampling,
    /// Which patches the bank keeps.
    pub coreset: GreedyCoreset,
    /// Which distances are measured.
    pub distance: NeighborDistance,
    /// Over how many nearest vectors of the bank the score of a patch is the mean.
    pub neighbors: usize,
    /// What the score of an image is.
    pub image_score: ImageScore,
    /// How scores of patches become a map.
    pub map: MapConfig,
    /// Where patches lie while fitting, if not in memory. The file is removed after.
    pub folder: Option<PathBuf>,
}

impl PatchCore {
    /// As anomalib 2.7: means of 3 × 3 places, bilinear resizing, a tenth of the patches chosen by
    /// [`GreedyCoreset::anomalib`], Euclidean distances, scores reweighted over 9, maps by nearest
    /// upsampling. Its versions before 1.0 resized features by [`Upsampling::Nearest`].
    ///
    /// It expects the second and third stage of a Wide-ResNet-50-2.
    #[must_use]
    pub fn anomalib() -> Self {
        Self {
            pooling: PatchPooling::Mean,
            resize: Upsampling::Bilinear,
            coreset: GreedyCoreset::anomalib(0.1),
            distance: NeighborDistance::Euclidean,
            neighbors: 1,
            image_score: ImageScore::Reweighted { neighbors: 9 },
            map: MapConfig::default().with_upsampling(Upsampling::Nearest),
            folder: None,
        }
    }

    /// As the authors' code: patches averaged to 1024 numbers, a tenth of them chosen by
    /// [`GreedyCoreset::official`], squared distances, the greatest of which is the score of an
    /// image, maps smoothed as SciPy does.
    ///
    /// It expects the second and third stage of a Wide-ResNet-50-2.
    #[must_use]
    pub fn official() -> Self {
        Self {
            pooling: PatchPooling::Adaptive { dims: 1024 },
            resize: Upsampling::Bilinear,
            coreset: GreedyCoreset::official(0.1),
            distance: NeighborDistance::Squared,
            neighbors: 1,
            image_score: ImageScore::Maximum,
            map: MapConfig::default().with_smoothing(Smoothing::Scipy { sigma: 4. }),
            folder: None,
        }
    }

    /// Sets how the neighborhood of a place becomes a vector.
    #[must_use]
    pub fn with_pooling(mut self, pooling: PatchPooling) -> Self {
        self.pooling = pooling;
        self
    }

    /// Sets how coarser scales are resized to the finest.
    #[must_use]
    pub fn with_resize(mut self, resize: Upsampling) -> Self {
        self.resize = resize;
        self
    }

    /// Sets which patches the bank keeps.
    #[must_use]
    pub fn with_coreset(mut self, coreset: GreedyCoreset) -> Self {
        self.coreset = coreset;
        self
    }

    /// Sets which distances are measured.
    #[must_use]
    pub fn with_distance(mut self, distance: NeighborDistance) -> Self {
        self.distance = distance;
        self
    }

    /// Sets over how many nearest vectors of the bank the score of a patch is the mean.
    #[must_use]
    pub fn with_neighbors(mut self, neighbors: usize) -> Self {
        self.neighbors = neighbors;
        self
    }

    /// Sets what the score of an image is.
    #[must_use]
    pub fn with_image_score(mut self, image_score: ImageScore) -> Self {
        self.image_score = image_score;
        self
    }

    /// Sets how scores of patches become a map.
    #[must_use]
    pub fn with_map(mut self, map: MapConfig) -> Self {
        self.map = map;
        self
    }

    /// Sets a folder where patches lie while fitting, for more of them than memory holds.
    #[must_use]
    pub fn with_folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// As [`fit`](FitFeatures::fit), telling how many of how many patches the bank has: of features on CUDA, once
    /// it is whole.
    ///
    /// # Errors
    ///
    /// As [`fit`](FitFeatures::fit).
    pub fn fit_with_progress(
        &self,
        features: &dyn FeatureSource,
        progress: impl FnMut(usize, usize),
    ) -> Result<PatchCoreModel> {
        let mut gathered: Option<(Patches, RowStore)> = None;
        let mut device = None;
        for batch in features.pass(0)? {
            let batch = batch?;
            let fitted = gathered.as_ref().map_or(&[][..], |(patches, _)| patches.scales());
            let images = check_features(&batch, fitted)?;
            let (patches, store) = match &mut gathered {
                Some(gathered) => gathered,
                none => {
                    let dims = batch.iter().map(|x| Ok(x.dims4()?)).collect::<Result<Vec<_>>>()?;
                    let scales: Vec<_> = dims.iter().map(|&(_, c, h, w)| (c, h, w)).collect();
                    none.insert(self.start(&scales)?)
                }
            };
            if stays_there(&batch[0]) {
                device = Some(batch[0].device().clone());
            }
            for image in 0..images {
                store.push(&patches.rows(&batch, image)?)?;
            }
        }
        let Some((patches, store)) = gathered else {
            return Err(Error::Value("no image to fit on: give normal ones".to_owned()));
        };
        let chosen = match device {
            Some(device) => self.choose_there(&store, &device, progress)?,
            None => self.coreset.select_with_progress(&store, progress)?.indices,
        };
        let bank = store.gather(&chosen)?;
        drop(store);
        let bank = NearestNeighbors::new().with_distance(self.distance).index(bank)?;
        PatchCoreModel::new(self, patches, bank)
    }

    /// Chooses the coreset on a device: of the projections of the CPU, the same rows to the bit.
    fn choose_there(
        &self,
        store: &RowStore,
        device: &Device,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Vec<usize>> {
        let beginning = self.coreset.begin(store)?;
        let (size, shape) = (beginning.size, beginning.rows.dim());
        let points = Tensor::from_vec(beginning.rows.into_raw_vec_and_offset().0, shape, device)?;
        let bounds = beginning.bounds.map(|bounds| Tensor::new(bounds, device)).transpose()?;
        let chosen = farthest_points(&points, bounds.as_ref(), beginning.first, size)?;
        let indices = chosen.indices.to_vec1::<u32>()?;
        // The first has no distance, unless it is a mean.
        let squared = values(&chosen.squared_distances)?;
        let measured = &squared[usize::from(bounds.is_none())..];
        if let Some(place) = measured.iter().position(|squared| !squared.is_finite()) {
            let row = indices[place + squared.len() - measured.len()];
            return Err(Error::Value(format!(
                "a squared distance between patches is infinite at patch {row}: scale the features down"
            )));
        }
        progress(size, size);
        Ok(indices.into_iter().map(|index| index as usize).collect())
    }

    fn start(&self, scales: &[(usize, usize, usize)]) -> Result<(Patches, RowStore)> {
        let patches = Patches::new(scales, self.pooling, self.resize)?;
        let store = match &self.folder {
            Some(folder) => RowStore::in_folder(folder, patches.dims())?,
            None => RowStore::in_memory(patches.dims())?,
        };
        Ok((patches, store))
    }
}

impl FitFeatures for PatchCore {
    type Model = PatchCoreModel;

    fn fit(&self, features: &dyn FeatureSource) -> Result<PatchCoreModel> {
        self.fit_with_progress(features, |_, _| ())
    }
}
