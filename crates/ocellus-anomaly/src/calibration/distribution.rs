use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use crate::{Error, Result, State};

/// How many low bits of a score are dropped where millions are counted: what remains tells scores
/// apart that differ by 1/2048 of themselves.
const COARSE_BITS: u32 = 12;

/// How scores are distributed: what normal ones are like. It is gathered from a stream, in memory
/// that is bounded by the number of different scores.
///
/// Least, greatest, mean and standard deviation are those of all scores. Scores are kept exactly, or
/// [coarsely](Self::coarse), for pixels.
///
/// # Examples
///
/// ```
/// use ocellus_anomaly::ScoreDistribution;
///
/// let mut scores = ScoreDistribution::exact();
/// scores.add(&[3., 1., 2.])?;
/// scores.add(&[4.])?;
/// assert_eq!((scores.count(), scores.min(), scores.max(), scores.mean()), (4, 1., 4., 2.5));
/// assert_eq!(scores.quantile(0.5)?, 2.5);
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreDistribution {
    dropped: u32,
    counts: BTreeMap<u32, u64>,
    count: u64,
    min: f64,
    max: f64,
    mean: f64,
    /// Σ (x − mean)².
    scatter: f64,
}

impl ScoreDistribution {
    /// Keeps every score.
    #[must_use]
    pub fn exact() -> Self {
        Self::dropping(0)
    }

    /// Keeps scores in steps of 1/2048 of themselves: a million at most.
    #[must_use]
    pub fn coarse() -> Self {
        Self::dropping(COARSE_BITS)
    }

    fn dropping(dropped: u32) -> Self {
        Self {
            dropped,
            counts: BTreeMap::new(),
            count: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            mean: 0.,
            scatter: 0.,
        }
    }

    /// Adds scores.
    ///
    /// # Errors
    ///
    /// If one is not finite; none is added then.
    pub fn add(&mut self, scores: &[f32]) -> Result<()> {
        if let Some(place) = scores.iter().position(|score| !score.is_finite()) {
            return Err(Error::Value(format!("the score at {place} is {}", scores[place])));
        }
        let mut keys: Vec<u32> = scores.iter().map(|&s| ordered(s) >> self.dropped).collect();
        keys.sort_unstable();
        for equal in keys.chunk_by(|a, b| a == b) {
            *self.counts.entry(equal[0]).or_default() += equal.len() as u64;
        }
        for &score in scores {
            let score = f64::from(score);
            self.count += 1;
            self.min = self.min.min(score);
            self.max = self.max.max(score);
            let delta = score - self.mean;
            self.mean += delta / self.count as f64;
            self.scatter += delta * (score - self.mean);
        }
        Ok(())
    }

    /// How many scores there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The least; infinite if there is none.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.min
    }

    /// The greatest; negative infinity if there is none.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.max
    }

    /// The mean; 0 if there is none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The standard deviation, of n − 1; 0 of a single score.
    #[must_use]
    pub fn std(&self) -> f64 {
        (self.scatter / self.count.saturating_sub(1).max(1) as f64).sqrt()
    }

    /// The scores in ascending order, coarse ones as the middles of their steps, with how often
    /// each occurs.
    pub fn scores(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        self.counts.iter().map(|(&key, &count)| (self.value(key), count))
    }

    fn value(&self, key: u32) -> f64 {
        let middle = if self.dropped == 0 { 0 } else { 1 << (self.dropped - 1) };
        f64::from(unordered(key << self.dropped | middle)).clamp(self.min, self.max)
    }

    /// The score that a share `q` of the scores lies below, between two scores by proportion
    /// (NumPy's default).
    ///
    /// # Errors
    ///
    /// If there is no score, or `q` is not in 0 to 1.
    pub fn quantile(&self, q: f64) -> Result<f64> {
        if !(0. ..=1.).contains(&q) {
            return Err(Error::Setting(format!("a quantile of {q}: give one of 0 to 1")));
        }
        if self.count == 0 {
            return Err(Error::Value("a quantile of no scores: calibrate first".to_owned()));
        }
        let place = q * (self.count - 1) as f64;
        let (low, high) = (self.at(place.floor() as u64), self.at(place.ceil() as u64));
        Ok(low + (high - low) * place.fract())
    }

    fn at(&self, rank: u64) -> f64 {
        let mut seen = 0;
        for (&key, &count) in &self.counts {
            seen += count;
            if seen > rank {
                return self.value(key);
            }
        }
        self.max
    }

    pub(super) fn save(&self) -> Result<State> {
        let mut state = State::default();
        state.set("dropped_bits", self.dropped);
        state.set_all("moments", &[self.min, self.max, self.mean, self.scatter]);
        let keys: Vec<u32> = self.counts.keys().copied().collect();
        let counts: Vec<i64> = self.counts.values().map(|&count| count as i64).collect();
        state.set("different", keys.len());
        let length = keys.len();
        state.set_tensor("keys", &Tensor::from_vec(keys, length, &Device::Cpu)?);
        state.set_tensor("counts", &Tensor::from_vec(counts, length, &Device::Cpu)?);
        Ok(state)
    }

    pub(super) fn restore(state: &State) -> Result<Self> {
        let different = state.get("different")?;
        let keys = state.tensor("keys", DType::U32, &[different])?.to_vec1::<u32>()?;
        let counts = state.tensor("counts", DType::I64, &[different])?.to_vec1::<i64>()?;
        let counts: BTreeMap<u32, u64> =
            keys.into_iter().zip(counts).map(|(key, count)| (key, count.max(0) as u64)).collect();
        let moments: Vec<f64> = state.get_all("moments")?;
        let (dropped, &[min, max, mean, scatter]) =
            (state.get::<u32>("dropped_bits")?, &moments[..])
        else {
            return Err(Error::Value(format!("has {} moments, not 4", moments.len())));
        };
        if ![0, COARSE_BITS].contains(&dropped) || counts.len() != different {
            return Err(Error::Value("has a distribution of scores that is none".to_owned()));
        }
        let count = counts.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        Ok(Self { dropped, counts, count, min, max, mean, scatter })
    }
}

