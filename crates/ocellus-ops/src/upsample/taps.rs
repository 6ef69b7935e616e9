use crate::separable::Banded;

/// Where an output pixel lies in the input, for bilinear interpolation.
///
/// The three conventions differ by up to half an input pixel: weights that were trained with one
/// want the same again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Alignment {
    /// Pixels are squares: `(o + ½) · in / out − ½`, not below 0. PyTorch's `align_corners=False`,
    /// TensorFlow 2, `cv2`.
    #[default]
    HalfPixel,
    /// The centers of the corner pixels coincide: `o · (in − 1) / (out − 1)`. PyTorch's
    /// `align_corners=True`, and all of PyTorch before 0.4.
    Corners,
    /// The upper left corners coincide: `o · in / out`. TensorFlow 1 and Keras of its time.
    TensorFlow1,
}

/// What each output of an axis is interpolated from: `(1 − weight) · x[low] + weight · x[low + 1]`,
/// up to the last element.
pub(super) fn interpolation(size: usize, out: usize, alignment: Alignment) -> Banded {
    let (from, to) = (size as f64, out as f64);
    let source = |o: usize| match alignment {
        Alignment::HalfPixel => ((o as f64 + 0.5) * from / to - 0.5).max(0.),
        Alignment::Corners if out > 1 => o as f64 * (from - 1.) / (to - 1.),
        Alignment::Corners => 0.,
        Alignment::TensorFlow1 => o as f64 * from / to,
    };
    let last = size - 1;
    let band = |o: usize| {
        let at = source(o);
        let low = (at.floor() as usize).min(last);
        let weight = at - low as f64;
        (low, if low == last { vec![1.] } else { vec![1. - weight, weight] })
    };
    Banded::new(size, (0..out).map(band))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(size: usize, out: usize, alignment: Alignment) -> Vec<f64> {
        let source = |(low, weights): &(usize, Vec<f64>)| {
            *low as f64 + weights.get(1).copied().unwrap_or_default()
        };
        interpolation(size, out, alignment).bands.iter().map(source).collect()
    }

    #[test]
    fn doubling_two_pixels_by_hand() {
        assert_eq!(sources(2, 4, Alignment::HalfPixel), [0., 0.25, 0.75, 1.]);
        assert_eq!(sources(2, 4, Alignment::Corners), [0., 1. / 3., 2. / 3., 1.]);
        assert_eq!(sources(2, 4, Alignment::TensorFlow1), [0., 0.5, 1., 1.]);
    }

    #[test]
    fn every_tap_lies_in_the_input() {
        for alignment in [Alignment::HalfPixel, Alignment::Corners, Alignment::TensorFlow1] {
            for (size, out) in [(1, 1), (1, 7), (7, 1), (3, 1000), (1000, 3), (5, 5)] {
                let taps = interpolation(size, out, alignment);
                assert_eq!(taps.len(), out);
                for (low, weights) in taps.bands {
                    assert!(!weights.is_empty() && low + weights.len() <= size);
                    assert!(weights.iter().all(|w| (0. ..=1.).contains(w)), "{weights:?}");
                }
            }
        }
    }
}
