use rayon::prelude::*;

use super::block::CrfBlock;
use super::dense_crf::{AppearanceFilter, Compatibility, DenseCrf, KernelNormalization};
use super::gaussian::Gaussian;
use super::landmarks::Landmarks;
use super::lattice::{Features, Permutohedral, Pixels};
use crate::Result;

/// Pixels of a task.
const CHUNK: usize = 8192;

/// Mean field in `f32` with kernels of linear time.
///
/// Of C classes only C − 1 are filtered: the sum over classes is 1 everywhere, so that its filtered
/// value never changes, and the last class follows from it.
pub(super) fn refine(
    settings: &DenseCrf,
    probabilities: &[f32],
    classes: usize,
    block: &CrfBlock,
) -> Result<Vec<f32>> {
    let mut field = MeanField::new(settings, probabilities, classes, block);
    let mut kernels = Kernels::new(settings, block, classes - 1)?;
    for _ in 0..settings.iterations {
        kernels.send(&field.q, classes, &mut field.messages);
        field.update(&kernels.total);
    }
    Ok(field.into_planes(probabilities, block))
}

/// The pixels' distributions. Pixels without data hold zeros.
struct MeanField {
    classes: usize,
    /// −μ, `None` for Potts.
    gains: Option<Vec<f32>>,
    /// ln p, `(pixels, classes)`.
    log_p: Vec<f32>,
    /// `(pixels, classes)`.
    q: Vec<f32>,
    /// Σ w k̂ q of all classes but the last.
    messages: Vec<f32>,
}

impl MeanField {
    fn new(settings: &DenseCrf, probabilities: &[f32], classes: usize, block: &CrfBlock) -> Self {
        let pixels = block.pixels();
        let least = settings.min_probability;
        let mut log_p = vec![f32::NEG_INFINITY; pixels * classes];
        log_p.par_chunks_mut(CHUNK * classes).enumerate().for_each(|(chunk, log_p)| {
            for (log_p, pixel) in log_p.chunks_exact_mut(classes).zip(chunk * CHUNK..) {
                if block.is_valid(pixel) {
                    let planes = probabilities[pixel..].iter().step_by(pixels);
                    let log = |&p: &f32| f64::from(p).max(least).ln() as f32;
                    log_p.iter_mut().zip(planes).for_each(|(log_p, p)| *log_p = log(p));
                }
            }
        });
        let mut q = log_p.clone();
        q.par_chunks_mut(CHUNK * classes)
            .for_each(|q| q.chunks_exact_mut(classes).for_each(softmax));
        let gains = match &settings.compatibility {
            Compatibility::Potts => None,
            Compatibility::Matrix(costs) => Some(costs.iter().map(|&c| -c as f32).collect()),
        };
        Self { classes, gains, log_p, q, messages: vec![0.; pixels * (classes - 1)] }
    }

    /// q = softmax(ln p − μ · messages), of which Potts' part is + messages but for a constant.
    fn update(&mut self, total: &[f32]) {
        let (classes, gains) = (self.classes, self.gains.as_deref());
        let others = classes - 1;
        let chunks = self
            .q
            .par_chunks_mut(CHUNK * classes)
            .zip(self.log_p.par_chunks(CHUNK * classes))
            .zip(self.messages.par_chunks(CHUNK * others))
            .zip(total.par_chunks(CHUNK));
        chunks.for_each(|(((q, log_p), messages), total)| {
            let pixels = q.chunks_exact_mut(classes).zip(log_p.chunks_exact(classes));
            let messages = messages.chunks_exact(others).zip(total);
            for ((q, log_p), (messages, total)) in pixels.zip(messages) {
                let last = total - messages.iter().sum::<f32>();
                q.copy_from_slice(log_p);
                match gains {
                    None => {
                        q.iter_mut().zip(messages).for_each(|(q, m)| *q += m);
                        q[others] += last;
                    }
                    Some(gains) => {
                        for (q, gains) in q.iter_mut().zip(gains.chunks_exact(classes)) {
                            let sum = gains.iter().zip(messages).map(|(g, m)| g * m).sum::<f32>();
                            *q += sum + gains[others] * last;
                        }
                    }
                }
                softmax(q);
            }
        });
    }

