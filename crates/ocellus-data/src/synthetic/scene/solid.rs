use crate::synthetic::scene::{
    light::Rays,
    material::{PAINT, Reflectance, scale},
    noise::{hash, noise, unit},
};

/// The shape of a roof above the eaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Roof {
    Flat,
    /// Two planes that meet above the middle, rising by this slope; the ridge runs along x or y.
    Gable {
        slope: f32,
        along_x: bool,
    },
    /// Four planes.
    Hip {
        slope: f32,
    },
}

/// A box in a solid's own coordinates, meters from its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) x: [f32; 2],
    pub(crate) y: [f32; 2],
    pub(crate) height: f32,
    pub(crate) roof: Roof,
}

/// A building or a car: boxes turned alike.
#[derive(Clone, Debug)]
pub(crate) struct Solid {
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// Its x axis on the ground.
    pub(crate) axis: [f32; 2],
    pub(crate) parts: Vec<Part>,
    pub(crate) color: Reflectance,
    pub(crate) wall: Reflectance,
    pub(crate) key: u64,
    pub(crate) is_building: bool,
}

/// What a ray of view meets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meeting {
    pub(crate) height: f32,
    /// Direct light against level ground, shadows aside.
    pub(crate) light: f32,
    pub(crate) color: Reflectance,
    pub(crate) is_roof: bool,
}

impl Part {
    /// The stretch of `t` in which `p + t d` is inside, if any.
    fn stretch(&self, p: [f32; 2], d: [f32; 2], range: [f32; 2]) -> Option<[f32; 2]> {
        let [mut low, mut high] = range;
        for (p, d, [from, to]) in [(p[0], d[0], self.x), (p[1], d[1], self.y)] {
            if d.abs() < 1e-9 {
                if p < from || p >= to {
                    return None;
                }
                continue;
            }
            let (a, b) = ((from - p) / d, (to - p) / d);
            (low, high) = (low.max(a.min(b)), high.min(a.max(b)));
        }
        (low < high).then_some([low, high])
    }

    fn contains(&self, [x, y]: [f32; 2]) -> bool {
        x >= self.x[0] && x < self.x[1] && y >= self.y[0] && y < self.y[1]
    }

    /// Distance of a point within from the border.
    fn inset(&self, [x, y]: [f32; 2]) -> f32 {
        (x - self.x[0]).min(self.x[1] - x).min((y - self.y[0]).min(self.y[1] - y))
    }

    /// The roof's rise above the eaves, and its slope, in the solid's coordinates.
    fn rise(&self, [x, y]: [f32; 2]) -> (f32, [f32; 2]) {
        let (x0, x1, y0, y1) = (self.x[0], self.x[1], self.y[0], self.y[1]);
        match self.roof {
            Roof::Flat => (0., [0., 0.]),
            Roof::Gable { slope, along_x: true } => {
                let (a, b) = (y - y0, y1 - y);
                (slope * a.min(b), [0., if a < b { slope } else { -slope }])
            }
            Roof::Gable { slope, along_x: false } => {
                let (a, b) = (x - x0, x1 - x);
                (slope * a.min(b), [if a < b { slope } else { -slope }, 0.])
            }
            Roof::Hip { slope } => {
                let sides = [x - x0, x1 - x, y - y0, y1 - y];
                let least = sides.iter().copied().fold(f32::INFINITY, f32::min);
                let grades = [[slope, 0.], [-slope, 0.], [0., slope], [0., -slope]];
                let side = sides.iter().position(|&s| s == least).unwrap_or(0);
                (slope * least, grades[side])
            }
        }
    }
}

impl Solid {
    pub(crate) fn height(&self) -> f32 {
        self.parts.iter().map(|part| part.height).fold(0., f32::max)
    }

    /// The radius of a circle about its place that holds it.
    pub(crate) fn radius(&self) -> f32 {
        let far = |part: &Part| {
            let side = |[a, b]: [f32; 2]| a.abs().max(b.abs());
            side(part.x).hypot(side(part.y))
        };
        self.parts.iter().map(far).fold(0., f32::max)
    }

    fn own(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let [c, s] = self.axis;
        [c * x + s * y, c * y - s * x]
    }

    fn ground(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let [c, s] = self.axis;
        [c * x - s * y, s * x + c * y]
    }

    /// Whether a place (from the solid's, in meters on the ground) is within `margin` of its outline.
    pub(crate) fn is_over(&self, place: [f32; 2], margin: f32) -> bool {
        let p = self.own(place);
        self.parts.iter().any(|part| part.inset(p) > -margin)
    }

