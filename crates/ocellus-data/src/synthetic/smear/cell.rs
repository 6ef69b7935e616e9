use std::f32::consts::TAU;

use super::{SmearCell, canvas::Canvas, outline::Outline, slide::Slide};
use crate::{
    random::Random,
    synthetic::{field::Field, smoothstep::smoothstep},
};

/// A cell with a nucleus: its shape and what it takes up of the stain.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) kind: SmearCell,
    pub(super) body: Outline,
    nucleus: Outline,
    /// Strength of the nucleus' stain, and its texture: `(size in µm, contrast)` of grain and clumps.
    chromatin: f32,
    grain: (f32, f32),
    clumps: (f32, f32),
    /// Places in the nucleus that are paler: `(x, y, radius)`.
    nucleoli: Vec<(f32, f32, f32)>,
    basophilia: f32,
    /// How far the border of the cytoplasm frays, in µm.
    fray: f32,
    /// The pale zone beside the nucleus: `(x, y, radius, strength)`.
    hof: (f32, f32, f32, f32),
    /// Holes in the cytoplasm: `(x, y, radius)`.
    vacuoles: Vec<(f32, f32, f32)>,
    texture: Field,
}

impl Cell {
    /// A cell of a kind; one in `atypical` has the looks of another.
    pub(super) fn draw(
        random: &mut Random,
        kind: SmearCell,
        atypical: bool,
        at: (f32, f32),
    ) -> Self {
        let looks = match (kind, atypical) {
            (kind, false) => kind,
            (SmearCell::Lymphoblast, true) => SmearCell::PlasmaCell,
            (_, true) => SmearCell::Lymphoblast,
        };
        let cell = match looks {
            SmearCell::Lymphoblast => Self::lymphoblast(random, at),
            SmearCell::PlasmaCell => Self::plasma_cell(random, at),
            SmearCell::Lymphocyte => Self::lymphocyte(random, at),
        };
        Self { kind, ..cell }
    }

    fn lymphoblast(random: &mut Random, at: (f32, f32)) -> Self {
        let radius = random.uniform(4.4, 6.9);
        let stretch = 1. + 0.07 * random.normal().abs();
        let body = Outline::new(at, radius, stretch, TAU * random.unit()).uneven(random, 0.025);
        let share = random.uniform(0.85, 0.96);
        let slack = (0.98 - share) * radius;
        let (angle, inner) = (TAU * random.unit(), share * radius);
        let center = (at.0 + slack * angle.cos(), at.1 + slack * angle.sin());
        let mut nucleus = Outline::new(center, inner, stretch, angle).uneven(random, 0.02);
        if random.chance(0.35) {
            let depth = random.uniform(0.1, 0.32);
            nucleus = nucleus.cleft(TAU * random.unit(), depth, random.uniform(0.2, 0.45));
        }
        let nucleoli = (0..random.below(4)).map(|_| {
            let (angle, away) = (TAU * random.unit(), 0.6 * inner * random.unit().sqrt());
            let size = random.uniform(0.5, 1.1);
            (center.0 + away * angle.cos(), center.1 + away * angle.sin(), size)
        });
        let nucleoli = nucleoli.collect();
        Self {
            kind: SmearCell::Lymphoblast,
            chromatin: random.uniform(0.72, 1.12),
            grain: (random.uniform(0.3, 0.5), random.uniform(0.06, 0.11)),
            clumps: (random.uniform(1., 1.6), random.uniform(0.03, 0.09)),
            nucleoli,
            basophilia: random.uniform(0.55, 1.1),
            fray: random.uniform(0.02, 0.1),
            hof: (0., 0., 1., 0.),
            vacuoles: vacuoles(random, &body, 0.12),
            texture: Field::draw(random),
            body,
            nucleus,
        }
    }

    fn plasma_cell(random: &mut Random, at: (f32, f32)) -> Self {
        let radius = random.uniform(5., 7.6);
        let stretch = 1.03 + 0.12 * random.normal().abs().min(2.);
        let body = Outline::new(at, radius, stretch, TAU * random.unit()).uneven(random, 0.05);
        let share = random.uniform(0.48, 0.68);
        let inner = share * radius;
        // Toward one end, but within the cell.
        let most = radius * stretch - inner;
        let off = most * random.uniform(0.55, 0.88);
        let center = body.moved(off);
        let nucleus =
            Outline::new(center, inner, 1. + 0.05 * random.normal().abs(), TAU * random.unit())
                .uneven(random, 0.018);
        let toward = body.moved(off - 1.05 * inner);
        let nucleolus = random.chance(0.25).then(|| {
            (
                center.0 + 0.4 * inner * random.symmetric(),
                center.1 + 0.4 * inner * random.symmetric(),
                random.uniform(0.4, 0.8),
            )
        });
        Self {
            kind: SmearCell::PlasmaCell,
            chromatin: random.uniform(0.98, 1.42),
            grain: (random.uniform(0.3, 0.45), random.uniform(0.05, 0.1)),
            clumps: (random.uniform(0.75, 1.15), random.uniform(0.14, 0.28)),
            nucleoli: nucleolus.into_iter().collect(),
            basophilia: random.uniform(0.45, 1.15),
            fray: random.uniform(0.04, 0.26),
            hof: (toward.0, toward.1, inner * random.uniform(0.45, 0.8), random.uniform(0.25, 0.7)),
            vacuoles: vacuoles(random, &body, 0.25),
            texture: Field::draw(random),
            body,
            nucleus,
        }
    }

