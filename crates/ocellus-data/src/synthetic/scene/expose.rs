use crate::synthetic::scene::{
    noise::{hash, normal},
    render::{Frame, Picture},
    sensor::Sensor,
};

/// What full haze takes of the ground's light, and what it adds, by band.
const DIMMING: [f32; 4] = [0.6, 0.48, 0.38, 0.2];
const PATH: [f32; 4] = [0.1, 0.075, 0.055, 0.028];
const NOISE: u64 = 0x41;

/// Pixels around a frame that blur brings into it.
pub(crate) fn halo(sensor: &Sensor) -> usize {
    (3. * sensor.blur).ceil() as usize
}

/// The digital numbers of a picture without its halo: band by band, row by row.
pub(crate) fn expose(sensor: &Sensor, seed: u64, frame: &Frame, picture: &Picture) -> Vec<u16> {
    let halo = halo(sensor);
    let (height, width) = (frame.height - 2 * halo, frame.width - 2 * halo);
    let kernel = kernel(sensor.blur, halo);
    let mut numbers = Vec::with_capacity(4 * height * width);
    for band in 0..4 {
        let (keep, path) = (1. - sensor.haze * DIMMING[band], sensor.haze * PATH[band]);
        let hazy: Vec<f32> = picture.light.iter().map(|l| keep * l[band] + path).collect();
        let blurred = blur(&hazy, frame.width, &kernel);
        for (at, &light) in blurred.iter().enumerate() {
            let (row, column) = ((at / width) as i64, (at % width) as i64);
            let level = sensor.offset[band] + sensor.gain[band] * light.max(0.).powf(sensor.gamma);
            let variance = sensor.read_noise.powi(2) + sensor.shot_noise * level.max(0.);
            let place = (frame.y + halo as i64 + row, frame.x + halo as i64 + column);
            let draw = normal(hash(seed ^ NOISE ^ (band as u64) << 8, place.0, place.1));
            let number = level + variance.sqrt() * draw;
            numbers.push(number.round().clamp(0., f32::from(sensor.greatest())) as u16);
        }
    }
    numbers
}

/// A Gaussian that sums to 1.
fn kernel(deviation: f32, reach: usize) -> Vec<f32> {
    let weight = |tap: usize| {
        let away = tap as f32 - reach as f32;
        if deviation > 0. { (-0.5 * (away / deviation).powi(2)).exp() } else { 1. }
    };
    let weights: Vec<f32> = (0..=2 * reach).map(weight).collect();
    let sum: f32 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// The picture blurred both ways, as much smaller as the kernel reaches.
fn blur(values: &[f32], width: usize, kernel: &[f32]) -> Vec<f32> {
    let inner = width + 1 - kernel.len();
    let rows = values.chunks_exact(width);
    let across = rows.flat_map(|row| {
        let sum = |window: &[f32]| window.iter().zip(kernel).map(|(v, w)| v * w).sum::<f32>();
        row.windows(kernel.len()).map(sum)
    });
    let across: Vec<f32> = across.collect();
    let height = across.len() / inner + 1 - kernel.len();
    let mut blurred = vec![0.; height * inner];
    for (row, target) in blurred.chunks_exact_mut(inner).enumerate() {
        for (tap, weight) in kernel.iter().enumerate() {
            let source = &across[(row + tap) * inner..(row + tap + 1) * inner];
            target.iter_mut().zip(source).for_each(|(t, s)| *t += weight * s);
        }
    }
    blurred
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::scene::cover::LandCover;

    fn flat(sensor: &Sensor, light: f32, side: usize) -> Vec<u16> {
        let side = side + 2 * halo(sensor);
        let frame = Frame { y: 0, x: 0, height: side, width: side, resolution: 0.5 };
        let picture = Picture {
            light: vec![[light; 4]; side * side],
            cover: vec![LandCover::Ground; side * side],
        };
        expose(sensor, 1, &frame, &picture)
    }

    #[test]
    fn numbers_follow_gain_offset_and_gamma() {
        let sensor = Sensor::default()
            .with_radiometry([1000., 2000., 100., 5000.], [10., -500., 0., 0.])
            .with_gamma(0.5)
            .with_noise(0., 0.)
            .with_haze(0.);
        let numbers = flat(&sensor, 0.25, 3);
        let expected = [510, 500, 50, 2047]; // The last is beyond 11 bits.
        for (band, expected) in numbers.chunks_exact(9).zip(expected) {
            assert!(band.iter().all(|&n| n == expected), "{band:?} {expected}");
        }
    }

    #[test]
    fn noise_has_the_variance_that_was_set() {
        let sensor = Sensor::default().with_noise(6., 0.5).with_haze(0.);
        let numbers = flat(&sensor, 0.2, 120);
        let red = &numbers[2 * 14_400..3 * 14_400];
        let mean = red.iter().map(|&n| f64::from(n)).sum::<f64>() / 14_400.;
        let variance = red.iter().map(|&n| (f64::from(n) - mean).powi(2)).sum::<f64>() / 14_400.;
        let level = 30. + 2000. * 0.2;
        assert!((mean - level).abs() < 0.6, "{mean}");
        assert!((variance / (36. + 0.5 * level) - 1.).abs() < 0.06, "{variance}");
    }

    #[test]
    fn blur_keeps_the_sum_and_spreads_a_point() {
        let mut point = vec![0.; 15 * 15];
        point[7 * 15 + 7] = 1.;
        let sensor = Sensor::default().with_blur(0.8);
        let reach = halo(&sensor);
        let blurred = blur(&point, 15, &kernel(0.8, reach));
        let side = 15 - 2 * reach;
        assert_eq!(blurred.len(), side * side);
        assert!((blurred.iter().sum::<f32>() - 1.).abs() < 1e-5);
        let middle = blurred[side / 2 * side + side / 2];
        // 1 / (2π σ²), sampled.
        assert!((middle - 0.2487).abs() < 0.01, "{middle}");
        assert_eq!(kernel(0., 0), [1.]);
    }
}
