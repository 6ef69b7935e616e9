/// Finds the simplex of the permutohedral lattice that a point lies in, and its barycentric coordinates there.
///
/// The lattice A*_d consists of the points of (d + 1) ℤ^(d+1) + k · 1 in the plane Σ x = 0. A feature is
/// carried there by a rotation that takes O(d), scaled so that splatting, blurring and slicing together have
/// the variance of the Gaussian (Adams et al. 2010, Section 3).
#[derive(Clone, Debug)]
pub(super) struct Simplex {
    dims: usize,
    scale: Vec<f64>,
    elevated: Vec<f64>,
    /// The nearest lattice point of remainder 0.
    nearest: Vec<i32>,
    /// Place of each coordinate among the residuals, the largest first.
    rank: Vec<usize>,
    barycentric: Vec<f64>,
    key: Vec<i32>,
}

impl Simplex {
    pub(super) fn new(dims: usize) -> Self {
        let scale =
            |i: usize| (2f64 / 3.).sqrt() * (dims + 1) as f64 / (((i + 1) * (i + 2)) as f64).sqrt();
        Self {
            dims,
            scale: (0..dims).map(scale).collect(),
            elevated: vec![0.; dims + 1],
            nearest: vec![0; dims + 1],
            rank: vec![0; dims + 1],
            barycentric: vec![0.; dims + 2],
            key: vec![0; dims],
        }
    }

    /// Moves to the simplex around a point.
    pub(super) fn enclose(&mut self, feature: &[f64]) {
        self.elevate(feature);
        self.round();
        let d = self.dims;
        self.barycentric.fill(0.);
        for (i, &rank) in self.rank.iter().enumerate() {
            let v = (self.elevated[i] - f64::from(self.nearest[i])) / (d + 1) as f64;
            self.barycentric[d - rank] += v;
            self.barycentric[d - rank + 1] -= v;
        }
        self.barycentric[0] += 1. + self.barycentric[d + 1];
    }

    /// The d + 1 corners: the first d coordinates (the last follows from Σ x = 0), and the weight.
    pub(super) fn for_each_corner(&mut self, mut f: impl FnMut(&[i32], f32)) {
        let d = self.dims;
        for remainder in 0..=d {
            for ((key, nearest), &rank) in self.key.iter_mut().zip(&self.nearest).zip(&self.rank) {
                let wraps = rank > d - remainder;
                *key = nearest + remainder as i32 - if wraps { (d + 1) as i32 } else { 0 };
            }
            f(&self.key, self.barycentric[remainder] as f32);
        }
    }

    fn elevate(&mut self, feature: &[f64]) {
        let mut sum = 0.;
        for i in (0..self.dims).rev() {
            let scaled = feature[i] * self.scale[i];
            self.elevated[i + 1] = sum - (i + 1) as f64 * scaled;
            sum += scaled;
        }
        self.elevated[0] = sum;
    }

    /// The nearest point of remainder 0, and the order of the residuals.
    fn round(&mut self) {
        let d = self.dims;
        let size = (d + 1) as i32;
        let mut sum = 0;
        for (nearest, elevated) in self.nearest.iter_mut().zip(&self.elevated) {
            let multiple = (elevated / f64::from(size)).round() as i32;
            *nearest = multiple * size;
            sum += multiple;
        }
        let residual = |i: usize| self.elevated[i] - f64::from(self.nearest[i]);
        self.rank.fill(0);
        for i in 0..d {
            for j in i + 1..=d {
                let lower = if residual(i) < residual(j) { i } else { j };
                self.rank[lower] += 1;
            }
        }
        // Coordinates that round to a sum other than 0 leave the plane: the farthest ones go back.
        for (rank, nearest) in self.rank.iter_mut().zip(&mut self.nearest) {
            let moved = *rank as i32 + sum;
            let turn = if moved < 0 {
                size
            } else if moved >= size {
                -size
            } else {
                0
            };
            *nearest += turn;
            *rank = (moved + turn) as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_and_weights_give_the_point_back() {
        for dims in 1..8 {
            let mut simplex = Simplex::new(dims);
            for case in 0..50 {
                let feature: Vec<f64> =
                    (0..dims).map(|i| ((case * 31 + i * 17) as f64).sin() * 9.).collect();
                simplex.enclose(&feature);
                let elevated = simplex.elevated.clone();
                assert!(elevated.iter().sum::<f64>().abs() < 1e-9);
                let (mut point, mut total) = (vec![0.; dims], 0.);
                simplex.for_each_corner(|key, weight| {
                    assert!((-1e-6..1. + 1e-6).contains(&weight), "{weight}");
                    let remainder = key[0].rem_euclid(dims as i32 + 1);
                    assert!(key.iter().all(|k| k.rem_euclid(dims as i32 + 1) == remainder));
                    total += f64::from(weight);
                    for (p, &k) in point.iter_mut().zip(key) {
                        *p += f64::from(weight) * f64::from(k);
                    }
                });
                assert!((total - 1.).abs() < 1e-6);
                for (p, e) in point.iter().zip(&elevated) {
                    assert!((p - e).abs() < 1e-4, "{p} instead of {e}");
                }
            }
        }
    }

    #[test]
    fn distances_are_kept_up_to_the_scale() {
        let mut simplex = Simplex::new(5);
        let scale = (2f64 / 3.).sqrt() * 6.;
        for axis in 0..5 {
            let mut feature = [0.; 5];
            feature[axis] = 1.;
            simplex.enclose(&feature);
            let norm = simplex.elevated.iter().map(|x| x * x).sum::<f64>().sqrt();
            assert!((norm - scale).abs() < 1e-12, "{norm}");
        }
    }
}
