use crate::geo::chains::Corner;

/// A side of a ring.
struct Side {
    a: Corner,
    b: Corner,
    ring: usize,
    /// Its number in the ring.
    at: usize,
}

/// The changed rings that cross or touch themselves or another ring.
pub(crate) fn crossing_rings(rings: &[&[Corner]], changed: &[bool]) -> Vec<usize> {
    let mut sides = Vec::with_capacity(rings.iter().map(|ring| ring.len()).sum());
    for (index, ring) in rings.iter().enumerate() {
        for (at, &a) in ring.iter().enumerate() {
            sides.push(Side { a, b: ring[(at + 1) % ring.len()], ring: index, at });
        }
    }
    let left = |side: &Side| side.a[0].min(side.b[0]);
    sides.sort_by_key(|side| (left(side), side.ring, side.at));
    // From left to right, with the sides that reach so far, of changed rings and of others.
    let mut broken = vec![false; rings.len()];
    let mut active: [Vec<&Side>; 2] = [Vec::new(), Vec::new()];
    let mut column = 0;
    for side in &sides {
        if left(side) > column {
            column = left(side);
            active.iter_mut().for_each(|a| a.retain(|s| s.a[0].max(s.b[0]) >= column));
        }
        let kind = usize::from(!changed[side.ring]);
        // Of two rings that did not change, nothing is to be said.
        for other in active.iter().take(2 - kind).flatten() {
            let known = broken[side.ring] && broken[other.ring];
            if !known && rows_overlap(side, other) && meet_wrongly(side, other, rings) {
                broken[side.ring] = true;
                broken[other.ring] = true;
            }
        }
        active[kind].push(side);
    }
    (0..rings.len()).filter(|&ring| broken[ring] && changed[ring]).collect()
}

fn rows_overlap(p: &Side, q: &Side) -> bool {
    p.a[1].min(p.b[1]) <= q.a[1].max(q.b[1]) && q.a[1].min(q.b[1]) <= p.a[1].max(p.b[1])
}

/// Whether two sides share more than the corner between them.
fn meet_wrongly(p: &Side, q: &Side, rings: &[&[Corner]]) -> bool {
    let count = rings[p.ring].len();
    let follow = |first: &Side, second: &Side| {
        first.ring == second.ring && (first.at + 1) % count == second.at
    };
    let neighbors = match (follow(p, q), follow(q, p)) {
        (true, _) => Some((p.a, p.b, q.b)),
        (_, true) => Some((q.a, q.b, p.b)),
        _ => None,
    };
    match neighbors {
        // They go back along one line.
        Some((a, b, c)) => turn(a, b, c) == 0 && on_box(a, b, c) | on_box(b, c, a),
        None => intersect(p.a, p.b, q.a, q.b),
    }
}

/// Whether two segments share a point.
fn intersect(a: Corner, b: Corner, c: Corner, d: Corner) -> bool {
    let (abc, abd) = (turn(a, b, c).signum(), turn(a, b, d).signum());
    let (cda, cdb) = (turn(c, d, a).signum(), turn(c, d, b).signum());
    abc * abd < 0 && cda * cdb < 0
        || abc == 0 && on_box(a, b, c)
        || abd == 0 && on_box(a, b, d)
        || cda == 0 && on_box(c, d, a)
        || cdb == 0 && on_box(c, d, b)
}

/// Twice the area of a triangle, by sign to which side it turns; exact.
fn turn(a: Corner, b: Corner, c: Corner) -> i128 {
    let delta = |p: Corner, axis: usize| i128::from(p[axis]) - i128::from(a[axis]);
    delta(b, 0) * delta(c, 1) - delta(b, 1) * delta(c, 0)
}

/// Whether a point lies in the box that a segment spans.
fn on_box(a: Corner, b: Corner, point: Corner) -> bool {
    (0..2).all(|axis| (a[axis].min(b[axis])..=a[axis].max(b[axis])).contains(&point[axis]))
}

/// A ring with its sides listed by the rows that they reach.
pub(crate) struct Inside<'a> {
    ring: &'a [Corner],
    top: u32,
    rows: Vec<Vec<u32>>,
}

impl<'a> Inside<'a> {
    pub(crate) fn of(ring: &'a [Corner]) -> Self {
        let top = ring.iter().map(|corner| corner[1]).min().unwrap_or(0);
        let bottom = ring.iter().map(|corner| corner[1]).max().unwrap_or(0);
        let mut rows = vec![Vec::new(); (bottom - top) as usize + 1];
        for (at, a) in ring.iter().enumerate() {
            let b = ring[(at + 1) % ring.len()];
            for y in a[1].min(b[1])..=a[1].max(b[1]) {
                rows[(y - top) as usize].push(at as u32);
            }
        }
        Self { ring, top, rows }
    }

    /// Whether a point lies within the ring, its border excluded.
    pub(crate) fn has(&self, point: Corner) -> bool {
        let row = point[1].checked_sub(self.top).and_then(|row| self.rows.get(row as usize));
        let mut inside = false;
        for &at in row.into_iter().flatten() {
            let (a, b) = (self.ring[at as usize], self.ring[(at as usize + 1) % self.ring.len()]);
            let side = turn(a, b, point);
            if side == 0 && on_box(a, b, point) {
                return false;
            }
            if (a[1] > point[1]) != (b[1] > point[1]) && (side > 0) == (b[1] > a[1]) {
                inside = !inside;
            }
        }
        inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bow_tie_crosses_itself_and_a_square_does_not() {
        let tie: &[Corner] = &[[0, 0], [4, 4], [4, 0], [0, 4]];
        let square: &[Corner] = &[[0, 0], [4, 0], [4, 4], [0, 4]];
        assert_eq!(crossing_rings(&[tie], &[true]), [0]);
        assert!(crossing_rings(&[square], &[true]).is_empty());
        assert!(crossing_rings(&[tie], &[false]).is_empty());
    }

    #[test]
    fn rings_that_touch_are_told_only_if_one_changed() {
        let square: &[Corner] = &[[0, 0], [4, 0], [4, 4], [0, 4]];
        let hole: &[Corner] = &[[0, 2], [2, 3], [2, 1]];
        assert_eq!(crossing_rings(&[square, hole], &[true, false]), [0]);
        assert_eq!(crossing_rings(&[square, hole], &[true, true]), [0, 1]);
    }

    #[test]
    fn a_spike_goes_back_on_itself() {
        let spike: &[Corner] = &[[0, 0], [4, 0], [8, 0], [4, 0], [4, 4]];
        assert_eq!(crossing_rings(&[spike], &[true]), [0]);
    }

    #[test]
    fn a_point_on_the_border_is_not_within() {
        let square: &[Corner] = &[[0, 0], [4, 0], [4, 4], [0, 4]];
        let square = Inside::of(square);
        assert!(square.has([1, 3]));
        assert!(!square.has([4, 2]) && !square.has([0, 0]) && !square.has([5, 5]));
    }
}
