//! What stands in a block: buildings, trees, cars.

use crate::synthetic::scene::{
    area::Biome,
    layout::{Block, Layout, Use},
    material::{self, PALM, Style, TREE, scale},
    noise::{Draws, hash},
    solid::{Part, Roof, Solid, Tree},
};

/// The things of a block, in the order in which they were drawn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pub(crate) solids: Vec<Solid>,
    pub(crate) trees: Vec<Tree>,
}

/// A building site: a rectangle in grid coordinates.
#[derive(Clone, Copy, Debug)]
struct Site {
    u: f64,
    v: f64,
    /// Half the sides that a building may have.
    half: [f32; 2],
}

impl Content {
    pub(crate) fn of(layout: &Layout, block: &Block) -> Self {
        let mut content = Self::default();
        let draws = &mut Draws::new(block.key, 1, 0);
        match block.usage {
            Use::Houses => content.houses(layout, block, draws),
            Use::Core => content.core(layout, block, draws),
            Use::Slabs => content.slabs(layout, block, draws),
            Use::Industry => content.industry(layout, block, draws),
            Use::Farm => content.farm(layout, block, draws),
            Use::Parking => content.cars(layout, block, 0.55, |_, _| true),
            Use::Park | Use::Vacant | Use::Field | Use::Meadow | Use::Forest => {}
        }
        content.plant(layout, block);
        content.parked(layout, block);
        content
    }

    /// Two rows of parcels, back to back along the longer side.
    fn houses(&mut self, layout: &Layout, block: &Block, draws: &mut Draws) {
        let sides = [block.u[1] - block.u[0], block.v[1] - block.v[0]];
        let long = usize::from(sides[1] > sides[0]);
        let count = (sides[long] / f64::from(draws.uniform(15., 23.))).floor().max(1.);
        let (width, depth) = (sides[long] / count, sides[1 - long] / 2.);
        let kind = draws.unit();
        for n in 0..2 * count as usize {
            let (row, place) = (n % 2, n / 2);
            if !draws.chance(layout.area.density) {
                continue;
            }
            let half_width = draws.uniform(3.8, 6.6).min(width as f32 / 2. - 1.);
            let half_depth = draws.uniform(3.8, 7.5).min(depth as f32 / 2. - 2.);
            let setback = f64::from(draws.uniform(2.5, 7.));
            if half_width < 3. || half_depth < 3. {
                continue;
            }
            let along = (place as f64 + 0.5) * width + 1.5 * f64::from(draws.symmetric());
            let into = (setback + f64::from(half_depth)).min(depth - f64::from(half_depth));
            let into = if row == 0 { into } else { 2. * depth - into };
            let (mut site, mut half) = ([along, into], [half_width, half_depth]);
            if long == 1 {
                site.swap(0, 1);
                half.swap(0, 1);
            }
            let site = Site { u: block.u[0] + site[0], v: block.v[0] + site[1], half };
            self.house(layout, site, kind, draws);
        }
    }

    /// A house, often of two wings, sometimes with a shed.
    fn house(&mut self, layout: &Layout, site: Site, kind: f32, draws: &mut Draws) {
        let biome = layout.area.biome;
        let flat = match biome {
            Biome::Temperate => 0.15,
            Biome::Arid => 0.85,
            Biome::Tropical => 0.2,
        };
        let [a, b] = site.half;
        let height = draws.uniform(3., 6.5) * layout.area.height;
        let is_flat = draws.chance(flat);
        let slope = draws.uniform(0.35, 0.85);
        let roof = |w: f32, d: f32, draws: &mut Draws| match () {
            () if is_flat => Roof::Flat,
            () if draws.chance(0.3 + 0.3 * kind) => Roof::Hip { slope },
            () => Roof::Gable { slope, along_x: w > d },
        };
        let mut parts = vec![Part { x: [-a, a], y: [-b, b], height, roof: roof(a, b, draws) }];
        if draws.chance(0.45) {
            // An L: the main wing is made narrower, another stands across.
            let (share, corner) = (draws.uniform(0.5, 0.65), draws.bits());
            let depth = 2. * b * share;
            let (low, high) = if corner & 1 == 0 { (-b, -b + depth) } else { (b - depth, b) };
            parts[0].y = [low, high];
            parts[0].roof = roof(a, depth / 2., draws);
            let width = 2. * a * draws.uniform(0.4, 0.6);
            let x = if corner & 2 == 0 { [-a, -a + width] } else { [a - width, a] };
            let height = height * draws.uniform(0.75, 1.);
            parts.push(Part { x, y: [-b, b], height, roof: roof(width / 2., b, draws) });
        }
        let style = if is_flat { Style::Flat } else { Style::Pitched };
        self.build(layout, site, parts, style, draws);
        if draws.chance(0.3) {
            let (du, dv) = (draws.symmetric() * (a + 4.), draws.symmetric() * (b + 4.));
            let shed = Site { u: site.u + f64::from(du), v: site.v + f64::from(dv), half: [2.; 2] };
            let (w, d) = (draws.uniform(1.2, 2.4), draws.uniform(1.5, 3.));
            let part = Part { x: [-w, w], y: [-d, d], height: 2.5, roof: Roof::Flat };
            self.build(layout, shed, vec![part], Style::Flat, draws);
        }
    }

