use crate::synthetic::scene::{
    area::Area,
    noise::{Draws, hash, slope, unit},
};

/// Side of a district in the coordinates of the street grid, in meters.
pub(crate) const DISTRICT: f64 = 330.;
/// Half the widths of roads, and of the walks beside them.
pub(crate) const MAIN: f32 = 7.;
pub(crate) const STREET: f32 = 3.3;
pub(crate) const WALK: f32 = 1.8;
pub(crate) const HIGHWAY: f32 = 8.5;

const TURN: u64 = 0x11;
const WARP: [u64; 2] = [0x12, 0x13];
const RIVER: u64 = 0x14;
const POND: u64 = 0x15;
const ROAD: u64 = 0x16;
const TOWN: u64 = 0x17;
const KIND: u64 = 0x18;
const COLUMNS: u64 = 0x19;
const ROWS: u64 = 0x1a;
const WAVE: f64 = 650.;

/// What a district is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum District {
    Houses,
    Core,
    Slabs,
    Industry,
    Open,
}

/// What a block between streets, or a parcel of open land, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Houses,
    Core,
    Slabs,
    Industry,
    Park,
    Parking,
    Vacant,
    Field,
    Meadow,
    Forest,
    Farm,
}

/// A rectangle in the coordinates of the street grid, between the edges of its roads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) usage: Use,
    /// What everything in it is drawn from.
    pub(crate) key: u64,
    pub(crate) u: [f64; 2],
    pub(crate) v: [f64; 2],
}

/// A column of blocks of a district.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) right: f64,
    pub(crate) blocks: Vec<Block>,
}

/// A district with its blocks.
#[derive(Clone, Debug)]
pub(crate) struct Quarter {
    pub(crate) kind: District,
    pub(crate) key: u64,
    pub(crate) columns: Vec<Column>,
}

/// Where everything lies: a street grid that a smooth map bends, rivers and highways along level
/// lines of noise. A pure function of the seed and the place.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) seed: u64,
    pub(crate) area: Area,
    sin: f64,
    cos: f64,
}

impl Layout {
    pub(crate) fn new(seed: u64, area: Area) -> Self {
        let seed = hash(seed, 0x0ce1, 0x5a7e);
        let angle = f64::from(unit(hash(seed ^ TURN, 0, 0))) * std::f64::consts::FRAC_PI_2;
        let (sin, cos) = angle.sin_cos();
        Self { seed, area, sin, cos }
    }

    fn bend(&self, axis: usize, x: f64, y: f64) -> (f64, [f64; 2]) {
        let (value, gradient) = slope(self.seed ^ WARP[axis], x / WAVE, y / WAVE);
        let amplitude = f64::from(self.area.winding);
        (amplitude * f64::from(value), gradient.map(|g| amplitude / WAVE * f64::from(g)))
    }

    /// From the ground (x east, y south, in meters) to the coordinates of the street grid.
    pub(crate) fn to_grid(&self, x: f64, y: f64) -> [f64; 2] {
        [
            x * self.cos + y * self.sin + self.bend(0, x, y).0,
            y * self.cos - x * self.sin + self.bend(1, x, y).0,
        ]
    }

    /// Back: a fixed point, which the slowness of the bend makes unique.
    pub(crate) fn to_ground(&self, [u, v]: [f64; 2]) -> [f64; 2] {
        let back = |p: f64, q: f64| [p * self.cos - q * self.sin, p * self.sin + q * self.cos];
        let mut place = back(u, v);
        for _ in 0..16 {
            let [x, y] = place;
            place = back(u - self.bend(0, x, y).0, v - self.bend(1, x, y).0);
        }
        place
    }

    /// The direction on the ground in which u grows and v stays.
    pub(crate) fn axis(&self, x: f64, y: f64) -> [f32; 2] {
        let [gx, gy] = self.bend(1, x, y).1;
        let (gx, gy) = (gx - self.sin, gy + self.cos);
        let length = gx.hypot(gy);
        [(gy / length) as f32, (-gx / length) as f32]
    }

