use std::f32::consts::TAU;

use super::{fovea::Fovea, ink::Ink};
use crate::{random::Random, synthetic::field::Field};

type Point = (f32, f32);

/// The mesh of the finest vessels: neighbors on an uneven lattice, connected where no third lies
/// between them (Gabriel's graph), more along the streaming than across. Lengths in tens of
/// micrometers.
#[derive(Debug)]
pub(super) struct Mesh {
    count: usize,
    places: Vec<Point>,
    spacing: f32,
}

/// The parts of a loop around the avascular zone.
const TURNS: usize = 72;

impl Mesh {
    pub(super) fn draw(random: &mut Random, extent: f32, spacing: f32, warp: [&Field; 2]) -> Self {
        let count = (extent / spacing).ceil() as usize + 5;
        let mut places = Vec::with_capacity(count * count);
        for i in 0..count * count {
            let mut place = |i: usize| (i as f32 - 2. + 0.42 * random.symmetric()) * spacing;
            let (x, y) = (place(i % count), place(i / count));
            let shift = |field: &Field| 0.9 * spacing * field.at(y / 30., x / 30.);
            places.push((x + shift(warp[0]), y + shift(warp[1])));
        }
        Self { count, places, spacing }
    }

    /// Draws the mesh and the loops around the avascular zone, `scale` pixels for each unit.
    pub(super) fn ink(
        &self,
        random: &mut Random,
        (side, scale): (usize, f32),
        fovea: &Fovea,
        [flow, supply]: [&Field; 2],
    ) -> Ink {
        let mut ink = Ink::new(side);
        let drawn = |(x, y): Point| (x * scale - 0.5, y * scale - 0.5);
        for (index, &a) in self.places.iter().enumerate() {
            for other in self.later_neighbors(index).filter(|&other| !self.between(index, other)) {
                let b = self.places[other];
                let (keep, light) = (random.unit(), random.uniform(0.5, 1.));
                let middle = (0.5 * (a.0 + b.0), 0.5 * (a.1 + b.1));
                let along = streaming(fovea, flow, middle, (b.0 - a.0, b.1 - a.1));
                if keep < 0.35 + 0.65 * along && fovea.distance(middle) > 1. {
                    let supplied = 1. + 0.1 * supply.at(middle.1 / 45., middle.0 / 45.);
                    let light = light * supplied.clamp(0.5, 1.3);
                    ink.line(drawn(a), drawn(b), 0.45 * scale, light, 0.7);
                }
            }
        }
        for ring in [1.02, 1.24] {
            let at = |turn: usize| {
                let turn = (turn % TURNS) as f32;
                let uneven = 0.035 * flow.at(9. * ring, turn / 4.);
                drawn(fovea.rim(TAU * turn / TURNS as f32, ring + uneven))
            };
            for turn in 0..TURNS {
                let light = random.uniform(0.35, 0.8);
                if ring < 1.1 || random.chance(0.7) {
                    ink.line(at(turn), at(turn + 1), 0.55 * scale, light, 0.75);
                }
            }
        }
        ink
    }

    /// Neighbors on the lattice that come later: two columns to the right, two rows down.
    fn later_neighbors(&self, index: usize) -> impl Iterator<Item = usize> + use<> {
        let (count, total) = (self.count, self.places.len());
        let column = index % count;
        let steps =
            [(1, 0), (2, 0), (-2, 1), (-1, 1), (0, 1), (1, 1), (2, 1), (-1, 2), (0, 2), (1, 2)];
        steps.into_iter().filter_map(move |(right, down)| {
            let to = column.checked_add_signed(right).filter(|&to| to < count)?;
            let other = index - column + to + down * count;
            (other < total).then_some(other)
        })
    }

    /// Whether a third place lies in the circle over two.
    fn between(&self, a: usize, b: usize) -> bool {
        let (p, q) = (self.places[a], self.places[b]);
        let middle = (0.5 * (p.0 + q.0), 0.5 * (p.1 + q.1));
        let squared = |at: Point| (at.0 - middle.0).powi(2) + (at.1 - middle.1).powi(2);
        let limit = 0.98 * squared(p);
        if limit > (1.3 * self.spacing).powi(2) {
            return true;
        }
        let (row, column) =
            ((a / self.count + b / self.count) / 2, (a % self.count + b % self.count) / 2);
        let range = |at: usize| at.saturating_sub(2)..(at + 3).min(self.count);
        range(row).any(|row| {
            range(column).any(|column| {
                let other = row * self.count + column;
                other != a && other != b && squared(self.places[other]) < limit
            })
        })
    }
}

/// How well a way follows the streaming, 0 to 1: about toward the fovea.
fn streaming(fovea: &Fovea, flow: &Field, at: Point, way: Point) -> f32 {
    let from = (at.0 - fovea.center.0, at.1 - fovea.center.1);
    let (sin, cos) = (1.1 * flow.at(at.1 / 60., at.0 / 60.)).sin_cos();
    let heading = (from.0 * cos - from.1 * sin, from.0 * sin + from.1 * cos);
    let squared = |(x, y): Point| x * x + y * y;
    let product = way.0 * heading.0 + way.1 * heading.1;
    product * product / (squared(way) * squared(from)).max(1e-3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbors_are_connected_and_nothing_crosses_far() {
        let mut random = Random::keyed(1, 0, 0, 0);
        let [a, b] = [Field::draw(&mut random), Field::draw(&mut random)];
        let mesh = Mesh::draw(&mut random, 100., 5., [&a, &b]);
        let mut degree = vec![0; mesh.places.len()];
        for index in 0..mesh.places.len() {
            for other in mesh.later_neighbors(index).filter(|&o| !mesh.between(index, o)) {
                degree[index] += 1;
                degree[other] += 1;
                let (p, q) = (mesh.places[index], mesh.places[other]);
                assert!((p.0 - q.0).hypot(p.1 - q.1) <= 2.7 * mesh.spacing);
            }
        }
        let mean = degree.iter().sum::<i32>() as f32 / degree.len() as f32;
        assert!((3. ..5.).contains(&mean), "{mean}");
    }

    #[test]
    fn nothing_is_drawn_in_the_avascular_zone() {
        let mut random = Random::keyed(2, 0, 0, 0);
        let fields: [Field; 4] = std::array::from_fn(|_| Field::draw(&mut random));
        let fovea = Fovea::draw(&mut random, (50., 50.));
        let mesh = Mesh::draw(&mut random, 100., 5., [&fields[0], &fields[1]]);
        let ink = mesh.ink(&mut random, (100, 1.), &fovea, [&fields[2], &fields[3]]);
        for (i, &light) in ink.plane.iter().enumerate() {
            let at = ((i % 100) as f32 + 0.5, (i / 100) as f32 + 0.5);
            assert!(fovea.distance(at) > 0.5 || light == 0., "{at:?}: {light}");
        }
        assert!(ink.plane.iter().filter(|&&light| light > 0.2).count() > 1000);
    }
}
