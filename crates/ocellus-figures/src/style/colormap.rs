use super::Color;

/// A color for each value between 0 and 1, for heat maps.
///
/// # Examples
///
/// ```
/// use ocellus_figures::{Color, Colormap};
///
/// assert_eq!(Colormap::Viridis.at(0.0), Color::new(68, 1, 84));
/// assert_eq!(Colormap::Viridis.at(7.0), Colormap::Viridis.at(1.0)); // Clamped.
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Colormap {
    /// Purple over green to yellow; perceptually uniform, safe for color-blind readers.
    Viridis,
    /// Black over red to yellow; perceptually uniform. The default: it stands out on gray images.
    #[default]
    Inferno,
    /// Black over purple to a pale pink; perceptually uniform.
    Magma,
    /// Blue over green to red: the familiar rainbow without its false edges.
    Turbo,
    /// White to dark blue; used by the confusion matrices.
    Blues,
    /// Black to white.
    Gray,
}

impl Colormap {
    /// The color of `value`; below 0 that of 0, above 1 that of 1, for NaN that of 0.
    #[must_use]
    pub fn at(self, value: f64) -> Color {
        let value = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
        let gradient = match self {
            Self::Viridis => colorous::VIRIDIS,
            Self::Inferno => colorous::INFERNO,
            Self::Magma => colorous::MAGMA,
            Self::Turbo => colorous::TURBO,
            Self::Blues => colorous::BLUES,
            Self::Gray => return Color::BLACK.mix(Color::WHITE, value),
        };
        let color = gradient.eval_continuous(value);
        Color::new(color.r, color.g, color.b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequential_maps_brighten_steadily() {
        let luminance = |color: Color| {
            0.2126 * f64::from(color.red)
                + 0.7152 * f64::from(color.green)
                + 0.0722 * f64::from(color.blue)
        };
        for map in [Colormap::Viridis, Colormap::Inferno, Colormap::Magma, Colormap::Gray] {
            let values: Vec<_> = (0..=20).map(|i| luminance(map.at(f64::from(i) / 20.0))).collect();
            assert!(values.windows(2).all(|pair| pair[0] <= pair[1]), "{map:?}: {values:?}");
        }
    }

    #[test]
    fn nan_has_the_color_of_zero() {
        assert_eq!(Colormap::Turbo.at(f64::NAN), Colormap::Turbo.at(0.0));
    }
}
