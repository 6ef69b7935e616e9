use crate::random::Random;

/// What one slide does to all cells on it: how it took the stain, and the light of its microscope.
#[derive(Clone, Debug)]
pub(super) struct Slide {
    /// Optical densities (natural logarithms) of red, green and blue of a nucleus, of basophilic
    /// cytoplasm and of erythrocytes, all of strength 1.
    pub(super) nucleus: [f32; 3],
    pub(super) cytoplasm: [f32; 3],
    pub(super) erythrocyte: [f32; 3],
    /// The film of plasma between the cells, and how much it varies.
    pub(super) film: [f32; 3],
    pub(super) film_texture: f32,
    /// What the empty slide lets through.
    pub(super) light: [f32; 3],
    /// Strengths that vary from slide to slide.
    pub(super) chromatin: f32,
    pub(super) basophilia: f32,
    /// How pale erythrocytes are in their middle, 0 to 1.
    pub(super) pallor: f32,
    /// Micrometers that erythrocytes may overlap.
    pub(super) clumping: f32,
    /// Share of the area that they take.
    pub(super) crowding: f32,
    /// Granules of stain beside the cells.
    pub(super) dirt: f32,
    /// Gaussian blur in micrometers.
    pub(super) focus: f32,
    /// Deviation of the camera's noise.
    pub(super) noise: f32,
}

impl Slide {
    pub(super) fn draw(random: &mut Random) -> Self {
        // An acid buffer gives red, an alkaline one blue.
        let blue = random.unit();
        let mix = |acid: [f32; 3], alkaline: [f32; 3], at: f32| {
            [0, 1, 2].map(|c| acid[c] + at * (alkaline[c] - acid[c]))
        };
        let tint = (blue + 0.25 * random.symmetric()).clamp(0., 1.);
        let light = random.uniform(0.76, 0.97);
        // Lamps are yellowish, or balanced to white.
        let warm = random.uniform(-0.02, 0.12);
        let green = random.uniform(-0.02, 0.02);
        Self {
            nucleus: mix([0.82, 1.5, 0.5], [1.1, 1.52, 0.46], tint),
            cytoplasm: mix([0.55, 0.56, 0.2], [0.76, 0.54, 0.17], tint),
            erythrocyte: mix([0.1, 0.36, 0.36], [0.3, 0.27, 0.2], blue),
            film: mix([0.01, 0.025, 0.02], [0.035, 0.03, 0.01], blue),
            film_texture: random.uniform(0.1, 1.2),
            light: [light * (1. + 0.3 * warm), light * (1. + green), light * (1. - warm)]
                .map(|level| level.min(0.99)),
            chromatin: random.uniform(0.8, 1.2),
            basophilia: random.uniform(0.7, 1.3),
            pallor: random.unit() * random.uniform(0.4, 1.),
            clumping: random.uniform(0., 2.2),
            crowding: random.uniform(0.1, 0.75),
            dirt: random.unit() * random.unit(),
            focus: random.uniform(0.05, 0.14),
            noise: random.uniform(0.004, 0.014),
        }
    }
}
