use std::sync::Arc;

use crate::{
    ChannelStatistics, Error, LabeledScene, Normalize, Regions, Result, TileGrid, Tiles, Validation,
};

/// Which pixels give the constants that a scene is normalized by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatisticsOf {
    /// The training pixels of all scenes together, as the paper's.
    #[default]
    AllScenes,
    /// The scene's own: what sets sensors apart in gain and offset is gone before a network sees it.
    /// A new scene is then normalized by its own statistics too.
    EachScene,
}

/// From labeled scenes to tiles for training and validation \[1, III-B\].
///
/// # Examples
///
/// Two areas, seen by two sensors:
///
/// ```
/// use std::sync::Arc;
///
/// use ocellus_data::{
///     Dataset, LabeledScene, StatisticsOf, TileGrid, TilePreparation, Validation,
///     synthetic::{Area, Landscape, Sensor},
/// };
///
/// let [alpha, beta, _] = Sensor::training();
/// let scenes: [Arc<dyn LabeledScene>; 2] = [
///     Arc::new(Landscape::new(420, 300, 1).with_sensor(alpha)),
///     Arc::new(Landscape::new(420, 300, 2).with_sensor(beta).with_area(Area::suburb())),
/// ];
/// let tiles = TilePreparation::new(TileGrid::new(91, 30), 64)
///     .with_validation(Some(Validation::new(100).with_seed(7)))
///     .with_statistics(StatisticsOf::EachScene)
///     .prepare(&scenes)?;
/// assert!(tiles.train.len() > tiles.validation.len() && !tiles.validation.is_empty());
/// assert_eq!(tiles.validation.load(0)?.image.dims(), (4, 64, 64));
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// # References
///
/// 1. S. Ghassemi et al. *Satellite image segmentation with deep residual architectures for
///    time-critical applications.* EUSIPCO 2018.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct TilePreparation {
    /// The tiles.
    pub grid: TileGrid,
    /// Height and width of a sample: validation takes the middle of its tiles.
    pub size: u32,
    /// How regions for validation are chosen in each scene; `None`: there is no validation.
    pub validation: Option<Validation>,
    /// Which pixels give the constants of normalization.
    pub statistics: StatisticsOf,
}

/// Tiles for training and validation, and what they were made with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PreparedTiles {
    /// What is trained on: whole tiles, for [`PatchDraw`](crate::PatchDraw).
    pub train: Tiles,
    /// What training is stopped by: samples, one of each tile.
    pub validation: Tiles,
    /// The regions of each scene that validation is in.
    pub regions: Vec<Regions>,
    /// The statistics of the training pixels of all scenes.
    pub statistics: ChannelStatistics,
    /// How each scene is normalized.
    pub normalize: Vec<Normalize>,
}

impl TilePreparation {
    /// Samples of this size from these tiles, a fifth of each scene for validation in blocks of two
    /// tiles, normalized alike.
    #[must_use]
    pub const fn new(grid: TileGrid, size: u32) -> Self {
        let validation = Some(Validation::new(grid.size.saturating_mul(2)));
        Self { grid, size, validation, statistics: StatisticsOf::AllScenes }
    }

    /// The paper's: 256 pixels from tiles of 364, every 120.
    #[must_use]
    pub const fn paper() -> Self {
        Self::new(TileGrid::paper(), 256)
    }

    /// Sets how regions for validation are chosen.
    #[must_use]
    pub const fn with_validation(mut self, validation: Option<Validation>) -> Self {
        self.validation = validation;
        self
    }

    /// Sets which pixels give the constants of normalization.
    #[must_use]
    pub const fn with_statistics(mut self, statistics: StatisticsOf) -> Self {
        self.statistics = statistics;
        self
    }

    /// Chooses regions, counts statistics and cuts tiles. Each scene is read twice.
    ///
    /// # Errors
    ///
    /// If there are no scenes, one is too small or cannot be read, a band is constant, or scenes
    /// differ in their number of bands.
    pub fn prepare(&self, scenes: &[Arc<dyn LabeledScene>]) -> Result<PreparedTiles> {
        if scenes.is_empty() {
            return Err(Error::Setting("no scenes to cut tiles of: give at least one".to_owned()));
        }
        let mut all = ChannelStatistics::default();
        let (mut regions, mut own) = (Vec::new(), Vec::new());
        for (n, scene) in scenes.iter().enumerate() {
            let apart = match self.validation {
                // Scenes of one size are not cut alike.
                Some(validation) => {
                    let seed = validation.seed.wrapping_add(n as u64);
                    validation.with_seed(seed).choose(&**scene)?
                }
                None => Regions::new(scene.size().0, scene.size().1, Vec::new())?,
            };
            let statistics = ChannelStatistics::of_scene(&**scene, Some(&apart))?;
            all.merge(&statistics)?;
            own.push(statistics);
            regions.push(apart);
        }
        let normalize = match self.statistics {
            StatisticsOf::AllScenes => vec![all.normalize()?; scenes.len()],
            StatisticsOf::EachScene => {
                own.iter().map(ChannelStatistics::normalize).collect::<Result<_>>()?
            }
        };
        let (mut train, mut validation) = (Tiles::default(), Tiles::default());
        for ((scene, apart), normalize) in scenes.iter().zip(&regions).zip(&normalize) {
            train.add(Arc::clone(scene), &apart.tiles_outside(&self.grid)?, normalize.clone())?;
            validation.add(
                Arc::clone(scene),
                &apart.tiles_within(&self.grid)?,
                normalize.clone(),
            )?;
        }
        let validation = validation.centers(self.size);
        Ok(PreparedTiles { train, validation, regions, statistics: all, normalize })
    }
}
