use super::{BoundaryConfig, BoundaryCounts, edges::Edges, near::Near};
use crate::{Error, Pixels, Result, scenes::pixels::INSIDE};

/// Rows that are closed together at least: a look ahead is shared by them.
const ROWS: usize = 32;

/// Compares the boundaries of a scene that comes in bands of rows, from the top.
///
/// Gives exactly what [`BoundaryCounts::of_image`] gives for the whole, whatever the bands are.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::{BoundaryConfig, BoundaryCounts, BoundaryMatcher, Pixels};
///
/// let truth: Vec<u8> = (0..600).map(|i| u8::from(i / 20 % 7 < 4 && i % 20 < 9)).collect();
/// let predicted: Vec<u8> = (0..600).map(|i| u8::from(i / 20 % 8 < 4 && i % 20 < 11)).collect();
/// let config = BoundaryConfig::new(1, 1.5);
///
/// let mut matcher = BoundaryMatcher::new(20, &config)?;
/// for (truth, predicted) in truth.chunks(7 * 20).zip(predicted.chunks(7 * 20)) {
///     matcher.add_rows(&Pixels::new(truth, predicted)?)?;
/// }
/// let whole = BoundaryCounts::of_image(&Pixels::new(&truth, &predicted)?, 20, &config)?;
/// assert_eq!(matcher.finish(), whole);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Complexity
///
/// Linear time. Memory for two to three times the tolerance, or some tens, of rows.
#[derive(Debug)]
pub struct BoundaryMatcher {
    config: BoundaryConfig,
    width: usize,
    reach: usize,
    counts: BoundaryCounts,
    /// Of truth and prediction, as all that follows.
    finders: [Edges; 2],
    nears: [Near; 2],
    /// Boundary pixels of the rows that are open: those below may still come near.
    open: [Vec<u8>; 2],
    states: [Vec<u8>; 2],
}

impl BoundaryMatcher {
    /// For a scene of that width in pixels.
    ///
    /// # Errors
    ///
    /// If the width is 0, or the tolerance is out of its range.
    pub fn new(width: usize, config: &BoundaryConfig) -> Result<Self> {
        if width == 0 {
            return Err(Error::setting("width", width, "give the pixels of a row"));
        }
        let reach = config.reach()?;
        let near = || Near::new(width, config.tolerance, reach);
        Ok(Self {
            config: *config,
            width,
            reach: reach.into(),
            counts: BoundaryCounts::default(),
            finders: Default::default(),
            nears: [near(), near()],
            open: Default::default(),
            states: Default::default(),
        })
    }

    /// Takes the next rows.
    ///
    /// # Errors
    ///
    /// If they are not whole rows.
    pub fn add_rows<L: Copy + Into<u32>>(&mut self, pixels: &Pixels<'_, L>) -> Result<()> {
        for row in 0..pixels.rows(self.width)? {
            pixels.states(row, self.config.class, &mut self.states, self.width);
            let maps = self.finders.iter_mut().zip(&self.states).zip(&mut self.open);
            for ((finder, states), open) in maps {
                finder.push(states, open);
            }
            let rows = self.open[0].len() / self.width;
            if rows >= self.reach + self.reach.max(ROWS) {
                self.close(rows - self.reach);
            }
        }
        Ok(())
    }

    /// The counts of the scene.
    #[must_use]
    pub fn finish(mut self) -> BoundaryCounts {
        for (finder, open) in self.finders.iter().zip(&mut self.open) {
            finder.finish(&[], open);
        }
        self.close(self.open[0].len() / self.width);
        self.counts
    }

