use crate::{
    Error, Result,
    geo::{
        chains::{Chains, Corner, End, doubled_area, split},
        regions::{NONE, Region, Regions},
    },
};

/// A label that no pixel has: outside of the map, and skipped classes.
const OUTSIDE: u16 = 256;

/// A connected region of a class map, as its outline along the edges of pixels.
///
/// Rings are corners of pixels (column, row) where the outline turns, the last of which is joined to
/// the first. The outer ring has the region on its right seen with rows downward, and so has each
/// hole. No ring touches itself; a hole may touch another ring in single corners.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Polygon {
    /// The class.
    pub class: u8,
    /// The number of pixels.
    pub pixels: u64,
    /// The outline.
    pub outer: Vec<[u32; 2]>,
    /// The outlines of what is not of the region within.
    pub holes: Vec<Vec<[u32; 2]>>,
}

/// Polygons of the 4-connected regions of a class map that comes row by row.
///
/// A polygon is given as soon as its last row has passed, in the order of that row and then of its
/// first column. In memory lie two rows and the outlines of regions that still go on: a class that
/// covers the whole map keeps all its holes until the end, so the ground is better skipped.
///
/// # Examples
///
/// ```
/// use ocellus_data::geo::Polygonizer;
///
/// let rows = [[1, 1, 1], [1, 0, 1], [1, 1, 1]];
/// let mut polygons = Vec::new();
/// let mut polygonizer = Polygonizer::new(3)?.with_skipped(&[0]);
/// for row in rows {
///     polygonizer.push_row(&row, &mut |polygon| Ok(polygons.push(polygon)))?;
/// }
/// polygonizer.finish(&mut |polygon| Ok(polygons.push(polygon)))?;
///
/// assert_eq!(polygons.len(), 1);
/// assert_eq!((polygons[0].class, polygons[0].pixels), (1, 8));
/// assert_eq!(polygons[0].outer, [[0, 0], [3, 0], [3, 3], [0, 3]]);
/// assert_eq!(polygons[0].holes, [[[1, 1], [1, 2], [2, 2], [2, 1]]]);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// # Complexity
///
/// Linear in the number of pixels.
#[derive(Debug)]
pub struct Polygonizer {
    width: usize,
    skipped: Vec<u8>,
    /// Rows that have come.
    row: u32,
    chains: Chains,
    regions: Regions,
    above: Line,
    line: Line,
    /// Regions of the row above.
    open: Vec<u32>,
}

/// A row of labels and of the regions that its pixels are of, between two pixels outside.
#[derive(Clone, Debug)]
struct Line {
    labels: Vec<u16>,
    regions: Vec<u32>,
}

/// What takes polygons.
type Sink<'a> = &'a mut dyn FnMut(Polygon) -> Result<()>;

impl Polygonizer {
    /// A map of so many columns.
    ///
    /// # Errors
    ///
    /// If there are none, or more than 2³¹.
    pub fn new(width: u32) -> Result<Self> {
        if width == 0 || width > 1 << 31 {
            return Err(Error::Shape(format!("a class map of {width} columns has no polygons")));
        }
        let width = width as usize;
        let line = Line { labels: vec![OUTSIDE; width + 2], regions: vec![NONE; width + 2] };
        Ok(Self {
            width,
            skipped: Vec::new(),
            row: 0,
            chains: Chains::new(2 * (width + 1) + 2),
            regions: Regions::default(),
            above: line.clone(),
            line,
            open: Vec::new(),
        })
    }

    /// Sets the classes that are no polygons: the ground, or what means "no data".
    #[must_use]
    pub fn with_skipped(mut self, classes: &[u8]) -> Self {
        self.skipped = classes.to_vec();
        self
    }

    /// Takes the next row, and gives the polygons that ended above it.
    ///
    /// # Errors
    ///
    /// If the row is not as wide as the map, or `sink` fails.
    pub fn push_row(&mut self, classes: &[u8], sink: Sink<'_>) -> Result<()> {
        self.push(classes.iter().map(|&class| Some(class)), sink)
    }

    /// Takes the next row, in which some pixels hold no data.
    pub(crate) fn push(
        &mut self,
        classes: impl ExactSizeIterator<Item = Option<u8>>,
        sink: Sink<'_>,
    ) -> Result<()> {
        if classes.len() != self.width || self.row == u32::MAX - 1 {
            return Err(Error::Shape(format!(
                "row {} of {} pixels in a class map of {}",
                self.row,
                classes.len(),
                self.width
            )));
        }
        for (label, class) in self.line.labels[1..].iter_mut().zip(classes) {
            let class = class.filter(|class| !self.skipped.contains(class));
            *label = class.map_or(OUTSIDE, u16::from);
        }
        self.step(sink)
    }

