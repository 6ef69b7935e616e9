//! Random numbers and smooth random functions of a place: no state, no order.

/// Mixes a key and two lattice coordinates into 64 bits (the finalizer of splitmix64, twice).
pub(crate) fn hash(key: u64, i: i64, j: i64) -> u64 {
    mix(mix(key ^ (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)) ^ (j as u64))
}

fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// In [0, 1), of the upper 24 bits.
pub(crate) fn unit(hash: u64) -> f32 {
    (hash >> 40) as f32 * (1. / 16_777_216.)
}

/// About normal, of mean 0 and deviation 1: four 16-bit numbers, summed.
pub(crate) fn normal(hash: u64) -> f32 {
    let sum = (hash & 0xffff) + (hash >> 16 & 0xffff) + (hash >> 32 & 0xffff) + (hash >> 48);
    // Variance of one: (2³² − 1) / 12.
    (sum as f32 - 131_070.) * (1.732_050_8 / 65_536.)
}

/// Value noise in −1..1 with its gradient, on the lattice of whole coordinates.
pub(crate) fn slope(key: u64, x: f64, y: f64) -> (f32, [f32; 2]) {
    let (left, top) = (x.floor(), y.floor());
    let (s, t) = ((x - left) as f32, (y - top) as f32);
    let (i, j) = (left as i64, top as i64);
    let at = |i, j| 2. * unit(hash(key, i, j)) - 1.;
    let (a, b, c, d) = (at(i, j), at(i + 1, j), at(i, j + 1), at(i + 1, j + 1));
    let ease = |t: f32| t * t * t * (t * (6. * t - 15.) + 10.);
    let rate = |t: f32| 30. * t * t * (t * (t - 2.) + 1.);
    let (es, et) = (ease(s), ease(t));
    let (up, down) = (a + es * (b - a), c + es * (d - c));
    let across = (b - a) + et * ((d - c) - (b - a));
    (up + et * (down - up), [rate(s) * across, rate(t) * (down - up)])
}

/// Value noise in −1..1, of deviation about 0.35.
pub(crate) fn noise(key: u64, x: f64, y: f64) -> f32 {
    slope(key, x, y).0
}

/// A sequence of draws from one hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(key: u64, i: i64, j: i64) -> Self {
        Self(hash(key, i, j))
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    pub(crate) fn unit(&mut self) -> f32 {
        unit(self.bits())
    }

    pub(crate) fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// In −1..1.
    pub(crate) fn symmetric(&mut self) -> f32 {
        2. * self.unit() - 1.
    }

    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// An index drawn with these weights, of which one at least is above 0.
    pub(crate) fn pick(&mut self, weights: &[f32]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f32>();
        for (index, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0. {
                return index;
            }
        }
        weights.iter().rposition(|&weight| weight > 0.).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_continuous_and_bounded() {
        for step in 0..2000 {
            let (x, y) = (f64::from(step) * 0.013 - 7., f64::from(step) * 0.007 - 3.);
            let (value, _) = slope(5, x, y);
            assert!(value.abs() <= 1.);
            assert!((value - noise(5, x + 1e-4, y)).abs() < 1e-3);
        }
    }

    #[test]
    fn the_gradient_equals_finite_differences() {
        for step in 0..200 {
            let (x, y) = (f64::from(step) * 0.137 - 7., f64::from(step) * 0.071 - 3.);
            let (_, [dx, dy]) = slope(9, x, y);
            let h = 1e-3;
            let fx = f64::from(noise(9, x + h, y) - noise(9, x - h, y)) / (2. * h);
            let fy = f64::from(noise(9, x, y + h) - noise(9, x, y - h)) / (2. * h);
            assert!((fx - f64::from(dx)).abs() < 2e-3, "{x} {y}: {fx} {dx}");
            assert!((fy - f64::from(dy)).abs() < 2e-3, "{x} {y}: {fy} {dy}");
        }
    }

    #[test]
    fn normal_draws_have_mean_0_and_deviation_1() {
        let draws: Vec<f64> = (0..40_000).map(|i| f64::from(normal(hash(3, i, 7)))).collect();
        let mean = draws.iter().sum::<f64>() / 4e4;
        let variance = draws.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 4e4;
        assert!(mean.abs() < 0.02 && (variance - 1.).abs() < 0.03, "{mean} {variance}");
    }

    #[test]
    fn picks_by_weight_and_never_what_weighs_nothing() {
        let mut counts = [0; 4];
        let mut draws = Draws::new(1, 2, 3);
        for _ in 0..8000 {
            counts[draws.pick(&[1., 0., 3., 0.])] += 1;
        }
        assert_eq!((counts[1], counts[3]), (0, 0));
        assert!((5700..6300).contains(&counts[2]), "{counts:?}");
    }
}