    /// `(classes, height, width)`, with what came where there are no data.
    fn into_planes(self, probabilities: &[f32], block: &CrfBlock) -> Vec<f32> {
        let (pixels, classes) = (block.pixels(), self.classes);
        let mut planes = probabilities.to_vec();
        planes.par_chunks_mut(pixels).enumerate().for_each(|(class, plane)| {
            for (pixel, p) in plane.iter_mut().enumerate() {
                if block.is_valid(pixel) {
                    *p = self.q[pixel * classes + class];
                }
            }
        });
        planes
    }
}

/// Both kernels, as far as they have a weight.
struct Kernels {
    appearance: Option<(Appearance, Scales)>,
    smoothness: Option<(Gaussian, Scales)>,
    channels: usize,
    /// Σ w k̂ 1 at each pixel.
    total: Vec<f32>,
    /// The smoothness kernel's input.
    scaled: Vec<f32>,
}

/// The appearance kernel, one way or the other.
enum Appearance {
    Landmarks(Box<Landmarks>),
    Lattice(Box<Permutohedral>),
}

impl Appearance {
    fn new(filter: AppearanceFilter, features: &Features, channels: usize) -> Self {
        match filter {
            AppearanceFilter::Landmarks { most } => {
                Self::Landmarks(Box::new(Landmarks::new(features, channels, most)))
            }
            AppearanceFilter::Lattice => {
                Self::Lattice(Box::new(Permutohedral::new(features, channels)))
            }
        }
    }

    fn filter(
        &mut self,
        channels: usize,
        input: Pixels,
        output: &mut [f32],
        write: impl Fn(usize, &[f32], &mut [f32]) + Sync,
    ) {
        match self {
            Self::Landmarks(filter) => filter.filter(channels, input, output, write),
            Self::Lattice(filter) => filter.filter(channels, input, output, write),
        }
    }

    /// The least that a pixel's kernel can sum to: with landmarks, rare colors may fall below what
    /// each pixel gives to itself.
    fn least_sum(&self) -> f32 {
        match self {
            Self::Landmarks(_) => 1.,
            Self::Lattice(_) => 0.,
        }
    }
}

/// What normalization scales a kernel's input and output by; the weight goes with the output.
struct Scales {
    before: Vec<f32>,
    after: Vec<f32>,
}

impl Kernels {
    fn new(settings: &DenseCrf, block: &CrfBlock, channels: usize) -> Result<Self> {
        let pixels = block.pixels();
        let valid: Vec<f32> = (0..pixels).map(|p| f32::from(u8::from(block.is_valid(p)))).collect();
        let mut kernels = Self {
            appearance: None,
            smoothness: None,
            channels,
            total: vec![0.; pixels],
            scaled: Vec::new(),
        };
        let mut sums = vec![0.; pixels];
        if settings.appearance_weight > 0. {
            let (position, value) = (settings.appearance_position, settings.appearance_value);
            let features = Features::new(*block, position, value)?;
            let mut appearance = Appearance::new(settings.filter, &features, channels);
            let least = appearance.least_sum();
            let mut filter = |input: &[f32], output: &mut [f32]| {
                let input = Pixels { values: input, stride: 1, scale: &valid };
                appearance.filter(1, input, output, |_, sums, output| output.copy_from_slice(sums));
            };
            filter(&valid, &mut sums);
            sums.iter_mut().for_each(|sum| *sum = sum.max(least));
            let scales =
                Scales::new(settings.normalization, settings.appearance_weight, &sums, &valid);
            filter(&scales.before, &mut sums);
            scales.add(&sums, &mut kernels.total);
            kernels.appearance = Some((appearance, scales));
        }
        if settings.smoothness_weight > 0. {
            let theta = settings.smoothness_position;
            let (height, width) = (block.height(), block.width());
            let mut gaussian = Gaussian::new(theta, height, width, 1);
            let mut filter = |input: &[f32], output: &mut [f32]| {
                gaussian.filter(input, output, |_, sums, output| output.copy_from_slice(sums));
            };
            filter(&valid, &mut sums);
            let scales =
                Scales::new(settings.normalization, settings.smoothness_weight, &sums, &valid);
            filter(&scales.before, &mut sums);
            scales.add(&sums, &mut kernels.total);
            kernels.smoothness = Some((Gaussian::new(theta, height, width, channels), scales));
            kernels.scaled = vec![0.; pixels * channels];
        }
        Ok(kernels)
    }

