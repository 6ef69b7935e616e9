use crate::raster::Window;

/// A polygon: its outline and holes, as closed rings of points. The order and sense of rings do not
/// matter; what lies in an odd number of them is within.
pub(crate) type Rings = Vec<Vec<[f64; 2]>>;

/// Sets the pixels of a window whose centers lie within a polygon, as GDAL does: a center on an
/// outline's left or lower side is out, on its right or upper side in.
///
/// Rings are in pixels (column, row) of the scene, from its outer corner.
pub(crate) fn burn(rings: &Rings, window: Window, mask: &mut [bool]) {
    let (width, top) = (window.width as usize, f64::from(window.y));
    let rows = rows(rings, window);
    let mut crossings: Vec<Vec<f64>> = vec![Vec::new(); rows.len()];
    for [a, b] in rings.iter().flat_map(|ring| sides(ring)) {
        let (low, high) = if a[1] < b[1] { (a, b) } else { (b, a) };
        // Centers of rows within low..high, the end not.
        let first = (low[1] - top - 0.5).ceil().max(rows.start as f64) as usize;
        let end = (high[1] - top - 0.5).ceil().clamp(rows.start as f64, rows.end as f64) as usize;
        for row in first..end {
            let y = top + row as f64 + 0.5;
            let x = (y - low[1]) * (high[0] - low[0]) / (high[1] - low[1]) + low[0];
            crossings[row - rows.start].push(x);
        }
    }
    for (row, crossings) in rows.zip(&mut crossings) {
        crossings.sort_by(f64::total_cmp);
        for pair in crossings.chunks_exact(2) {
            fill(&mut mask[row * width..(row + 1) * width], window.x, pair[0], pair[1]);
        }
    }
}

/// The sides of a closed ring.
fn sides(ring: &[[f64; 2]]) -> impl Iterator<Item = [[f64; 2]; 2]> {
    ring.iter().zip(ring.iter().cycle().skip(1)).map(|(&a, &b)| [a, b])
}

/// Rows of the window that a polygon may touch.
fn rows(rings: &Rings, window: Window) -> std::ops::Range<usize> {
    let y = |point: &[f64; 2]| point[1] - f64::from(window.y);
    let (low, high) = rings
        .iter()
        .flatten()
        .map(y)
        .fold((f64::MAX, f64::MIN), |(low, high), y| (low.min(y), high.max(y)));
    let height = f64::from(window.height);
    let start = low.floor().clamp(0., height) as usize;
    start..(high.ceil().clamp(0., height) as usize).max(start)
}

/// Sets the pixels of a row between two places.
fn fill(row: &mut [bool], left: u32, from: f64, to: f64) {
    let column =
        |x: f64| ((x + 0.5).floor() - f64::from(left)).clamp(0., row.len() as f64) as usize;
    let (from, to) = (column(from), column(to));
    row[from..to.max(from)].fill(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(rings: Rings, window: Window) -> Vec<bool> {
        let mut mask = vec![false; window.pixels() as usize];
        burn(&rings, window, &mut mask);
        mask
    }

    #[test]
    fn a_hole_stays_empty_whatever_its_sense() {
        let outer = vec![[0., 0.], [5., 0.], [5., 5.], [0., 5.]];
        let mut hole = vec![[1., 1.], [4., 1.], [4., 4.], [1., 4.]];
        let count = |rings| mask(rings, Window::new(0, 0, 5, 5)).iter().filter(|&&v| v).count();
        assert_eq!(count(vec![outer.clone(), hole.clone()]), 16);
        hole.reverse();
        assert_eq!(count(vec![outer, hole]), 16);
    }

    #[test]
    fn a_window_is_that_part_of_the_whole() {
        let star = || vec![vec![[3.2, -4.], [30.7, 12.1], [-6., 14.5], [25., -3.], [11.1, 40.]]];
        let whole = mask(star(), Window::new(0, 0, 32, 32));
        for window in
            [Window::new(0, 0, 7, 9), Window::new(5, 11, 20, 21), Window::new(31, 31, 1, 1)]
        {
            let part = mask(star(), window);
            for (index, value) in part.iter().enumerate() {
                let (x, y) = (index % window.width as usize, index / window.width as usize);
                let at = (y + window.y as usize) * 32 + x + window.x as usize;
                assert_eq!(*value, whole[at], "{window:?} {x} {y}");
            }
        }
    }

    #[test]
    fn points_without_number_do_not_panic() {
        let ring = vec![[f64::NAN, 1.], [f64::INFINITY, 3.], [2., f64::NEG_INFINITY], [1e300, 2.]];
        assert_eq!(mask(vec![ring, vec![]], Window::new(0, 0, 4, 4)).len(), 16);
    }
}
