use ndarray::ArrayView2;
use ocellus_metrics::chi_squared_tail;

use super::FeatureScores;
use super::classes::{Classes, by_columns, check_scores};
use crate::{Error, Float, Result};

/// The χ² test of each feature against the classes: do the counts in a feature fall on the classes
/// as the samples do?
///
/// ```text
/// χ² = Σ_c (o_c − e_c)² / e_c,   o_c = Σ x over the samples of class c,   e_c = n_c / n · Σ x
/// ```
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::chi_squared;
///
/// let x = array![[1., 0., 3.], [2., 1., 0.], [0., 4., 1.], [3., 2., 2.], [5., 0., 1.], [1., 1., 4.]];
/// let found = chi_squared(x.view(), &[0, 0, 0, 1, 1, 1])?;
/// assert_eq!(found.scores[..2], [3., 0.5]);
/// assert!((found.p_values.unwrap_or_default()[0] - 0.08326452).abs() < 1e-8);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Errors
///
/// If a value is negative or not finite, labels are missing, or all samples are of one class.
///
/// # Deviations
///
/// A feature that is zero everywhere scores 0 with p-value 1, where scikit-learn has NaN and ranks
/// it last. Sums are in double precision also for `f32`.
pub fn chi_squared<T: Float>(x: ArrayView2<'_, T>, y: &[usize]) -> Result<FeatureScores> {
    let classes = Classes::new(x, y)?;
    check_not_negative(x)?;
    let scores = by_columns(x, |block| statistics(block, &classes));
    check_scores(&scores)?;
    let degrees = (classes.sizes().len() - 1) as f64;
    let tail = |&score| chi_squared_tail(score, degrees).unwrap_or(1.);
    let p_values = Some(scores.iter().map(tail).collect());
    Ok(FeatureScores { scores, p_values })
}

fn check_not_negative<T: Float>(x: ArrayView2<'_, T>) -> Result<()> {
    for (row, values) in x.outer_iter().enumerate() {
        if let Some(column) = values.iter().position(|&value| value < T::zero()) {
            return Err(Error::Negative {
                method: "the χ² test",
                row,
                column,
                value: values[column].widen(),
                remedy: "scale to 0..1 with `MinMaxScaler`, or take the F test",
            });
        }
    }
    Ok(())
}

/// χ² of each column.
fn statistics<T: Float>(x: ArrayView2<'_, T>, classes: &Classes) -> Vec<f64> {
    let columns = x.ncols();
    let mut observed = vec![0.; classes.sizes().len() * columns];
    for (row, class) in x.outer_iter().zip(classes.of()) {
        let sums = &mut observed[class * columns..][..columns];
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value.widen();
        }
    }
    let samples = classes.of().len() as f64;
    let statistic = |column| {
        let observed = || observed[column..].iter().step_by(columns);
        let total: f64 = observed().sum();
        let term = |(&observed, &size): (&f64, &usize)| {
            let expected = size as f64 / samples * total;
            (observed - expected).powi(2) / expected
        };
        if total == 0. { 0. } else { observed().zip(classes.sizes()).map(term).sum() }
    };
    (0..columns).map(statistic).collect()
}