    /// What is seen of it where level ground would be seen at `place` (from the solid's place).
    pub(crate) fn seen(&self, place: [f32; 2], rays: &Rays) -> Option<Meeting> {
        let p = self.own(place);
        let lean = self.own(rays.lean);
        let mut best: Option<Meeting> = None;
        for part in &self.parts {
            // A point at height t is seen at its place + t · lean.
            let top = [p[0] - part.height * lean[0], p[1] - part.height * lean[1]];
            let meeting = if part.contains(top) {
                let (rise, slope) = part.rise(top);
                let light = rays.on_slope(self.ground(slope));
                let color = self.roof_color(part, top);
                Meeting { height: part.height + rise, light, color, is_roof: true }
            } else {
                let back = [-lean[0], -lean[1]];
                let Some([_, height]) = part.stretch(p, back, [0., part.height]) else { continue };
                let at = [p[0] - height * lean[0], p[1] - height * lean[1]];
                let light = rays.on_wall(self.ground(part.face(at)));
                Meeting { height, light, color: self.wall_color(at, height), is_roof: false }
            };
            if best.is_none_or(|best| meeting.height > best.height) {
                best = Some(meeting);
            }
        }
        best
    }

    /// Whether it keeps the sun from a point at this height.
    pub(crate) fn shades(&self, place: [f32; 2], height: f32, rays: &Rays) -> bool {
        let (p, sun) = (self.own(place), self.own(rays.sun));
        self.parts.iter().any(|part| {
            let reach = part.height - height;
            reach > 0.05
                && part.stretch(p, sun, [0., reach]).is_some_and(|[from, to]| to - from > 0.05)
        })
    }

    fn roof_color(&self, part: &Part, at: [f32; 2]) -> Reflectance {
        if !self.is_building {
            // Windshields.
            let glass = (at[0] - 0.6).abs() < 0.45 || (at[0] + 1.5).abs() < 0.3;
            return if glass { scale(self.color, 0.35) } else { self.color };
        }
        let (x, y) = (f64::from(at[0]), f64::from(at[1]));
        let stain = noise(self.key, x / 4., y / 4.);
        let grain = noise(self.key ^ 1, x / 0.9, y / 0.9);
        let mut factor = 1. + 0.13 * stain + 0.1 * grain;
        if part.roof == Roof::Flat {
            if part.inset(at) < 0.5 {
                factor *= 1.18;
            }
            if let Some(fixture) = self.fixture(part, at) {
                return scale(PAINT, fixture);
            }
        }
        scale(self.color, factor)
    }

    /// Boxes, skylights and pipes on flat roofs.
    fn fixture(&self, part: &Part, at: [f32; 2]) -> Option<f32> {
        if part.inset(at) < 1.5 {
            return None;
        }
        let (i, j) = ((at[0] / 5.5).floor(), (at[1] / 5.5).floor());
        let h = hash(self.key ^ 2, i as i64, j as i64);
        if unit(h) > 0.14 {
            return None;
        }
        let (x, y) = (at[0] / 5.5 - i - 0.5, at[1] / 5.5 - j - 0.5);
        let side = 0.15 + 0.2 * unit(h << 24);
        (x.abs() < side && y.abs() < 0.22).then(|| 0.2 + 0.9 * unit(h << 12))
    }

    fn wall_color(&self, at: [f32; 2], height: f32) -> Reflectance {
        // Windows: darker squares, a storey each three meters.
        let window = (height / 3.).fract() > 0.45 && ((at[0] + at[1]) / 2.6).fract().abs() > 0.5;
        scale(self.wall, if window { 0.55 } else { 1. })
    }
}

impl Part {
    /// The outward normal of the face that a point on the border lies on.
    fn face(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let sides = [
            ((x - self.x[0]).abs(), [-1., 0.]),
            ((x - self.x[1]).abs(), [1., 0.]),
            ((y - self.y[0]).abs(), [0., -1.]),
            ((y - self.y[1]).abs(), [0., 1.]),
        ];
        let nearest = sides.iter().copied().reduce(|a, b| if b.0 < a.0 { b } else { a });
        nearest.map_or([0., 0.], |side| side.1)
    }
}

/// A tree or a bush.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) radius: f32,
    pub(crate) height: f32,
    pub(crate) color: Reflectance,
    pub(crate) key: u64,
}

