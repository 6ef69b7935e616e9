use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use candle_core::{Device, Tensor};
use ocellus_data::raster::{SceneBlock, SceneSource, Window};
use ocellus_data::{Blend, Image, Normalize, Piece, Stitcher, Tile, TileConfig, TilePlan};

use crate::{Error, Result};

/// How a scene is segmented.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Blend, TileConfig};
/// use ocellus_satellite::SegmentConfig;
///
/// let config = SegmentConfig::paper();
/// assert_eq!(config.tiles.size, 512);
/// let config = SegmentConfig::new(TileConfig::new(512, 256).with_blend(Blend::Clip)).with_batch(2);
/// assert_eq!(config.batch, 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SegmentConfig {
    /// How the scene is cut and put together.
    pub tiles: TileConfig,
    /// How many tiles of equal size the network sees at once.
    pub batch: usize,
}

impl SegmentConfig {
    /// Cut and put together so, one tile at a time.
    #[must_use]
    pub const fn new(tiles: TileConfig) -> Self {
        Self { tiles, batch: 1 }
    }

    /// Tiles of 512 pixels, overlaps averaged. How far they overlap the paper does not say: 128.
    #[must_use]
    pub const fn paper() -> Self {
        Self::new(TileConfig::new(512, 128).with_blend(Blend::Average))
    }

    /// Sets how many tiles the network sees at once.
    #[must_use]
    pub const fn with_batch(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }
}

impl Default for SegmentConfig {
    /// Tiles of 512 pixels that overlap by 128, blended along a raised cosine.
    fn default() -> Self {
        Self::new(TileConfig::new(512, 128))
    }
}

/// A part of a scene with its probabilities.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ScenePiece {
    /// Where it lies, and the probabilities `(classes, height, width)`.
    pub piece: Piece,
    /// For each pixel, whether the scene has data there.
    pub valid: Vec<bool>,
}

/// What becomes of a segmented scene.
pub trait PieceSink: Send {
    /// The row of tiles to begin with: how many are finished from an earlier run.
    fn finished_rows(&self) -> usize {
        0
    }

    /// Takes a piece. The pieces of a row of tiles come from the left, together its finished rows of
    /// pixels.
    ///
    /// # Errors
    ///
    /// If it cannot be kept.
    fn piece(&mut self, piece: &ScenePiece) -> Result<()>;

    /// A row of tiles is done.
    ///
    /// # Errors
    ///
    /// If it cannot be kept.
    fn row_finished(&mut self) -> Result<()>;
}

/// From normalized images `(batch, bands, height, width)` to probabilities `(batch, classes, height,
/// width)`.
type Predict<'a> = dyn Fn(&Tensor) -> candle_core::Result<Tensor> + 'a;

/// Segments scenes of any size tile by tile, in bounded memory.
///
/// One thread reads, one runs the network, one blends and hands on the result. Tiles without data are
/// skipped; a pixel without data has, to the network, the mean of each band.
///
/// # Examples
///
/// A "network" that takes what is bright for a building:
///
/// ```
/// use candle_core::Tensor;
/// use ocellus_data::raster::MemoryScene;
/// use ocellus_data::{Normalize, TileConfig};
/// use ocellus_satellite::{PieceSink, Result, ScenePiece, SegmentConfig, Segmenter};
///
/// struct Count(usize);
///
/// impl PieceSink for Count {
///     fn piece(&mut self, piece: &ScenePiece) -> Result<()> {
///         let (_, building) = piece.piece.values.split_at(piece.valid.len());
///         self.0 += building.iter().filter(|&&p| p > 0.5).count();
///         Ok(())
///     }
///     fn row_finished(&mut self) -> Result<()> {
///         Ok(())
///     }
/// }
///
/// let bright = |x: &Tensor| Tensor::cat(&[&(1. - x)?, x], 1);
/// let normalize = Normalize::constants(&[0.], &[255.])?;
/// let segmenter = Segmenter::new(&bright, 2, &normalize, SegmentConfig::new(TileConfig::new(8, 2)))?;
///
/// let values = (0..20 * 30).map(|n| if n % 30 < 10 { 255. } else { 0. }).collect();
/// let mut scene = MemoryScene::new(1, 20, 30, values)?;
/// let mut count = Count(0);
/// segmenter.run(&mut scene, &mut count, &mut |_, _| {})?;
/// assert_eq!(count.0, 20 * 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Complexity
///
/// Memory for the network's work on a batch of tiles, for at most 64 MiB of tiles on their way in
/// each direction (or one tile, if that is larger), and classes · overlap · (width of the scene) values.
pub struct Segmenter<'a> {
    predict: &'a Predict<'a>,
    classes: usize,
    normalize: &'a Normalize,
    config: SegmentConfig,
    device: Device,
}

