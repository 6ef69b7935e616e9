//! What the ground looks like where nothing stands.

use std::collections::BTreeMap;

use crate::synthetic::scene::{
    area::Biome,
    cover::LandCover,
    layout::{
        Block, DISTRICT, District, HIGHWAY, Layout, MAIN, Quarter, STREET, Use, WALK, is_main,
    },
    material::{
        ASPHALT, CONCRETE, PAINT, Reflectance, WATER, WORN_ASPHALT, crop, grasses, mix, paving,
        scale, soils,
    },
    noise::{Draws, hash, noise, unit},
};

const SOIL: u64 = 0x31;
const GREEN: u64 = 0x32;
const PATCH: u64 = 0x33;
const GRAIN: u64 = 0x34;
const WEAR: u64 = 0x35;
const PATH: u64 = 0x36;

/// Color and class of a place.
pub(crate) type Surface = (Reflectance, LandCover);

/// A place on the ground, with what many surfaces need.
struct Spot {
    x: f64,
    y: f64,
    u: f64,
    v: f64,
    /// Noise of about 9 and 1.6 meters.
    patch: f32,
    grain: f32,
}

/// The ground of a piece of a landscape.
pub(crate) struct Ground<'a> {
    layout: &'a Layout,
    quarters: &'a BTreeMap<(i64, i64), Quarter>,
}

impl<'a> Ground<'a> {
    pub(crate) fn new(layout: &'a Layout, quarters: &'a BTreeMap<(i64, i64), Quarter>) -> Self {
        Self { layout, quarters }
    }

    pub(crate) fn at(&self, x: f64, y: f64) -> Surface {
        let seed = self.layout.seed;
        let [u, v] = self.layout.to_grid(x, y);
        let patch = noise(seed ^ PATCH, x / 9., y / 9.);
        let grain = noise(seed ^ GRAIN, x / 1.6, y / 1.6);
        let spot = Spot { x, y, u, v, patch, grain };
        let highway = self.layout.highway(x, y);
        if highway < HIGHWAY + WALK {
            return self.highway(&spot, highway);
        }
        let (i, j) = ((u / DISTRICT).floor(), (v / DISTRICT).floor());
        let edge = |at: f64, cell: f64| (at - cell * DISTRICT).min((cell + 1.) * DISTRICT - at);
        let (left, top) = (edge(u, i) as f32, edge(v, j) as f32);
        for (distance, border, along) in [(left, u, v), (top, v, u)] {
            if is_main(border) && distance < MAIN + WALK {
                return self.main_road(&spot, distance, along);
            }
        }
        let shore = self.layout.shore(x, y);
        if shore < 0. {
            let ripple = 1. + 0.12 * spot.grain + 0.2 * spot.patch;
            return (scale(WATER, ripple), LandCover::Water);
        }
        if shore < 3. {
            return self.soil(&spot, 0.4);
        }
        if left.min(top) < STREET {
            return (self.asphalt(&spot, seed ^ 7), LandCover::Road);
        }
        let Some(quarter) = self.quarters.get(&(i as i64, j as i64)) else {
            return self.soil(&spot, 0.);
        };
        match quarter.block(u, v) {
            Some(block) => self.block(&spot, quarter, block),
            None => self.soil(&spot, 0.),
        }
    }

    fn asphalt(&self, spot: &Spot, key: u64) -> Reflectance {
        let age = unit(hash(key, 1, 1));
        let wear = noise(self.layout.seed ^ WEAR, spot.x / 60., spot.y / 60.);
        let base = mix(ASPHALT, WORN_ASPHALT, 0.75 * age + 0.4 * wear);
        scale(base, 1. + 0.1 * spot.grain + 0.08 * spot.patch)
    }

    fn highway(&self, spot: &Spot, distance: f32) -> Surface {
        if distance > HIGHWAY {
            return self.soil(spot, 0.3);
        }
        // A green strip between two lanes with marks.
        if distance < 0.9 {
            return self.soil(spot, 0.6);
        }
        if (distance - HIGHWAY + 0.5).abs() < 0.2 || (distance - 4.6).abs() < 0.15 {
            return (scale(PAINT, 0.8), LandCover::Road);
        }
        (self.asphalt(spot, self.layout.seed), LandCover::Road)
    }

    fn main_road(&self, spot: &Spot, distance_in: f32, along: f64) -> Surface {
        // `distance_in` is from the middle of the road: the district's border.
        if distance_in > MAIN {
            return (scale(CONCRETE, 0.9 + 0.08 * spot.grain), LandCover::Road);
        }
        let dash = (along / 9.).rem_euclid(1.) < 0.45;
        if distance_in < 0.2 || ((distance_in - 3.4).abs() < 0.15 && dash) {
            return (scale(PAINT, 0.75), LandCover::Road);
        }
        (self.asphalt(spot, self.layout.seed ^ 5), LandCover::Road)
    }

    fn block(&self, spot: &Spot, quarter: &Quarter, block: &Block) -> Surface {
        let outside = block.outside(spot.u, spot.v);
        if outside > 0. {
            return match quarter.kind {
                District::Open => self.soil(spot, 0.25),
                _ if outside > WALK => (self.asphalt(spot, quarter.key), LandCover::Road),
                _ => (scale(CONCRETE, 0.85 + 0.08 * spot.grain), LandCover::Road),
            };
        }
        let key = block.key;
        match block.usage {
            Use::Field => self.field(spot, block),
            Use::Forest => self.soil(spot, 0.75),
            Use::Meadow => self.soil(spot, 0.8),
            Use::Farm => self.soil(spot, 0.35),
            Use::Vacant => self.soil(spot, -0.15),
            Use::Parking => self.lot(spot, key),
            Use::Core => self.yard(spot, key, 0.35),
            Use::Slabs if spot.v < block.v[0] + 18. => self.lot(spot, key),
            Use::Slabs | Use::Park => self.park(spot, key),
            Use::Industry => self.yard(spot, key, 0.1),
            Use::Houses => self.garden(spot, key),
        }
    }