impl Tree {
    /// The height of the middle of the crown.
    fn crown(&self) -> f32 {
        0.65 * self.height
    }

    /// The square of the distance from the stem by the crown's uneven radius.
    fn within(&self, [x, y]: [f32; 2]) -> f32 {
        let uneven = noise(self.key, f64::from(x) / 1.3, f64::from(y) / 1.3);
        (x * x + y * y) / (self.radius * self.radius * (1. + 0.45 * uneven))
    }

    pub(crate) fn seen(&self, [x, y]: [f32; 2], rays: &Rays) -> Option<Meeting> {
        let crown = self.crown();
        let at = [x - crown * rays.lean[0], y - crown * rays.lean[1]];
        let within = self.within(at);
        if within >= 1. {
            return None;
        }
        let slope = at.map(|c| -1.1 * c / self.radius);
        let leaf = noise(self.key ^ 1, f64::from(x) / 0.8, f64::from(y) / 0.8);
        let height = crown + 0.35 * self.height * (1. - within);
        let light = rays.on_slope(slope).min(1.5);
        let color = scale(self.color, 1. + 0.3 * leaf);
        Some(Meeting { height, light, color, is_roof: false })
    }

    pub(crate) fn shades(&self, [x, y]: [f32; 2], height: f32, rays: &Rays) -> bool {
        let reach = self.crown() - height;
        reach > 0.3 && self.within([x + reach * rays.sun[0], y + reach * rays.sun[1]]) < 1.
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::scene::light::Acquisition;

    fn tower(height: f32) -> Solid {
        let part = Part { x: [-5., 5.], y: [-3., 3.], height, roof: Roof::Flat };
        Solid {
            x: 0.,
            y: 0.,
            axis: [1., 0.],
            parts: vec![part],
            color: [0.2; 4],
            wall: [0.3; 4],
            key: 1,
            is_building: true,
        }
    }

    #[test]
    fn a_roof_leans_and_shows_the_wall_that_faces_the_view() {
        // From the south at 45°: the roof moves north by its height.
        let rays = Acquisition::default().with_view(180., 45.).rays();
        let tower = tower(10.);
        let seen = |x, y| tower.seen([x, y], &rays);
        assert!(seen(0., -10.).unwrap().is_roof && seen(4.9, -12.9).unwrap().is_roof);
        let wall = seen(0., -5.).unwrap();
        assert!(!wall.is_roof && (wall.height - 8.).abs() < 1e-4, "{wall:?}");
        assert!(seen(0., 3.5).is_none() && seen(0., -13.5).is_none());
        // A wall that faces north is not seen, and where it stands the roof's side covers it.
        assert!(seen(0., 2.9).is_some_and(|m| !m.is_roof));
    }

    #[test]
    fn a_shadow_is_as_long_as_the_sun_is_low() {
        let rays = Acquisition::default().with_sun(90., 45.).rays(); // From the east.
        let tower = tower(10.);
        assert!(tower.shades([-14.9, 0.], 0., &rays) && !tower.shades([-15.1, 0.], 0., &rays));
        assert!(tower.shades([-9.9, 0.], 5., &rays) && !tower.shades([-10.1, 0.], 5., &rays));
        assert!(!tower.shades([6., 0.], 0., &rays) && !tower.shades([0., 0.], 10., &rays));
    }

    #[test]
    fn the_slopes_of_a_roof_are_lit_from_their_side() {
        let rays = Acquisition::default().with_sun(180., 45.).with_view(0., 0.).rays();
        let mut house = tower(5.);
        for roof in [Roof::Gable { slope: 0.5, along_x: true }, Roof::Hip { slope: 0.5 }] {
            house.parts[0].roof = roof;
            let (south, north) = (house.seen([0., 2.], &rays), house.seen([0., -2.], &rays));
            assert!(south.unwrap().light > 1.2 && north.unwrap().light < 0.6, "{roof:?}");
        }
    }

    #[test]
    fn turning_a_solid_turns_what_is_seen() {
        let rays = Acquisition::default().with_view(0., 0.).rays();
        let mut turned = tower(5.);
        turned.axis = [0., 1.];
        assert!(turned.seen([2.9, 4.9], &rays).is_some());
        assert!(turned.seen([4.9, 2.9], &rays).is_none());
        assert!(turned.is_over([3.5, 0.], 1.) && !turned.is_over([4.5, 0.], 1.));
    }
}
