use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// A labelled range with its ticks.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) range: (f64, f64),
    pub(crate) ticks: Vec<(f64, String)>,
    pub(crate) grid: bool,
}

impl Axis {
    /// From 0 to 1 in steps of 0.2.
    pub(crate) fn unit(label: &str) -> Self {
        let ticks = (0..=5).map(|i| f64::from(i) / 5.0).map(|v| (v, format!("{v:.1}"))).collect();
        Self { label: label.to_owned(), range: (0.0, 1.0), ticks, grid: true }
    }

    /// Room for all values, which are finite, and a little more.
    pub(crate) fn fitted(label: &str, values: impl IntoIterator<Item = f64>, ticks: usize) -> Self {
        let (low, high) = extent(values);
        let margin = 0.04 * (high - low);
        Self::spanning(label, low - margin, high + margin, ticks)
    }

    /// From 0 to a little above the highest value.
    pub(crate) fn from_zero(
        label: &str,
        values: impl IntoIterator<Item = f64>,
        ticks: usize,
    ) -> Self {
        let (low, high) = extent(values.into_iter().chain([0.0]));
        let margin = 0.08 * (high - low);
        let low = if low < 0.0 { low - margin } else { 0.0 };
        Self::spanning(label, low, high + margin, ticks)
    }

    /// The epochs of a training run: whole numbers.
    pub(crate) fn epochs(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = extent(values);
        let margin = 0.02 * (high - low);
        let mut axis = Self::spanning("Epoch", low - margin, high + margin, 6);
        axis.ticks.retain(|(value, _)| (value - value.round()).abs() < 1e-6);
        axis
    }

    /// Exactly from `low` to `high`.
    pub(crate) fn spanning(label: &str, low: f64, high: f64, ticks: usize) -> Self {
        let ticks = nice_ticks(low, high, ticks);
        Self { label: label.to_owned(), range: (low, high), ticks, grid: true }
    }

    /// Names at the whole numbers from 0 on, each with room of one half at either side.
    pub(crate) fn named(label: &str, names: &[String]) -> Self {
        let ticks = names.iter().enumerate().map(|(i, name)| (i as f64, name.clone())).collect();
        let range = (-0.5, names.len() as f64 - 0.5);
        Self { label: label.to_owned(), range, ticks, grid: false }
    }

    /// Where `value` lies between the ends of the range.
    pub(crate) fn share(&self, value: f64) -> f64 {
        (value - self.range.0) / (self.range.1 - self.range.0)
    }
}

/// Its own ticks, not those of plotters, which come without end where the range is tiny.
impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        limit.0 + (self.share(*value) * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|(value, _)| *value).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.0..self.range.1
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let name = self.ticks.iter().find(|(tick, _)| tick == value);
        name.map(|(_, name)| name.clone()).unwrap_or_default()
    }
}

/// The smallest and the largest value, set apart where they are equal.
fn extent(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = values.into_iter().fold(start, |(a, b), v| (a.min(v), b.max(v)));
    if !(low.is_finite() && high.is_finite()) {
        return (0.0, 1.0);
    }
    let size = low.abs().max(high.abs());
    if size < 1e-30 {
        (0.0, 1.0)
    } else if high - low < 1e-6 * size {
        (low - 0.05 * size, high + 0.05 * size)
    } else {
        (low, high)
    }
}

/// At most about `count` round numbers between `low` and `high`.
fn nice_ticks(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / count.max(1) as f64;
    let power = rough.log10().floor();
    let unit = 10f64.powf(power);
    let Some(factor) = [1.0, 2.0, 5.0, 10.0].into_iter().find(|f| f * unit >= rough / 1.5) else {
        return Vec::new();
    };
    let step = factor * unit;
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    if !(step > 0.0 && last - first <= 100.0) {
        return Vec::new();
    }
    let size = low.abs().max(high.abs());
    let indices = (0..=(last - first) as i64).map(|i| first + i as f64);
    indices.map(|i| (i * step, tick_text(i * step, step, size))).collect()
}

/// A number with as many digits as the step between ticks needs.
fn tick_text(value: f64, step: f64, size: f64) -> String {
    if value.abs() < step / 2.0 {
        return "0".to_owned();
    }
    let digits = (-(step.log10() + 1e-9).floor()).max(0.0);
    if digits <= 4.0 && size < 1e5 {
        return format!("{value:.0$}", digits as usize).replace('-', "−");
    }
    let power = (size.log10() + 1e-9).floor();
    let digits = (power - (step.log10() + 1e-9).floor()).clamp(0.0, 6.0) as usize;
    let mantissa = format!("{:.digits$}", value / 10f64.powf(power)).replace('-', "−");
    format!("{mantissa}×10{}", superscript(power as i64))
}

fn superscript(value: i64) -> String {
    let raised = |letter| match letter {
        '-' => '⁻',
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        _ => '⁹',
    };
    value.to_string().chars().map(raised).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(
            texts(&Axis::spanning("", 0.0, 1.0, 5)),
            ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(texts(&Axis::spanning("", -1.2, 30.0, 4)), ["0", "10", "20", "30"]);
        assert_eq!(
            texts(&Axis::spanning("", 0.0, 4e-6, 4)),
            ["0", "1×10⁻⁶", "2×10⁻⁶", "3×10⁻⁶", "4×10⁻⁶"]
        );
        assert_eq!(texts(&Axis::spanning("", -2.0, 2.0, 4)), ["−2", "−1", "0", "1", "2"]);
    }

    #[test]
    fn equal_values_get_room() {
        for value in [0.0, 0.3, -7.0, 1e30, 1e-300, f64::NAN] {
            let axis = Axis::fitted("", [value, value], 5);
            assert!(axis.range.0 < axis.range.1, "{value}: {axis:?}");
            assert!(!axis.ticks.is_empty() && axis.ticks.len() < 20, "{value}: {axis:?}");
        }
    }
}
