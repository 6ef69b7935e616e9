use std::f64::consts::TAU;

use crate::{
    Color,
    canvas::{Canvas, Stroke},
};

/// The form of a point: tells groups apart where colors tell others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
    Pentagon,
}

impl Shape {
    const ALL: [Self; 5] =
        [Self::Circle, Self::Square, Self::Triangle, Self::Diamond, Self::Pentagon];

    /// The shape of the group with this index; after five they start again.
    pub(crate) fn of(index: usize) -> Self {
        Self::ALL[index % Self::ALL.len()]
    }

    /// Draws it around a place, about as large as a circle of that radius.
    pub(crate) fn draw(self, canvas: &mut Canvas, (x, y): (f64, f64), radius: f64, color: Color) {
        let rim = Stroke::new(Color::WHITE, 0.9);
        let (corners, first, size) = match self {
            Self::Circle => return canvas.circle((x, y), radius, color, Some(rim)),
            Self::Square => (4, 0.125, 1.25),
            Self::Triangle => (3, 0.75, 1.4),
            Self::Diamond => (4, 0.0, 1.35),
            Self::Pentagon => (5, 0.75, 1.2),
        };
        let corner = |i: u32| {
            let angle = TAU * (first + f64::from(i) / f64::from(corners));
            (x + size * radius * angle.cos(), y + size * radius * angle.sin())
        };
        canvas.polygon((0..corners).map(corner).collect(), Some(color), Some(rim));
    }
}
