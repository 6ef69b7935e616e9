//! The embedded font: widths of texts and outlines of letters.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, OutlineCurve};
use tiny_skia::{Path, PathBuilder};

/// What a viewer shall use for the texts of an SVG: all have the widths of the embedded Arimo.
pub(crate) const FAMILY: &str = "Arimo, 'Liberation Sans', Arial, Helvetica, sans-serif";
/// The height of a digit, in units of the font size.
pub(crate) const CAP_HEIGHT: f64 = 0.716;
/// How far letters reach above and below the base line, in units of the font size.
pub(crate) const ASCENT: f64 = 0.8;
pub(crate) const DESCENT: f64 = 0.22;
/// From one line of text to the next, in units of the font size.
pub(crate) const LINE: f64 = 1.25;

const REGULAR: &[u8] = include_bytes!("../../fonts/Arimo-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../../fonts/Arimo-Bold.ttf");

fn font(bold: bool) -> Option<&'static FontRef<'static>> {
    static FONTS: [OnceLock<Option<FontRef<'static>>>; 2] = [OnceLock::new(), OnceLock::new()];
    let bytes = if bold { BOLD } else { REGULAR };
    FONTS[usize::from(bold)].get_or_init(|| FontRef::try_from_slice(bytes).ok()).as_ref()
}

/// The width of a line of text.
pub(crate) fn width(text: &str, size: f64, bold: bool) -> f64 {
    let Some(font) = font(bold) else { return 0.6 * size * text.chars().count() as f64 };
    let em = f64::from(font.units_per_em().unwrap_or(2048.0));
    let advance = |letter| f64::from(font.h_advance_unscaled(font.glyph_id(letter)));
    text.chars().map(advance).sum::<f64>() * size / em
}

/// The outlines of a line of text whose base line starts at the origin; y points down.
pub(crate) fn outline(text: &str, size: f64, bold: bool) -> Option<Path> {
    let font = font(bold)?;
    let scale = size as f32 / font.units_per_em()?;
    let mut builder = PathBuilder::new();
    let mut x = 0.0;
    for letter in text.chars() {
        let glyph = font.glyph_id(letter);
        if let Some(outline) = font.outline(glyph) {
            trace(&mut builder, &outline.curves, x, scale);
        }
        x += font.h_advance_unscaled(glyph) * scale;
    }
    builder.finish()
}

fn trace(builder: &mut PathBuilder, curves: &[OutlineCurve], x: f32, scale: f32) {
    let place = |point: ab_glyph::Point| (x + point.x * scale, -point.y * scale);
    let mut pen = None;
    for curve in curves {
        let (start, end) = match curve {
            OutlineCurve::Line(a, b)
            | OutlineCurve::Quad(a, _, b)
            | OutlineCurve::Cubic(a, _, _, b) => (*a, *b),
        };
        if pen != Some(start) {
            let (x, y) = place(start);
            builder.move_to(x, y);
        }
        let (ex, ey) = place(end);
        match curve {
            OutlineCurve::Line(..) => builder.line_to(ex, ey),
            OutlineCurve::Quad(_, c, _) => {
                let (cx, cy) = place(*c);
                builder.quad_to(cx, cy, ex, ey);
            }
            OutlineCurve::Cubic(_, c, d, _) => {
                let ((cx, cy), (dx, dy)) = (place(*c), place(*d));
                builder.cubic_to(cx, cy, dx, dy, ex, ey);
            }
        }
        pen = Some(end);
    }
}

/// Breaks a text at its spaces (and within words that are too long) into lines no wider than
/// `limit`; line breaks in the text are kept.
pub(crate) fn wrap(text: &str, size: f64, bold: bool, limit: f64) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if width(&joined, size, bold) <= limit {
                line = joined;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for letter in word.chars() {
                line.push(letter);
                if width(&line, size, bold) > limit && line.chars().count() > 1 {
                    line.pop();
                    lines.push(std::mem::replace(&mut line, letter.to_string()));
                }
            }
        }
        lines.push(line);
    }
    lines
}

/// The text, cut to `limit` with an ellipsis where it is wider.
pub(crate) fn shorten(text: &str, size: f64, bold: bool, limit: f64) -> String {
    if width(text, size, bold) <= limit {
        return text.to_owned();
    }
    let mut short: Vec<char> = text.chars().collect();
    while short.pop().is_some() {
        let candidate = short.iter().collect::<String>().trim_end().to_owned() + "…";
        if width(&candidate, size, bold) <= limit || short.is_empty() {
            return candidate;
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_arial() {
        // Arial: a digit is 1139/2048 em wide, and so is Arimo's.
        assert!((width("0123", 100.0, false) - 4.0 * 55.615).abs() < 0.1);
        assert!(width("malignant", 12.0, true) > width("malignant", 12.0, false));
    }

    #[test]
    fn letters_have_outlines_and_spaces_have_none() {
        assert!(outline("Aμ≤−²", 12.0, false).is_some());
        assert!(outline("   ", 12.0, false).is_none());
    }

    #[test]
    fn wrapped_lines_fit_and_keep_every_word() {
        let text = "attention VGG16 with CE-logcosh, malignant 0.93";
        let lines = wrap(text, 12.0, false, 90.0);
        assert!(lines.len() > 1);
        assert!(lines.iter().all(|line| width(line, 12.0, false) <= 90.0), "{lines:?}");
        assert_eq!(lines.join(" "), text);
        assert_eq!(wrap("a\nb", 12.0, false, 90.0), ["a", "b"]);
    }

    #[test]
    fn a_word_wider_than_the_line_is_broken() {
        let lines = wrap(&"x".repeat(100), 12.0, false, 50.0);
        assert!(lines.len() > 5 && lines.iter().all(|line| width(line, 12.0, false) <= 50.0));
    }

    #[test]
    fn shortened_texts_end_in_an_ellipsis() {
        let short = shorten("a very long class name", 12.0, false, 60.0);
        assert!(short.ends_with('…') && width(&short, 12.0, false) <= 60.0, "{short}");
    }
}
