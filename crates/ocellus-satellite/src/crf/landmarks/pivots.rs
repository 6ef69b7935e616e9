use crate::crf::lattice::Features;

/// Pixels among which landmarks are chosen.
const SAMPLE: usize = 4096;

/// What may be left of a color's product with itself, 1: then it needs no landmark.
const TOLERANCE: f64 = 0.1;

/// Colors in terms of which all others are told, with the factor of their kernel's matrix.
#[derive(Debug)]
pub(super) struct Pivots {
    /// Bands over θβ, less those of the first landmark; row by row.
    pub(super) colors: Vec<f32>,
    /// Row m of the lower triangle T, K = T Tᵀ, has m + 1 entries: one row after the other.
    pub(super) factor: Vec<f32>,
    pub(super) count: usize,
    /// The first landmark's color.
    pub(super) center: Vec<f64>,
}

impl Pivots {
    /// At most `most`, by a pivoted Cholesky factorization: each is the color that those before leave
    /// the most of.
    pub(super) fn choose(features: &Features, most: usize) -> Self {
        let bands = features.dims() - 2;
        let colors = sample(features);
        let count = colors.len() / bands;
        let mut rest = vec![1.; count];
        let mut columns: Vec<Vec<f64>> = Vec::new();
        let mut chosen: Vec<usize> = Vec::new();
        while chosen.len() < most {
            // The first of equals.
            let worst = (0..count).reduce(|a, b| if rest[b] > rest[a] { b } else { a });
            let Some(pivot) = worst.filter(|&pivot| rest[pivot] > TOLERANCE) else { break };
            let root = rest[pivot].sqrt();
            let own = &colors[pivot * bands..][..bands];
            let mut column: Vec<f64> = colors.chunks_exact(bands).map(|c| kernel(c, own)).collect();
            for before in &columns {
                let share = before[pivot];
                column.iter_mut().zip(before).for_each(|(value, before)| *value -= share * before);
            }
            column.iter_mut().for_each(|value| *value /= root);
            rest.iter_mut().zip(&column).for_each(|(rest, value)| *rest -= value * value);
            // It is told by itself, and never chosen twice.
            rest[pivot] = 0.;
            columns.push(column);
            chosen.push(pivot);
        }
        let color = |&pivot: &usize| &colors[pivot * bands..][..bands];
        let center = chosen.first().map_or(vec![0.; bands], |first| color(first).to_vec());
        let moved = chosen.iter().flat_map(|pivot| color(pivot).iter().zip(&center));
        let rows = chosen.iter().enumerate();
        let factor =
            rows.flat_map(|(m, &pivot)| columns[..=m].iter().map(move |c| c[pivot] as f32));
        Self {
            colors: moved.map(|(value, center)| (value - center) as f32).collect(),
            factor: factor.collect(),
            count: chosen.len(),
            center,
        }
    }
}

/// Colors of pixels with data from all over the image, over θβ: all of a small one.
fn sample(features: &Features) -> Vec<f64> {
    let block = features.block();
    let valid: Vec<usize> = (0..block.pixels()).filter(|&pixel| block.is_valid(pixel)).collect();
    let step = valid.len().div_ceil(SAMPLE).max(1);
    let mut place = vec![0.; features.dims()];
    let mut colors = Vec::new();
    for (n, run) in valid.chunks(step).enumerate() {
        // Scattered within a run: with equal steps, all might lie in one column.
        let pixel = run[n.wrapping_mul(0x9e37_79b1) % run.len()];
        features.write(pixel, &mut place);
        colors.extend_from_slice(&place[2..]);
    }
    colors
}

fn kernel(a: &[f64], b: &[f64]) -> f64 {
    (-0.5 * a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>()).exp()
}
