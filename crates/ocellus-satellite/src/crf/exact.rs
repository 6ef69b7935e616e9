use rayon::prelude::*;

use super::block::CrfBlock;
use super::dense_crf::{Compatibility, DenseCrf, KernelNormalization};

/// Mean field with every sum over pairs written out, in `f64`.
///
/// It shares no arithmetic with the fast path, which is tested against it.
pub(super) fn refine(
    settings: &DenseCrf,
    probabilities: &[f32],
    classes: usize,
    block: &CrfBlock,
) -> Vec<f32> {
    let pixels = block.pixels();
    let sites: Vec<Site> =
        (0..pixels).filter(|&p| block.is_valid(p)).map(|p| Site::new(p, block)).collect();
    let kernels: Vec<Kernel> = Kernel::all(settings, &sites);
    let unary: Vec<f64> = sites
        .iter()
        .flat_map(|site| (0..classes).map(|c| probabilities[c * pixels + site.pixel]))
        .map(|p| -f64::from(p).max(settings.min_probability).ln())
        .collect();
    let mut q: Vec<f64> = unary.iter().map(|u| -u).collect();
    q.chunks_exact_mut(classes).for_each(softmax);
    for _ in 0..settings.iterations {
        let messages = sum_messages(&kernels, &sites, &q, classes);
        for ((q, message), unary) in q
            .chunks_exact_mut(classes)
            .zip(messages.chunks_exact(classes))
            .zip(unary.chunks_exact(classes))
        {
            for (label, q) in q.iter_mut().enumerate() {
                let cost = (0..classes).map(|other| {
                    cost(&settings.compatibility, classes, label, other) * message[other]
                });
                *q = -unary[label] - cost.sum::<f64>();
            }
            softmax(q);
        }
    }
    let mut refined = probabilities.to_vec();
    for (site, q) in sites.iter().zip(q.chunks_exact(classes)) {
        for (class, &q) in q.iter().enumerate() {
            refined[class * pixels + site.pixel] = q as f32;
        }
    }
    refined
}

/// A pixel with data.
struct Site {
    pixel: usize,
    row: f64,
    column: f64,
    values: Vec<f64>,
}

impl Site {
    fn new(pixel: usize, block: &CrfBlock) -> Self {
        Self {
            pixel,
            row: (pixel / block.width()) as f64,
            column: (pixel % block.width()) as f64,
            values: (0..block.bands()).map(|b| f64::from(block.value(b, pixel))).collect(),
        }
    }

    fn distance(&self, other: &Self) -> f64 {
        (self.row - other.row).powi(2) + (self.column - other.column).powi(2)
    }

    fn contrast(&self, other: &Self) -> f64 {
        self.values.iter().zip(&other.values).map(|(a, b)| (a - b).powi(2)).sum()
    }
}

/// One of the two kernels, with what normalization scales its input and output by.
struct Kernel {
    weight: f64,
    position: f64,
    value: Option<f64>,
    before: Vec<f64>,
    after: Vec<f64>,
}

impl Kernel {
    /// The kernels in use.
    fn all(settings: &DenseCrf, sites: &[Site]) -> Vec<Self> {
        let appearance = (
            settings.appearance_weight,
            settings.appearance_position,
            Some(settings.appearance_value),
        );
        let smoothness = (settings.smoothness_weight, settings.smoothness_position, None);
        [appearance, smoothness]
            .into_iter()
            .filter(|(weight, ..)| *weight > 0.)
            .map(|(weight, position, value)| {
                let kernel = Self { weight, position, value, before: vec![], after: vec![] };
                kernel.normalized(settings.normalization, sites)
            })
            .collect()
    }

    fn at(&self, a: &Site, b: &Site) -> f64 {
        // Divided twice: the square of a tiny θ would be 0.
        let contrast = self.value.map_or(0., |theta| a.contrast(b) / theta / theta);
        (-0.5 * (a.distance(b) / self.position / self.position + contrast)).exp()
    }

    fn normalized(mut self, normalization: KernelNormalization, sites: &[Site]) -> Self {
        let sums: Vec<f64> =
            sites.par_iter().map(|a| sites.iter().map(|b| self.at(a, b)).sum()).collect();
        let ones = vec![1.; sites.len()];
        let inverse = || sums.iter().map(|sum| 1. / sum).collect();
        (self.before, self.after) = match normalization {
            KernelNormalization::None => (ones.clone(), ones),
            KernelNormalization::Before => (inverse(), ones),
            KernelNormalization::After => (ones, inverse()),
            KernelNormalization::Symmetric => {
                let root: Vec<f64> = sums.iter().map(|sum| 1. / sum.sqrt()).collect();
                (root.clone(), root)
            }
        };
        self
    }
}

/// Σ over kernels of w · k̂ Q, for each site and class.
fn sum_messages(kernels: &[Kernel], sites: &[Site], q: &[f64], classes: usize) -> Vec<f64> {
    let mut messages = vec![0.; q.len()];
    messages.par_chunks_exact_mut(classes).enumerate().for_each(|(i, message)| {
        for kernel in kernels {
            let mut sums = vec![0.; classes];
            for (j, q) in q.chunks_exact(classes).enumerate() {
                let k = kernel.at(&sites[i], &sites[j]) * kernel.before[j];
                sums.iter_mut().zip(q).for_each(|(sum, q)| *sum += k * q);
            }
            let scale = kernel.weight * kernel.after[i];
            message.iter_mut().zip(sums).for_each(|(message, sum)| *message += scale * sum);
        }
    });
    messages
}

fn cost(compatibility: &Compatibility, classes: usize, a: usize, b: usize) -> f64 {
    match compatibility {
        Compatibility::Potts => f64::from(u8::from(a != b)),
        Compatibility::Matrix(matrix) => matrix[a * classes + b],
    }
}

fn softmax(logits: &mut [f64]) {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    logits.iter_mut().for_each(|x| *x = (*x - max).exp());
    let sum: f64 = logits.iter().sum();
    logits.iter_mut().for_each(|x| *x /= sum);
}
