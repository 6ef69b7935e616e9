//! How well a network segments an area.

use anyhow::{Result, bail};
use ocellus::{
    candle::Tensor,
    data::{
        IGNORED, LabeledScene, Regions, TileConfig,
        raster::{SampleType, SceneBlock, SceneInfo, SceneSource, Window},
    },
    layers::{NormStatistics, recalibrate, with_norm_statistics},
    metrics::{
        BinaryCounts, BoundaryConfig, BoundaryCounts, ConfusionMatrix, ObjectConfig, ObjectScores,
        Pixels,
    },
    satellite::{PieceSink, Result as SceneResult, ScenePiece, SegmentConfig, Segmenter},
};
use serde::{Deserialize, Serialize};

use crate::{
    areas::{Area, Scene},
    cli::Norm,
    fitting::POSITIVE,
    network::Network,
};

/// What a network reaches on an area.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Score {
    /// Pixels of each true class (rows) that were given each class (columns).
    pub(crate) counts: Vec<Vec<u64>>,
    /// Of the buildings; none where there are none.
    pub(crate) f1: Option<f64>,
    pub(crate) iou: Option<f64>,
    pub(crate) precision: Option<f64>,
    pub(crate) recall: Option<f64>,
    pub(crate) accuracy: f64,
    /// Of the buildings' outlines, within three pixels.
    pub(crate) boundary_f1: Option<f64>,
    /// Of single buildings, matched by at least half of their union.
    pub(crate) object_f1: Option<f64>,
    pub(crate) object_precision: Option<f64>,
    pub(crate) object_recall: Option<f64>,
}

/// Pixels by which an outline may be off.
const TOLERANCE: f64 = 3.;

impl Score {
    fn of(
        confusion: &ConfusionMatrix,
        boundary: &BoundaryCounts,
        objects: &ObjectScores,
    ) -> Result<Self> {
        let binary = confusion.binary(POSITIVE)?;
        let objects = objects.counts(0);
        Ok(Self {
            boundary_f1: boundary.f1(),
            object_f1: objects.as_ref().and_then(BinaryCounts::f1),
            object_precision: objects.as_ref().and_then(BinaryCounts::precision),
            object_recall: objects.as_ref().and_then(BinaryCounts::recall),
            counts: confusion.rows().map(<[u64]>::to_vec).collect(),
            f1: binary.f1(),
            iou: binary.jaccard(),
            precision: binary.precision(),
            recall: binary.recall(),
            accuracy: binary.accuracy().unwrap_or(0.),
        })
    }
}

/// The classes that a network gives a scene, row by row.
pub(crate) struct Answer {
    pub(crate) width: usize,
    pub(crate) classes: Vec<u8>,
    /// Of the buildings.
    pub(crate) probabilities: Vec<f32>,
}

/// Something that gives each pixel of normalized images probabilities.
type Predict<'a> = dyn Fn(&Tensor) -> ocellus::candle::Result<Tensor> + 'a;

/// Answers for all scenes of an area.
pub(crate) fn answers(network: &Network, norm: Norm, area: &Area) -> Result<Vec<Answer>> {
    let tile = network.card.config.protocol.scene_tile;
    let before = network.statistics()?;
    if norm == Norm::Recalibrated {
        let views = area.scenes.iter().map(|scene| {
            let normalize = scene.normalize(&network.card.scale)?;
            network.views(&mut Unlabeled::new(scene), &normalize, tile, u32::MAX)
        });
        let views = views.collect::<Result<Vec<_>>>()?.concat();
        recalibrate(network.model.as_ref(), views.into_iter().map(Ok))?;
    }
    let packed = if norm == Norm::Batch { None } else { Some(network.packed()?) };
    let predict = |x: &Tensor| match &packed {
        Some(model) => model.predict(x),
        None => with_norm_statistics(NormStatistics::Batch, || network.model.predict(x)),
    };
    let found = area.scenes.iter().map(|scene| answer(&predict, network, scene, tile));
    let found = found.collect();
    network.restore(&before)?;
    found
}