    /// Distance from the level line where noise of two octaves is 0.
    fn line(&self, key: u64, wave: f64, x: f64, y: f64) -> f32 {
        let (a, [ax, ay]) = slope(self.seed ^ key, x / wave, y / wave);
        let fine = wave / 2.6;
        let (b, [bx, by]) = slope(self.seed ^ key ^ 0x100, x / fine, y / fine);
        let (gx, gy) = (ax + 0.3 * 2.6 * bx, ay + 0.3 * 2.6 * by);
        (a + 0.3 * b).abs() * wave as f32 / gx.hypot(gy).max(0.3)
    }

    /// Distance to water, negative in it.
    pub(crate) fn shore(&self, x: f64, y: f64) -> f32 {
        if self.area.water == 0. {
            return f32::INFINITY;
        }
        let river = self.line(RIVER, 2400., x, y) - self.area.water;
        let (value, [gx, gy]) = slope(self.seed ^ POND, x / 420., y / 420.);
        let pond = (0.82 - value) * 420. / gx.hypot(gy).max(0.5);
        river.min(pond)
    }

    /// Distance to the middle of a highway.
    pub(crate) fn highway(&self, x: f64, y: f64) -> f32 {
        self.line(ROAD, 2900., x, y)
    }

    /// Whether a circle on the ground touches neither water nor highway.
    pub(crate) fn is_free(&self, x: f64, y: f64, radius: f32) -> bool {
        let clear = |x, y| self.shore(x, y) > 6. && self.highway(x, y) > HIGHWAY + WALK + 2.;
        let r = f64::from(radius);
        self.shore(x, y) > radius + 6.
            && self.highway(x, y) > radius + HIGHWAY + WALK
            && [(r, 0.), (-r, 0.), (0., r), (0., -r)].iter().all(|(dx, dy)| clear(x + dx, y + dy))
    }

    fn kind(&self, i: i64, j: i64) -> District {
        let town = slope(self.seed ^ TOWN, i as f64 / 2.3, j as f64 / 2.3).0;
        let mut draws = Draws::new(self.seed ^ KIND, i, j);
        let place = (0.5 + 0.9 * town).clamp(0., 1.) * 0.7 + 0.3 * draws.unit();
        if place >= self.area.built {
            return District::Open;
        }
        [District::Houses, District::Core, District::Slabs, District::Industry]
            [draws.pick(&self.area.districts)]
    }

    /// The district of this place in the grid of districts.
    pub(crate) fn quarter(&self, i: i64, j: i64) -> Quarter {
        let kind = self.kind(i, j);
        let key = hash(self.seed ^ COLUMNS, i, j);
        let mut draws = Draws::new(key, 0, 0);
        let (across, along) = match kind {
            District::Houses => (58., 110.),
            District::Core => (62., 74.),
            District::Slabs => (105., 120.),
            District::Industry => (125., 150.),
            District::Open => (150., 190.),
        };
        let (across, along) = if draws.chance(0.5) { (across, along) } else { (along, across) };
        let (left, top) = (i as f64 * DISTRICT, j as f64 * DISTRICT);
        let columns = cuts(left, across, &mut draws);
        let column = |(k, edge): (usize, &[f64])| {
            let mut draws = Draws::new(key ^ ROWS, k as i64 + 1, 0);
            let rows = cuts(top, along, &mut draws);
            let side = |at: f64, border: f64, sign: f64| {
                let border = (at - border).abs() < 1e-6;
                let half = match kind {
                    _ if border && is_main(at) => MAIN + WALK,
                    District::Open if !border => 1.6,
                    _ => STREET + WALK,
                };
                at + sign * f64::from(half)
            };
            let block = |(m, row): (usize, &[f64])| {
                let key = hash(key, k as i64 + 1, m as i64 + 1);
                Block {
                    usage: self.usage(kind, &mut Draws::new(key, 0, 0)),
                    key,
                    u: [side(edge[0], left, 1.), side(edge[1], left + DISTRICT, -1.)],
                    v: [side(row[0], top, 1.), side(row[1], top + DISTRICT, -1.)],
                }
            };
            Column { right: edge[1], blocks: rows.windows(2).enumerate().map(block).collect() }
        };
        Quarter { kind, key, columns: columns.windows(2).enumerate().map(column).collect() }
    }

