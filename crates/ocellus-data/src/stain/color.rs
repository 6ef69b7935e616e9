use serde::{Deserialize, Serialize};

use super::matrix::{Matrix, apply, inverse};

/// A space in which lightness and two opponent colors are about independent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ColorSpace {
    /// Ruderman's lαβ: rotated logarithms of the responses of the eye's cones, as Reinhard et al. have
    /// it. Values below 1/255 count as that.
    #[default]
    LogCones,
    /// CIE L\*a\*b\* of sRGB, the white being that of the display (D65).
    CieLab,
}

/// From RGB to the cones' responses (Reinhard et al., Eq. 4).
const CONES: Matrix =
    [[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]];
/// From linear sRGB to XYZ.
const XYZ: Matrix = [
    [0.412_453, 0.357_580, 0.180_423],
    [0.212_671, 0.715_160, 0.072_169],
    [0.019_334, 0.119_193, 0.950_227],
];
/// The darkest value of eight bits but black.
const DARK: f64 = 1. / 255.;

impl ColorSpace {
    pub(super) fn of_rgb(self, rgb: [f64; 3]) -> [f64; 3] {
        match self {
            Self::LogCones => {
                let [l, m, s] = apply(&CONES, rgb.map(|v| v.max(DARK))).map(f64::log10);
                [(l + m + s) / 3f64.sqrt(), (l + m - 2. * s) / 6f64.sqrt(), (l - m) / 2f64.sqrt()]
            }
            Self::CieLab => {
                let xyz = apply(&XYZ, rgb.map(linear));
                let [x, y, z] = [0, 1, 2].map(|i| root(xyz[i] / white(i)));
                [116. * y - 16., 500. * (x - y), 200. * (y - z)]
            }
        }
    }

    pub(super) fn to_rgb(self, [l, a, b]: [f64; 3]) -> [f64; 3] {
        match self {
            Self::LogCones => {
                let (l, a, b) = (l / 3f64.sqrt(), a / 6f64.sqrt(), b / 2f64.sqrt());
                let cones = [l + a + b, l + a - b, l - 2. * a].map(|v| 10f64.powf(v));
                apply(&inverse(&CONES), cones)
            }
            Self::CieLab => {
                let y = (l + 16.) / 116.;
                let roots = [y + a / 500., y, y - b / 200.];
                let xyz = [0, 1, 2].map(|i| white(i) * cube(roots[i]));
                apply(&inverse(&XYZ), xyz).map(gamma)
            }
        }
    }
}

/// The white of equal red, green and blue.
fn white(i: usize) -> f64 {
    XYZ[i].iter().sum()
}

fn linear(v: f64) -> f64 {
    if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

fn gamma(v: f64) -> f64 {
    if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1. / 2.4) - 0.055 }
}

/// The cube root of CIE 1976, with its line near black.
fn root(v: f64) -> f64 {
    if v > 216. / 24389. { v.cbrt() } else { (24389. / 27. * v + 16.) / 116. }
}

fn cube(v: f64) -> f64 {
    if v > 6. / 29. { v.powi(3) } else { (116. * v - 16.) * 27. / 24389. }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn there_and_back_is_the_identity(rgb in prop::array::uniform3(0.004f64..1.)) {
            for space in [ColorSpace::LogCones, ColorSpace::CieLab] {
                let back = space.to_rgb(space.of_rgb(rgb));
                prop_assert!((0..3).all(|c| (back[c] - rgb[c]).abs() < 1e-9), "{:?}", back);
            }
        }

        #[test]
        fn gray_has_no_color(v in 0f64..1.) {
            let [_, a, b] = ColorSpace::CieLab.of_rgb([v; 3]);
            prop_assert!(a.abs() < 1e-9 && b.abs() < 1e-9);
        }
    }

    #[test]
    fn white_is_100_and_red_is_as_published() {
        let [l, _, _] = ColorSpace::CieLab.of_rgb([1.; 3]);
        assert!((l - 100.).abs() < 1e-9);
        let red = ColorSpace::CieLab.of_rgb([1., 0., 0.]);
        assert!(red.iter().zip([53.24, 80.09, 67.2]).all(|(a, e)| (a - e).abs() < 0.02), "{red:?}");
    }
}