impl std::fmt::Debug for Segmenter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let mut fields = f.debug_struct("Segmenter");
        fields.field("normalize", &self.normalize).field("config", &self.config);
        fields.field("device", &self.device).finish_non_exhaustive()
    }
}

/// Most bytes of tiles that wait to be seen, and of those that wait to be written.
const WAITING: usize = 64 << 20;

/// A tile on its way to the network.
struct Unseen {
    tile: Tile,
    block: SceneBlock,
}

/// A tile on its way to the result: probabilities, or none where there is no data.
struct Seen {
    tile: Tile,
    values: Option<Vec<f32>>,
    valid: Vec<bool>,
}

impl<'a> Segmenter<'a> {
    /// For a network whose `predict` gives the probabilities of that many classes.
    ///
    /// # Errors
    ///
    /// If there are fewer than 2 classes, the batch is 0, or the normalization would differ from tile to tile.
    pub fn new(
        predict: &'a Predict<'a>,
        classes: usize,
        normalize: &'a Normalize,
        config: SegmentConfig,
    ) -> Result<Self> {
        if classes < 2 {
            return Err(Error::Setting(format!("{classes} classes: there are at least 2")));
        }
        if config.batch == 0 {
            return Err(Error::Setting("a batch of 0 tiles: take at least 1".into()));
        }
        if matches!(normalize, Normalize::MinMax | Normalize::Standardize) {
            return Err(Error::Setting(format!(
                "{normalize:?} would give each tile a scale of its own: normalize with constants"
            )));
        }
        Ok(Self { predict, classes, normalize, config, device: Device::Cpu })
    }