    fn usage(&self, kind: District, draws: &mut Draws) -> Use {
        let forest = self.area.forest;
        let (kinds, weights): ([Use; 4], [f32; 4]) = match kind {
            District::Houses => {
                ([Use::Houses, Use::Park, Use::Vacant, Use::Slabs], [0.86, 0.05, 0.05, 0.04])
            }
            District::Core => {
                ([Use::Core, Use::Park, Use::Parking, Use::Vacant], [0.88, 0.04, 0.04, 0.04])
            }
            District::Slabs => {
                ([Use::Slabs, Use::Park, Use::Parking, Use::Houses], [0.76, 0.08, 0.06, 0.1])
            }
            District::Industry => {
                ([Use::Industry, Use::Parking, Use::Vacant, Use::Meadow], [0.8, 0.05, 0.08, 0.07])
            }
            District::Open => (
                [Use::Field, Use::Meadow, Use::Forest, Use::Farm],
                [0.65 * (1. - forest), 0.27 * (1. - forest), forest, 0.08 * (1. - forest)],
            ),
        };
        kinds[draws.pick(&weights)]
    }
}

/// Whether the border of districts that is nearest to this coordinate is a main road: every second.
pub(crate) fn is_main(at: f64) -> bool {
    (at / DISTRICT).round() as i64 % 2 == 0
}

/// Lines at about this distance across a district, its borders among them.
fn cuts(start: f64, pitch: f64, draws: &mut Draws) -> Vec<f64> {
    let count = (DISTRICT / pitch * f64::from(draws.uniform(0.85, 1.15))).round().max(1.);
    let step = DISTRICT / count;
    let mut line = |k: usize| match k {
        0 => start,
        k if k == count as usize => start + DISTRICT,
        k => start + (k as f64 + 0.22 * f64::from(draws.symmetric())) * step,
    };
    (0..=count as usize).map(&mut line).collect()
}

impl Quarter {
    /// The block whose land, with half of the roads around it, holds the place.
    pub(crate) fn block(&self, u: f64, v: f64) -> Option<&Block> {
        let column = self.columns.iter().find(|c| u < c.right).or(self.columns.last())?;
        let below = |b: &&Block| v < b.v[1] + f64::from(STREET + WALK);
        column.blocks.iter().find(below).or(column.blocks.last())
    }
}

impl Block {
    /// How far outside of the block the place is: negative inside.
    pub(crate) fn outside(&self, u: f64, v: f64) -> f32 {
        let du = (self.u[0] - u).max(u - self.u[1]);
        let dv = (self.v[0] - v).max(v - self.v[1]);
        du.max(dv) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_bent_one_to_one() {
        let layout = Layout::new(3, Area::old_town().with_winding(70.));
        for step in 0..200 {
            let (x, y) = (f64::from(step) * 173.1 - 9000., f64::from(step) * 91.7 + 400.);
            let [back_x, back_y] = layout.to_ground(layout.to_grid(x, y));
            assert!((back_x - x).abs() < 1e-3 && (back_y - y).abs() < 1e-3, "{x} {y}");
        }
    }

    #[test]
    fn the_axis_follows_the_grid() {
        let layout = Layout::new(4, Area::town());
        for step in 0..50 {
            let (x, y) = (f64::from(step) * 57.3, f64::from(step) * 21.7);
            let [ex, ey] = layout.axis(x, y).map(f64::from);
            let [u0, v0] = layout.to_grid(x, y);
            let [u1, v1] = layout.to_grid(x + 0.1 * ex, y + 0.1 * ey);
            assert!(u1 > u0 && (v1 - v0).abs() < 1e-3, "{x} {y}");
        }
    }

    #[test]
    fn blocks_fill_a_district_without_overlap() {
        let layout = Layout::new(5, Area::town());
        for (i, j) in [(0, 0), (-3, 2), (7, -5)] {
            let quarter = layout.quarter(i, j);
            let blocks: Vec<_> = quarter.columns.iter().flat_map(|c| &c.blocks).collect();
            assert!(blocks.iter().all(|b| b.u[0] < b.u[1] && b.v[0] < b.v[1]));
            for (n, a) in blocks.iter().enumerate() {
                let apart = |b: &&Block| {
                    a.u[1] < b.u[0] || b.u[1] < a.u[0] || a.v[1] < b.v[0] || b.v[1] < a.v[0]
                };
                assert!(blocks[..n].iter().all(apart));
                let (u, v) = (a.u[0] + 1., a.v[1] - 1.);
                assert_eq!(quarter.block(u, v).unwrap().key, a.key);
            }
        }
    }
}
