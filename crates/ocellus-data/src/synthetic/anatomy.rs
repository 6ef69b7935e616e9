use crate::{
    random::Random,
    synthetic::{field::Field, lesion::Lesion},
};

/// A breast without its mass: layers under the skin, in image heights and decibels.
#[derive(Clone, Debug)]
pub(crate) struct Anatomy {
    skin: f32,
    /// Depth of the fat's and of the gland's lower border, and how much they wave.
    fat: f32,
    gland: f32,
    waving: f32,
    /// Echo levels.
    fat_level: f32,
    gland_level: f32,
    muscle_level: f32,
    septa: f32,
    fibers: f32,
    /// Slope of the layers, and loss per height that gain compensation leaves.
    slope: f32,
    residual: f32,
    contact: f32,
    fields: [Field; 4],
}

impl Anatomy {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let fat = random.uniform(0.14, 0.32);
        let dense = random.chance(0.4);
        Self {
            skin: random.uniform(0.025, 0.05),
            fat,
            gland: random.uniform(fat + 0.2, 0.8),
            waving: random.uniform(0.02, 0.06),
            fat_level: random.uniform(-13., -8.),
            gland_level: if dense { random.uniform(-6., -1.) } else { random.uniform(-9., -4.) },
            muscle_level: random.uniform(-14., -8.),
            septa: random.uniform(7., 14.),
            fibers: random.uniform(5., 11.),
            slope: 0.08 * random.symmetric(),
            residual: random.uniform(2., 20.),
            contact: random.uniform(0.5, 3.),
            fields: std::array::from_fn(|_| Field::draw(random)),
        }
    }

    /// The echo level at a point.
    pub(crate) fn level(&self, x: f32, z: f32) -> f32 {
        let [coarse, fine, lines, border] = &self.fields;
        let wave = border.at(0.5, 3. * x);
        let fat = self.fat + self.slope * x + self.waving * wave;
        let gland = self.gland - self.slope * x + self.waving * border.at(9.5, 2.5 * x);
        let patch = coarse.at(9. * z, 6. * x);
        let detail = fine.at(34. * z + 0.8 * wave, 13. * x);
        let in_gland = step(z - fat - 0.012 * patch, 0.008) * step(gland - z, 0.01);
        let in_muscle = step(z - gland, 0.01);
        // Strands where a smooth field crosses zero: curved in the fat, level below.
        let bend = 0.6 * patch + 2. * wave;
        let septum = ridge(lines.at(9. * z + 0.5 * wave, 2.6 * x), 0.17) * self.septa;
        let fiber = ridge(lines.at(22. * z + bend, 3. * x + 20.), 0.3) * self.fibers;
        let fascia = ridge(lines.at(20. * z + wave, 1.6 * x + 40.), 0.25) * self.fibers;
        let fat_level = self.fat_level + 0.8 * patch + 0.7 * detail + septum;
        let gland_level = self.gland_level + 1.8 * patch + 2. * detail + fiber - 2.;
        let muscle_level = self.muscle_level + 1. * patch + 1.2 * detail + 1.1 * fascia;
        let mut level = fat_level + (gland_level - fat_level) * in_gland;
        level += (muscle_level - level) * in_muscle;
        level += 7. * line(z - gland, 0.008) * (0.6 + 0.4 * wave);
        self.with_skin(level, z + 0.004 * wave)
    }

    /// Two bright lines with a darker layer between, under the probe's near field.
    fn with_skin(&self, level: f32, z: f32) -> f32 {
        let skin = step(self.skin - z, 0.003);
        let lines = 9. * line(z - self.skin, 0.006) + 7. * line(z - 0.2 * self.skin, 0.007);
        level + (-6. - level) * skin + lines
    }

    /// What is lost on the way down to `z`, gain compensation included; bands where the probe
    /// touches the skin badly.
    pub(crate) fn loss(&self, x: f32, z: f32) -> f32 {
        let band = self.fields[0].at(40.5, 7. * x);
        self.residual * z * z.sqrt() + self.contact * band * (0.3 + z)
    }

    /// How much the echo within a mass varies at a point, about normal.
    pub(crate) fn variation(&self, x: f32, z: f32) -> f32 {
        self.fields[1].at(17. * z + 7., 14. * x + 3.)
    }
}

/// Echo levels of the whole field in decibels, row by row, and the mask of the mass.
pub(crate) fn render(
    anatomy: &Anatomy,
    lesion: Option<&Lesion>,
    height: usize,
    width: usize,
) -> (Vec<f32>, Vec<f32>) {
    let unit = 1. / height as f32;
    let mut levels = vec![0.; height * width];
    let mut mask = vec![0.; height * width];
    let mut gained = vec![0.; width];
    for row in 0..height {
        let z = (row as f32 + 0.5) * unit;
        spread(&mut gained, 0.2 * height as f32 / 256.);
        for (column, gained) in gained.iter_mut().enumerate() {
            let x = (column as f32 + 0.5) * unit;
            let at = row * width + column;
            let mut level = anatomy.level(x, z);
            if let Some(lesion) = lesion {
                let inside;
                (level, inside) = with_lesion(anatomy, lesion, level, x, z);
                mask[at] = f32::from(inside >= 0.5);
                *gained += inside * lesion.per_height() * unit;
                let below = step(z - lesion.depth(), 0.03);
                level += *gained - lesion.edge_shadow * lesion.side(x) * below;
            }
            levels[at] = level - anatomy.loss(x, z);
        }
    }
    (levels, mask)
}

/// One step of diffusion: beams are no lines, so that shadows and enhancement have soft sides.
fn spread(values: &mut [f32], share: f32) {
    let share = share.min(0.3);
    let mut before = values.first().copied().unwrap_or(0.);
    for at in 0..values.len() {
        let (now, after) = (values[at], values.get(at + 1).copied().unwrap_or(values[at]));
        values[at] = now + share * (before - 2. * now + after);
        before = now;
    }
}

/// The level with the mass laid over the tissue, and how far within it the point is, 0 to 1.
fn with_lesion(anatomy: &Anatomy, lesion: &Lesion, tissue: f32, x: f32, z: f32) -> (f32, f32) {
    let Some(position) = lesion.position(x, z) else { return (tissue, 0.) };
    let distance = position.distance;
    let ragged = distance + 0.35 * lesion.blur * anatomy.variation(3. * x, 3. * z);
    let inside = step(-ragged, lesion.blur);
    let around = lesion.halo * (-((distance - 0.02) / 0.022).powi(2)).exp();
    let capsule = lesion.capsule * position.level * (-(distance / 0.007).powi(2)).exp();
    let spicule = -0.55 * lesion.level * position.spicule * (1. - inside);
    let outside = tissue + around - spicule;
    let varied = lesion.variation * anatomy.variation(x, z);
    let within = lesion.level - 5. + varied + 22. * lesion.spots(x, z);
    (outside + (within - outside) * inside + capsule, inside)
}

/// 0 to 1 as `t` goes from below to above 0, over about that width.
fn step(t: f32, width: f32) -> f32 {
    1. / (1. + (-2. * t / width).exp())
}

/// 1 at 0, falling to 0 over that width.
fn line(t: f32, width: f32) -> f32 {
    (-(t / width).powi(2)).exp()
}

/// A bright strand along the zeros of a smooth field.
fn ridge(value: f32, width: f32) -> f32 {
    (-(value / width).powi(2)).exp()
}
