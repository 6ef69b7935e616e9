use std::f32::consts::{PI, TAU};

use crate::random::Random;

/// A mass: its outline and how it reflects and attenuates. Lengths are in image heights, levels in
/// decibels.
#[derive(Clone, Debug)]
pub(crate) struct Lesion {
    x: f32,
    z: f32,
    radius_x: f32,
    radius_z: f32,
    tilt: (f32, f32),
    /// `(order, amplitude, phase)` of the outline's waves.
    waves: Vec<(f32, f32, f32)>,
    /// `(angle, length, width)` of pointed corners and spicules.
    spikes: Vec<(f32, f32, f32)>,
    /// The echo within, against the tissue around, and how much it varies.
    pub(crate) level: f32,
    pub(crate) variation: f32,
    /// Width of the border.
    pub(crate) blur: f32,
    /// A thin bright line along the border, and a wide one around it.
    pub(crate) capsule: f32,
    pub(crate) halo: f32,
    /// What a beam through the middle gains (enhancement) or loses (shadow).
    pub(crate) posterior: f32,
    /// What a beam along the side loses by refraction.
    pub(crate) edge_shadow: f32,
    /// Bright spots within: `(x, z)`.
    calcifications: Vec<(f32, f32)>,
}

/// Where a point lies against the outline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    /// About the distance from the outline, negative within.
    pub(crate) distance: f32,
    /// How level the outline is there, 0 to 1: level borders reflect.
    pub(crate) level: f32,
    /// A spicule beyond the outline, 0 to 1.
    pub(crate) spicule: f32,
}

impl Lesion {
    /// Draws a mass of benign or malignant looks in a field of that width.
    ///
    /// The ranges overlap on purpose: no single sign tells the classes apart, as in patients.
    pub(crate) fn draw(random: &mut Random, malignant: bool, width: f32) -> Self {
        let pick = |random: &mut Random, benign: (f32, f32), malign: (f32, f32)| {
            let (low, high) = if malignant { malign } else { benign };
            random.uniform(low, high)
        };
        let size = pick(random, (0.07, 0.185), (0.085, 0.2));
        // Wider than tall, or taller than wide.
        let ratio = (pick(random, (0.05, 0.6), (-0.32, 0.32)) + 0.08 * random.normal()).exp();
        let (radius_x, radius_z) = (size * ratio.sqrt(), size / ratio.sqrt());
        let angle = pick(random, (-0.25, 0.25), (-0.6, 0.6));
        let x = width * (0.5 + 0.22 * random.symmetric());
        let z = random.uniform(0.2 + 0.75 * radius_z, 0.58);
        let rough = pick(random, (0.03, 0.14), (0.05, 0.19));
        let waves = (2..9)
            .map(|order| {
                let order = order as f32;
                // Large lobes for benign masses, small ones for malignant.
                let fall = if malignant { 0.5 } else { 1.2 };
                (order, rough * random.normal() / order.powf(fall), TAU * random.unit())
            })
            .collect();
        let pointed = random.chance(if malignant { 0.65 } else { 0.12 });
        let count = if pointed { 4 + random.below(8) } else { 0 };
        let spikes = (0..count)
            .map(|_| {
                let length = random.uniform(0.1, 0.5);
                (TAU * random.unit(), length, random.uniform(0.06, 0.16))
            })
            .collect();
        let signed = |random: &mut Random, chance: f32, range: (f32, f32)| {
            let level = random.uniform(range.0, range.1);
            if random.chance(chance) { level } else { 0. }
        };
        let capsule = signed(random, if malignant { 0.12 } else { 0.7 }, (4., 10.));
        let halo = signed(random, if malignant { 0.6 } else { 0.12 }, (3., 8.));
        let edge_shadow = signed(random, if malignant { 0.2 } else { 0.5 }, (2., 7.));
        let spots = if random.chance(if malignant { 0.35 } else { 0.06 }) { 9 } else { 0 };
        let calcifications = (0..spots)
            .map(|_| {
                let (angle, r) = (TAU * random.unit(), 0.7 * random.unit().sqrt());
                (x + r * radius_x * angle.cos(), z + r * radius_z * angle.sin())
            })
            .collect();
        Self {
            x,
            z,
            radius_x,
            radius_z,
            tilt: angle.sin_cos(),
            waves,
            spikes,
            level: pick(random, (-25., -9.), (-21., -10.)),
            variation: pick(random, (0.5, 2.5), (1., 4.5)),
            blur: pick(random, (0.004, 0.013), (0.006, 0.02)),
            capsule,
            halo,
            posterior: pick(random, (-3., 10.), (-16., 3.)),
            edge_shadow,
            calcifications,
        }
    }

    /// The place of a point against the outline; nothing far away.
    pub(crate) fn position(&self, x: f32, z: f32) -> Option<Position> {
        let (dx, dz) = (x - self.x, z - self.z);
        let reach = 2.2 * self.radius_x.max(self.radius_z) + 0.06;
        if dx.abs() > reach || dz.abs() > reach {
            return None;
        }
        let (sin, cos) = self.tilt;
        let (u, v) = ((cos * dx + sin * dz) / self.radius_x, (cos * dz - sin * dx) / self.radius_z);
        let (rho, angle) = ((u * u + v * v).sqrt(), v.atan2(u));
        let mut outline = 1.;
        for &(order, amplitude, phase) in &self.waves {
            outline += amplitude * (order * angle + phase).cos();
        }
        let mut spicule = 0f32;
        for &(at, length, width) in &self.spikes {
            let apart = (angle - at + PI).rem_euclid(TAU) - PI;
            outline += 0.55 * length * (-(apart / width).powi(2)).exp();
            let beyond = ((rho - outline) / (1.5 * length)).max(0.);
            let line = (-(apart * rho / (0.35 * width)).powi(2) - beyond).exp();
            spicule = spicule.max(line);
        }
        let scale = (self.radius_x * self.radius_z).sqrt();
        let distance = (rho - outline.max(0.3)) * scale;
        let level = if rho > 0. { (v / rho).powi(2) } else { 0. };
        Some(Position { distance, level, spicule })
    }

    /// The part of a full beam's way through the mass that each step of length `dz` adds, if inside.
    pub(crate) fn per_height(&self) -> f32 {
        self.posterior / (2. * self.radius_z)
    }

    /// Refraction along the sides: 0 to 1 for the beam at `x`, and the depth below which it tells.
    pub(crate) fn side(&self, x: f32) -> f32 {
        let apart = ((x - self.x).abs() - self.radius_x) / (0.13 * self.radius_x);
        (-apart * apart).exp()
    }

    pub(crate) fn depth(&self) -> f32 {
        self.z
    }

    /// The light of the bright spots at a point.
    pub(crate) fn spots(&self, x: f32, z: f32) -> f32 {
        let light = |&(at_x, at_z): &(f32, f32)| {
            let apart = ((x - at_x) / 0.006).powi(2) + ((z - at_z) / 0.004).powi(2);
            if apart < 9. { (-apart).exp() } else { 0. }
        };
        self.calcifications.iter().map(light).sum()
    }
}
