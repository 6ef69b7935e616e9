use crate::{Color, Picture, style::font};

/// Where a text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stroke {
    pub(crate) color: Color,
    pub(crate) width: f64,
    pub(crate) dash: Option<(f64, f64)>,
}

impl Stroke {
    pub(crate) fn new(color: Color, width: f64) -> Self {
        Self { color, width, dash: None }
    }

    /// The dashed line of chance or of perfection, which models are compared with.
    pub(crate) fn reference() -> Self {
        Self::new(Color::AXIS, 1.2).dashed(5.0, 4.0)
    }

    pub(crate) fn dashed(mut self, on: f64, off: f64) -> Self {
        self.dash = Some((on, off));
        self
    }
}

/// A line of text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Label {
    pub(crate) text: String,
    pub(crate) size: f64,
    pub(crate) bold: bool,
    pub(crate) anchor: Anchor,
    /// Turned by a quarter, to be read upward.
    pub(crate) upward: bool,
    pub(crate) color: Color,
}

impl Label {
    pub(crate) fn new(text: impl Into<String>, size: f64) -> Self {
        let (bold, upward) = (false, false);
        Self { text: text.into(), size, bold, anchor: Anchor::Start, upward, color: Color::INK }
    }

    pub(crate) fn bold(mut self) -> Self {
        self.bold = true;
        self
    }

    pub(crate) fn upward(mut self) -> Self {
        self.upward = true;
        self
    }

    pub(crate) fn anchor(mut self, anchor: Anchor) -> Self {
        self.anchor = anchor;
        self
    }

    pub(crate) fn centered(self) -> Self {
        self.anchor(Anchor::Middle)
    }

    pub(crate) fn color(mut self, color: Color) -> Self {
        self.color = color;
        self
    }

    pub(crate) fn width(&self) -> f64 {
        font::width(&self.text, self.size, self.bold)
    }
}

/// One thing that is drawn, in pixels from the upper left corner.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Path {
        points: Vec<(f64, f64)>,
        closed: bool,
        fill: Option<Color>,
        stroke: Option<Stroke>,
    },
    Circle {
        center: (f64, f64),
        radius: f64,
        fill: Color,
        stroke: Option<Stroke>,
    },
    /// `at` is the anchor on the base line.
    Text {
        at: (f64, f64),
        label: Label,
    },
    Image {
        at: (f64, f64),
        size: (f64, f64),
        picture: Picture,
    },
}

/// A list of things to draw.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Canvas {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) items: Vec<Item>,
}

impl Canvas {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self { width, height, items: Vec::new() }
    }

    /// Text whose anchor on the base line is `(x, y)`.
    pub(crate) fn text(&mut self, x: f64, y: f64, label: Label) {
        self.items.push(Item::Text { at: (x, y), label });
    }

    /// Text whose digits are centered on the height `y`, or on `x` where it reads upward.
    pub(crate) fn text_centered(&mut self, x: f64, y: f64, label: Label) {
        let shift = font::CAP_HEIGHT * label.size / 2.0;
        let (x, y) = if label.upward { (x + shift, y) } else { (x, y + shift) };
        self.text(x, y, label);
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        self.path(vec![from, to], stroke);
    }

    pub(crate) fn path(&mut self, points: Vec<(f64, f64)>, stroke: Stroke) {
        self.items.push(Item::Path { points, closed: false, fill: None, stroke: Some(stroke) });
    }

    pub(crate) fn polygon(
        &mut self,
        points: Vec<(f64, f64)>,
        fill: Option<Color>,
        stroke: Option<Stroke>,
    ) {
        self.items.push(Item::Path { points, closed: true, fill, stroke });
    }

    pub(crate) fn rect(
        &mut self,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        fill: Option<Color>,
        stroke: Option<Stroke>,
    ) {
        let points = vec![(x, y), (x + width, y), (x + width, y + height), (x, y + height)];
        self.polygon(points, fill, stroke);
    }

    pub(crate) fn circle(
        &mut self,
        center: (f64, f64),
        radius: f64,
        fill: Color,
        stroke: Option<Stroke>,
    ) {
        self.items.push(Item::Circle { center, radius, fill, stroke });
    }

    /// A picture stretched to `size`; one with far more pixels than that is made smaller first.
    pub(crate) fn image(&mut self, at: (f64, f64), size: (f64, f64), picture: &Picture) {
        let limit = (2.0 * size.0.max(size.1)).ceil().max(1.0) as usize;
        self.items.push(Item::Image { at, size, picture: picture.at_most(limit) });
    }

    /// Takes over what `other` draws, moved by `(x, y)`.
    pub(crate) fn insert(&mut self, other: &Self, x: f64, y: f64) {
        let moved = |point: &(f64, f64)| (point.0 + x, point.1 + y);
        for item in &other.items {
            let mut item = item.clone();
            match &mut item {
                Item::Path { points, .. } => {
                    for point in points {
                        *point = moved(point);
                    }
                }
                Item::Circle { center: at, .. }
                | Item::Text { at, .. }
                | Item::Image { at, .. } => *at = moved(at),
            }
            self.items.push(item);
        }
    }
}
