use crate::{augment::config::Augment, random::Random};

const GEOMETRY: u64 = 1;
const ELASTIC: u64 = 2;

/// What was drawn for one image.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// `None`: the geometry is left alone, to the bit.
    pub(crate) map: Option<Map>,
    pub(crate) brightness: f32,
    pub(crate) contrast: f32,
    pub(crate) gamma: f32,
    pub(crate) noise: f32,
    pub(crate) speckle: f32,
}

/// From a pixel of the result to a place in the source, both from the center, in pixels.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    /// `source x = m₀₀ x + m₀₁ y + m₀₂`, `source y = m₁₀ x + m₁₁ y + m₁₂`.
    pub(crate) affine: [[f64; 3]; 2],
    pub(crate) field: Option<Field>,
}

/// A grid of displacements in pixels, `(cells + 3)²`, between which a cubic B-spline runs.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) cells: usize,
    pub(crate) x: Vec<f32>,
    pub(crate) y: Vec<f32>,
}

impl Plan {
    /// Always draws the same count of numbers, so that no field shifts the draws of another.
    pub(crate) fn draw(
        augment: &Augment,
        [seed, epoch, sample]: [u64; 3],
        (height, width): (usize, usize),
    ) -> Self {
        let mut random = Random::keyed(seed, epoch, sample, GEOMETRY);
        let (height, width) = (height as f64, width as f64);
        let sign = |flip: bool| if flip { -1. } else { 1. };
        let flip_x = sign(random.chance(augment.flip_horizontal));
        let flip_y = sign(random.chance(augment.flip_vertical));
        let angle = f64::from(random.symmetric() * augment.rotation).to_radians();
        let shift_x = f64::from(random.symmetric() * augment.shift) * width;
        let shift_y = f64::from(random.symmetric() * augment.shift) * height;
        let (low, high) = augment.scale;
        let scale = f64::from(low * (high / low).powf(random.unit()));
        let window = f64::from(random.uniform(augment.crop, 1.));
        let window_x = f64::from(random.symmetric()) * (1. - window) / 2. * width;
        let window_y = f64::from(random.symmetric()) * (1. - window) / 2. * height;
        let brightness = random.symmetric() * augment.brightness;
        let contrast = 1. + random.symmetric() * augment.contrast;
        let gamma = (1. + augment.gamma).powf(random.symmetric());
        let noise = random.unit() * augment.noise;
        let speckle = random.unit() * augment.speckle;

        // Undone from the outside in: window, shift, turn and scale, mirror.
        let (sin, cos) = angle.sin_cos();
        let zoom = window / scale;
        let linear = [
            [flip_x * cos * zoom, flip_x * sin * zoom],
            [-flip_y * sin * zoom, flip_y * cos * zoom],
        ];
        let (x, y) = ((window_x - shift_x) / scale, (window_y - shift_y) / scale);
        let offset = [flip_x * (cos * x + sin * y), flip_y * (cos * y - sin * x)];
        let row = |i: usize| [linear[i][0], linear[i][1], offset[i]];
        let affine = [row(0), row(1)];
        let field = (augment.elastic > 0.).then(|| {
            let pixels = f64::from(augment.elastic) * height.min(width);
            Field::draw(augment.elastic_cells, pixels as f32, [seed, epoch, sample])
        });
        let moves = field.is_some() || affine != [[1., 0., 0.], [0., 1., 0.]];
        let map = moves.then_some(Map { affine, field });
        Self { map, brightness, contrast, gamma, noise, speckle }
    }
}

impl Field {
    fn draw(cells: usize, deviation: f32, [seed, epoch, sample]: [u64; 3]) -> Self {
        let mut random = Random::keyed(seed, epoch, sample, ELASTIC);
        let count = (cells + 3) * (cells + 3);
        // A cubic B-spline of independent numbers has less variance than they: (∫B²)² on average.
        let deviation = deviation / 0.479;
        let mut draw = || (0..count).map(|_| deviation * random.normal()).collect();
        Self { cells, x: draw(), y: draw() }
    }
}
