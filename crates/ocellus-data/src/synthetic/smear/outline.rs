use std::f32::consts::{PI, TAU};

use crate::random::Random;

/// A closed curve around a point, in micrometers: an ellipse whose radius waves with the angle, and
/// may have a cleft.
#[derive(Clone, Debug)]
pub(super) struct Outline {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) radius: f32,
    /// The long axis over the radius, at least 1; the short one is the radius over it.
    stretch: f32,
    /// Cosine and sine of the long axis.
    axis: (f32, f32),
    /// `(order, amplitude, phase)`, amplitudes relative to the radius.
    waves: Vec<(f32, f32, f32)>,
    /// `(angle, depth, width)` of a cleft, the depth relative to the radius.
    cleft: Option<(f32, f32, f32)>,
    /// What waves and cleft make of the radius, at angles from −π to π; nothing for an ellipse.
    factors: Vec<f32>,
}

/// Angles of a turn at which the curve is traced; lines run between.
const STEPS: usize = 128;

impl Outline {
    pub(super) fn new((x, y): (f32, f32), radius: f32, stretch: f32, angle: f32) -> Self {
        let axis = (angle.cos(), angle.sin());
        Self { x, y, radius, stretch, axis, waves: Vec::new(), cleft: None, factors: Vec::new() }
    }

    /// With waves of order 2 and more, of which the first is about so high.
    pub(super) fn uneven(mut self, random: &mut Random, amplitude: f32) -> Self {
        let wave = |order: usize| {
            let order = order as f32;
            (order, amplitude * random.normal() / (order - 1.).powf(0.9), TAU * random.unit())
        };
        self.waves = (2..8).map(wave).collect();
        self.traced()
    }

    /// With a cleft at an angle from the long axis.
    pub(super) fn cleft(mut self, angle: f32, depth: f32, width: f32) -> Self {
        self.cleft = Some((angle, depth, width));
        self.traced()
    }

    fn traced(mut self) -> Self {
        self.factors =
            (0..=STEPS).map(|i| self.factor(TAU * i as f32 / STEPS as f32 - PI)).collect();
        self
    }

    fn factor(&self, angle: f32) -> f32 {
        let wave = |&(order, amplitude, phase): &(f32, f32, f32)| {
            amplitude * (order * angle + phase).cos()
        };
        let waves = self.waves.iter().map(wave).sum::<f32>();
        let Some((at, depth, width)) = self.cleft else { return 1. + waves };
        let off = (angle - at + PI).rem_euclid(TAU) - PI;
        1. + waves - depth * (-(off / width).powi(2)).exp()
    }

    /// About how far within the curve a place is; negative outside.
    pub(super) fn depth(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x - self.x, y - self.y);
        let (cos, sin) = self.axis;
        let along = (dx * cos + dy * sin) / self.stretch;
        let across = (dy * cos - dx * sin) * self.stretch;
        let away = along.hypot(across);
        if away > 1.8 * self.radius {
            return self.radius - away;
        }
        if self.factors.is_empty() {
            return self.radius - away;
        }
        let place = (across.atan2(along) + PI) * (STEPS as f32 / TAU);
        let low = (place.max(0.) as usize).min(STEPS - 1);
        let (a, b) = (self.factors[low], self.factors[low + 1]);
        self.radius * (a + (place - low as f32) * (b - a)) - away
    }

    /// No part of the curve is farther from its center.
    pub(super) fn reach(&self) -> f32 {
        let waves: f32 = self.waves.iter().map(|wave| wave.1.abs()).sum();
        self.radius * self.stretch * (1. + waves)
    }

    /// The center, moved along the long axis.
    pub(super) fn moved(&self, by: f32) -> (f32, f32) {
        (self.x + by * self.axis.0, self.y + by * self.axis.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_as_deep_as_it_is_wide() {
        let circle = Outline::new((3., 4.), 2., 1., 0.7);
        assert!((circle.depth(3., 4.) - 2.).abs() < 1e-6);
        assert!(circle.depth(5., 4.).abs() < 1e-6 && (circle.depth(3., 8.) + 2.).abs() < 1e-6);
        assert_eq!(circle.reach(), 2.);
    }

    #[test]
    fn nothing_is_beyond_its_reach() {
        let mut random = Random::keyed(1, 2, 3, 4);
        for _ in 0..20 {
            let angle = TAU * random.unit();
            let outline = Outline::new((0., 0.), 3., 1.3, angle).uneven(&mut random, 0.05);
            let reach = outline.reach();
            for step in 0..60 {
                let angle = TAU * step as f32 / 60.;
                assert!(
                    outline.depth(1.001 * reach * angle.cos(), 1.001 * reach * angle.sin()) < 0.
                );
            }
        }
    }

    #[test]
    fn a_cleft_takes_away_on_one_side() {
        let plain = Outline::new((0., 0.), 4., 1., 0.);
        let cleft = plain.clone().cleft(0., 0.5, 0.3);
        assert!((plain.depth(3., 0.) - cleft.depth(3., 0.) - 2.).abs() < 1e-5);
        assert!((plain.depth(-3., 0.) - cleft.depth(-3., 0.)).abs() < 1e-5);
    }
}
