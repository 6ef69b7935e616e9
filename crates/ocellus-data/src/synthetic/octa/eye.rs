use std::f32::consts::TAU;

use super::{
    capillaries::Mesh,
    fovea::Fovea,
    ink::Ink,
    tree::{Growth, Node},
};
use crate::{
    random::Random,
    synthetic::{field::Field, smoothstep::smoothstep},
};

/// A macula: what the light of a scan would see, without noise. Lengths in tens of micrometers.
#[derive(Debug)]
pub(super) struct Eye {
    fovea: Fovea,
    arteries: Vec<Node>,
    veins: Vec<Node>,
    mesh: Mesh,
    fields: [Field; 4],
}

/// What lies around the field that is seen, so that vessels enter it from outside.
const MARGIN: f32 = 45.;

impl Eye {
    /// Draws the vessels of a square of that extent; the fovea lies about `center`.
    pub(super) fn draw(random: &mut Random, extent: f32, center: (f32, f32)) -> Self {
        let fields: [Field; 4] = std::array::from_fn(|_| Field::draw(random));
        let fovea = Fovea::draw(random, center);
        let square = (-MARGIN, extent + MARGIN);
        let spacing = random.uniform(15., 19.) * (extent / 300.).sqrt();
        let to_arteries = roots(random, [62., 118., 232., 305.], extent);
        let to_veins = roots(random, [90., 152., 268., 335., 20.], extent);
        let mut grow = |roots: &[(f32, f32)], others: &[Node]| {
            let mut growth = Growth::new(random, square, spacing, &fovea);
            growth.avoid(others);
            let mut vessels = growth.grow(roots);
            for vessel in &mut vessels {
                vessel.at = bent(vessel.at, &fields);
            }
            vessels
        };
        let arteries = grow(&to_arteries, &[]);
        let veins = grow(&to_veins, &arteries);
        let spacing = 4.8 * (extent / 300.).sqrt();
        let mesh = Mesh::draw(random, extent, spacing, [&fields[2], &fields[3]]);
        Self { fovea, arteries, veins, mesh, fields }
    }

    /// The light that comes back, 0 to about 1, and the larger vessels' mask, `side` pixels for
    /// `extent`.
    pub(super) fn see(
        &self,
        random: &mut Random,
        side: usize,
        extent: f32,
    ) -> (Vec<f32>, Vec<f32>) {
        let scale = side as f32 / extent;
        let [supply, flow, ..] = &self.fields;
        let mesh = self.mesh.ink(random, (side, scale), &self.fovea, [flow, supply]);
        let (mut vessels, mut mask, mut halo) = (Ink::new(side), Ink::new(side), Ink::new(side));
        for (system, free) in [(&self.arteries, 4.5), (&self.veins, 1.5)] {
            for (index, node) in system.iter().enumerate() {
                let drawn = |(x, y): (f32, f32)| (x * scale - 0.5, y * scale - 0.5);
                let (a, b) = (drawn(node.at), drawn(system[node.parent].at));
                let radius = node.radius * scale;
                let light = (0.6 + 0.2 * node.radius).min(1.05);
                vessels.line(a, b, radius, light, 0.8);
                if node.radius > 1.1 {
                    mask.line(a, b, radius, 1., 0.5);
                }
                // It is wide and soft: every third step covers the way.
                if index % 3 == 0 {
                    halo.line(a, b, radius + free * scale, 1., 0.5 + free * scale);
                }
            }
        }
        let mut light = Vec::with_capacity(side * side);
        for y in 0..side {
            for x in 0..side {
                let i = y * side + x;
                let at = ((x as f32 + 0.5) / scale, (y as f32 + 0.5) / scale);
                let tissue = smoothstep((self.fovea.distance(at) - 0.35) / 0.9);
                let depth = 0.05 + 0.14 * tissue;
                let gain = 1. + 0.09 * supply.at(at.1 / 110. + 20., at.0 / 110.);
                let fine = mesh.plane[i] * (0.25 + 0.75 * tissue) * (1. - 0.4 * halo.plane[i]);
                light.push(gain * depth.max(fine.max(vessels.plane[i])));
            }
        }
        let mask = mask.plane.into_iter().map(|v| f32::from(u8::from(v >= 0.5))).collect();
        (light, mask)
    }
}

/// Where vessels enter: on the edge of the square, in about these directions (degrees).
fn roots<const N: usize>(
    random: &mut Random,
    directions: [f32; N],
    extent: f32,
) -> [(f32, f32); N] {
    directions.map(|direction| {
        let angle = TAU * (direction + 13. * random.normal()) / 360.;
        let (sin, cos) = angle.sin_cos();
        let half = 0.5 * extent + MARGIN - 3.;
        let to_edge = half / sin.abs().max(cos.abs());
        (0.5 * extent + to_edge * cos, 0.5 * extent - to_edge * sin)
    })
}

/// Vessels wind a little.
fn bent((x, y): (f32, f32), fields: &[Field; 4]) -> (f32, f32) {
    let wind = |field: &Field| 2.6 * field.at(y / 27., x / 27.) + 0.8 * field.at(y / 9., x / 9.);
    (x + wind(&fields[0]), y + wind(&fields[1]))
}
