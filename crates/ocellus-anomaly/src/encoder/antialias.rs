use std::ops::Range;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::{Result, on_cpu::values};

/// Bilinear resizing of planes with antialiasing, on the CPU, in `f32`.
///
/// ```text
/// y[i] = Σ_j t((j + ½ − c) / s) x[j] / Σ_j t(…),  t(u) = max(0, 1 − |u|),
/// c = (i + ½) · in / out,  s = max(1, in / out)
/// ```
///
/// along the width, then along the height.
pub(super) fn resize(x: &Tensor, (rows, columns): (usize, usize)) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let values = values(x)?;
    let (across, down) = (taps(width, columns), taps(height, rows));
    let planes: Vec<Vec<f32>> = values
        .par_chunks(height * width)
        .map(|plane| resize_plane(plane, width, &across, &down))
        .collect();
    let resized =
        Tensor::from_vec(planes.concat(), (batch, channels, rows, columns), &Device::Cpu)?;
    Ok(resized.to_device(x.device())?.to_dtype(x.dtype())?)
}

/// Which entries an output reads, and with what weights.
struct Taps {
    span: Range<usize>,
    weights: Vec<f32>,
}

fn taps(from: usize, to: usize) -> Vec<Taps> {
    let ratio = from as f64 / to as f64;
    let scale = ratio.max(1.);
    let of = |i: usize| {
        let center = (i as f64 + 0.5) * ratio;
        let first = ((center - scale + 0.5) as usize).min(from - 1);
        let end = ((center + scale + 0.5) as usize).clamp(first + 1, from);
        let weight = |j: usize| (1. - ((j as f64 + 0.5 - center) / scale).abs()).max(0.);
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        Taps { span: first..end, weights: weights.iter().map(|w| (w / sum) as f32).collect() }
    };
    (0..to).map(of).collect()
}

fn resize_plane(plane: &[f32], width: usize, across: &[Taps], down: &[Taps]) -> Vec<f32> {
    let narrow: Vec<f32> = plane
        .chunks(width)
        .flat_map(|row| {
            across.iter().map(|taps| {
                let pairs = row[taps.span.clone()].iter().zip(&taps.weights);
                pairs.map(|(x, weight)| x * weight).sum::<f32>()
            })
        })
        .collect();
    let columns = across.len();
    let mut resized = vec![0.; down.len() * columns];
    for (out, taps) in resized.chunks_mut(columns).zip(down) {
        for (row, weight) in narrow[taps.span.start * columns..].chunks(columns).zip(&taps.weights)
        {
            for (y, x) in out.iter_mut().zip(row) {
                *y += weight * x;
            }
        }
    }
    resized
}