    /// Sets the device of the network.
    #[must_use]
    pub fn with_device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Segments a scene. `progress` is told how many of how many tiles are done.
    ///
    /// # Errors
    ///
    /// If the scene cannot be read, the network fails or gives another size, or the sink fails.
    pub fn run(
        &self,
        scene: &mut (dyn SceneSource + Send),
        sink: &mut dyn PieceSink,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<()> {
        let plan = self.plan(scene)?;
        let first = sink.finished_rows();
        if first >= plan.row_count() {
            return Ok(());
        }
        let (to_network, from_scene) = sync_channel(self.waiting(&plan, scene.info().bands));
        let (to_sink, from_network) = sync_channel(self.waiting(&plan, self.classes));
        thread::scope(|scope| {
            let (plan, classes) = (&plan, self.classes);
            scope.spawn(move || read(plan, first, scene, &to_network));
            let written = scope.spawn(move || write(plan, classes, first, sink, &from_network));
            let predicted = self.predict(plan, first, from_scene, to_sink, progress);
            match written.join() {
                Ok(written) => written.and(predicted),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// How a scene is cut.
    ///
    /// # Errors
    ///
    /// If the tiles make no sense.
    pub fn plan(&self, scene: &dyn SceneSource) -> Result<TilePlan> {
        let info = scene.info();
        Ok(self.config.tiles.plan(info.height as usize, info.width as usize)?)
    }

    /// How many tiles with that many values a pixel may wait.
    fn waiting(&self, plan: &TilePlan, values: usize) -> usize {
        let (size, (height, width)) = (plan.config().size, plan.scene());
        let bytes = size.min(height) * size.min(width) * (values * size_of::<f32>() + 1);
        (WAITING / bytes).min(2 * self.config.batch)
    }

    /// Runs the network on what comes, in batches of tiles of equal size, in order.
    fn predict(
        &self,
        plan: &TilePlan,
        first: usize,
        from: Receiver<ocellus_data::Result<Unseen>>,
        to: SyncSender<Seen>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<()> {
        let total = plan.count();
        let mut done = plan.first_needed(first) * plan.column_count();
        progress(done, total);
        let mut batch: Vec<Unseen> = Vec::new();
        let mut waiting = from.into_iter();
        loop {
            let next = waiting.next().transpose()?;
            let size = |unseen: &Unseen| (unseen.tile.height, unseen.tile.width);
            let joins = next.as_ref().is_some_and(|next| {
                next.block.valid.contains(&true)
                    && batch.len() < self.config.batch
                    && batch.first().is_none_or(|first| size(first) == size(next))
            });
            if !joins && !batch.is_empty() {
                for seen in self.predict_batch(std::mem::take(&mut batch))? {
                    // The sink has failed; its error is the one to tell.
                    if to.send(seen).is_err() {
                        return Ok(());
                    }
                    done += 1;
                    progress(done, total);
                }
            }
            match next {
                None => return Ok(()),
                Some(next) if next.block.valid.contains(&true) => batch.push(next),
                Some(Unseen { tile, block }) => {
                    if to.send(Seen { tile, values: None, valid: block.valid }).is_err() {
                        return Ok(());
                    }
                    done += 1;
                    progress(done, total);
                }
            }
        }
    }

    fn predict_batch(&self, batch: Vec<Unseen>) -> Result<Vec<Seen>> {
        let (mut tiles, mut images) = (Vec::new(), Vec::new());
        for Unseen { tile, block } in batch {
            let (image, valid) = self.image(block)?;
            tiles.push((tile, valid));
            images.push(image);
        }
        let images = match &images[..] {
            [image] => image.unsqueeze(0)?,
            _ => Tensor::stack(&images, 0)?,
        };
        let probabilities = (self.predict)(&images)?;
        let (count, _, height, width) = images.dims4()?;
        if probabilities.dims() != [count, self.classes, height, width] {
            return Err(Error::Shape(format!(
                "the network made {:?} of {:?}: it has to give the probabilities of {} classes for \
                 each pixel",
                probabilities.dims(),
                images.dims(),
                self.classes
            )));
        }
        let seen = |(n, (tile, valid)): (usize, (Tile, Vec<bool>))| {
            let values = probabilities.get(n)?.flatten_all()?.to_vec1()?;
            Ok(Seen { tile, values: Some(values), valid })
        };
        tiles.into_iter().enumerate().map(seen).collect()
    }

    /// What the network sees of a tile, `(bands, height, width)`, and where it has data.
    fn image(&self, block: SceneBlock) -> Result<(Tensor, Vec<bool>)> {
        let SceneBlock { window, bands, data, valid } = block;
        let (height, width) = (window.height as usize, window.width as usize);
        let image = self.normalize.apply(Image::new(bands, height, width, data)?)?;
        let mut data = image.into_data();
        for band in data.chunks_exact_mut(valid.len()) {
            for (value, _) in band.iter_mut().zip(&valid).filter(|(_, valid)| !**valid) {
                *value = 0.;
            }
        }
        Ok((Tensor::from_vec(data, (bands, height, width), &self.device)?, valid))
    }
}

/// Reads the tiles, and ends at the first that fails or when nobody listens.
fn read(
    plan: &TilePlan,
    first: usize,
    scene: &mut (dyn SceneSource + Send),
    to: &SyncSender<ocellus_data::Result<Unseen>>,
) {
    for tile in (plan.first_needed(first)..plan.row_count()).flat_map(|row| plan.row(row)) {
        // A scene's sides are u32.
        let [x, y, width, height] = [tile.x, tile.y, tile.width, tile.height].map(|n| n as u32);
        let read = scene.read(Window::new(x, y, width, height));
        let failed = read.is_err();
        if to.send(read.map(|block| Unseen { tile, block })).is_err() || failed {
            return;
        }
    }
}

/// Blends what the network gives and hands it on, from the first row of tiles that is not finished.
fn write(
    plan: &TilePlan,
    classes: usize,
    first: usize,
    sink: &mut dyn PieceSink,
    from: &Receiver<Seen>,
) -> Result<()> {
    let mut stitcher = Stitcher::starting_at(plan.clone(), classes, plan.first_needed(first));
    for Seen { tile, values, valid } in from {
        let values = values.unwrap_or_else(|| vec![0.; classes * valid.len()]);
        let piece = stitcher.add(&values)?;
        if tile.row < first {
            continue;
        }
        let rows = valid.chunks_exact(tile.width).take(piece.height);
        let valid = rows.flat_map(|row| &row[..piece.width]).copied().collect();
        sink.piece(&ScenePiece { piece, valid })?;
        if tile.column + 1 == plan.column_count() {
            sink.row_finished()?;
        }
    }
    Ok(())
}
