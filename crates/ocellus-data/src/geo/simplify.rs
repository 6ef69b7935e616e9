use crate::geo::{
    Polygon,
    chains::{Corner, doubled_area},
    crossings::{Inside, crossing_rings},
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

/// Changed rings that are not where they belong: a hole not within the outline, or a hole within
/// another. No two rings cross.
fn misplaced(rings: &[&[Corner]], changed: &[bool]) -> Vec<usize> {
    let mut broken = Vec::new();
    let outline = Inside::of(rings[0]);
    for hole in (1..rings.len()).filter(|&hole| changed[0] || changed[hole]) {
        if !rings[hole].iter().any(|&corner| outline.has(corner)) {
            broken.extend([0, hole]);
        }
    }
    let boxes: Vec<_> = rings.iter().map(|ring| bounds(ring)).collect();
    let inside = |inner: usize, outer: usize| {
        let ((left, top, right, bottom), outer_box) = (boxes[inner], boxes[outer]);
        let in_box = left >= outer_box.0
            && top >= outer_box.1
            && right <= outer_box.2
            && bottom <= outer_box.3;
        in_box && {
            let outer = Inside::of(rings[outer]);
            rings[inner].iter().any(|&corner| outer.has(corner))
        }
    };
    let mut holes: Vec<usize> = (1..rings.len()).collect();
    holes.sort_by_key(|&hole| (boxes[hole].0, hole));
    // From left to right, with the holes that reach so far, changed ones and others.
    let mut active: [Vec<usize>; 2] = [Vec::new(), Vec::new()];
    let mut column = 0;
    for hole in holes {
        if boxes[hole].0 > column {
            column = boxes[hole].0;
            active.iter_mut().for_each(|a| a.retain(|&other| boxes[other].2 >= column));
        }
        let kind = usize::from(!changed[hole]);
        for &other in active.iter().take(2 - kind).flatten() {
            if inside(hole, other) || inside(other, hole) {
                broken.extend([other, hole]);
            }
        }
        active[kind].push(hole);
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
