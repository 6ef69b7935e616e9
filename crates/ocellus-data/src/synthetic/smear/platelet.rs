use std::f32::consts::TAU;

use super::{canvas::Canvas, outline::Outline, slide::Slide};
use crate::{
    random::Random,
    synthetic::{field::Field, smoothstep::smoothstep},
};

/// A platelet, or a speck of stain: small, without a nucleus.
#[derive(Clone, Debug)]
pub(super) struct Platelet {
    outline: Outline,
    strength: f32,
    /// How soft its border is, in µm.
    soft: f32,
    /// How much its granules stand out.
    grain: f32,
}

impl Platelet {
    pub(super) fn draw(random: &mut Random, center: (f32, f32)) -> Self {
        let speck = random.chance(0.7);
        let radius = if speck { random.uniform(0.1, 0.35) } else { random.uniform(0.7, 1.5) };
        let stretch = random.uniform(1., 1.3);
        let outline = Outline::new(center, radius, stretch, TAU * random.unit());
        Self {
            outline: outline.uneven(random, if speck { 0.1 } else { 0.13 }),
            strength: if speck { random.uniform(0.2, 0.8) } else { random.uniform(0.18, 0.4) },
            soft: if speck { 0.15 } else { 0.4 },
            grain: if speck { 0. } else { random.uniform(0.3, 0.7) },
        }
    }

    pub(super) fn paint(&self, canvas: &mut Canvas, slide: &Slide, texture: &Field) {
        let outline = &self.outline;
        let reach = outline.reach() + self.soft;
        canvas.paint((outline.x, outline.y), reach, |canvas, at, x, y| {
            let cover = smoothstep(0.5 + outline.depth(x, y) / (2. * self.soft));
            let grain = (1. + self.grain * texture.turned(y / 0.4, x / 0.4)).max(0.);
            canvas.stain(at, &slide.nucleus, self.strength * cover * grain);
        });
    }
}
