use super::{areas::areas, pixel_curve::PixelCurve};
use crate::{Connectivity, Error, Result, check};

/// One region's whole area, in fixed point: sums of shares are exact whatever their order.
pub(super) const WHOLE: u128 = 1 << 64;

/// Mantissa bits of an `f32`.
const MANTISSA: u32 = 23;

/// Scored pixels of anomaly maps and the defects that they should find, gathered map by map.
///
/// [`into_curve`](Self::into_curve) gives the figures: AUROC, average precision, the best F-beta
/// of pixels, the overlap with regions (PRO) and the area under its curve (AUPRO). Maps and batches
/// may come in any order, and be gathered in parts that are merged: the result has the same bits.
///
/// # Memory
///
/// [`exact`](Self::exact) keeps every pixel: 8 bytes each, and 32 for each distinct score when the
/// curve is made. [`rounded`](Self::rounded) keeps counts for rounded scores: at most 2^bits of 48
/// bytes for each doubling of the scores that occur, however many maps there are (12 bits and
/// scores from 0.01 to 100: 53,000 counts, 2.5 MB), and up to 8 MiB that wait to be counted. What
/// rounding may change is bounded by [`PixelCurve::auroc_error`] and [`PixelCurve::aupro_error`].
///
/// # Examples
///
/// ```
/// use ocellus_metrics::PixelScores;
///
/// // 2 rows of 3 pixels; the defect is the right column.
/// let mut pixels = PixelScores::exact();
/// let defect = [false, false, true, false, false, true];
/// pixels.add(&[20., 18., 41., 22., 25., 30.], &defect, 3)?;
/// pixels.add(&[19.; 6], &[false; 6], 3)?; // A map of what has no defect.
/// let curve = pixels.into_curve()?;
/// assert_eq!((curve.auroc(), curve.average_precision()), (1., 1.));
/// assert_eq!(curve.aupro(0.3)?, 1.);
/// assert_eq!((curve.overlap_at(35.), curve.overlap_at(30.)), (0.5, 1.));
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PixelScores {
    connectivity: Connectivity,
    /// Low bits of a score's key that are dropped; none to keep all scores apart.
    dropped: Option<u32>,
    regions: u64,
    /// Sorted by key.
    bins: Vec<Bin>,
    /// Pixels that are not yet in a bin: key, then the area of the region (0: normal).
    pending: Vec<u64>,
}

/// The pixels of equal (rounded) score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bin {
    key: u32,
    pub(super) normal: u64,
    pub(super) defective: u64,
    /// The sum over the defective pixels of 1 / (area of their region), in units of 2⁻⁶⁴.
    pub(super) overlap: u128,
}

/// Pixels that wait before they are counted.
const WAITING: usize = 1 << 20;

impl PixelScores {
    /// Keeps all scores as they are.
    #[must_use]
    pub fn exact() -> Self {
        Self::new(None)
    }

    /// Rounds scores down to that many bits after the leading one: by a share of up to 2^−bits of
    /// the score, whatever its scale. 12 bits (0.02 %) are plenty.
    ///
    /// # Errors
    ///
    /// If there are more than 22 bits.
    pub fn rounded(bits: u32) -> Result<Self> {
        if bits >= MANTISSA {
            let remedy = "give 0 to 22 bits, such as 12, or keep exact scores";
            return Err(Error::setting("the bits of rounded scores", bits, remedy));
        }
        Ok(Self::new(Some(MANTISSA - bits)))
    }

    fn new(dropped: Option<u32>) -> Self {
        let connectivity = Connectivity::Eight;
        Self { connectivity, dropped, regions: 0, bins: Vec::new(), pending: Vec::new() }
    }

    /// Sets which pixels belong to one region: those that touch at corners too by default, as in
    /// MVTec's evaluation and anomalib.
    #[must_use]
    pub fn with_connectivity(mut self, connectivity: Connectivity) -> Self {
        self.connectivity = connectivity;
        self
    }

