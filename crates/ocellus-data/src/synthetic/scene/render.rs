use std::collections::BTreeMap;

use crate::synthetic::scene::{
    content::Content,
    cover::LandCover,
    ground::Ground,
    layout::{DISTRICT, Layout, Quarter},
    light::Rays,
    material::{Reflectance, lit},
    solid::{Meeting, Solid, Tree},
};

/// The highest that anything stands where heights are the usual, and the farthest that it reaches
/// out of its block, in meters.
const HIGHEST: f32 = 28.;
const WIDEST: f32 = 25.;

/// Which outlines of buildings the mask shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Truth {
    /// Roofs where the picture shows them: the mask fits to the pixel.
    #[default]
    Roofs,
    /// Outlines at the ground, as maps have them: roofs seen from aside lie beside them.
    Footprints,
}

/// A rectangle of pixels of an endless picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) y: i64,
    pub(crate) x: i64,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) resolution: f64,
}

/// Reflected light and classes of a frame, row by row.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) light: Vec<Reflectance>,
    pub(crate) cover: Vec<LandCover>,
}

/// The nearest thing to the eye, by pixel.
#[derive(Clone, Copy)]
struct Hit {
    height: f32,
    direct: f32,
    color: Reflectance,
    cover: LandCover,
    stands: bool,
}

impl Frame {
    /// The middle of a pixel on the ground.
    fn place(&self, row: usize, column: usize) -> [f64; 2] {
        let at = |first: i64, n: usize| (first as f64 + n as f64 + 0.5) * self.resolution;
        [at(self.x, column), at(self.y, row)]
    }

    /// Rows and columns whose middles lie within these bounds on the ground.
    fn pixels(&self, x: [f64; 2], y: [f64; 2]) -> [std::ops::Range<usize>; 2] {
        let range = |[low, high]: [f64; 2], first: i64, count: usize| {
            let at = |value: f64| (value / self.resolution - first as f64 - 0.5).clamp(-1e9, 1e9);
            let from = at(low).ceil().max(0.) as usize;
            from.min(count)..(at(high).floor() + 1.).clamp(0., count as f64) as usize
        };
        [range(y, self.y, self.height), range(x, self.x, self.width)]
    }
}

/// Renders a frame: what stands is seen at its height, shadows fall on what is seen.
///
/// Every pixel depends on its own place alone, whatever frame it is rendered in.
pub(crate) fn render(layout: &Layout, frame: &Frame, rays: &Rays, truth: Truth) -> Picture {
    let quarters = quarters(layout, frame, rays);
    let contents = contents(layout, &quarters, frame, rays);
    let ground = Ground::new(layout, &quarters);
    let empty =
        Hit { height: 0., direct: 1., color: [0.; 4], cover: LandCover::Ground, stands: false };
    let mut hits = vec![empty; frame.height * frame.width];
    let mut footprints = vec![false; if truth == Truth::Footprints { hits.len() } else { 0 }];
    for content in &contents {
        for tree in &content.trees {
            let area = bounds([tree.x, tree.y], 1.3 * tree.radius, rays.lean, tree.height);
            visit(frame, area, |at, row, column| {
                let place = apart(frame.place(row, column), [tree.x, tree.y]);
                if let Some(meeting) = tree.seen(place, rays) {
                    hits[at].meet(&meeting, LandCover::Vegetation);
                }
            });
        }
        for solid in &content.solids {
            let area = bounds([solid.x, solid.y], solid.radius(), rays.lean, solid.height());
            visit(frame, area, |at, row, column| {
                let place = apart(frame.place(row, column), [solid.x, solid.y]);
                if let Some(meeting) = solid.seen(place, rays) {
                    let roof = solid.is_building && meeting.is_roof;
                    let cover = if roof { LandCover::Building } else { LandCover::Ground };
                    hits[at].meet(&meeting, cover);
                }
                if solid.is_building && !footprints.is_empty() && solid.is_over(place, 0.) {
                    footprints[at] = true;
                }
            });
        }
    }
    for (at, hit) in hits.iter_mut().enumerate().filter(|(_, hit)| !hit.stands) {
        let [x, y] = frame.place(at / frame.width, at % frame.width);
        (hit.color, hit.cover) = ground.at(x, y);
    }
    shade(frame, rays, &contents, &mut hits);
    for (hit, over) in hits.iter_mut().zip(footprints) {
        hit.cover = match (over, hit.cover) {
            (true, _) => LandCover::Building,
            (false, LandCover::Building) => LandCover::Ground,
            (false, cover) => cover,
        };
    }
    let light = |hit: &Hit| {
        let share = lit(hit.direct);
        [0, 1, 2, 3].map(|band| hit.color[band] * share[band])
    };
    Picture {
        light: hits.iter().map(light).collect(),
        cover: hits.iter().map(|hit| hit.cover).collect(),
    }
}

impl Hit {
    fn meet(&mut self, meeting: &Meeting, cover: LandCover) {
        if meeting.height > self.height {
            *self = Self {
                height: meeting.height,
                direct: meeting.light,
                color: meeting.color,
                cover,
                stands: true,
            };
        }
    }
}