    /// messages = Σ w k̂ q.
    fn send(&mut self, q: &[f32], classes: usize, messages: &mut [f32]) {
        let channels = self.channels;
        messages.par_chunks_mut(CHUNK).for_each(|messages| messages.fill(0.));
        if let Some((appearance, scales)) = &mut self.appearance {
            let input = Pixels { values: q, stride: classes, scale: &scales.before };
            let after = &scales.after;
            appearance.filter(channels, input, messages, |first, sums, messages| {
                add_scaled(channels, sums, &after[first..], messages);
            });
        }
        if let Some((gaussian, scales)) = &mut self.smoothness {
            let after = &scales.after;
            scales.apply_before(channels, q, classes, &mut self.scaled);
            gaussian.filter(&self.scaled, messages, |first, sums, messages| {
                add_scaled(channels, sums, &after[first..], messages);
            });
        }
    }
}

impl Scales {
    /// From the kernel's sums; pixels without data get zeros.
    fn new(normalization: KernelNormalization, weight: f64, sums: &[f32], valid: &[f32]) -> Self {
        let weight = weight as f32;
        let scaled = |f: &dyn Fn(f32) -> f32| -> Vec<f32> {
            sums.iter().zip(valid).map(|(&sum, &v)| if v > 0. { f(sum) } else { 0. }).collect()
        };
        let (before, after) = match normalization {
            KernelNormalization::None => (scaled(&|_| 1.), scaled(&|_| weight)),
            KernelNormalization::Before => (scaled(&|sum| 1. / sum), scaled(&|_| weight)),
            KernelNormalization::After => (scaled(&|_| 1.), scaled(&|sum| weight / sum)),
            KernelNormalization::Symmetric => {
                (scaled(&|sum| 1. / sum.sqrt()), scaled(&|sum| weight / sum.sqrt()))
            }
        };
        Self { before, after }
    }

    fn add(&self, sums: &[f32], total: &mut [f32]) {
        add_scaled(1, sums, &self.after, total);
    }

    /// The first `channels` of the classes, scaled.
    fn apply_before(&self, channels: usize, q: &[f32], classes: usize, scaled: &mut [f32]) {
        let chunks = scaled
            .par_chunks_mut(CHUNK * channels)
            .zip(q.par_chunks(CHUNK * classes))
            .zip(self.before.par_chunks(CHUNK));
        chunks.for_each(|((scaled, q), before)| {
            let pixels = scaled.chunks_exact_mut(channels).zip(q.chunks_exact(classes));
            for ((scaled, q), before) in pixels.zip(before) {
                scaled.iter_mut().zip(q).for_each(|(scaled, q)| *scaled = before * q);
            }
        });
    }
}

/// sum += after · value, `channels` values a pixel.
fn add_scaled(channels: usize, values: &[f32], after: &[f32], sums: &mut [f32]) {
    let pixels = sums.chunks_exact_mut(channels).zip(values.chunks_exact(channels));
    for ((sums, values), after) in pixels.zip(after) {
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += after * value);
    }
}

/// Zeros where all logits are −∞: there are no data.
fn softmax(logits: &mut [f32]) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if max == f32::NEG_INFINITY {
        return logits.fill(0.);
    }
    logits.iter_mut().for_each(|x| *x = (*x - max).exp());
    let sum: f32 = logits.iter().sum();
    logits.iter_mut().for_each(|x| *x /= sum);
}
