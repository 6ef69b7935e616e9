use ndarray::{ArrayView1, ArrayView2};
use ocellus_metrics::f_tail;

use super::FeatureScores;
use super::classes::{Classes, by_columns, check_scores};
use crate::{Float, Result};

/// The analysis of variance of each feature: do the means of the classes differ by more than the
/// samples within them?
///
/// ```text
/// F = Σ_c n_c (μ_c − μ)² / (C − 1)  /  (Σ_c Σ (x − μ_c)² / (n − C))
/// ```
///
/// with C classes.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::anova_f;
///
/// let found = anova_f(array![[1., 4.], [3., 0.], [7., 4.], [9., 0.]].view(), &[0, 0, 1, 1])?;
/// assert_eq!(found.scores, [18., 0.]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Errors
///
/// If a value is not finite, labels are missing, all samples are of one class, or no class has two.
///
/// # Deviations
///
/// A constant feature scores 0 with p-value 1, one that is constant within each class but differs
/// between them [`f64::MAX`] with p-value 0, as in scikit-learn's `f_regression`; its `f_classif`
/// has NaN and infinity. Deviations are from the means, so no digits are lost to large ones.
pub fn anova_f<T: Float>(x: ArrayView2<'_, T>, y: &[usize]) -> Result<FeatureScores> {
    let classes = Classes::new(x, y)?;
    classes.check_any_has_two()?;
    let between = (classes.sizes().len() - 1) as f64;
    let within = (y.len() - classes.sizes().len()) as f64;
    let statistic = |(explained, rest): (f64, f64)| match (explained == 0., rest == 0.) {
        (true, true) => 0.,
        (false, true) => f64::MAX,
        _ => (explained / between) / (rest / within),
    };
    let squares = by_columns(x, |block| squares(block, &classes));
    let scores: Vec<f64> = squares.into_iter().map(statistic).collect();
    check_scores(&scores)?;
    let tail =
        |&score| if score == f64::MAX { 0. } else { f_tail(score, between, within).unwrap_or(1.) };
    let p_values = Some(scores.iter().map(tail).collect());
    Ok(FeatureScores { scores, p_values })
}

/// The sums of squares between and within the classes, for each column.
fn squares<T: Float>(x: ArrayView2<'_, T>, classes: &Classes) -> Vec<(f64, f64)> {
    let columns = x.ncols();
    let origins = origins(x, classes);
    let add = |sums: &mut [f64], term: &dyn Fn(f64, usize) -> f64| {
        for (row, class) in x.outer_iter().zip(classes.of()) {
            let place = class * columns;
            for (column, (sum, value)) in sums[place..].iter_mut().zip(row).enumerate() {
                *sum += term(value.widen(), place + column);
            }
        }
    };
    let mut means = vec![0.; origins.len()];
    add(&mut means, &|value, place| value - origins[place]);
    for (class, &size) in classes.sizes().iter().enumerate() {
        let range = class * columns..(class + 1) * columns;
        for (mean, origin) in means[range.clone()].iter_mut().zip(&origins[range]) {
            *mean = origin + *mean / size as f64;
        }
    }
    let mut within = vec![0.; origins.len()];
    add(&mut within, &|value, place| (value - means[place]).powi(2));
    let of_column = |column| {
        let means = || means[column..].iter().step_by(columns);
        let within: f64 = within[column..].iter().step_by(columns).sum();
        (between(means, classes), within)
    };
    (0..columns).map(of_column).collect()
}

/// The first sample of each class: what is constant then has deviations of exactly 0.
fn origins<T: Float>(x: ArrayView2<'_, T>, classes: &Classes) -> Vec<f64> {
    let first = |class| {
        let row = classes.of().iter().position(|&other| other == class);
        row.map_or_else(Vec::new, |row| widened(x.row(row)))
    };
    (0..classes.sizes().len()).flat_map(first).collect()
}

fn widened<T: Float>(row: ArrayView1<'_, T>) -> Vec<f64> {
    row.iter().map(|value| value.widen()).collect()
}

fn between<'a, I: Iterator<Item = &'a f64>>(means: impl Fn() -> I, classes: &Classes) -> f64 {
    let weighted = || means().zip(classes.sizes()).map(|(&mean, &size)| (mean, size as f64));
    let origin = means().next().copied().unwrap_or_default();
    let shift: f64 = weighted().map(|(mean, size)| size * (mean - origin)).sum();
    let center = origin + shift / classes.of().len() as f64;
    weighted().map(|(mean, size)| size * (mean - center).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn what_is_constant_tells_nothing_and_what_is_constant_within_classes_all() -> Result<()> {
        let x =
            array![[0.1, 0.1, 3.], [0.1, 0.1, 1.], [0.1, 0.7, 3.], [0.1, 0.7, 1.], [0.1, 0.7, 2.]];
        let found = anova_f(x.view(), &[4, 4, 9, 9, 9])?;
        assert_eq!(found.scores, [0., f64::MAX, 0.]);
        assert_eq!(found.p_values, Some(vec![1., 0., 1.]));
        Ok(())
    }

    #[test]
    fn a_large_mean_costs_no_digits() -> Result<()> {
        let x = array![[1.], [3.], [7.], [9.]];
        let far = &x + 1e9;
        assert_eq!(anova_f(far.view(), &[0, 0, 1, 1])?, anova_f(x.view(), &[0, 0, 1, 1])?);
        Ok(())
    }
}