    /// Buildings wall to wall around a yard.
    fn core(&mut self, layout: &Layout, block: &Block, draws: &mut Draws) {
        let half = [0, 1].map(|i| {
            let side = [block.u, block.v][i];
            (side[1] - side[0]) as f32 / 2. - 1.
        });
        let depth = draws.uniform(9., 13.).min(half[0].min(half[1]) * 0.7);
        if depth < 4. {
            return;
        }
        let storeys = draws.uniform(2.5, 6.);
        let middle = [(block.u[0] + block.u[1]) / 2., (block.v[0] + block.v[1]) / 2.];
        for side in 0..4 {
            // Sides of u run the full length; sides of v stand between them.
            let (axis, sign) = (side % 2, if side < 2 { -1. } else { 1. });
            let length = if axis == 0 { half[0] } else { half[1] - depth };
            let mut at = -length;
            while at < length - 5. {
                let width = draws.uniform(9., 22.).min(length - at);
                let gap = !draws.chance(layout.area.density);
                let height = 3.1 * (storeys + 0.8 * draws.symmetric()) * layout.area.height;
                let inner = depth * draws.uniform(0.85, 1.);
                let along = at + width / 2.;
                let across = sign * (half[1 - axis] - inner / 2.);
                at += width;
                if gap {
                    continue;
                }
                let ([du, dv], half) = match axis {
                    0 => ([along, across], [width / 2., inner / 2.]),
                    _ => ([across, along], [inner / 2., width / 2.]),
                };
                let site =
                    Site { u: middle[0] + f64::from(du), v: middle[1] + f64::from(dv), half };
                let pitched = layout.area.biome != Biome::Arid && draws.chance(0.6);
                let (roof, style) = match pitched {
                    true => {
                        let slope = draws.uniform(0.35, 0.7);
                        (Roof::Gable { slope, along_x: axis == 0 }, Style::Pitched)
                    }
                    false => (Roof::Flat, Style::Flat),
                };
                let part = Part { x: [-half[0], half[0]], y: [-half[1], half[1]], height, roof };
                self.build(layout, site, vec![part], style, draws);
            }
        }
    }

    /// Long flat apartment houses on a lawn.
    fn slabs(&mut self, layout: &Layout, block: &Block, draws: &mut Draws) {
        let sides = [block.u[1] - block.u[0], block.v[1] - block.v[0]];
        let long = usize::from(draws.chance(0.5));
        let rows = (sides[1 - long] / 40.).floor().max(1.) as usize;
        for row in 0..rows {
            let columns = (sides[long] / f64::from(draws.uniform(48., 75.))).floor().max(1.);
            for column in 0..columns as usize {
                if !draws.chance(layout.area.density) {
                    continue;
                }
                let pitch = sides[long] / columns;
                let a = (draws.uniform(0.3, 0.42) * pitch as f32).min(36.);
                let b = draws.uniform(5.5, 7.5);
                let along = (column as f64 + 0.5) * pitch + 3. * f64::from(draws.symmetric());
                let across = (row as f64 + 0.5) * sides[1 - long] / rows as f64;
                let height = 3. * draws.uniform(3., 9.).floor() * layout.area.height;
                let mut parts = vec![Part { x: [-a, a], y: [-b, b], height, roof: Roof::Flat }];
                if draws.chance(0.35) && a > 14. {
                    let wing = draws.uniform(11., 17.);
                    let x = if draws.chance(0.5) { [-a, -a + 2. * b] } else { [a - 2. * b, a] };
                    let y = if draws.chance(0.5) { [-b, wing] } else { [-wing, b] };
                    parts.push(Part { x, y, height, roof: Roof::Flat });
                }
                let (mut at, mut half) = ([along, across], [a, b]);
                if long == 1 {
                    at.swap(0, 1);
                    half.swap(0, 1);
                    parts.iter_mut().for_each(|part| (part.x, part.y) = (part.y, part.x));
                }
                let site = Site { u: block.u[0] + at[0], v: block.v[0] + at[1], half };
                self.build(layout, site, parts, Style::Flat, draws);
            }
        }
        self.cars(layout, block, 0.35, |_, v| v < block.v[0] + 18.);
    }

