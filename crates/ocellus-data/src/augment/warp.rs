use crate::{
    Image,
    augment::{
        config::Border,
        plan::{Field, Map, Plan},
    },
};

/// The image sampled through the plan's map.
pub(crate) fn apply(image: &Image, plan: &Plan, border: Border) -> Image {
    let Some(map) = &plan.map else { return image.clone() };
    let (channels, height, width) = image.dims();
    let mut data = vec![0.; channels * height * width];
    let middle = ((height - 1) as f64 / 2., (width - 1) as f64 / 2.);
    let splines = map.field.as_ref().map(|field| Splines::new(field, height, width));
    for y in 0..height {
        for x in 0..width {
            let (mut source_y, mut source_x) = place(map, middle, y, x);
            if let Some(splines) = &splines {
                let (down, right) = splines.at(y, x);
                source_y += f64::from(down);
                source_x += f64::from(right);
            }
            let taps = Taps::new(source_y, source_x, height, width, border);
            for (channel, plane) in image.planes().enumerate() {
                data[(channel * height + y) * width + x] = taps.sample(plane, width);
            }
        }
    }
    Image::from_parts((channels, height, width), data)
}

fn place(map: &Map, (middle_y, middle_x): (f64, f64), y: usize, x: usize) -> (f64, f64) {
    let (x, y) = (x as f64 - middle_x, y as f64 - middle_y);
    let of = |m: [f64; 3]| m[0] * x + m[1] * y + m[2];
    (of(map.affine[1]) + middle_y, of(map.affine[0]) + middle_x)
}

/// Four pixels and the weights between them.
struct Taps {
    rows: [Option<usize>; 2],
    columns: [Option<usize>; 2],
    down: f32,
    right: f32,
    outside: f32,
}

impl Taps {
    fn new(y: f64, x: f64, height: usize, width: usize, border: Border) -> Self {
        let (top, left) = (y.floor(), x.floor());
        let near = |at: f64, side| [inside(at, side, border), inside(at + 1., side, border)];
        Self {
            rows: near(top, height),
            columns: near(left, width),
            down: (y - top) as f32,
            right: (x - left) as f32,
            outside: if let Border::Constant(value) = border { value } else { 0. },
        }
    }

    fn sample(&self, plane: &[f32], width: usize) -> f32 {
        let at = |row: Option<usize>, column: Option<usize>| match (row, column) {
            (Some(row), Some(column)) => plane[row * width + column],
            _ => self.outside,
        };
        let line = |row| {
            let (a, b) = (at(row, self.columns[0]), at(row, self.columns[1]));
            a + self.right * (b - a)
        };
        let (a, b) = (line(self.rows[0]), line(self.rows[1]));
        a + self.down * (b - a)
    }
}

/// The pixel that a whole coordinate stands for; `None` is the border's constant.
fn inside(at: f64, side: usize, border: Border) -> Option<usize> {
    let last = (side - 1) as f64;
    if (0. ..=last).contains(&at) {
        return Some(at as usize);
    }
    match border {
        Border::Constant(_) => None,
        Border::Edge => Some(at.clamp(0., last) as usize),
        // Mirrored about the middle of the border pixel, again and again.
        Border::Reflect if side == 1 => Some(0),
        Border::Reflect => {
            let folded = at.rem_euclid(2. * last);
            Some(folded.min(2. * last - folded) as usize)
        }
    }
}

/// The field's splines with the weights of every row and column.
struct Splines<'a> {
    field: &'a Field,
    rows: Vec<(usize, [f32; 4])>,
    columns: Vec<(usize, [f32; 4])>,
}

impl<'a> Splines<'a> {
    fn new(field: &'a Field, height: usize, width: usize) -> Self {
        let weights = |side: usize| {
            let step = field.cells as f64 / side as f64;
            let weight = |i: usize| {
                let at = (i as f64 + 0.5) * step;
                let cell = (at as usize).min(field.cells - 1);
                (cell, cubic((at - cell as f64) as f32))
            };
            (0..side).map(weight).collect()
        };
        Self { field, rows: weights(height), columns: weights(width) }
    }

    fn at(&self, y: usize, x: usize) -> (f32, f32) {
        let ((top, down), (left, right)) = (&self.rows[y], &self.columns[x]);
        let stride = self.field.cells + 3;
        let mut sum = (0., 0.);
        for (i, down) in down.iter().enumerate() {
            for (j, right) in right.iter().enumerate() {
                let at = (top + i) * stride + left + j;
                sum.0 += down * right * self.field.y[at];
                sum.1 += down * right * self.field.x[at];
            }
        }
        sum
    }
}

/// The four weights of the uniform cubic B-spline at `t` in 0..1.
fn cubic(t: f32) -> [f32; 4] {
    let s = 1. - t;
    let inner = |t: f32| (3. * t * t * (t - 2.) + 4.) / 6.;
    [s * s * s / 6., inner(t), inner(s), t * t * t / 6.]
}
