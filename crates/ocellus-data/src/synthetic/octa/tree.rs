use super::fovea::Fovea;
use crate::random::Random;

type Point = (f32, f32);

/// A place on a vessel. Lengths in tens of micrometers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) at: Point,
    /// The node that it grew from: an earlier one, or itself at a root.
    pub(super) parent: usize,
    pub(super) radius: f32,
    /// The direction in which it grew.
    heading: Point,
}

/// Vessels that grow from the edge of a field toward tissue without supply: space colonization [1].
///
/// Each free point of the tissue draws at its nearest node; a node grows a step in the mean
/// direction of what draws at it; tissue is supplied, and free no more, when a vessel comes near.
/// The calibers follow Murray's law upstream from the tips [2].
///
/// 1. A. Runions et al. *Modeling and visualization of leaf venation patterns.* SIGGRAPH 2005.
/// 2. C. D. Murray. *The physiological principle of minimum work.* PNAS 12 (1926).
#[derive(Clone, Debug)]
pub(super) struct Growth {
    /// How far a step goes.
    step: f32,
    /// How near a vessel supplies tissue.
    supply: f32,
    /// How far tissue draws.
    reach: f32,
    /// Nothing grows into it.
    fovea: Fovea,
    tissue: Tissue,
    nodes: Vec<Node>,
}

/// What has no supply yet, in square cells.
#[derive(Clone, Debug)]
struct Tissue {
    low: f32,
    cell: f32,
    columns: usize,
    cells: Vec<Vec<usize>>,
    /// Place, nearest node and its squared distance.
    points: Vec<(Point, usize, f32)>,
    free: Vec<bool>,
}

/// The radius of the thinnest vessels that are grown.
const TIP: f32 = 0.75;
/// Murray's exponent: between 2.7 and 3 in retinas.
const MURRAY: f32 = 2.5;
const NONE: usize = usize::MAX;

impl Growth {
    /// Tissue every `spacing` in the square from `low` to `high`, but for the fovea.
    pub(super) fn new(
        random: &mut Random,
        (low, high): Point,
        spacing: f32,
        fovea: &Fovea,
    ) -> Self {
        let reach = 3. * spacing;
        let columns = ((high - low) / reach).ceil().max(1.) as usize;
        let cells = vec![Vec::new(); columns * columns];
        let mut tissue =
            Tissue { low, cell: reach, columns, cells, points: Vec::new(), free: Vec::new() };
        let count = ((high - low) / spacing) as usize;
        for at in 0..count * count {
            let mut place = |i: usize| low + (i as f32 + 0.5 + 0.48 * random.symmetric()) * spacing;
            let place = (place(at % count), place(at / count));
            if fovea.distance(place) > 1.12 {
                tissue.push(place);
            }
        }
        let (supply, fovea) = (0.62 * spacing, fovea.clone());
        Self { step: 2.5, supply, reach, fovea, tissue, nodes: Vec::new() }
    }

    /// Takes tissue that another vessel supplies out, where they are too near to grow beside.
    pub(super) fn avoid(&mut self, vessels: &[Node]) {
        for vessel in vessels {
            self.tissue.supply(vessel.at, 0.6 * self.supply);
        }
    }

    /// Grows vessels from these roots.
    pub(super) fn grow(mut self, roots: &[Point]) -> Vec<Node> {
        for &at in roots {
            let parent = self.nodes.len();
            self.add(Node { at, parent, radius: TIP, heading: (0., 0.) });
        }
        let mut pulls: Vec<Point> = Vec::new();
        for _ in 0..600 {
            pulls.clear();
            pulls.resize(self.nodes.len(), (0., 0.));
            self.pull(&mut pulls);
            let before = self.nodes.len();
            for (parent, pull) in pulls.iter().enumerate() {
                self.sprout(parent, *pull);
            }
            if self.nodes.len() == before {
                break;
            }
        }
        self.finish()
    }

    /// Sums for each node the directions of the tissue that draws at it.
    fn pull(&self, pulls: &mut [Point]) {
        let tissue = self.tissue.points.iter().zip(&self.tissue.free);
        for (&(at, nearest, squared), _) in tissue.filter(|(_, free)| **free) {
            if let Some(pull) = pulls.get_mut(nearest) {
                let from = self.nodes[nearest].at;
                let distance = squared.sqrt().max(1e-3);
                pull.0 += (at.0 - from.0) / distance;
                pull.1 += (at.1 - from.1) / distance;
            }
        }
    }

    /// Grows a node by a step, unless nothing draws, or it stands there already.
    fn sprout(&mut self, parent: usize, pull: Point) {
        let strength = length(pull);
        if strength < 1e-3 {
            return;
        }
        let Node { at, heading, .. } = self.nodes[parent];
        // What flows does not turn sharply.
        let inertia = 0.9;
        let way =
            (pull.0 / strength + inertia * heading.0, pull.1 / strength + inertia * heading.1);
        let size = length(way).max(1e-3);
        let heading = (way.0 / size, way.1 / size);
        let to = (at.0 + self.step * heading.0, at.1 + self.step * heading.1);
        if self.fovea.distance(to) < 1. {
            return;
        }
        let near = |node: &Node| length((node.at.0 - to.0, node.at.1 - to.1)) < 0.6 * self.step;
        let recent = self.nodes.len().saturating_sub(400);
        let twin =
            |(i, node): (usize, &Node)| i + recent != parent && node.parent == parent && near(node);
        if self.nodes[recent..].iter().enumerate().any(twin) {
            return;
        }
        self.add(Node { at: to, parent, radius: TIP, heading });
    }

