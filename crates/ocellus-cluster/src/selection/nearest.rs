//! The estimate of mutual information from nearest neighbors in one dimension.

/// Ross's estimate of the mutual information of a number and a class, not below 0.
///
/// ```text
/// I = ψ(N) + ⟨ψ(k)⟩ − ⟨ψ(n_c)⟩ − ⟨ψ(m)⟩
/// ```
///
/// m counts the samples nearer than the kth neighbor of the same class, with the sample itself. A
/// class of one sample is left out.
pub(super) fn information(values: &[f64], of: &[usize], sizes: &[usize], neighbors: usize) -> f64 {
    let mut order: Vec<usize> = (0..values.len()).filter(|&i| sizes[of[i]] > 1).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let all: Vec<f64> = order.iter().map(|&i| values[i]).collect();
    let mut classes = vec![Vec::new(); sizes.len()];
    for &i in &order {
        classes[of[i]].push(values[i]);
    }
    let psi = digammas(all.len());
    let mut sum = 0.;
    for class in classes.iter().filter(|class| !class.is_empty()) {
        let nth = neighbors.min(class.len() - 1);
        let near = |place| psi[within(&all, class[place], distance(class, place, nth))];
        let near: f64 = (0..class.len()).map(near).sum();
        sum += class.len() as f64 * (psi[nth] - psi[class.len()]) - near;
    }
    (psi[all.len()] + sum / all.len() as f64).max(0.)
}

/// ψ(n) + γ = 1 + 1/2 + … + 1/(n − 1), by n up to `last`; γ cancels in the estimate.
fn digammas(last: usize) -> Vec<f64> {
    let mut values = vec![0.; last.max(1) + 1];
    for n in 2..values.len() {
        values[n] = values[n - 1] + 1. / (n - 1) as f64;
    }
    values
}

/// The distance to the nth nearest other of ascending values.
fn distance(values: &[f64], place: usize, nth: usize) -> f64 {
    let (mut low, mut high, mut distance) = (place, place, 0.);
    for _ in 0..nth {
        let below = low.checked_sub(1).map_or(f64::INFINITY, |i| values[place] - values[i]);
        let above = values.get(high + 1).map_or(f64::INFINITY, |value| value - values[place]);
        if below <= above {
            (low, distance) = (low - 1, below);
        } else {
            (high, distance) = (high + 1, above);
        }
    }
    distance
}

/// How many of ascending values are nearer than `radius`, or equal.
fn within(values: &[f64], center: f64, radius: f64) -> usize {
    let near = |distance: f64| distance < radius || distance <= 0.;
    let from = values.partition_point(|value| !near(center - value));
    let to = values.partition_point(|value| near(value - center));
    to - from
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By definition, over all pairs.
    fn naive(values: &[f64], of: &[usize], sizes: &[usize], neighbors: usize) -> f64 {
        let psi = digammas(values.len());
        let kept: Vec<usize> = (0..values.len()).filter(|&i| sizes[of[i]] > 1).collect();
        let term = |&i: &usize| {
            let mut others: Vec<f64> = kept
                .iter()
                .filter(|&&j| j != i && of[j] == of[i])
                .map(|&j| (values[i] - values[j]).abs())
                .collect();
            others.sort_by(f64::total_cmp);
            let nth = neighbors.min(others.len());
            let radius = others[nth - 1];
            let near = |&&j: &&usize| {
                let d = (values[i] - values[j]).abs();
                d < radius || d == 0.
            };
            psi[nth] - psi[sizes[of[i]]] - psi[kept.iter().filter(near).count()]
        };
        (psi[kept.len()] + kept.iter().map(term).sum::<f64>() / kept.len() as f64).max(0.)
    }

    proptest! {
        #[test]
        fn equals_the_definition(
            samples in prop::collection::vec((0usize..4, -20i32..20, 0f64..1.), 3..60),
            grid in any::<bool>(),
            neighbors in 1usize..6,
        ) {
            let of: Vec<usize> = samples.iter().map(|s| s.0).collect();
            let mut sizes = vec![0; 4];
            of.iter().for_each(|&class| sizes[class] += 1);
            prop_assume!(sizes.iter().any(|&size| size > 1));
            let value = |s: &(usize, i32, f64)| f64::from(s.1) + if grid { 0. } else { s.2 };
            let values: Vec<f64> = samples.iter().map(value).collect();
            let found = information(&values, &of, &sizes, neighbors);
            let expected = naive(&values, &of, &sizes, neighbors);
            prop_assert!((found - expected).abs() < 1e-12, "{found}, expected {expected}");
        }
    }
}