    /// Gives the polygons that reach down to the last row.
    ///
    /// # Errors
    ///
    /// If `sink` fails.
    pub fn finish(mut self, sink: Sink<'_>) -> Result<()> {
        self.line.labels.fill(OUTSIDE);
        self.step(sink)
    }

    /// Traces the line between the row above and this one, and goes on to the next.
    fn step(&mut self, sink: Sink<'_>) -> Result<()> {
        self.row += 1;
        self.connect();
        let complete: Vec<u32> = self
            .open
            .iter()
            .copied()
            .filter(|&id| self.regions.is_complete(id, self.row))
            .collect();
        self.resolve();
        for x in 0..=self.width {
            self.corner(x);
        }
        for id in complete {
            if let Some(polygon) = polygon(self.regions.take(id)) {
                sink(polygon)?;
            }
        }
        std::mem::swap(&mut self.above, &mut self.line);
        Ok(())
    }

    /// Finds the regions of this row's pixels.
    fn connect(&mut self) {
        let (above, line) = (&self.above, &mut self.line);
        for at in 1..=self.width {
            let label = line.labels[at];
            if label == OUTSIDE {
                line.regions[at] = NONE;
                continue;
            }
            let left = (line.labels[at - 1] == label).then(|| line.regions[at - 1]);
            let up = (above.labels[at] == label).then(|| above.regions[at]);
            let id = match (left, up) {
                (Some(left), Some(up)) if left != up => self.regions.merge(left, up),
                (Some(id), _) | (None, Some(id)) => self.regions.find(id),
                (None, None) => self.regions.add(label),
            };
            line.regions[at] = id;
            let region = self.regions.get(id);
            region.pixels += 1;
            region.last_row = self.row;
        }
    }

    /// Puts merged regions' new numbers into both rows, and lists those of this row.
    fn resolve(&mut self) {
        for line in [&mut self.above, &mut self.line] {
            let mut last = (NONE, NONE);
            for id in line.regions.iter_mut().filter(|id| **id != NONE) {
                if last.0 != *id {
                    last = (*id, self.regions.find(*id));
                }
                *id = last.1;
            }
        }
        self.regions.forget_merged();
        self.open.clear();
        self.open.extend(self.line.regions.iter().filter(|&&id| id != NONE));
        self.open.dedup();
        let mut first = std::collections::HashSet::with_capacity(self.open.len());
        self.open.retain(|&id| first.insert(id));
    }

    /// Leads borders over the corner left of column `x`, between the row above and this one.
    fn corner(&mut self, x: usize) {
        // Around the corner, clockwise from the upper left.
        let (above, line) = (&self.above, &self.line);
        let labels = [above.labels[x], above.labels[x + 1], line.labels[x + 1], line.labels[x]];
        if labels == [labels[0]; 4] {
            return;
        }
        let regions =
            [above.regions[x], above.regions[x + 1], line.regions[x + 1], line.regions[x]];
        // The edge before each of the four: left, up, right, down.
        let is_edge = |edge: usize| labels[(edge + 3) % 4] != labels[edge];
        let (side, parity) = (self.width + 1, self.row as usize % 2);
        let end = |edge: usize| match edge {
            0 => End::Old(2 * side + x % 2),
            1 => End::Old((1 - parity) * side + x),
            2 => End::New(2 * side + (x + 1) % 2),
            _ => End::New(parity * side + x),
        };
        let corner = [x as u32, self.row - 1];
        for start in (0..4).filter(|&edge| is_edge(edge) && labels[edge] != OUTSIDE) {
            let stop = (1..4).map(|n| (start + n) % 4).find(|&edge| is_edge(edge));
            let Some(stop) = stop else { continue };
            let turns = (start + 2) % 4 != stop;
            if let Some(ring) = self.chains.lead(end(stop), end(start), corner, turns) {
                self.regions.get(regions[start]).rings.push(ring);
            }
        }
    }
}

/// The outline of a complete region.
fn polygon(region: Region) -> Option<Polygon> {
    let mut outer: Option<Vec<Corner>> = None;
    let mut holes = Vec::new();
    for ring in region.rings {
        split(ring, |part| match doubled_area(&part) > 0 {
            true => outer = Some(part),
            false => holes.push(part),
        });
    }
    // Each ring from its first corner in reading order, the holes in theirs.
    let from_first = |ring: &mut Vec<Corner>| {
        let first = (0..ring.len()).min_by_key(|&at| (ring[at][1], ring[at][0])).unwrap_or(0);
        ring.rotate_left(first);
    };
    holes.iter_mut().for_each(from_first);
    holes.sort_by_key(|hole| (hole[0][1], hole[0][0]));
    let mut outer = outer?;
    from_first(&mut outer);
    Some(Polygon { class: u8::try_from(region.label).ok()?, pixels: region.pixels, outer, holes })
}
