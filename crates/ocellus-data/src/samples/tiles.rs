use std::{fmt, sync::Arc};

use rayon::prelude::*;

use crate::{
    Dataset, Error, Example, IGNORED, LabeledScene, Normalize, Result, raster::Window,
    samples::scene::require_within,
};

/// Tiles of many scenes as one data set, each normalized by the constants of its scene.
///
/// A tile's mask holds class numbers ([`Batch::classes`](crate::Batch::classes)). Its label is 0
/// until [`Tiles::with_labels`] tells tiles that hold buildings from others, for
/// [`Sampling::Balanced`](crate::Sampling::Balanced). Training tiles go with
/// [`LoaderConfig::with_patches`](crate::LoaderConfig::with_patches).
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use candle_core::Device;
/// use ocellus_data::{
///     ChannelStatistics, Dataset, Loader, LoaderConfig, PatchDraw, Sampling, TileGrid, Tiles,
///     synthetic::Landscape,
/// };
///
/// let scene = Arc::new(Landscape::new(200, 150, 3));
/// let normalize = ChannelStatistics::of_scene(&*scene, None)?.normalize()?;
/// let mut tiles = Tiles::default();
/// tiles.add(scene, &TileGrid::new(91, 30).tiles(200, 150)?, normalize)?;
///
/// let all: Vec<usize> = (0..tiles.len()).collect();
/// let config = LoaderConfig::new(4)
///     .with_patches(PatchDraw::paper().with_size(64))
///     .with_masks(true)
///     .with_sampling(Sampling::Shuffled);
/// let loader = Loader::new(Arc::new(tiles), &all, &config)?;
/// for batch in loader.epoch(0, &Device::Cpu)? {
///     let batch = batch?;
///     assert_eq!(batch.images.dims()[1..], [4, 64, 64]);
///     assert_eq!(batch.classes()?.dims()[1..], [64, 64]);
/// }
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Tiles {
    scenes: Vec<(Arc<dyn LabeledScene>, Normalize)>,
    tiles: Vec<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    scene: usize,
    window: Window,
    label: usize,
}

impl Tiles {
    /// Adds tiles of a scene, and how its values are put on the common scale.
    ///
    /// # Errors
    ///
    /// If a tile is not within the scene, or the scene has another number of bands than those
    /// before.
    pub fn add(
        &mut self,
        scene: Arc<dyn LabeledScene>,
        tiles: &[Window],
        normalize: Normalize,
    ) -> Result<()> {
        let name = scene.name();
        if let Some((first, _)) = self.scenes.first()
            && first.bands() != scene.bands()
        {
            return Err(Error::Shape(format!(
                "{name} has {} bands, {} has {}: a network takes one number of bands",
                scene.bands(),
                first.name(),
                first.bands()
            )));
        }
        for tile in tiles {
            require_within(*tile, scene.size(), &name)?;
        }
        let at = self.scenes.len();
        self.scenes.push((scene, normalize));
        let place = |&window: &Window| Place { scene: at, window, label: 0 };
        self.tiles.extend(tiles.iter().map(place));
        Ok(())
    }

    /// Labels each tile 1 if at least this share of it is of a class other than 0, else 0. All masks
    /// are read once, in parallel.
    ///
    /// # Errors
    ///
    /// If the share is not from 0 to 1, or a mask cannot be read.
    pub fn with_labels(mut self, share: f64) -> Result<Self> {
        if !(0. ..=1.).contains(&share) {
            return Err(Error::Setting(format!("tiles: a share of {share}, give one from 0 to 1")));
        }
        let label = |place: &Place| -> Result<usize> {
            let mask = self.scenes[place.scene].0.read_mask(place.window)?;
            let labeled = |class: f32| class > 0. && class != IGNORED as f32;
            let count = mask.data().iter().filter(|&&class| labeled(class)).count();
            Ok(usize::from(count > 0 && count as f64 >= share * mask.data().len() as f64))
        };
        let labels: Vec<usize> = self.tiles.par_iter().map(label).collect::<Result<_>>()?;
        self.tiles.iter_mut().zip(labels).for_each(|(place, label)| place.label = label);
        Ok(self)
    }

    /// The tiles with all but the middle `size` pixels cut off: the paper's validation samples. Tiles
    /// that are smaller stay as they are.
    #[must_use]
    pub fn centers(&self, size: u32) -> Self {
        let center = |place: &Place| {
            let Window { x, y, width, height } = place.window;
            let (w, h) = (width.min(size), height.min(size));
            Place { window: Window::new(x + (width - w) / 2, y + (height - h) / 2, w, h), ..*place }
        };
        Self { scenes: self.scenes.clone(), tiles: self.tiles.iter().map(center).collect() }
    }

    /// The number of the scene that a tile is of, in the order of [`Tiles::add`], and where it lies.
    #[must_use]
    pub fn place(&self, index: usize) -> Option<(usize, Window)> {
        self.tiles.get(index).map(|place| (place.scene, place.window))
    }

    /// The number of bands, if there are any scenes.
    #[must_use]
    pub fn bands(&self) -> Option<usize> {
        self.scenes.first().map(|(scene, _)| scene.bands())
    }
}

impl Dataset for Tiles {
    fn len(&self) -> usize {
        self.tiles.len()
    }

    fn label(&self, index: usize) -> usize {
        self.tiles.get(index).map_or(0, |place| place.label)
    }

    fn name(&self, index: usize) -> String {
        self.tiles.get(index).map_or_else(String::new, |place| {
            let name = self.scenes[place.scene].0.name();
            format!("{name} at ({}, {})", place.window.x, place.window.y)
        })
    }

    fn load(&self, index: usize) -> Result<Example> {
        let Some(place) = self.tiles.get(index) else {
            return Err(Error::Setting(format!("no tile {index} among {}", self.len())));
        };
        let (scene, normalize) = &self.scenes[place.scene];
        let (image, mask) = scene.read(place.window)?;
        Ok(Example::new(normalize.apply(image)?, place.label).with_mask(mask))
    }
}

impl fmt::Debug for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tiles({} of {} scenes)", self.tiles.len(), self.scenes.len())
    }
}
