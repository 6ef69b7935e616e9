/// How much each feature tells about the classes: all numbers are finite.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FeatureScores {
    /// A score each, 0 or more: the more, the better.
    pub scores: Vec<f64>,
    /// How often chance alone makes at least that score, where the test tells it.
    pub p_values: Option<Vec<f64>>,
}

impl FeatureScores {
    /// The features, the best first. Of equal scores the later feature comes first, as the
    /// `SelectKBest` of scikit-learn takes them.
    #[must_use]
    pub fn ranking(&self) -> Vec<usize> {
        let mut ranking: Vec<usize> = (0..self.scores.len()).rev().collect();
        ranking.sort_by(|&a, &b| self.scores[b].total_cmp(&self.scores[a]));
        ranking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_scores_the_later_comes_first() {
        let scores = FeatureScores { scores: vec![1., 3., 1., 0., 3.], p_values: None };
        assert_eq!(scores.ranking(), [4, 1, 2, 0, 3]);
    }
}
