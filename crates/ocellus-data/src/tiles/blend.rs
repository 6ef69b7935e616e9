use std::f32::consts::FRAC_PI_2;

/// How much each of two tiles counts where they overlap.
///
/// A network sees less context near the edge of a tile, so what it says there is worth less. For
/// the k-th of the `n` positions that two tiles share, counted into the second:
///
/// ```text
/// Average   first 1                   second 1
/// Linear    first 1 − (k + ½)/n       second (k + ½)/n
/// Hann      first cos²(π(k + ½)/2n)   second sin²(π(k + ½)/2n)
/// Clip      first [k < ⌊n/2⌋]         second [k ≥ ⌊n/2⌋]
/// ```
///
/// In two dimensions the weights are products; sums are divided by the sum of the weights. Edges of
/// the scene count in full.
///
/// With `Clip` no pixel mixes two tiles: if half the overlap is at least the radius of the network's
/// receptive field, and tiles start at multiples of its stride, the result is that of one pass over
/// the whole scene.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Blend {
    /// The mean of all tiles, as the satellite paper has it.
    Average,
    /// Fades linearly from one tile to the next.
    Linear,
    /// Fades along a raised cosine: no kinks at the edges of the overlap.
    #[default]
    Hann,
    /// Each pixel from the tile whose edge is farther away.
    Clip,
}

impl Blend {
    /// The weight of the second tile at position `k` of `n`.
    fn rise(self, k: usize, n: usize) -> f32 {
        let t = (k as f32 + 0.5) / n as f32;
        match self {
            Self::Average => 1.,
            Self::Linear => t,
            Self::Hann => (t * FRAC_PI_2).sin().powi(2),
            Self::Clip => f32::from(u8::from(k >= n / 2)),
        }
    }

    /// The weight of the first tile at position `k` of `n`.
    fn fall(self, k: usize, n: usize) -> f32 {
        match self {
            Self::Average => 1.,
            _ => 1. - self.rise(k, n),
        }
    }

    /// The weights along a tile that shares `overlap` positions with its neighbors.
    pub(super) fn weights(self, len: usize, overlap: usize, before: bool, after: bool) -> Vec<f32> {
        let mut weights = vec![1.; len];
        if before {
            let ramp = weights.iter_mut().take(overlap).enumerate();
            ramp.for_each(|(k, weight)| *weight *= self.rise(k, overlap));
        }
        if after {
            let ramp = weights[len - overlap..].iter_mut().enumerate();
            ramp.for_each(|(k, weight)| *weight *= self.fall(k, overlap));
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tiles_add_up_to_one_but_for_the_average() {
        for blend in [Blend::Linear, Blend::Hann, Blend::Clip] {
            let first = blend.weights(9, 5, false, true);
            let second = blend.weights(7, 5, true, false);
            assert_eq!((first[..4].to_vec(), second[5..].to_vec()), (vec![1.; 4], vec![1.; 2]));
            for (a, b) in first[4..].iter().zip(&second) {
                assert!((a + b - 1.).abs() < 1e-6, "{blend:?}");
            }
        }
        assert_eq!(Blend::Average.weights(4, 2, true, true), [1.; 4]);
    }

    #[test]
    fn ramps_are_what_they_are_called() {
        assert_eq!(Blend::Linear.weights(3, 2, true, false), [0.25, 0.75, 1.]);
        assert_eq!(Blend::Clip.weights(6, 3, true, false), [0., 1., 1., 1., 1., 1.]);
        let hann = Blend::Hann.weights(2, 2, true, false);
        assert!((hann[0] - 0.146_446_6).abs() < 1e-6 && (hann[0] + hann[1] - 1.).abs() < 1e-6);
    }
}
