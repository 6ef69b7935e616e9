use candle_core::WithDType;
use rayon::prelude::*;

use crate::cpu::Float;

/// Lanes summed side by side, so that the compiler can use vectors.
const LANES: usize = 16;

/// The gradient by the bias: the sum over images and pixels for each channel, planes added in f64.
pub(crate) fn grad_bias<T: Float>(
    grad: &[T],
    batch: usize,
    channels: usize,
    plane: usize,
) -> Vec<T> {
    (0..channels)
        .into_par_iter()
        .map(|channel| {
            let planes =
                (0..batch).map(|image| &grad[(image * channels + channel) * plane..][..plane]);
            T::from_f64(planes.map(plane_sum).sum())
        })
        .collect()
}

fn plane_sum<T: Float>(plane: &[T]) -> f64 {
    let mut total = 0.;
    // Short runs in T, so that rounding errors do not grow with the plane.
    for run in plane.chunks(LANES * 64) {
        let mut lanes = [T::zero(); LANES];
        let chunks = run.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            for (lane, &value) in lanes.iter_mut().zip(chunk) {
                *lane += value;
            }
        }
        total += lanes.iter().chain(rest).map(|&v| WithDType::to_f64(v)).sum::<f64>();
    }
    total
}
