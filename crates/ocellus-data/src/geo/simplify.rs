use crate::geo::{
    Polygon,
    chains::{Corner, doubled_area},
    crossings::{contains, crossing_rings},
};

impl Polygon {
    /// The polygon with fewer corners: by Douglas and Peucker, none of the corners left out is
    /// farther than `tolerance` pixels from the new outline.
    ///
    /// Rings that would collapse, cross or touch themselves or another ring of the polygon, or leave
    /// their outline, stay as they were; so the result is valid wherever the polygon was. Neighbors
    /// are simplified on their own: afterwards their borders may differ by the tolerance.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::geo::Polygonizer;
    ///
    /// // A triangle of steps.
    /// let mut polygons = Vec::new();
    /// let mut polygonizer = Polygonizer::new(8)?.with_skipped(&[0]);
    /// for y in 0..8 {
    ///     let row: Vec<u8> = (0..8).map(|x| u8::from(x <= y)).collect();
    ///     polygonizer.push_row(&row, &mut |polygon| Ok(polygons.push(polygon)))?;
    /// }
    /// polygonizer.finish(&mut |polygon| Ok(polygons.push(polygon)))?;
    ///
    /// assert_eq!(polygons[0].outer.len(), 18);
    /// assert!(polygons[0].simplified(1.).outer.len() <= 5);
    /// # Ok::<(), ocellus_data::Error>(())
    /// ```
    #[must_use]
    pub fn simplified(&self, tolerance: f64) -> Self {
        let originals: Vec<&[Corner]> = std::iter::once(&self.outer[..])
            .chain(self.holes.iter().map(|hole| &hole[..]))
            .collect();
        let mut rings: Vec<Option<Vec<Corner>>> =
            originals.iter().map(|ring| shorter(ring, tolerance)).collect();
        while rings.iter().any(Option::is_some) {
            let now: Vec<&[Corner]> = rings
                .iter()
                .zip(&originals)
                .map(|(new, old)| new.as_deref().unwrap_or(old))
                .collect();
            let changed: Vec<bool> = rings.iter().map(Option::is_some).collect();
            let mut broken = crossing_rings(&now, &changed);
            if broken.is_empty() {
                broken = misplaced(&now, &changed);
            }
            if broken.is_empty() {
                break;
            }
            broken.into_iter().for_each(|ring| rings[ring] = None);
        }
        let mut rings =
            rings.into_iter().zip(&originals).map(|(new, old)| new.unwrap_or_else(|| old.to_vec()));
        let outer = rings.next().unwrap_or_default();
        Self { class: self.class, pixels: self.pixels, outer, holes: rings.collect() }
    }
}

/// Rings that are not where they belong: holes within the outline, and not within each other. Tells
/// only of pairs of which one changed. No two of them cross.
fn misplaced(rings: &[&[Corner]], changed: &[bool]) -> Vec<usize> {
    let boxes: Vec<_> = rings.iter().map(|ring| bounds(ring)).collect();
    let inside = |inner: usize, outer: usize| {
        boxes[inner].0 >= boxes[outer].0
            && boxes[inner].1 >= boxes[outer].1
            && boxes[inner].2 <= boxes[outer].2
            && boxes[inner].3 <= boxes[outer].3
            && rings[inner].iter().any(|&corner| contains(rings[outer], corner))
    };
    let mut broken = Vec::new();
    for hole in 1..rings.len() {
        if (changed[0] || changed[hole]) && !inside(hole, 0) {
            broken.extend([0, hole]);
        }
        for other in (1..rings.len()).filter(|&other| other != hole) {
            if (changed[other] || changed[hole]) && inside(hole, other) {
                broken.extend([other, hole]);
            }
        }
    }
    broken.retain(|&ring| changed[ring]);
    broken
}

fn bounds(ring: &[Corner]) -> (u32, u32, u32, u32) {
    ring.iter().fold((u32::MAX, u32::MAX, 0, 0), |(left, top, right, bottom), &[x, y]| {
        (left.min(x), top.min(y), right.max(x), bottom.max(y))
    })
}

/// The ring with fewer corners, if some can be left out and it stays a ring of the same sense.
fn shorter(ring: &[Corner], tolerance: f64) -> Option<Vec<Corner>> {
    if ring.len() <= 4 || tolerance.is_nan() || tolerance <= 0. {
        return None;
    }
    // Two corners that surely stay: the first, and the one farthest from it.
    let square = |at: usize| {
        let (x, y) = difference(ring[at], ring[0]);
        x * x + y * y
    };
    let far = (1..ring.len()).max_by(|&a, &b| square(a).total_cmp(&square(b)).then(b.cmp(&a)))?;
    let mut keep = vec![false; ring.len()];
    keep[0] = true;
    keep[far] = true;
    let mut parts = vec![(0, far), (far, ring.len())];
    while let Some((from, to)) = parts.pop() {
        let (a, b) = (ring[from], ring[to % ring.len()]);
        let mut worst = (tolerance, None);
        for (at, &corner) in ring.iter().enumerate().take(to).skip(from + 1) {
            let distance = distance(corner, a, b);
            if distance > worst.0 {
                worst = (distance, Some(at));
            }
        }
        if let (_, Some(at)) = worst {
            keep[at] = true;
            parts.extend([(from, at), (at, to)]);
        }
    }
    let short: Vec<Corner> =
        ring.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(corner, _)| *corner).collect();
    let same_sense = doubled_area(&short).signum() == doubled_area(ring).signum();
    (short.len() >= 3 && short.len() < ring.len() && same_sense).then_some(short)
}

fn difference(a: Corner, b: Corner) -> (f64, f64) {
    (f64::from(a[0]) - f64::from(b[0]), f64::from(a[1]) - f64::from(b[1]))
}

/// From a point to the nearest of a segment.
fn distance(point: Corner, a: Corner, b: Corner) -> f64 {
    let ((dx, dy), (px, py)) = (difference(b, a), difference(point, a));
    let length = dx * dx + dy * dy;
    let along = if length > 0. { ((px * dx + py * dy) / length).clamp(0., 1.) } else { 0. };
    (px - along * dx).hypot(py - along * dy)
}
