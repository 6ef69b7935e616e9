//! `segment`: a saved network on a whole scene.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use ocellus::{
    candle::{Result as TensorResult, Tensor},
    data::{
        Blend, ChannelStatistics, Image, Normalize, TileConfig,
        raster::{SceneSource, Window, open_scene},
    },
    layers::{NormStatistics, recalibrate, with_norm_statistics},
    satellite::{CrfBlock, DenseCrf, Record, SegmentConfig, Segmenter},
};

use crate::{
    cli::{BlendChoice, Norm, Settings, Tiles},
    common::{device::device, progress},
    network::Network,
    products::{self, Found},
};

/// Most tiles that batch normalization is fitted to.
const RECALIBRATION_TILES: u32 = 36;

/// Most tiles that mean and deviation of a scene are taken of.
const STATISTICS_TILES: u32 = 100;

/// Segments a scene, and writes classes, probabilities, polygons and a page to look at.
pub(crate) fn segment(
    settings: &Settings,
    model: &Path,
    scene_file: &Path,
    tiles: &Tiles,
) -> Result<()> {
    let started = Instant::now();
    let mut network = Network::open(model, &device(&settings.device)?)?;
    let mut scene = open_scene(scene_file)?;
    check_bands(&network, scene.as_ref(), scene_file)?;
    let config = SegmentConfig::new(tile_config(&network, tiles)?).with_batch(tiles.tiles_at_once);
    let normalize = network.card.normalize(|| statistics(&mut scene, tiles.tile))?;
    if settings.norm == Norm::Recalibrated {
        let images = sample(&mut scene, &normalize, tiles.tile, &network)?;
        recalibrate(network.model.as_ref(), images.into_iter().map(Ok))?;
    }
    if settings.norm != Norm::Batch {
        network.model.pack()?;
    }

    let predict = |x: &Tensor| predict(&network, settings.norm, tiles.crf, x);
    let classes = network.card.classes.len();
    let segmenter =
        Segmenter::new(&predict, classes, &normalize, config)?.with_device(network.device.clone());
    let out = settings.out.clone().unwrap_or_else(|| PathBuf::from("runs/satellite-scene"));
    fs::create_dir_all(&out)
        .with_context(|| format!("{} cannot be made: choose another --out", out.display()))?;
    let name = scene_file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let plan = segmenter.plan(&scene)?;
    let made_of = format!(
        "scene {}\nmodel {}\nnormalization {:?}\nCRF {}",
        identity(scene_file)?,
        identity(model)?,
        settings.norm,
        tiles.crf
    );
    let mut record =
        Record::open(out.join(format!("{name}.parts")), plan.clone(), classes, &made_of)?;
    let bar = progress::bar(plan.count() as u64, &name);
    segmenter.run(&mut scene, &mut record, &mut |done, _| bar.set_position(done as u64))?;
    bar.finish_and_clear();

    let found = Found { scene: &mut scene, record: &record, plan: &plan, card: &network.card };
    let summary = products::write(found, &out, &name, tiles, started)?;
    record.remove()?;
    println!("{summary}");
    Ok(())
}

fn check_bands(network: &Network, scene: &dyn SceneSource, file: &Path) -> Result<()> {
    let (has, wants) = (scene.info().bands, network.card.bands);
    if has != wants {
        bail!(
            "{} has {has} bands, the network was trained on {wants}: give a scene of the same bands, \
             or train a network on scenes like this one",
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

/// Probabilities of normalized images, refined by a fully connected CRF if so wished.
fn predict(network: &Network, norm: Norm, crf: bool, x: &Tensor) -> TensorResult<Tensor> {
    let statistics =
        if norm == Norm::Batch { NormStatistics::Batch } else { NormStatistics::Running };
    let y = with_norm_statistics(statistics, || network.model.predict(x))?;
    if !crf {
        return Ok(y);
    }
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

/// Mean and deviation of each band, where there is data.
fn statistics(scene: &mut dyn SceneSource, size: usize) -> Result<ChannelStatistics> {
    let mut statistics = ChannelStatistics::default();
    look_around(scene, size, STATISTICS_TILES, |image, valid| {
        Ok(statistics.add_where(&image, valid)?)
    })?;
    Ok(statistics)
}

/// Tiles from all over the scene, normalized.
fn sample(
    scene: &mut dyn SceneSource,
    normalize: &Normalize,
    size: usize,
    network: &Network,
) -> Result<Vec<Tensor>> {
    let mut images = Vec::new();
    look_around(scene, size, RECALIBRATION_TILES, |image, _| {
        images.push(Image::stack(&[normalize.apply(image)?], &network.device)?);
        Ok(())
    })?;
    Ok(images)
}

/// Visits at most so many tiles, evenly from all over the scene, each at least half full of data.
fn look_around(
    scene: &mut dyn SceneSource,
    size: usize,
    count: u32,
    mut visit: impl FnMut(Image, &[bool]) -> Result<()>,
) -> Result<()> {
    let (width, height) = (scene.info().width, scene.info().height);
    let (w, h) = (width.min(size as u32), height.min(size as u32));
    // No more than cover it.
    let most = |length: u32, tile: u32| length.div_ceil(tile);
    let side = (f64::from(count).sqrt() as u32).max(1);
    let (columns, rows) = (side.min(most(width, w)), side.min(most(height, h)));
    let at = |n: u32, of: u32, room: u32| {
        (u64::from(room) * u64::from(n) / u64::from(of.max(2) - 1)) as u32
    };
    let mut visited = 0;
    for n in 0..columns * rows {
        let (x, y) = (at(n % columns, columns, width - w), at(n / columns, rows, height - h));
        let block = scene.read(Window::new(x, y, w, h))?;
        let valid = block.valid.iter().filter(|valid| **valid).count();
        if 2 * valid >= block.valid.len() {
            let image = Image::new(block.bands, h as usize, w as usize, block.data)?;
            visit(image, &block.valid)?;
            visited += 1;
        }
    }
    if visited == 0 {
        bail!("no part of the scene that was looked at is half full of data")
    }
    Ok(())
}

/// Path, size and time of a file: what a run that is taken up again must not find changed.
fn identity(file: &Path) -> Result<String> {
    let path = fs::canonicalize(file).with_context(|| format!("{}", file.display()))?;
    let about = fs::metadata(&path).with_context(|| format!("{}", file.display()))?;
    Ok(format!("{} of {} bytes, {:?}", path.display(), about.len(), about.modified().ok()))
}