    /// Adds a whole map, row by row in rows of `width` scores, and the mask of its defects, which
    /// may be empty. After an error nothing has changed.
    ///
    /// # Errors
    ///
    /// If the slices are empty or differ in length, `width` does not divide it, or a score is not
    /// finite.
    pub fn add(&mut self, map: &[f32], mask: &[bool], width: usize) -> Result<()> {
        check::paired(("map", map), ("mask", mask))?;
        if width == 0 || !map.len().is_multiple_of(width) || u32::try_from(map.len()).is_err() {
            let remedy = "give the length of a row, which divides the number of pixels (below 2³²)";
            return Err(Error::setting("width", width, remedy));
        }
        if let Some(index) = map.iter().position(|score| !score.is_finite()) {
            return Err(Error::NotFinite { what: "map", index, value: map[index].into() });
        }
        let (areas, regions) = areas(mask, width, self.connectivity);
        self.regions += regions;
        let dropped = self.dropped.unwrap_or(0);
        let entry = |(&score, &area): (&f32, &u32)| {
            let key = (key_of(score) >> dropped) << dropped;
            (u64::from(key) << 32) | u64::from(area)
        };
        self.pending.extend(map.iter().zip(&areas).map(entry));
        self.count_what_waits();
        Ok(())
    }

    fn count_what_waits(&mut self) {
        if self.dropped.is_some() && self.pending.len() >= WAITING.max(self.bins.len()) {
            self.bins = merged(&self.bins, &binned(std::mem::take(&mut self.pending)));
        }
    }

    /// Adds what another gathered.
    ///
    /// # Errors
    ///
    /// If its settings differ.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        let settings = |scores: &Self| (scores.connectivity, scores.dropped);
        if settings(self) != settings(&other) {
            let words = |scores: &Self| {
                let bits = scores.dropped.map_or("all".to_owned(), |d| (MANTISSA - d).to_string());
                format!("{:?} connectivity, {bits} bits of scores", scores.connectivity)
            };
            let (left, right) = (words(self), words(&other));
            return Err(Error::Unmergeable { left, right });
        }
        self.regions += other.regions;
        self.bins = merged(&self.bins, &other.bins);
        self.pending.extend(other.pending);
        self.count_what_waits();
        Ok(())
    }

    /// What the scores tell at each threshold.
    ///
    /// # Errors
    ///
    /// If there are no defective or no normal pixels.
    ///
    /// # Complexity
    ///
    /// O(n log n) for n pixels that are kept or wait.
    pub fn into_curve(self) -> Result<PixelCurve> {
        let bins = merged(&self.bins, &binned(self.pending));
        PixelCurve::new(&bins, self.regions, self.dropped.is_some())
    }
}

impl Bin {
    /// The lowest score that falls into it.
    pub(super) fn score(&self) -> f64 {
        let bits = if self.key >> 31 == 1 { self.key ^ (1 << 31) } else { !self.key };
        f32::from_bits(bits).into()
    }
}

/// Bits whose order is that of the scores; −0 is 0.
fn key_of(score: f32) -> u32 {
    let bits = (score + 0.).to_bits();
    if bits >> 31 == 1 { !bits } else { bits ^ (1 << 31) }
}

fn binned(mut pixels: Vec<u64>) -> Vec<Bin> {
    pixels.sort_unstable();
    let mut bins: Vec<Bin> = Vec::new();
    for alike in pixels.chunk_by(|a, b| a == b) {
        let (key, area) = ((alike[0] >> 32) as u32, u128::from(alike[0] as u32));
        let count = alike.len() as u64;
        let found = match area {
            0 => Bin { key, normal: count, defective: 0, overlap: 0 },
            _ => {
                let share = (WHOLE + area / 2) / area;
                Bin { key, normal: 0, defective: count, overlap: share * u128::from(count) }
            }
        };
        push(&mut bins, found);
    }
    bins
}

