//! The classical methods: numbers that describe an image, and classifiers of these.

use anyhow::{Result, bail};
use ndarray::{Array2, Array3, Axis};
use ocellus::{
    classical::{
        ClassifierModel, DecisionTree, GaussianNaiveBayes, GridSearch, ImageFeatures, Pipeline,
        RandomForest, Score, Svm,
    },
    cluster::{SelectKBest, StandardScaler},
    data::Image,
};
use rayon::prelude::*;

use crate::{
    cli::FeatureChoice,
    input,
    method::Method,
    run::{Run, Split},
};

/// Folds that settings are chosen on, all of training images.
const INNER_FOLDS: usize = 4;

/// The features of all images, (images, features).
pub(crate) fn features(run: &Run) -> Result<Array2<f32>> {
    match run.settings.features {
        FeatureChoice::Classical => handmade(&run.cells.images),
        FeatureChoice::Vgg => {
            let vectors = input::vectors(run)?.to_vec2::<f32>()?;
            let size = (vectors.len(), vectors.first().map_or(0, Vec::len));
            Ok(Array2::from_shape_vec(size, vectors.concat())?)
        }
    }
}

/// Histograms and Fourier magnitudes, (images, features).
pub(crate) fn handmade(images: &[Image]) -> Result<Array2<f32>> {
    let bytes = images.par_iter().map(bytes).collect::<Vec<_>>();
    let views: Vec<_> = bytes.iter().map(|image| image.view()).collect();
    Ok(ImageFeatures::default().extract_all(&views)?.mapv(|value| value as f32))
}

/// (height, width, 3) of 8 bits.
fn bytes(image: &Image) -> Array3<u8> {
    let (channels, height, width) = image.dims();
    let data = image.data();
    Array3::from_shape_fn((height, width, channels), |(row, column, channel)| {
        (255. * data[(channel * height + row) * width + column]).round().clamp(0., 255.) as u8
    })
}

/// A classifier of the images of a split, its settings chosen on folds of those that it may see.
pub(crate) struct Fitted {
    pub(crate) model: Box<dyn ClassifierModel<f32>>,
    /// The settings that were chosen.
    pub(crate) chosen: String,
}

pub(crate) fn fit(
    run: &Run,
    method: Method,
    features: &Array2<f32>,
    split: &Split,
) -> Result<Fitted> {
    let learned = split.learned();
    let of = |all: &[usize]| learned.iter().map(|&i| all[i]).collect::<Vec<_>>();
    let (labels, groups) = (of(&run.cells.labels), of(&run.cells.groups));
    let x = features.select(Axis(0), &learned);
    let search = search(method, x.ncols(), run.settings.common.seed)?;
    let found = search.fit_grouped(x.view(), &labels, &groups)?;
    Ok(Fitted { chosen: found.name().to_owned(), model: found.into_model() })
}

/// The settings that are tried, the simplest first.
fn search(method: Method, features: usize, seed: u64) -> Result<GridSearch<f32>> {
    let mut search = GridSearch::new(Score::Auroc, INNER_FOLDS, seed);
    let counts = [32, 128].into_iter().filter(|&count| count < features).map(Some);
    for count in counts.chain([None]) {
        let what = count.map_or("all features".to_owned(), |count| format!("{count} features"));
        match method {
            Method::Svm => {
                for c in [1., 10.] {
                    let svm = Svm::default().with_c(c).with_probability(seed);
                    let name = format!("C = {c}, {what}");
                    search = search.with_candidate(name, prepared(Pipeline::new(svm), count));
                }
            }
            Method::NaiveBayes => {
                for smoothing in [1e-9, 1e-2] {
                    let bayes = GaussianNaiveBayes::default().with_smoothing(smoothing);
                    let name = format!("smoothing {smoothing:e}, {what}");
                    search = search.with_candidate(name, prepared(Pipeline::new(bayes), count));
                }
            }
            Method::Tree => {
                let tree = DecisionTree::default().with_seed(seed);
                for (depth, tree) in
                    [("depth 4", tree.clone().with_max_depth(4)), ("any depth", tree)]
                {
                    let name = format!("{depth}, {what}");
                    search = search.with_candidate(name, prepared(Pipeline::new(tree), count));
                }
            }
            Method::Forest => {
                let forest = RandomForest::default().with_seed(seed);
                search = search.with_candidate(what, prepared(Pipeline::new(forest), count));
            }
            Method::Vgg | Method::Dcnn => bail!("{} is no classical method", method.name()),
        }
    }
    Ok(search)
}

/// Scaled, and so many features chosen by their F values, before the classifier.
fn prepared(pipeline: Pipeline<f32>, count: Option<usize>) -> Pipeline<f32> {
    let scaled = pipeline.with_step(StandardScaler::default());
    match count {
        Some(count) => scaled.with_step(SelectKBest::new(count)),
        None => scaled,
    }
}

/// Class probabilities of some images.
pub(crate) fn probabilities(
    model: &dyn ClassifierModel<f32>,
    features: &Array2<f32>,
    samples: &[usize],
) -> Result<Vec<Vec<f64>>> {
    let p = model.predict_proba(features.select(Axis(0), samples).view())?;
    Ok(p.outer_iter().map(|row| row.to_vec()).collect())
}