/// Takes the sun from what lies behind buildings, and most of it from what lies behind trees.
fn shade(frame: &Frame, rays: &Rays, contents: &[Content], hits: &mut [Hit]) {
    let mut trees = vec![false; hits.len()];
    let mut solids = vec![false; hits.len()];
    // Where a point that is seen at a pixel stands, from the thing's place.
    let stand = |hit: &Hit, place: [f32; 2]| {
        [place[0] - hit.height * rays.lean[0], place[1] - hit.height * rays.lean[1]]
    };
    for content in contents {
        for tree in &content.trees {
            visit(frame, tree.shadow(rays), |at, row, column| {
                let place = apart(frame.place(row, column), [tree.x, tree.y]);
                let hit = &hits[at];
                trees[at] |= tree.shades(stand(hit, place), hit.height, rays);
            });
        }
        for solid in &content.solids {
            visit(frame, solid.shadow(rays), |at, row, column| {
                let place = apart(frame.place(row, column), [solid.x, solid.y]);
                let hit = &hits[at];
                solids[at] |= solid.shades(stand(hit, place), hit.height, rays);
            });
        }
    }
    for ((hit, tree), solid) in hits.iter_mut().zip(trees).zip(solids) {
        hit.direct *= match (solid, tree) {
            (true, _) => 0.,
            (false, true) => 0.22,
            (false, false) => 1.,
        };
    }
}

impl Tree {
    fn shadow(&self, rays: &Rays) -> [[f64; 2]; 2] {
        shadow([self.x, self.y], 1.3 * self.radius, self.height, rays)
    }
}

impl Solid {
    fn shadow(&self, rays: &Rays) -> [[f64; 2]; 2] {
        shadow([self.x, self.y], self.radius(), self.height(), rays)
    }
}

fn apart([x, y]: [f64; 2], [from_x, from_y]: [f64; 2]) -> [f32; 2] {
    [(x - from_x) as f32, (y - from_y) as f32]
}

/// Bounds on the ground of a circle that is swept by `height` times a ray.
fn bounds([x, y]: [f64; 2], radius: f32, ray: [f32; 2], height: f32) -> [[f64; 2]; 2] {
    let side = |at: f64, ray: f32| {
        let reach = height * ray;
        [at + f64::from(reach.min(0.) - radius), at + f64::from(reach.max(0.) + radius)]
    };
    [side(x, ray[0]), side(y, ray[1])]
}

/// Where the picture may show a shadow: it lies away from the sun, and leans as what it falls on.
fn shadow(place: [f64; 2], radius: f32, height: f32, rays: &Rays) -> [[f64; 2]; 2] {
    let fall = bounds(place, radius, rays.sun.map(|c| -c), height);
    let side = |i: usize| {
        let lean = height * rays.lean[i];
        [fall[i][0] + f64::from(lean.min(0.)), fall[i][1] + f64::from(lean.max(0.))]
    };
    [side(0), side(1)]
}

fn visit(frame: &Frame, [x, y]: [[f64; 2]; 2], mut pixel: impl FnMut(usize, usize, usize)) {
    let [rows, columns] = frame.pixels(x, y);
    for row in rows {
        for column in columns.clone() {
            pixel(row * frame.width + column, row, column);
        }
    }
}

/// How far a thing may reach into the frame from outside.
fn margin(layout: &Layout, rays: &Rays) -> f64 {
    let length = |[x, y]: [f32; 2]| x.hypot(y);
    let highest = HIGHEST * layout.area.height.max(0.6);
    f64::from(WIDEST + highest * (length(rays.sun) + length(rays.lean)))
}

/// Bounds in grid coordinates of a frame with a margin.
fn grid_bounds(layout: &Layout, frame: &Frame, margin: f64) -> [[f64; 2]; 2] {
    let [x0, y0] = frame.place(0, 0);
    let [x1, y1] = frame.place(frame.height - 1, frame.width - 1);
    const STEPS: usize = 4;
    let mut bounds = [[f64::INFINITY, f64::NEG_INFINITY]; 2];
    for n in 0..(STEPS + 1) * (STEPS + 1) {
        let at = |low: f64, high: f64, n: usize| {
            low - margin + (high - low + 2. * margin) * n as f64 / STEPS as f64
        };
        let grid = layout.to_grid(at(x0, x1, n / (STEPS + 1)), at(y0, y1, n % (STEPS + 1)));
        for (bound, value) in bounds.iter_mut().zip(grid) {
            *bound = [bound[0].min(value), bound[1].max(value)];
        }
    }
    // Between the points the bend adds at most half of its slope, 0.41, times their distance.
    let slack = 0.41 * ((x1 - x0).max(y1 - y0) + 2. * margin) / STEPS as f64;
    bounds.map(|[low, high]| [low - slack, high + slack])
}

fn quarters(layout: &Layout, frame: &Frame, rays: &Rays) -> BTreeMap<(i64, i64), Quarter> {
    let [u, v] = grid_bounds(layout, frame, margin(layout, rays));
    let cells =
        |[low, high]: [f64; 2]| (low / DISTRICT).floor() as i64..=(high / DISTRICT).floor() as i64;
    cells(u)
        .flat_map(|i| cells(v).map(move |j| (i, j)))
        .map(|(i, j)| ((i, j), layout.quarter(i, j)))
        .collect()
}

/// What stands in all blocks from which something may reach into the frame, in an order that does
/// not depend on the frame.
fn contents(
    layout: &Layout,
    quarters: &BTreeMap<(i64, i64), Quarter>,
    frame: &Frame,
    rays: &Rays,
) -> Vec<Content> {
    let [u, v] = grid_bounds(layout, frame, margin(layout, rays));
    let overlaps = |[a, b]: [f64; 2], [c, d]: [f64; 2]| a < d && c < b;
    quarters
        .values()
        .flat_map(|quarter| &quarter.columns)
        .flat_map(|column| &column.blocks)
        .filter(|block| overlaps(block.u, u) && overlaps(block.v, v))
        .map(|block| Content::of(layout, block))
        .collect()
}