    fn add(&mut self, node: Node) {
        let index = self.nodes.len();
        self.nodes.push(node);
        self.tissue.supply(node.at, self.supply);
        self.tissue.attract(node.at, index, self.reach);
    }

    /// Smooths the way of each vessel and sets calibers from the tips upstream.
    fn finish(mut self) -> Vec<Node> {
        let nodes = &mut self.nodes;
        let mut next = vec![NONE; nodes.len()];
        let mut flow = vec![0f32; nodes.len()];
        for i in (0..nodes.len()).rev() {
            flow[i] = flow[i].max(TIP.powf(MURRAY));
            nodes[i].radius = flow[i].powf(1. / MURRAY);
            let parent = nodes[i].parent;
            if parent != i {
                flow[parent] += flow[i];
                if next[parent] == NONE || flow[next[parent]] < flow[i] {
                    next[parent] = i;
                }
            }
        }
        for _ in 0..3 {
            for i in 0..nodes.len() {
                let (parent, child) = (nodes[i].parent, next[i]);
                if parent != i && child != NONE {
                    let (a, b, c) = (nodes[parent].at, nodes[i].at, nodes[child].at);
                    let mean = |a: f32, b: f32, c: f32| 0.25 * a + 0.5 * b + 0.25 * c;
                    nodes[i].at = (mean(a.0, b.0, c.0), mean(a.1, b.1, c.1));
                }
            }
        }
        self.nodes
    }
}

impl Tissue {
    fn push(&mut self, at: Point) {
        let cell = self.cell_of(at);
        self.cells[cell].push(self.points.len());
        self.points.push((at, NONE, f32::INFINITY));
        self.free.push(true);
    }

    fn column(&self, at: f32) -> usize {
        (((at - self.low) / self.cell).max(0.) as usize).min(self.columns - 1)
    }

    fn cell_of(&self, at: Point) -> usize {
        self.column(at.1) * self.columns + self.column(at.0)
    }

    /// Calls a function with each free point within a distance, and the squared distance.
    fn near(
        &mut self,
        at: Point,
        within: f32,
        mut found: impl FnMut(&mut (Point, usize, f32), &mut bool, f32),
    ) {
        let columns = self.column(at.0 - within)..=self.column(at.0 + within);
        for row in self.column(at.1 - within)..=self.column(at.1 + within) {
            for column in columns.clone() {
                for &i in &self.cells[row * self.columns + column] {
                    let (x, y) = self.points[i].0;
                    let squared = (x - at.0).powi(2) + (y - at.1).powi(2);
                    if self.free[i] && squared <= within * within {
                        found(&mut self.points[i], &mut self.free[i], squared);
                    }
                }
            }
        }
    }

    fn supply(&mut self, at: Point, within: f32) {
        self.near(at, within, |_, free, _| *free = false);
    }

    fn attract(&mut self, at: Point, node: usize, within: f32) {
        self.near(at, within, |point, _, squared| {
            if squared < point.2 {
                (point.1, point.2) = (node, squared);
            }
        });
    }
}

fn length((x, y): Point) -> f32 {
    (x * x + y * y).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown() -> (Vec<Node>, Fovea) {
        let mut random = Random::keyed(5, 0, 0, 0);
        let fovea = Fovea::draw(&mut random, (100., 100.));
        let growth = Growth::new(&mut random, (0., 200.), 16., &fovea);
        (growth.grow(&[(100., 0.), (0., 150.)]), fovea)
    }

    #[test]
    fn every_vessel_leads_back_to_a_root_by_small_steps() {
        let (nodes, _) = grown();
        assert!(nodes.len() > 200);
        let roots = nodes.iter().enumerate().filter(|(i, node)| node.parent == *i).count();
        assert_eq!(roots, 2);
        for (i, node) in nodes.iter().enumerate().filter(|(i, node)| node.parent != *i) {
            assert!(node.parent < i);
            let from = nodes[node.parent].at;
            assert!(length((node.at.0 - from.0, node.at.1 - from.1)) < 4.);
        }
    }

    #[test]
    fn calibers_follow_murrays_law() {
        let (nodes, _) = grown();
        let mut flow = vec![0f32; nodes.len()];
        for (i, node) in nodes.iter().enumerate().filter(|(i, node)| node.parent != *i) {
            flow[node.parent] += nodes[i].radius.powf(MURRAY);
            assert!(node.radius <= nodes[node.parent].radius + 1e-4);
        }
        for (node, flow) in nodes.iter().zip(flow) {
            let expected = flow.max(TIP.powf(MURRAY));
            assert!((node.radius.powf(MURRAY) / expected - 1.).abs() < 1e-2);
        }
    }

    #[test]
    fn most_tissue_is_supplied_and_the_fovea_is_left() {
        let (nodes, fovea) = grown();
        assert!(nodes.iter().all(|node| fovea.distance(node.at) > 0.9));
        let mut random = Random::keyed(9, 0, 0, 0);
        let places = (0..500).map(|_| (random.uniform(10., 190.), random.uniform(10., 190.)));
        let outside: Vec<Point> = places.filter(|&at| fovea.distance(at) > 1.2).collect();
        let supplied = |at: &&Point| {
            nodes.iter().any(|node| length((node.at.0 - at.0, node.at.1 - at.1)) < 16.)
        };
        assert!(outside.iter().filter(supplied).count() as f32 > 0.95 * outside.len() as f32);
    }
}
