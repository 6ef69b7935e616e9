//! `segment`: a saved network on a whole scene.

use std::{
    cell::Cell,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use ocellus::{
    candle::{Result as TensorResult, Tensor},
    data::{
        Blend, ChannelStatistics, Normalize, TileConfig,
        raster::{SceneConfig, SceneSource, SelectedBands, look_around, open_scene_with},
    },
    layers::{NormStatistics, recalibrate, with_norm_statistics},
    satellite::{CrfBlock, DenseCrf, Record, SegmentConfig, SegmentationNetwork, Segmenter},
};

use crate::{
    ALLOCATOR,
    cli::{BlendChoice, Norm, Settings, Tiles},
    common::{device::device, progress},
    network::Network,
    products::{self, Found},
};

/// Most tiles that batch normalization is fitted to.
const RECALIBRATION_TILES: u32 = 36;

/// Most tiles that mean and deviation of a scene are taken of.
const STATISTICS_TILES: u32 = 100;

/// Bytes that are kept for the next tensors: enough for a network's own sizes, and not for those of
/// all tiles.
const SPARE: usize = 1 << 28;

/// Segments a scene, and writes classes, probabilities, polygons and a page to look at.
pub(crate) fn segment(
    settings: &Settings,
    model: &Path,
    scene_file: &Path,
    tiles: &Tiles,
) -> Result<()> {
    let started = Instant::now();
    ALLOCATOR.limit(SPARE);
    let mut network = Network::open(model, &device(&settings.training.device)?)?;
    let mut scene = open(settings, scene_file, tiles.tile)?;
    check_bands(&network, scene.as_ref(), scene_file)?;
    let config = SegmentConfig::new(tile_config(&network, tiles)?).with_batch(tiles.tiles_at_once);
    let normalize = network.card.scale.normalize(|| own_scale(&mut scene, tiles.tile))?;
    if settings.norm == Norm::Recalibrated {
        let views = network.views(&mut scene, &normalize, tiles.tile, RECALIBRATION_TILES)?;
        recalibrate(network.model.as_ref(), views.into_iter().map(Ok))?;
    }
    if settings.norm != Norm::Batch {
        network.model.pack()?;
    }
    let Network { card, model: network, params, device } = network;
    // What is packed needs them no more.
    drop(params);
    ALLOCATOR.release();
    ALLOCATOR.limit(SPARE);

    let work = Cell::new(Work::default());
    let predict = |x: &Tensor| {
        let before = Instant::now();
        let y = probabilities(network.as_ref(), settings.norm, x)?;
        work.set(work.get().with(network.as_ref(), x, before.elapsed())?);
        if tiles.crf { refined(&y, x) } else { Ok(y) }
    };
    let classes = network.classes();
    let segmenter = Segmenter::new(&predict, classes, &normalize, config)?.with_device(device);
    let out = settings.common.out_folder("satellite-scene", &[])?;
    let name = scene_file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let plan = segmenter.plan(&scene)?;
    let made_of = format!(
        "scene {}\nbands {:?}\nmodel {}\nnormalization {:?}\nCRF {}",
        identity(scene_file)?,
        settings.bands,
        identity(model)?,
        settings.norm,
        tiles.crf
    );
    let parts = out.join(format!("{name}.parts"));
    let mut record = Record::open(parts, plan.clone(), classes, &made_of)?;
    let bar = progress::bar(plan.count() as u64, &name);
    segmenter.run(&mut scene, &mut record, &mut |done, _| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    drop(network);
    ALLOCATOR.release();

    let (scene, work) = (&mut scene, work.get());
    let found = Found { scene, record: &record, plan: &plan, card: &card, work };
    let summary = products::write(found, &out, &name, tiles, started)?;
    record.remove()?;
    println!("{summary}");
    Ok(())
}

/// What the network has done in this run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    pub(crate) tiles: usize,
    /// Multiply-accumulates of its convolutions.
    pub(crate) macs: u64,
    pub(crate) time: Duration,
}

impl Work {
    /// With a batch that took so long.
    fn with(
        self,
        network: &dyn SegmentationNetwork,
        x: &Tensor,
        time: Duration,
    ) -> TensorResult<Self> {
        let (tiles, _, height, width) = x.dims4()?;
        Ok(Self {
            tiles: self.tiles + tiles,
            macs: self.macs + tiles as u64 * network.macs(height, width),
            time: self.time + time,
        })
    }

    /// Billions of floating-point operations a second, two a multiply-accumulate; 0 without any.
    pub(crate) fn gflops(&self) -> f64 {
        let seconds = self.time.as_secs_f64();
        if seconds > 0. { 2e-9 * self.macs as f64 / seconds } else { 0. }
    }
}

/// The scene, or the bands of it that are wished for.
fn open(settings: &Settings, file: &Path, tile: usize) -> Result<Box<dyn SceneSource + Send>> {
    let size = u32::try_from(tile).unwrap_or(u32::MAX);
    let scene = open_scene_with(file, &SceneConfig::default().with_windows(size, size))?;
    Ok(match settings.bands.as_slice() {
        [] => scene,
        [bands] => Box::new(SelectedBands::new(scene, &bands.0)?),
        _ => bail!("--bands is given {} times for one scene", settings.bands.len()),
    })
}

fn check_bands(network: &Network, scene: &dyn SceneSource, file: &Path) -> Result<()> {
    let (has, wants) = (scene.info().bands, network.model.bands());
    if has != wants {
        bail!(
            "{} has {has} bands, the network was trained on {wants}: choose the same ones by \
             --bands, or train a network on scenes like this one",
            file.display()
        )
    }
    Ok(())
}

fn tile_config(network: &Network, tiles: &Tiles) -> Result<TileConfig> {
    let blend = match tiles.blend {
        BlendChoice::Average => Blend::Average,
        BlendChoice::Linear => Blend::Linear,
        BlendChoice::Hann => Blend::Hann,
        BlendChoice::Clip => Blend::Clip,
    };
    let config = TileConfig::new(tiles.tile, tiles.overlap).with_blend(blend);
    let stride = network.model.stride();
    if !config.step().is_multiple_of(stride) || config.step() == 0 {
        bail!(
            "tiles of {} that overlap by {} begin every {} pixels: for {} that has to be a multiple of \
             {stride}; try --tile 512 --overlap 128",
            tiles.tile,
            tiles.overlap,
            config.step(),
            network.model.name()
        )
    }
    Ok(config)
}

/// Probabilities of normalized images.
fn probabilities(
    network: &dyn SegmentationNetwork,
    norm: Norm,
    x: &Tensor,
) -> TensorResult<Tensor> {
    let statistics =
        if norm == Norm::Batch { NormStatistics::Batch } else { NormStatistics::Running };
    with_norm_statistics(statistics, || network.predict(x))
}

/// Probabilities refined by a fully connected CRF.
fn refined(y: &Tensor, x: &Tensor) -> TensorResult<Tensor> {
    // The values are of mean 0 and deviation 1: a fifth is about the 13 of 255 that is usual.
    let crf = DenseCrf::default().with_appearance(10., 80., 0.2);
    let (count, classes, height, width) = y.dims4()?;
    let refined = (0..count).map(|n| {
        let probabilities = y.get(n)?.flatten_all()?.to_vec1::<f32>()?;
        let image = x.get(n)?.flatten_all()?.to_vec1::<f32>()?;
        let wrong = ocellus::candle::Error::wrap;
        let block = CrfBlock::new(&image, image.len() / (height * width), height, width);
        let refined = crf.refine(&probabilities, &block.map_err(wrong)?).map_err(wrong)?;
        Tensor::from_vec(refined, (classes, height, width), x.device())
    });
    Tensor::stack(&refined.collect::<TensorResult<Vec<_>>>()?, 0)
}

/// What mean and deviation of each band say, where there is data.
fn own_scale(scene: &mut dyn SceneSource, size: usize) -> Result<Normalize> {
    let mut statistics = ChannelStatistics::default();
    for block in look_around(scene, size as u32, STATISTICS_TILES) {
        let (image, valid) = block?.into_image()?;
        statistics.add_where(&image, &valid)?;
    }
    if statistics.mean().is_empty() {
        bail!("no part of the scene that was looked at is half full of data")
    }
    Ok(statistics.normalize()?)
}

/// Path, size and time of a file: what a run that is taken up again must not find changed.
fn identity(file: &Path) -> Result<String> {
    let path = fs::canonicalize(file).with_context(|| format!("{}", file.display()))?;
    let about = fs::metadata(&path).with_context(|| format!("{}", file.display()))?;
    Ok(format!("{} of {} bytes, {:?}", path.display(), about.len(), about.modified().ok()))
}