    /// Soil and grass, as green as `fresh` (0 to 1) and the climate say, in patches.
    fn soil(&self, spot: &Spot, fresh: f32) -> Surface {
        let (seed, biome) = (self.layout.seed, self.layout.area.biome);
        let climate = match biome {
            Biome::Temperate => 0.15,
            Biome::Arid => -0.5,
            Biome::Tropical => 0.25,
        };
        let wide = noise(seed ^ GREEN, spot.x / 70., spot.y / 70.);
        let close = noise(seed ^ GREEN ^ 1, spot.x / 14., spot.y / 14.);
        let green = fresh + climate + 0.45 * wide + 0.35 * close + 0.2 * spot.grain;
        let cover = ((green - 0.25) * 3. + 0.5).clamp(0., 1.);
        let [dark, light] = soils(biome);
        let kind = noise(seed ^ SOIL, spot.x / 300., spot.y / 300.);
        let bare = mix(dark, light, 0.5 + 0.9 * kind + 0.35 * close);
        let bare = scale(bare, 1. + 0.14 * spot.patch + 0.12 * spot.grain);
        let [lush, dry] = grasses(biome);
        let grass = mix(dry, lush, 0.4 + 0.6 * green + 0.3 * wide);
        let grass = scale(grass, 1. + 0.12 * spot.patch + 0.14 * spot.grain);
        let class = if cover > 0.5 { LandCover::Vegetation } else { LandCover::Ground };
        (mix(bare, grass, cover), class)
    }

    fn field(&self, spot: &Spot, block: &Block) -> Surface {
        // One to four strips of different crops.
        let draws = &mut Draws::new(block.key, 11, 0);
        let across = draws.chance(0.5);
        let ([low, high], at) = if across { (block.u, spot.u) } else { (block.v, spot.v) };
        let strips = 1 + (draws.unit() * 4.) as i64;
        let strip = ((at - low) / (high - low) * strips as f64) as i64;
        let draws = &mut Draws::new(block.key, 12, strip);
        let color = crop(self.layout.area.biome, draws);
        let (row, depth) = (f64::from(draws.uniform(2.4, 7.)), draws.uniform(0., 0.16));
        let place = if draws.chance(0.5) { spot.u } else { spot.v };
        let furrow = ((place / row).rem_euclid(1.) as f32 - 0.5).abs() * 4. - 1.;
        let wide = noise(self.layout.seed ^ GREEN, spot.x / 45., spot.y / 45.);
        let factor = 1. + depth * furrow + 0.16 * wide + 0.06 * spot.patch + 0.06 * spot.grain;
        // Near infrared far above red: something grows.
        let grows = color[3] > 2. * color[2];
        let class = if grows { LandCover::Vegetation } else { LandCover::Ground };
        (scale(color, factor), class)
    }

    fn park(&self, spot: &Spot, key: u64) -> Surface {
        let winding = noise(key ^ PATH, spot.x / 38., spot.y / 38.);
        if winding.abs() < 0.025 {
            return (scale(CONCRETE, 0.95 + 0.1 * spot.grain), LandCover::Ground);
        }
        self.soil(spot, 0.7)
    }

    fn lot(&self, spot: &Spot, key: u64) -> Surface {
        let stripe = (spot.u / 2.8).rem_euclid(1.) < 0.07;
        let stall = (spot.v / 8.).rem_euclid(1.) < 0.62;
        let color = if stripe && stall { scale(PAINT, 0.7) } else { self.asphalt(spot, key ^ 3) };
        (color, LandCover::Ground)
    }

    /// Paved ground with rectangles of other pavement: as large and as straight as roofs.
    fn yard(&self, spot: &Spot, key: u64, fresh: f32) -> Surface {
        let (i, j) = ((spot.u / 17.).floor(), (spot.v / 13.).floor());
        let h = hash(key ^ 4, i as i64, j as i64);
        let base = match h % 8 {
            0 => return self.soil(spot, fresh + 0.3),
            1 | 2 => return self.soil(spot, fresh - 0.5),
            3 | 4 => paving(self.layout.area.biome, &mut Draws::new(h, 0, 0)),
            _ => self.asphalt(spot, key ^ (h % 3)),
        };
        (scale(base, 1. + 0.1 * spot.patch + 0.08 * spot.grain), LandCover::Ground)
    }

    /// Lawns, beds, terraces: each parcel another.
    fn garden(&self, spot: &Spot, key: u64) -> Surface {
        let (i, j) = ((spot.u / 18.).floor(), (spot.v / 21.).floor());
        let h = hash(key ^ 6, i as i64, j as i64);
        // A drive or terrace in a corner of some parcels.
        let (x, y) = (spot.u / 18. - i, spot.v / 21. - j);
        let paved = h & 3 == 0 && x < 0.28 && y < 0.5 || h & 4 == 0 && x > 0.5 && y > 0.6;
        if paved {
            let color = paving(self.layout.area.biome, &mut Draws::new(h, 0, 0));
            return (scale(color, 1. + 0.08 * spot.grain), LandCover::Ground);
        }
        self.soil(spot, 0.15 + 0.6 * unit(h << 20))
    }
}