    fn lymphocyte(random: &mut Random, at: (f32, f32)) -> Self {
        let radius = random.uniform(3.7, 5.1);
        let stretch = 1. + 0.05 * random.normal().abs();
        let body = Outline::new(at, radius, stretch, TAU * random.unit()).uneven(random, 0.03);
        let share = random.uniform(0.76, 0.9);
        let (angle, slack) = (TAU * random.unit(), 0.8 * (0.98 - share) * radius);
        let center = (at.0 + slack * angle.cos(), at.1 + slack * angle.sin());
        let nucleus = Outline::new(center, share * radius, stretch, angle).uneven(random, 0.02);
        Self {
            kind: SmearCell::Lymphocyte,
            chromatin: random.uniform(1.15, 1.55),
            grain: (random.uniform(0.35, 0.5), random.uniform(0.03, 0.07)),
            clumps: (random.uniform(1.2, 1.8), random.uniform(0.08, 0.16)),
            nucleoli: Vec::new(),
            basophilia: random.uniform(0.3, 0.65),
            fray: random.uniform(0.02, 0.15),
            hof: (0., 0., 1., 0.),
            vacuoles: Vec::new(),
            texture: Field::draw(random),
            body,
            nucleus,
        }
    }

    pub(super) fn paint(&self, canvas: &mut Canvas, slide: &Slide) {
        let soft = 0.17;
        let reach = self.body.reach().max(self.nucleus.reach() + 1.) + 3. * self.fray + 0.8;
        canvas.paint((self.body.x, self.body.y), reach, |canvas, at, x, y| {
            let inner = self.nucleus.depth(x, y);
            let fray = self.fray * self.texture.turned(y / 1.3 + 31., x / 1.3);
            // Cytoplasm surrounds the nucleus wherever that comes near the border.
            let outer = (self.body.depth(x, y) + fray).max(inner + 0.12);
            if outer < -0.8 {
                return;
            }
            let cell = smoothstep(0.5 + outer / (2. * soft));
            let nucleus = smoothstep(0.5 + inner / (2. * soft));
            let halo = 0.05 * (1. - cell) * (-((outer + 0.35) / 0.25).powi(2)).exp();
            let blue = slide.basophilia * self.basophilia * self.plasma(x, y, outer);
            canvas.stain(at, &slide.cytoplasm, cell * (1. - 0.6 * nucleus) * blue - halo);
            let purple = slide.chromatin * self.chromatin * self.nuclear(x, y, inner);
            canvas.stain(at, &slide.nucleus, nucleus * purple);
            canvas.nuclei[at] = canvas.nuclei[at].max(f32::from(inner >= 0.));
            canvas.cells[at] = canvas.cells[at].max(f32::from(outer >= 0.));
        });
    }

    /// How strongly the nucleus is stained at a place that deep in it.
    fn nuclear(&self, x: f32, y: f32, depth: f32) -> f32 {
        let noise = |(size, contrast): (f32, f32), off: f32| {
            contrast * self.texture.turned(y / size + off, x / size + 2. * off)
        };
        // Clumps have edges: a steep function of the noise.
        let clump = self.texture.turned(y / self.clumps.0 + 11., x / self.clumps.0 + 5.);
        let clumps = self.clumps.1 * (2.2 * clump).tanh();
        let dome = (1. - (1. - depth / self.nucleus.radius).clamp(0., 1.).powi(3)).sqrt();
        let rim = 0.1 * (-((depth - 0.3) / 0.3).powi(2)).exp();
        let spots: f32 = self
            .nucleoli
            .iter()
            .map(|&(a, b, r)| {
                0.26 * (-(((x - a).powi(2) + (y - b).powi(2)) / (r * r)).powi(2)).exp()
            })
            .sum();
        let body = 0.86 + 0.14 * dome + noise(self.grain, 3.) + clumps + rim;
        body * (1. - spots.min(0.4))
    }

    /// How strongly the cytoplasm is stained.
    fn plasma(&self, x: f32, y: f32, depth: f32) -> f32 {
        let noise = |size: f32, off: f32| self.texture.turned(y / size + off, x / size + off);
        let border = 0.3 * (-((depth - 0.4) / 0.6).powi(2)).exp();
        let (a, b, radius, strength) = self.hof;
        let pale = strength * (-((x - a).powi(2) + (y - b).powi(2)) / (radius * radius)).exp();
        let hole: f32 = self
            .vacuoles
            .iter()
            .map(|&(a, b, r)| smoothstep(0.5 + (r - (x - a).hypot(y - b)) / 0.3))
            .sum();
        let body = 0.85 + 0.1 * noise(1.4, 17.) + 0.08 * noise(0.5, 23.) + border;
        body.max(0.1) * (1. - pale) * (1. - 0.85 * hole.min(1.))
    }
}

/// A few holes, in that share of cells.
fn vacuoles(random: &mut Random, body: &Outline, share: f32) -> Vec<(f32, f32, f32)> {
    let count = if random.chance(share) { 1 + random.below(5) } else { 0 };
    let hole = |_| {
        let (angle, away) = (TAU * random.unit(), body.radius * random.uniform(0.3, 0.85));
        (body.x + away * angle.cos(), body.y + away * angle.sin(), random.uniform(0.25, 0.6))
    };
    (0..count).map(hole).collect()
}