/// The answer for one scene.
fn answer(predict: &Predict, network: &Network, scene: &Scene, tile: usize) -> Result<Answer> {
    let (width, pixels) = (scene.whole().width as usize, scene.whole().pixels() as usize);
    let config = SegmentConfig::new(TileConfig::new(tile, tile / 4));
    let mut found = Answer { width, classes: vec![0; pixels], probabilities: vec![0.; pixels] };
    let normalize = scene.normalize(&network.card.scale)?;
    let segmenter = Segmenter::new(predict, network.model.classes(), &normalize, config)?
        .with_device(network.device.clone());
    segmenter.run(&mut Unlabeled::new(scene), &mut found, &mut |_, _| {})?;
    Ok(found)
}

impl PieceSink for Answer {
    fn piece(&mut self, piece: &ScenePiece) -> SceneResult<()> {
        let at = &piece.piece;
        let pixels = at.height * at.width;
        for n in 0..pixels {
            let to = (at.y + n / at.width) * self.width + at.x + n % at.width;
            let of_class = |class: usize| at.values[class * pixels + n];
            let classes = at.values.len() / pixels;
            let best = (1..classes)
                .fold(0, |best, class| if of_class(class) > of_class(best) { class } else { best });
            self.classes[to] = best as u8;
            self.probabilities[to] = of_class(POSITIVE);
        }
        Ok(())
    }

    fn row_finished(&mut self) -> SceneResult<()> {
        Ok(())
    }
}

/// A labeled scene without its labels.
struct Unlabeled<'a> {
    info: SceneInfo,
    scene: &'a dyn LabeledScene,
}

impl<'a> Unlabeled<'a> {
    fn new(scene: &'a Scene) -> Self {
        let (width, height) = scene.image.size();
        let info = SceneInfo::new(width, height, scene.image.bands(), SampleType::F32);
        Self { info, scene: &*scene.image }
    }
}

impl SceneSource for Unlabeled<'_> {
    fn info(&self) -> &SceneInfo {
        &self.info
    }

    fn read(&mut self, window: Window) -> ocellus::data::Result<SceneBlock> {
        let (image, _) = self.scene.read(window)?;
        SceneBlock::new(window, image.channels(), image.data().to_vec(), None)
    }
}

/// Compares answers with the truth, where `regions` of the scenes do not hold.
pub(crate) fn score(
    area: &Area,
    answers: &[Answer],
    regions: Option<&[Regions]>,
    classes: usize,
) -> Result<Score> {
    let positive = POSITIVE as u32;
    let mut confusion = ConfusionMatrix::new(classes)?;
    let mut boundary = BoundaryCounts::default();
    let mut objects: Option<ObjectScores> = None;
    for (n, (scene, answer)) in area.scenes.iter().zip(answers).enumerate() {
        let window = scene.whole();
        let truth: Vec<u8> =
            scene.image.read_mask(window)?.data().iter().map(|&class| class as u8).collect();
        let counted = regions.map(|regions| regions[n].outside(window));
        let mut pixels = Pixels::new(&truth, &answer.classes)?.with_ignored(IGNORED);
        if let Some(counted) = &counted {
            pixels = pixels.with_valid(counted)?;
        }
        confusion.add_pixels(&pixels)?;
        let width = window.width as usize;
        let outlines = BoundaryConfig::new(positive, TOLERANCE);
        boundary.merge(&BoundaryCounts::of_image(&pixels, width, &outlines)?);
        let found = ObjectScores::of_image(&pixels, width, &ObjectConfig::new(positive))?;
        match &mut objects {
            Some(objects) => objects.merge(&found)?,
            None => objects = Some(found),
        }
    }
    let Some(objects) = objects else { bail!("{}: an area without scenes", area.name) };
    Score::of(&confusion, &boundary, &objects)
}