    /// Counts the first open rows, near which no more rows will come.
    fn close(&mut self, ready: usize) {
        let [truth, predicted] = &mut self.open;
        let [near_truth, near_predicted] = &mut self.nears;
        self.counts.right += near_truth.close(truth, predicted, ready);
        self.counts.found += near_predicted.close(predicted, truth, ready);
        let totals = [&mut self.counts.truth, &mut self.counts.predicted];
        for (open, total) in [truth, predicted].into_iter().zip(totals) {
            let closed = open.drain(..ready * self.width);
            *total += closed.map(|edge| u64::from(edge == INSIDE)).sum::<u64>();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::golden::{self, close, number};
    use crate::scenes::pixels::VOID;

    #[test]
    fn matches_scipys_distance_transform() {
        for case in golden::maps() {
            for expected in case.expected["boundary"].as_array().unwrap() {
                let config = BoundaryConfig::new(
                    number(&expected["class"]) as u32,
                    number(&expected["tolerance"]),
                );
                let counts = BoundaryCounts::of_image(&case.pixels(), case.width, &config).unwrap();
                let values = [counts.truth, counts.found, counts.predicted, counts.right];
                golden::all_close(
                    &values.map(|n| n as f64),
                    &golden::numbers(&expected["counts"]),
                    0.,
                );
                match counts.f1() {
                    Some(f1) => close(f1, number(&expected["f1"]), 1e-12),
                    None => assert!(expected["f1"].is_null()),
                }
            }
        }
    }

    #[test]
    fn rejects_settings_out_of_range() {
        assert!(BoundaryMatcher::new(0, &BoundaryConfig::new(1, 1.)).is_err());
        for tolerance in [-1., f64::NAN, 65_535., f64::INFINITY] {
            let error = BoundaryMatcher::new(3, &BoundaryConfig::new(1, tolerance)).unwrap_err();
            assert!(error.to_string().contains("0 to 65534"), "{error}");
        }
        let mut matcher = BoundaryMatcher::new(3, &BoundaryConfig::new(1, 1.)).unwrap();
        assert!(matcher.add_rows(&Pixels::new(&[1u8; 4], &[1; 4]).unwrap()).is_err());
        assert_eq!(matcher.finish(), BoundaryCounts::default());
    }

    /// Each boundary pixel compared with each other.
    fn naive(states: [&[u8]; 2], width: usize, tolerance: f64) -> BoundaryCounts {
        let edges = states.map(|states| {
            let (w, h) = (width as isize, (states.len() / width) as isize);
            let at = |x: isize, y: isize| {
                let inside = (0..w).contains(&x) && (0..h).contains(&y);
                if inside { states[(y * w + x) as usize] } else { VOID }
            };
            let edge = |&(x, y): &(isize, isize)| {
                let neighbors = [at(x - 1, y), at(x + 1, y), at(x, y - 1), at(x, y + 1)];
                at(x, y) == 1 && neighbors.contains(&0)
            };
            let all = (0..h).flat_map(|y| (0..w).map(move |x| (x, y)));
            all.filter(edge).collect::<Vec<_>>()
        });
        let near = |a: &[(isize, isize)], b: &[(isize, isize)]| {
            let distance = |p: &(isize, isize), q: &(isize, isize)| {
                (((p.0 - q.0).pow(2) + (p.1 - q.1).pow(2)) as f64).sqrt()
            };
            a.iter().filter(|p| b.iter().any(|q| distance(p, q) <= tolerance)).count() as u64
        };
        let [truth, predicted] = &edges;
        BoundaryCounts {
            truth: truth.len() as u64,
            found: near(truth, predicted),
            predicted: predicted.len() as u64,
            right: near(predicted, truth),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn any_bands_give_what_comparing_all_pixels_gives(
            width in 1usize..13,
            height in 1usize..90,
            tolerance in prop::sample::select(vec![0., 1., 1.5, 3., 4.3, 40.]),
            bands in prop::collection::vec(1usize..30, 90),
            (seed, density) in (any::<u32>(), 1u32..9),
        ) {
            let random = |i: usize| (i as u32 ^ seed).wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(1_597_334_677) >> 16;
            let labels = |salt: usize| -> Vec<u8> {
                (0..width * height).map(|i| u8::from(random(2 * i + salt) % 10 < density)).collect()
            };
            let (mut truth, predicted) = (labels(0), labels(1));
            for i in (0..truth.len()).filter(|&i| random(3 * i + 7) % 20 == 0) {
                truth[i] = 9;
            }
            let states = |labels: &[u8]| -> Vec<u8> {
                labels.iter().zip(&truth).map(|(&l, &t)| if t == 9 { VOID } else { l }).collect()
            };
            let config = BoundaryConfig::new(1, tolerance);
            let mut matcher = BoundaryMatcher::new(width, &config).unwrap();
            let mut row = 0;
            for rows in bands {
                let range = row * width..(row + rows).min(height) * width;
                row += rows;
                if range.is_empty() { break }
                let band = Pixels::new(&truth[range.clone()], &predicted[range]).unwrap();
                matcher.add_rows(&band.with_ignored(9)).unwrap();
            }
            let expected = naive([&states(&truth), &states(&predicted)], width, tolerance);
            prop_assert_eq!(matcher.finish(), expected);
        }
    }
}
