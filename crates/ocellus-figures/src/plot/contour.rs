use std::collections::BTreeMap;

type Corner = (usize, usize);

/// The outlines of the pixels of a mask that are not 0, in units of its pixels; corners are cut
/// at the middles of the pixel sides. Each outline ends where it begins.
pub(super) fn outlines(width: usize, height: usize, mask: &[u8]) -> Vec<Vec<(f64, f64)>> {
    let inside = |x: usize, y: usize| mask.get(y * width + x).is_some_and(|value| *value != 0);
    // Sides between inside and outside, with the inside on their right.
    let mut next: BTreeMap<Corner, Vec<Corner>> = BTreeMap::new();
    for y in 0..height {
        for x in (0..width).filter(|&x| inside(x, y)) {
            let sides = [
                (y == 0 || !inside(x, y - 1), (x, y), (x + 1, y)),
                (x + 1 == width || !inside(x + 1, y), (x + 1, y), (x + 1, y + 1)),
                (y + 1 == height || !inside(x, y + 1), (x + 1, y + 1), (x, y + 1)),
                (x == 0 || !inside(x - 1, y), (x, y + 1), (x, y)),
            ];
            for (_, from, to) in sides.into_iter().filter(|side| side.0) {
                next.entry(from).or_default().push(to);
            }
        }
    }
    let mut outlines = Vec::new();
    while let Some((&start, _)) = next.first_key_value() {
        let mut points = Vec::new();
        let mut from = start;
        while let Some(ends) = next.get_mut(&from) {
            let Some(to) = ends.pop() else { break };
            if ends.is_empty() {
                next.remove(&from);
            }
            points.push(((from.0 + to.0) as f64 / 2.0, (from.1 + to.1) as f64 / 2.0));
            from = to;
        }
        outlines.push(straightened(&points));
    }
    outlines
}

/// Without the points in the middle of straight parts.
fn straightened(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let n = points.len();
    let bends = (0..n).filter(|&i| {
        let (a, b, c) = (points[(i + n - 1) % n], points[i], points[(i + 1) % n]);
        ((b.0 - a.0) * (c.1 - b.1) - (b.1 - a.1) * (c.0 - b.0)).abs() > 1e-9
    });
    bends.map(|i| points[i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_has_eight_bends_and_a_hole_its_own_outline() {
        let square = outlines(4, 4, &[0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0]);
        assert_eq!(square.len(), 1);
        assert_eq!(square[0].len(), 8);
        let ring = outlines(3, 3, &[1, 1, 1, 1, 0, 1, 1, 1, 1]);
        assert_eq!(ring.len(), 2);
    }

    #[test]
    fn an_empty_mask_has_no_outline_and_a_full_one_that_of_the_image() {
        assert!(outlines(3, 2, &[0; 6]).is_empty());
        let full = outlines(3, 2, &[255; 6]);
        let right = full[0].iter().map(|point| point.0).fold(0.0, f64::max);
        assert_eq!((full.len(), right), (1, 3.0));
    }
}
