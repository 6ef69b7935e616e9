use super::Shape;
use crate::{
    Color,
    canvas::{Canvas, Label, Stroke},
    style::font,
};

/// The sign before an entry of a legend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mark {
    Line(Stroke),
    /// A line with a dark seam, as it is drawn over images.
    Seamed(Stroke),
    Box(Color),
    Dot(Color),
    Point(Color, Shape),
    Cross,
}

impl Mark {
    /// From its left end to the text.
    fn width(self) -> f64 {
        match self {
            Self::Line(_) | Self::Seamed(_) => MARK + 6.0,
            Self::Box(_) | Self::Dot(_) | Self::Point(..) | Self::Cross => 18.0,
        }
    }
}

/// What the colors mean; it stands below a chart, where it covers no data.
#[derive(Clone, Debug, Default)]
pub(crate) struct Legend {
    entries: Vec<(Mark, String)>,
}

const SIZE: f64 = 12.5;
const ROW: f64 = 19.0;
/// The length of a line before its text.
const MARK: f64 = 24.0;
const GAP: f64 = 18.0;
/// How much wider the dark seam is than its line.
pub(crate) const SEAM: f64 = 1.4;

impl Legend {
    /// A line in the palette's next color for each text.
    pub(crate) fn of_lines(texts: &[impl AsRef<str>]) -> Self {
        let line = |i| Mark::Line(Stroke::new(Color::palette(i), 2.4));
        let entry = |(i, text): (usize, &_)| (line(i), AsRef::<str>::as_ref(text).to_owned());
        Self { entries: texts.iter().enumerate().map(entry).collect() }
    }

    pub(crate) fn push(&mut self, mark: Mark, text: impl Into<String>) {
        self.entries.push((mark, text.into()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn height(&self, width: f64) -> f64 {
        let rows = self.placed(width).iter().map(|entry| entry.row + entry.lines.len()).max();
        rows.unwrap_or(0) as f64 * ROW
    }

    /// Draws the entries from left to right in as many rows as they need.
    pub(crate) fn draw(&self, canvas: &mut Canvas, (x, y): (f64, f64), width: f64) {
        for entry in self.placed(width) {
            let (left, middle) = (x + entry.x, y + (entry.row as f64 + 0.5) * ROW);
            draw_mark(canvas, entry.mark, left, middle);
            for (i, line) in entry.lines.into_iter().enumerate() {
                let down = i as f64 * ROW;
                let right = left + entry.mark.width();
                canvas.text_centered(right, middle + down, Label::new(line, SIZE));
            }
        }
    }

    fn placed(&self, width: f64) -> Vec<Placed> {
        let limit = (width - MARK - 6.0).max(40.0);
        let (mut x, mut row, mut below) = (0.0, 0, 0);
        let mut placed = Vec::with_capacity(self.entries.len());
        for (mark, text) in &self.entries {
            let lines = font::wrap(text, SIZE, false, limit);
            let widest = lines.iter().map(|l| font::width(l, SIZE, false)).fold(0.0, f64::max);
            let needed = mark.width() + widest;
            if x > 0.0 && x + needed > width {
                (x, row) = (0.0, below);
            }
            below = below.max(row + lines.len());
            placed.push(Placed { mark: *mark, lines, x, row });
            x += needed + GAP;
        }
        placed
    }
}

struct Placed {
    mark: Mark,
    lines: Vec<String>,
    x: f64,
    row: usize,
}

fn draw_mark(canvas: &mut Canvas, mark: Mark, x: f64, y: f64) {
    match mark {
        Mark::Line(stroke) => canvas.line((x, y), (x + MARK, y), stroke),
        Mark::Seamed(stroke) => {
            let seam = Stroke::new(Color::BLACK, stroke.width + SEAM);
            canvas.line((x, y), (x + MARK, y), seam);
            canvas.line((x, y), (x + MARK, y), stroke);
        }
        Mark::Box(color) => {
            canvas.rect((x, y - 6.0), (12.0, 12.0), Some(color), None);
        }
        Mark::Dot(color) => {
            let rim = Stroke::new(Color::WHITE, 1.5);
            canvas.circle((x + 6.0, y), 5.5, color, Some(rim));
        }
        Mark::Point(color, shape) => shape.draw(canvas, (x + 6.0, y), 5.0, color),
        Mark::Cross => draw_cross(canvas, (x + 6.0, y)),
    }
}

/// A cross with a white seam, which shows on points of any color.
pub(crate) fn draw_cross(canvas: &mut Canvas, (x, y): (f64, f64)) {
    for stroke in [Stroke::new(Color::WHITE, 5.0), Stroke::new(Color::BLACK, 2.4)] {
        canvas.line((x - 5.5, y - 5.5), (x + 5.5, y + 5.5), stroke);
        canvas.line((x - 5.5, y + 5.5), (x + 5.5, y - 5.5), stroke);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_wrap_into_rows_that_fit() {
        let mut legend = Legend::default();
        assert_eq!(legend.height(300.0), 0.0);
        for i in 0..5 {
            legend.push(Mark::Box(Color::palette(i)), format!("model number {i} of five"));
        }
        let placed = legend.placed(300.0);
        assert!(placed.windows(2).all(|p| p[1].row > p[0].row || p[1].x > p[0].x));
        assert!(legend.height(300.0) > legend.height(2000.0));
    }

    #[test]
    fn an_entry_wider_than_the_chart_takes_several_lines() {
        let mut legend = Legend::default();
        legend.push(Mark::Dot(Color::BLUE), "word ".repeat(30));
        legend.push(Mark::Dot(Color::BLUE), "next");
        let placed = legend.placed(200.0);
        assert!(placed[0].lines.len() > 2);
        assert_eq!(placed[1].row, placed[0].lines.len());
    }
}