/// A number that is ordered as the score is.
fn ordered(score: f32) -> u32 {
    let bits = (score + 0.).to_bits(); // −0 becomes 0.
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn unordered(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn distribution(mut empty: ScoreDistribution, scores: &[f32]) -> ScoreDistribution {
        empty.add(scores).unwrap();
        empty
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_sorted_scores(
            scores in prop::collection::vec(-1e3f32..1e3, 1..60), q in 0f64..=1.,
        ) {
            let mut sorted = scores.clone();
            sorted.sort_by(f32::total_cmp);
            let place = q * (sorted.len() - 1) as f64;
            let at = |i: f64| f64::from(sorted[i as usize]);
            let expected = at(place.floor()) + (at(place.ceil()) - at(place.floor())) * place.fract();
            let exact = distribution(ScoreDistribution::exact(), &scores).quantile(q).unwrap();
            prop_assert!((exact - expected).abs() < 1e-9, "{exact}, expected {expected}");
            let coarse = distribution(ScoreDistribution::coarse(), &scores).quantile(q).unwrap();
            let size = at(place.floor()).abs().max(at(place.ceil()).abs());
            prop_assert!((coarse - expected).abs() <= size / 2048. + 1e-30, "{coarse}, expected {expected}");
        }

        #[test]
        fn batches_of_any_size_give_the_same(
            scores in prop::collection::vec(-1e3f32..1e3, 0..60), cut in 0usize..60,
        ) {
            let (first, rest) = scores.split_at(cut.min(scores.len()));
            let mut parts = distribution(ScoreDistribution::coarse(), first);
            parts.add(rest).unwrap();
            prop_assert_eq!(parts, distribution(ScoreDistribution::coarse(), &scores));
        }
    }

    #[test]
    fn moments_equal_those_by_hand() {
        let scores = distribution(ScoreDistribution::coarse(), &[2., 4., 4., 4., 5., 5., 7., 9.]);
        assert_eq!((scores.mean(), scores.min(), scores.max()), (5., 2., 9.));
        assert!((scores.std() - (32f64 / 7.).sqrt()).abs() < 1e-12);
        assert_eq!(distribution(ScoreDistribution::exact(), &[3.]).std(), 0.);
    }

    #[test]
    fn comes_back_to_the_bit() -> Result<()> {
        for empty in [ScoreDistribution::exact(), ScoreDistribution::coarse()] {
            let scores = distribution(empty, &[0.1, -0., 0., 1e-30, -7.3, 0.1]);
            assert_eq!(ScoreDistribution::restore(&scores.save()?)?, scores);
        }
        Ok(())
    }

    #[test]
    fn refuses_what_is_no_number_and_quantiles_of_nothing() {
        let mut scores = ScoreDistribution::exact();
        assert!(scores.quantile(0.5).unwrap_err().to_string().contains("no scores"));
        assert!(scores.add(&[1., f32::NAN]).unwrap_err().to_string().contains("at 1 is NaN"));
        assert_eq!(scores.count(), 0);
        scores.add(&[1.]).unwrap();
        assert!(scores.quantile(1.5).is_err() && scores.quantile(f64::NAN).is_err());
    }
}
