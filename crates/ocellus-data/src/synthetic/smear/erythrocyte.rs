use std::f32::consts::TAU;

use super::{canvas::Canvas, outline::Outline, slide::Slide};
use crate::{random::Random, synthetic::smoothstep::smoothstep};

/// A red cell, without a nucleus: a disk, thinner in its middle.
#[derive(Clone, Debug)]
pub(super) struct Erythrocyte {
    pub(super) outline: Outline,
    strength: f32,
    pallor: f32,
    /// Where the pale middle lies, relative to the radius.
    off: (f32, f32),
}

impl Erythrocyte {
    pub(super) fn draw(random: &mut Random, slide: &Slide, center: (f32, f32)) -> Self {
        let radius = (3.65 + 0.28 * random.normal()).clamp(2.7, 4.5);
        let stretch =
            1. + 0.05 * random.normal().abs() + if random.chance(0.1) { 0.12 } else { 0. };
        let rough = if random.chance(0.15) { 0.04 } else { 0.018 };
        Self {
            outline: Outline::new(center, radius, stretch, TAU * random.unit())
                .uneven(random, rough),
            strength: 1. + 0.1 * random.normal(),
            pallor: (slide.pallor + 0.15 * random.normal()).clamp(0., 1.),
            off: (0.1 * random.normal(), 0.1 * random.normal()),
        }
    }

    pub(super) fn paint(&self, canvas: &mut Canvas, slide: &Slide) {
        let outline = &self.outline;
        let (radius, soft) = (outline.radius, 0.16);
        let reach = outline.reach() + 1.;
        canvas.paint((outline.x, outline.y), reach, |canvas, at, x, y| {
            let depth = outline.depth(x, y);
            if depth < -1. {
                return;
            }
            let cover = smoothstep(0.5 + depth / (2. * soft));
            let from_middle = (x - outline.x - self.off.0 * radius)
                .hypot(y - outline.y - self.off.1 * radius)
                / radius;
            let dome = (1. - (1. - depth / radius).clamp(0., 1.).powi(4)).sqrt();
            let pale = 0.75 * self.pallor * (-(from_middle / 0.42).powi(4)).exp();
            // Light bends at the rim: a dark line, and a bright one around it.
            let rim = 0.22 * (-((depth - 0.2) / 0.22).powi(2)).exp();
            let halo = 0.1 * (-((depth + 0.35) / 0.25).powi(2)).exp();
            let body = cover * ((0.72 + 0.28 * dome) * (1. - pale) + rim);
            canvas.stain(at, &slide.erythrocyte, self.strength * (body - (1. - cover) * halo));
        });
    }
}
