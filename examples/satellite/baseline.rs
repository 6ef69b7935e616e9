//! What color and texture alone tell: logistic regression, pixel by pixel.

use std::time::Instant;

use anyhow::Result;
use ocellus::{
    candle::{DType, Module, Tensor},
    data::{Image, LabeledScene},
    layers::{Linear, LinearConfig},
    losses::{CrossEntropy, Loss},
    ops::backward,
    params::{GroupRule, ParamStore},
    train::{Adam, AdamConfig, Optimizer},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    areas::{self, Area, Scene},
    compare::{self, AreaResult, Row, RowResult},
    run::Run,
    scale::Scale,
    scoring::{self, Answer},
};

/// Sides of the squares whose mean and deviation are features, beside the pixel itself.
const SQUARES: [usize; 3] = [3, 9, 25];

/// Pixels that are trained on.
const PIXELS: usize = 100_000;

const STEPS: usize = 300;

/// Trains and tests it.
pub(crate) fn result(run: &Run, row: &Row, settings: String) -> Result<RowResult> {
    let scale = areas::samples(&run.areas, &run.config.protocol, &run.settings)?.scale;
    let (classes, seed) = (run.areas.classes.len(), run.config.seed);
    let (x, truth) = sample(run, &scale)?;
    let params = ParamStore::seeded(seed);
    let vb = params.var_builder(DType::F32, &run.device);
    let layer = Linear::new(&LinearConfig::new(x.dims()[1], classes), vb)?;
    let mut optimizer = Adam::new(AdamConfig::new(0.02), params.groups(&[GroupRule::new("*")])?)?;
    for _ in 0..STEPS {
        let loss = CrossEntropy::default().forward(&layer.forward(&x)?, &truth)?;
        optimizer.step(&backward(&loss)?)?;
    }
    let mut results = Vec::new();
    for area in &run.areas.test {
        results.push(test(run, row, area, &layer, &scale)?);
    }
    Ok(RowResult {
        parameters: params.parameter_count(),
        ..RowResult::plain(row, settings, results)
    })
}

fn test(run: &Run, row: &Row, area: &Area, layer: &Linear, scale: &Scale) -> Result<AreaResult> {
    let started = Instant::now();
    let answers = area.scenes.iter().map(|scene| answer(scene, layer, scale, run));
    let answers = answers.collect::<Result<Vec<_>>>()?;
    compare::keep(run, row, area, "", &answers)?;
    Ok(AreaResult {
        area: area.name.clone(),
        score: scoring::score(area, &answers, None, run.areas.classes.len())?,
        refined: Vec::new(),
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn answer(scene: &Scene, layer: &Linear, scale: &Scale, run: &Run) -> Result<Answer> {
    let (features, _) = seen(scene, scale)?;
    let (width, pixels) = (scene.whole().width as usize, scene.whole().pixels() as usize);
    let x = Tensor::from_vec(features, ((), pixels), &run.device)?.t()?.contiguous()?;
    let y = ocellus::ops::softmax(&layer.forward(&x)?, 1)?;
    let classes = y.argmax(1)?.to_vec1::<u32>()?.into_iter().map(|class| class as u8).collect();
    let probabilities = y.get_on_dim(1, crate::fitting::POSITIVE)?.contiguous()?.to_vec1()?;
    Ok(Answer { width, classes, probabilities })
}

/// The features of a scene's pixels, plane by plane, and their classes.
fn seen(scene: &Scene, scale: &Scale) -> Result<(Vec<f32>, Image)> {
    let (image, mask) = scene.image.read(scene.whole())?;
    Ok((features(&scene.normalize(scale)?.apply(image)?), mask))
}

/// Features and classes of pixels drawn evenly from the scenes.
fn sample(run: &Run, scale: &Scale) -> Result<(Tensor, Tensor)> {
    let (scenes, classes) = (&run.areas.train, run.areas.classes.len());
    let mut random = ChaCha8Rng::seed_from_u64(run.config.seed);
    let (mut rows, mut truth) = (Vec::<f32>::new(), Vec::new());
    for scene in scenes {
        let (features, mask) = seen(scene, scale)?;
        let pixels = mask.data().len();
        for _ in 0..PIXELS.div_ceil(scenes.len()) {
            let at = random.random_range(0..pixels);
            let class = mask.data()[at] as u32;
            if (class as usize) < classes {
                rows.extend(features.iter().skip(at).step_by(pixels));
                truth.push(class);
            }
        }
    }
    let count = truth.len();
    let x = Tensor::from_vec(rows, (count, ()), &run.device)?;
    Ok((x, Tensor::from_vec(truth, count, &run.device)?))
}

/// The bands, and mean and deviation of each in squares around the pixel, plane by plane.
fn features(image: &Image) -> Vec<f32> {
    let (height, width) = (image.height(), image.width());
    let mut all = image.data().to_vec();
    for plane in image.planes() {
        let squared: Vec<f32> = plane.iter().map(|value| value * value).collect();
        for side in SQUARES {
            let mean = box_mean(plane, height, width, side / 2);
            let square = box_mean(&squared, height, width, side / 2);
            all.extend(mean.iter().zip(&square).map(|(m, s)| (s - m * m).max(0.).sqrt()));
            all.extend(mean);
        }
    }
    all
}

/// The mean of the square of that radius around each pixel, as far as it is within the image.
fn box_mean(plane: &[f32], height: usize, width: usize, radius: usize) -> Vec<f32> {
    let mut sums = vec![0_f64; (height + 1) * (width + 1)];
    for y in 0..height {
        let mut row = 0.;
        for x in 0..width {
            row += f64::from(plane[y * width + x]);
            sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + row;
        }
    }
    let mean = |n: usize| {
        let (y, x) = (n / width, n % width);
        let (top, bottom) = (y.saturating_sub(radius), (y + radius + 1).min(height));
        let (left, right) = (x.saturating_sub(radius), (x + radius + 1).min(width));
        let at = |y: usize, x: usize| sums[y * (width + 1) + x];
        let sum = at(bottom, right) - at(top, right) - at(bottom, left) + at(top, left);
        (sum / ((bottom - top) * (right - left)) as f64) as f32
    };
    (0..height * width).map(mean).collect()
}
