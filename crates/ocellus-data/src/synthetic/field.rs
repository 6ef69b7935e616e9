use crate::random::Random;

/// A smooth random function of the plane, about normal with deviation 1: independent numbers on a
/// lattice, quintically interpolated. It repeats every [`SIDE`] lattice cells.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    lattice: Vec<f32>,
}

const SIDE: usize = 64;

impl Field {
    pub(crate) fn draw(random: &mut Random) -> Self {
        // Interpolation lowers the variance to about 0.61² of the lattice's in the middle of cells.
        Self { lattice: (0..SIDE * SIDE).map(|_| 1.25 * random.normal()).collect() }
    }

    /// As [`at`](Self::at), of two lattices that are turned against each other, so that no lines of
    /// either are seen.
    pub(crate) fn turned(&self, y: f32, x: f32) -> f32 {
        let a = self.at(0.8 * y + 0.6 * x, 0.8 * x - 0.6 * y);
        let b = self.at(0.28 * y - 0.96 * x + 21.5, 0.28 * x + 0.96 * y + 7.5);
        (a + b) * std::f32::consts::FRAC_1_SQRT_2
    }

    /// The value at a place in lattice units.
    pub(crate) fn at(&self, y: f32, x: f32) -> f32 {
        let (top, left) = (y.floor(), x.floor());
        let (down, right) = (smooth(y - top), smooth(x - left));
        let wrap = |at: f32| (at as i32).rem_euclid(SIDE as i32) as usize;
        let (row, column) = (wrap(top), wrap(left));
        let (below, beside) = ((row + 1) % SIDE, (column + 1) % SIDE);
        let mix = |row: usize| {
            let (a, b) = (self.lattice[row * SIDE + column], self.lattice[row * SIDE + beside]);
            a + right * (b - a)
        };
        let (a, b) = (mix(row), mix(below));
        a + down * (b - a)
    }
}

/// 0 to 1 for t from 0 to 1, with two derivatives 0 at both ends.
fn smooth(t: f32) -> f32 {
    t * t * t * (t * (6. * t - 15.) + 10.)
}
