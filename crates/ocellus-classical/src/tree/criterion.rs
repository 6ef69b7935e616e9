/// How mixed the classes of a node are, from their shares p.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Criterion {
    /// 1 − Σ p².
    #[default]
    Gini,
    /// −Σ p log₂ p.
    Entropy,
}

impl Criterion {
    /// Of the weights of the classes, whose sum is not 0.
    pub(super) fn impurity(self, weights: &[f64]) -> f64 {
        let total: f64 = weights.iter().sum();
        match self {
            Self::Gini => 1. - weights.iter().map(|w| w * w).sum::<f64>() / (total * total),
            Self::Entropy => {
                let term = |&w: &f64| {
                    let share = w / total;
                    if w > 0. { share * share.log2() } else { 0. }
                };
                -weights.iter().map(term).sum::<f64>()
            }
        }
    }

    /// What grows as the impurity of both sides of a split falls, for splits of the same node.
    #[inline]
    pub(super) fn purity(self, left: &[f64], right: &[f64]) -> f64 {
        let side = |weights: &[f64]| match self {
            Self::Gini => {
                let (mut squares, mut total) = (0., 0.);
                for w in weights {
                    squares += w * w;
                    total += w;
                }
                squares / total
            }
            Self::Entropy => -weights.iter().sum::<f64>() * self.impurity(weights),
        };
        side(left) + side(right)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_class_is_pure_and_equal_shares_are_most_mixed() {
        for (criterion, most) in [(Criterion::Gini, 0.75), (Criterion::Entropy, 2.)] {
            assert_eq!(criterion.impurity(&[0., 3., 0., 0.]), 0.);
            assert_eq!(criterion.impurity(&[2., 2., 2., 2.]), most);
        }
    }

    proptest! {
        #[test]
        fn no_split_makes_impurer_and_purity_orders_splits(
            sides in prop::collection::vec((0u32..9, 0u32..9), 3),
        ) {
            let left: Vec<f64> = sides.iter().map(|s| f64::from(s.0)).collect();
            let right: Vec<f64> = sides.iter().map(|s| f64::from(s.1)).collect();
            let (l, r) = (left.iter().sum::<f64>(), right.iter().sum::<f64>());
            prop_assume!(l > 0. && r > 0.);
            let all: Vec<f64> = left.iter().zip(&right).map(|(l, r)| l + r).collect();
            for criterion in [Criterion::Gini, Criterion::Entropy] {
                let sides = l * criterion.impurity(&left) + r * criterion.impurity(&right);
                prop_assert!(sides <= (l + r) * criterion.impurity(&all) + 1e-12);
                let purity = criterion.purity(&left, &right);
                let offset = if criterion == Criterion::Gini { l + r } else { 0. };
                prop_assert!((offset - sides - purity).abs() < 1e-12);
            }
        }
    }
}
