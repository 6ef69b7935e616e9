use std::f32::consts::TAU;

use crate::random::Random;

/// The avascular zone in the middle of the macula: an uneven disk. Lengths in tens of micrometers.
#[derive(Clone, Debug)]
pub(super) struct Fovea {
    pub(super) center: (f32, f32),
    radius: f32,
    /// `(order, amplitude, phase)` of the outline's waves.
    waves: [(f32, f32, f32); 5],
    /// No part of the outline is farther from the center.
    bound: f32,
}

impl Fovea {
    /// Draws one near a place. Radii of 0.2 to 0.4 mm are those of healthy eyes.
    pub(super) fn draw(random: &mut Random, (x, y): (f32, f32)) -> Self {
        let center = (x + 7. * random.normal(), y + 7. * random.normal());
        let radius = random.uniform(22., 38.);
        let wave = |order: usize, random: &mut Random| {
            let order = order as f32;
            (order, 0.16 * random.normal() / order, random.uniform(0., TAU))
        };
        let waves: [_; 5] = std::array::from_fn(|i| wave(i + 2, random));
        let bound = radius * (1. + waves.iter().map(|wave| wave.1.abs()).sum::<f32>());
        Self { center, radius, waves, bound }
    }

    /// How far a place lies from the center, in radii of the outline in its direction; at least 2,
    /// but not exactly, where it is far away.
    pub(super) fn distance(&self, (x, y): (f32, f32)) -> f32 {
        let (x, y) = (x - self.center.0, y - self.center.1);
        let distance = (x * x + y * y).sqrt();
        if distance > 2. * self.bound {
            return distance / self.bound;
        }
        distance / self.reach(y.atan2(x))
    }

    /// A place in a direction, at a distance in radii of the outline.
    pub(super) fn rim(&self, angle: f32, distance: f32) -> (f32, f32) {
        let reach = distance * self.reach(angle);
        let (sin, cos) = angle.sin_cos();
        (self.center.0 + reach * cos, self.center.1 + reach * sin)
    }

    fn reach(&self, angle: f32) -> f32 {
        let wave =
            |(order, amplitude, phase): &(f32, f32, f32)| amplitude * (order * angle + phase).cos();
        self.radius * (1. + self.waves.iter().map(wave).sum::<f32>()).max(0.4)
    }
}