fn merged(a: &[Bin], b: &[Bin]) -> Vec<Bin> {
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    let mut bins = Vec::new();
    loop {
        let from_a = match (a.peek(), b.peek()) {
            (Some(a), Some(b)) => a.key <= b.key,
            (a, _) => a.is_some(),
        };
        let Some(next) = (if from_a { a.next() } else { b.next() }) else { return bins };
        push(&mut bins, next);
    }
}

/// Appends a bin, or adds it to the last one of the same key.
fn push(bins: &mut Vec<Bin>, bin: Bin) {
    match bins.last_mut() {
        Some(last) if last.key == bin.key => {
            last.normal += bin.normal;
            last.defective += bin.defective;
            last.overlap += bin.overlap;
        }
        _ => bins.push(bin),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_keep_the_order_of_scores() {
        let scores = [f32::MIN, -2.5, -1e-40, 0., 1e-45, 0.1, 3., f32::MAX];
        assert!(scores.is_sorted_by(|a, b| key_of(*a) < key_of(*b)));
        assert_eq!(key_of(-0.), key_of(0.));
        for score in scores {
            let bin = Bin { key: key_of(score), normal: 0, defective: 0, overlap: 0 };
            assert_eq!(bin.score(), f64::from(score));
        }
    }

    #[test]
    fn rejects_what_does_not_fit_and_stays_as_it_was() {
        let mut pixels = PixelScores::exact();
        let message = |result: Result<()>| result.unwrap_err().to_string();
        assert!(message(pixels.add(&[1., f32::NAN], &[true, false], 2)).contains("map[1] is NaN"));
        assert!(message(pixels.add(&[1., 2.], &[true], 2)).contains("mask has 1"));
        assert!(message(pixels.add(&[1., 2.], &[true, false], 0)).starts_with("width is 0"));
        assert!(message(pixels.add(&[1., 2., 3.], &[true; 3], 2)).starts_with("width is 2"));
        assert!(message(pixels.add(&[], &[], 2)).contains("map is empty"));
        assert!(pixels.clone().into_curve().is_err());
        pixels.add(&[1., 2.], &[false; 2], 2).unwrap();
        assert!(pixels.clone().into_curve().unwrap_err().to_string().contains("no defect"));
        let mut defects = PixelScores::exact();
        defects.add(&[1., 2.], &[true; 2], 2).unwrap();
        assert!(defects.into_curve().unwrap_err().to_string().contains("no normal"));
        assert!(PixelScores::rounded(23).is_err());
        let other = PixelScores::rounded(12).unwrap();
        assert!(message(pixels.merge(other)).contains("12 bits of scores"));
    }

    fn maps() -> impl Strategy<Value = Vec<(f32, bool)>> {
        prop::collection::vec((-50f32..50., any::<bool>()), 12..=12)
    }

    proptest! {
        #[test]
        fn order_and_parts_change_no_bit(maps in prop::collection::vec(maps(), 2..6), bits in 0u32..22) {
            let of = |maps: &mut dyn Iterator<Item = &Vec<(f32, bool)>>| {
                let mut pixels = PixelScores::rounded(bits).unwrap();
                for map in maps {
                    let (scores, mask): (Vec<f32>, Vec<bool>) = map.iter().copied().unzip();
                    pixels.add(&scores, &mask, 4).unwrap();
                }
                pixels
            };
            let whole = of(&mut maps.iter());
            let (first, rest) = maps.split_at(1);
            let mut parts = of(&mut rest.iter().rev());
            parts.merge(of(&mut first.iter())).unwrap();
            prop_assert_eq!(whole.into_curve().ok(), parts.into_curve().ok());
        }

        #[test]
        fn rounding_moves_a_score_down_by_a_known_share(score in -1e6f32..1e6, bits in 0u32..22) {
            let dropped = MANTISSA - bits;
            let bin = Bin { key: (key_of(score) >> dropped) << dropped, normal: 1, defective: 0, overlap: 0 };
            let (rounded, score) = (bin.score(), f64::from(score));
            prop_assert!(rounded <= score);
            prop_assert!(score - rounded <= score.abs().max(rounded.abs()) * 0.5f64.powi(bits as i32));
        }
    }
}