    /// Halls on paved ground.
    fn industry(&mut self, layout: &Layout, block: &Block, draws: &mut Draws) {
        let sides = [block.u[1] - block.u[0], block.v[1] - block.v[0]];
        let cuts = if draws.chance(0.6) { [1, 2] } else { [2, 2] };
        for n in 0..cuts[0] * cuts[1] {
            if !draws.chance(layout.area.density) {
                continue;
            }
            let cell = [sides[0] / f64::from(cuts[0]), sides[1] / f64::from(cuts[1])];
            let half = cell.map(|side| (draws.uniform(0.26, 0.41) * side as f32).clamp(6., 45.));
            let at = [f64::from(n % cuts[0]) + 0.5, f64::from(n / cuts[0]) + 0.5];
            let [a, b] = half;
            let height = draws.uniform(5., 12.) * layout.area.height;
            let sheds = draws.chance(0.25);
            let roof = if sheds { Roof::Gable { slope: 0.2, along_x: a > b } } else { Roof::Flat };
            let mut parts = vec![Part { x: [-a, a], y: [-b, b], height, roof }];
            if draws.chance(0.4) {
                let (reach, wide) = (draws.uniform(5., 12.), draws.uniform(0.3, 0.7));
                let x = [-a, -a + 2. * a * wide];
                let low = height * draws.uniform(0.5, 0.9);
                parts.push(Part { x, y: [-b - reach, -b], height: low, roof: Roof::Flat });
            }
            let site =
                Site { u: block.u[0] + at[0] * cell[0], v: block.v[0] + at[1] * cell[1], half };
            self.build(layout, site, parts, Style::Hall, draws);
        }
        self.cars(layout, block, 0.4, |u, v| u < block.u[0] + 20. || v > block.v[1] - 18.);
    }

    /// A few large houses and barns in a corner.
    fn farm(&mut self, layout: &Layout, block: &Block, draws: &mut Draws) {
        for n in 0..4 {
            let (u, v) = (block.u[0] + 22. + 30. * f64::from(n % 2), block.v[0] + 22.);
            let v = v + 32. * f64::from(n / 2);
            if !draws.chance(0.75) || u + 15. > block.u[1] || v + 15. > block.v[1] {
                continue;
            }
            let half = [draws.uniform(5., 11.), draws.uniform(4.5, 8.)];
            self.house(layout, Site { u, v, half }, 0., draws);
        }
    }

    /// Places a building, unless it would stand in water, on a highway or in another.
    fn build(
        &mut self,
        layout: &Layout,
        site: Site,
        parts: Vec<Part>,
        style: Style,
        draws: &mut Draws,
    ) {
        let color = material::roof(layout.area.biome, style, draws);
        let wall = material::wall(draws);
        let key = draws.bits();
        let [x, y] = layout.to_ground([site.u, site.v]);
        let axis = layout.axis(x, y);
        let solid = Solid { x, y, axis, parts, color, wall, key, is_building: true };
        let radius = site.half[0].hypot(site.half[1]);
        let crowded = self.solids.iter().any(|other| {
            let place = [(x - other.x) as f32, (y - other.y) as f32];
            other.is_over(place, 0.)
        });
        if !crowded && layout.is_free(x, y, radius) {
            self.solids.push(solid);
        }
    }

    /// Cars in the stalls of a lot, where it is paved and no building stands.
    fn cars(
        &mut self,
        layout: &Layout,
        block: &Block,
        share: f32,
        paved: impl Fn(f64, f64) -> bool,
    ) {
        let (rows, columns) = ((block.v[1] - block.v[0]) / 8., (block.u[1] - block.u[0]) / 2.8);
        let buildings = self.solids.len();
        for n in 0..rows as i64 * columns as i64 {
            let draws = &mut Draws::new(block.key ^ 7, n, 1);
            let u = block.u[0] + ((n % columns as i64) as f64 + 0.5) * 2.8;
            let v = block.v[0] + ((n / columns as i64) as f64 + 0.5) * 8.;
            if draws.chance(share) && paved(u, v) {
                self.car(layout, [u, v], true, buildings, draws);
            }
        }
    }

