/// An opaque sRGB color.
///
/// # Examples
///
/// ```
/// use ocellus_figures::Color;
///
/// assert_eq!(Color::BLUE.to_hex(), "#0072b2");
/// assert_eq!(Color::palette(0), Color::BLUE);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Color {
    /// Red, 0 to 255.
    pub red: u8,
    /// Green, 0 to 255.
    pub green: u8,
    /// Blue, 0 to 255.
    pub blue: u8,
}

impl Color {
    /// White.
    pub const WHITE: Self = Self::new(255, 255, 255);
    /// Black.
    pub const BLACK: Self = Self::new(0, 0, 0);
    /// The blue of Okabe and Ito.
    pub const BLUE: Self = Self::new(0, 114, 178);
    /// Their vermillion; also the frame of what went wrong.
    pub const VERMILLION: Self = Self::new(213, 94, 0);
    /// Their bluish green; also the frame of what went right.
    pub const GREEN: Self = Self::new(0, 158, 115);
    /// Their orange.
    pub const ORANGE: Self = Self::new(230, 159, 0);
    /// Their reddish purple.
    pub const PURPLE: Self = Self::new(204, 121, 167);
    /// Their sky blue.
    pub const SKY: Self = Self::new(86, 180, 233);
    /// A middle gray.
    pub const GRAY: Self = Self::new(110, 110, 110);

    pub(crate) const INK: Self = Self::new(33, 37, 41);
    pub(crate) const MUTED: Self = Self::new(95, 102, 109);
    pub(crate) const AXIS: Self = Self::new(130, 136, 142);
    pub(crate) const GRID: Self = Self::new(229, 231, 235);

    const SERIES: [Self; 7] = [
        Self::BLUE,
        Self::VERMILLION,
        Self::GREEN,
        Self::PURPLE,
        Self::ORANGE,
        Self::SKY,
        Self::new(60, 60, 60),
    ];

    /// A color from its red, green and blue parts.
    #[must_use]
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// The color of the series with this index: Okabe and Ito's palette, which color-blind readers
    /// can tell apart. After seven it starts again.
    #[must_use]
    pub const fn palette(index: usize) -> Self {
        Self::SERIES[index % Self::SERIES.len()]
    }

    /// The color as `#rrggbb`.
    #[must_use]
    pub fn to_hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }

    /// The color `share` of the way from this one to `other`.
    pub(crate) fn mix(self, other: Self, share: f64) -> Self {
        let share = share.clamp(0.0, 1.0);
        let part =
            |a: u8, b: u8| (f64::from(a) * (1.0 - share) + f64::from(b) * share).round() as u8;
        Self::new(
            part(self.red, other.red),
            part(self.green, other.green),
            part(self.blue, other.blue),
        )
    }

    /// Black or white, whichever is easier to read on this color.
    pub(crate) fn contrasting(self) -> Self {
        let linear = |part: u8| (f64::from(part) / 255.0).powf(2.2);
        let luminance =
            0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue);
        if luminance > 0.3 { Self::INK } else { Self::WHITE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_contrasts_with_its_background() {
        assert_eq!(Color::WHITE.contrasting(), Color::INK);
        assert_eq!(Color::new(8, 48, 107).contrasting(), Color::WHITE);
    }

    #[test]
    fn mixing_stays_between_the_two() {
        assert_eq!(Color::BLACK.mix(Color::WHITE, 0.0), Color::BLACK);
        assert_eq!(Color::BLACK.mix(Color::WHITE, 2.0), Color::WHITE);
    }
}