    /// Cars along the streets around a block that has houses.
    fn parked(&mut self, layout: &Layout, block: &Block) {
        let share = match block.usage {
            Use::Core => 0.35,
            Use::Houses | Use::Slabs | Use::Park => 0.14,
            Use::Industry => 0.08,
            _ => return,
        };
        let buildings = self.solids.len();
        for n in 0..((block.u[1] - block.u[0]) / 7.) as i64 {
            let draws = &mut Draws::new(block.key ^ 8, n, 2);
            let (u, above) = (block.u[0] + (n as f64 + 0.5) * 7., draws.chance(0.5));
            let v = if above { block.v[0] - 3. } else { block.v[1] + 3. };
            if draws.chance(2. * share) {
                self.car(layout, [u, v], false, buildings, draws);
            }
        }
    }

    fn car(
        &mut self,
        layout: &Layout,
        [u, v]: [f64; 2],
        across: bool,
        buildings: usize,
        draws: &mut Draws,
    ) {
        let [x, y] = layout.to_ground([u, v]);
        let [c, s] = layout.axis(x, y);
        let blocked = self.solids[..buildings]
            .iter()
            .any(|solid| solid.is_over([(x - solid.x) as f32, (y - solid.y) as f32], 3.));
        if blocked || !layout.is_free(x, y, 3.) {
            return;
        }
        let axis = if across { [-s, c] } else { [c, s] };
        let color = material::car(draws);
        let part = Part { x: [-2.2, 2.2], y: [-0.9, 0.9], height: 1.5, roof: Roof::Flat };
        let key = draws.bits();
        let wall = scale(color, 0.6);
        let parts = vec![part];
        self.solids.push(Solid { x, y, axis, parts, color, wall, key, is_building: false });
    }

    /// Trees on a jittered lattice, where nothing else stands.
    fn plant(&mut self, layout: &Layout, block: &Block) {
        let biome = layout.area.biome;
        let share = match block.usage {
            Use::Forest => 0.93,
            Use::Park => 0.3,
            Use::Houses => 0.16,
            Use::Slabs | Use::Farm => 0.1,
            Use::Core | Use::Meadow => 0.05,
            Use::Vacant | Use::Industry => 0.025,
            Use::Parking => 0.02,
            Use::Field => 0.,
        };
        let share = match biome {
            Biome::Temperate => share,
            Biome::Arid => 0.3 * share,
            Biome::Tropical => f32::min(1.6 * share, 0.97),
        };
        const PITCH: f64 = 5.2;
        let sides = [block.u[1] - block.u[0], block.v[1] - block.v[0]].map(|s| (s / PITCH) as i64);
        for n in 0..sides[0] * sides[1] {
            let draws = &mut Draws::new(block.key ^ 9, n, 3);
            // Fields have trees along their border only.
            let (i, j) = (n % sides[0], n / sides[0]);
            let hedge = block.usage == Use::Field
                && (i == 0 || j == 0)
                && hash(block.key, i64::from(i == 0), 5) & 3 == 0;
            if !draws.chance(if hedge { 0.5 } else { share }) {
                continue;
            }
            let u = block.u[0] + (i as f64 + 0.5 + 0.45 * f64::from(draws.symmetric())) * PITCH;
            let v = block.v[0] + (j as f64 + 0.5 + 0.45 * f64::from(draws.symmetric())) * PITCH;
            let [x, y] = layout.to_ground([u, v]);
            let radius = draws.uniform(1.3, if block.usage == Use::Houses { 3. } else { 4.2 });
            let height = radius * draws.uniform(1.8, 3.2);
            let clear = layout.shore(x, y) > 2. && layout.highway(x, y) > 12.;
            let over =
                |solid: &Solid| solid.is_over([(x - solid.x) as f32, (y - solid.y) as f32], radius);
            if !clear || self.solids.iter().any(over) {
                continue;
            }
            let base = if biome == Biome::Temperate { TREE } else { PALM };
            let color = scale(base, draws.uniform(0.75, 1.35));
            self.trees.push(Tree { x, y, radius, height, color, key: draws.bits() });
        }
    }
}
