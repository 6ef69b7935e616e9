use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

use crate::linalg::product;
use crate::table::{Table, squared_distance};
use crate::{Error, Float, Result, moments};

/// Rows of each task.
const ROWS: usize = 128;

/// How samples are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Metric {
    /// ‖a − b‖.
    #[default]
    Euclidean,
    /// Σ |aⱼ − bⱼ|.
    Manhattan,
    /// 1 − a·b / (‖a‖ ‖b‖).
    Cosine,
}

impl Metric {
    /// The distances of all pairs: of the first sample to the second, third, …, of the second to the
    /// third, ….
    pub(super) fn condensed<T: Float>(self, x: ArrayView2<'_, T>) -> Result<Vec<f64>> {
        let samples = x.nrows();
        let mut distances = reserve(samples)?;
        let mut tasks = Vec::new();
        let mut rest: &mut [f64] = &mut distances;
        for start in (0..samples).step_by(ROWS) {
            let end = samples.min(start + ROWS);
            let pairs = (start..end).map(|i| samples - 1 - i).sum();
            let (task, after) = rest.split_at_mut(pairs);
            tasks.push((start, end, task));
            rest = after;
        }
        let source = Source::new(self, x)?;
        tasks.into_par_iter().try_for_each(|(start, end, mut to)| -> Result<()> {
            let block = source.block(start, end, start)?;
            for (i, row) in block.outer_iter().enumerate() {
                let (own, after) = to.split_at_mut(samples - 1 - start - i);
                own.iter_mut().zip(row.iter().skip(i + 1)).for_each(|(to, &from)| *to = from);
                to = after;
            }
            Ok(())
        })?;
        check(&distances)?;
        Ok(distances)
    }
}

/// Errs if a distance is not finite, or negative.
pub(super) fn check(distances: &[f64]) -> Result<()> {
    match distances.iter().find(|d| !(**d >= 0. && d.is_finite())) {
        None => Ok(()),
        Some(d) => {
            let remedy = "distances are finite and 0 or more; scale the features";
            Err(Error::setting("a distance of two samples", d, remedy))
        }
    }
}

fn reserve(samples: usize) -> Result<Vec<f64>> {
    let pairs = samples.checked_mul(samples.saturating_sub(1)).map(|twice| twice / 2);
    let mut distances = Vec::new();
    match pairs {
        Some(pairs) if distances.try_reserve_exact(pairs).is_ok() => {
            distances.resize(pairs, 0.);
            Ok(distances)
        }
        _ => {
            let remedy = "the distances of all pairs do not fit into memory: cluster a part of the \
                          samples, or centers of k-means";
            Err(Error::setting("the number of samples", samples, remedy))
        }
    }
}

enum Source {
    Euclidean(Euclidean),
    Manhattan(Table<f64>),
    Cosine(Table<f64>),
}

impl Source {
    fn new<T: Float>(metric: Metric, x: ArrayView2<'_, T>) -> Result<Self> {
        let plain = || Table::centered(x, &vec![0.; x.ncols()]);
        Ok(match metric {
            Metric::Euclidean => Self::Euclidean(Euclidean::new(x)),
            Metric::Manhattan => Self::Manhattan(plain()),
            Metric::Cosine => Self::Cosine(directions(plain())?),
        })
    }

    /// The distances of the rows from `start` to `end` to those from `first` on.
    fn block(&self, start: usize, end: usize, first: usize) -> Result<Array2<f64>> {
        match self {
            Self::Euclidean(rows) => rows.block(start, end, first),
            Self::Manhattan(rows) => {
                let size = (end - start, rows.len() - first);
                Ok(Array2::from_shape_fn(size, |(i, j)| {
                    let pairs = rows.row(start + i).iter().zip(rows.row(first + j));
                    pairs.map(|(a, b)| (a - b).abs()).sum()
                }))
            }
            Self::Cosine(rows) => {
                let view = rows.view();
                let (left, right) = (view.slice(s![start..end, ..]), view.slice(s![first.., ..]));
                Ok(product(left, right.t())?.mapv_into(|cosine: f64| (1. - cosine).max(0.)))
            }
        }
    }
}

/// Rows of length one.
fn directions(mut rows: Table<f64>) -> Result<Table<f64>> {
    let (norms, columns) = (rows.squared_norms(), rows.columns());
    if let Some(row) = norms.iter().position(|&norm| norm == 0.) {
        let remedy = "has no direction: drop it, or take another metric";
        return Err(Error::setting("a row of zeros", format!("row {row}"), remedy));
    }
    for (row, norm) in rows.as_slice_mut().chunks_mut(columns).zip(norms) {
        row.iter_mut().for_each(|value| *value /= norm.sqrt());
    }
    Ok(rows)
}

/// Euclidean distances by products of rows, in double precision. Where a product would lose digits,
/// the pair is measured alone.
pub(crate) struct Euclidean {
    rows: Table<f64>,
    norms: Vec<f64>,
}

impl Euclidean {
    /// The share of ‖a‖² + ‖b‖² below which ‖a − b‖² has lost more than three digits.
    const NEAR: f64 = 1e-3;

    pub(crate) fn new<T: Float>(x: ArrayView2<'_, T>) -> Self {
        let rows = Table::centered(x, &moments::means(x));
        let norms = rows.squared_norms();
        Self { rows, norms }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The distances of the rows from `start` to `end` to those from `first` on.
    pub(crate) fn block(&self, start: usize, end: usize, first: usize) -> Result<Array2<f64>> {
        let rows = self.rows.view();
        let mut block: Array2<f64> =
            product(rows.slice(s![start..end, ..]), rows.slice(s![first.., ..]).t())?;
        for (i, mut distances) in block.outer_iter_mut().enumerate() {
            let (row, norm) = (self.rows.row(start + i), self.norms[start + i]);
            for (j, (value, other)) in distances.iter_mut().zip(&self.norms[first..]).enumerate() {
                let sum = norm + other;
                let square = sum - 2. * *value;
                // Written so that NaN, of infinite norms, is measured too.
                let square = match square > Self::NEAR * sum {
                    true => square,
                    false => squared_distance(row, self.rows.row(first + j)),
                };
                *value = square.sqrt();
            }
        }
        Ok(block)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_rows_are_at_distance_zero() -> Result<()> {
        let x = Array2::from_shape_fn((9, 40), |(i, j)| 1e6 + ((i % 3) * 7 + j) as f64 / 3.);
        let distances = Metric::Euclidean.condensed(x.view())?;
        assert_eq!(distances[2], 0.);
        assert!((distances[0] - 7. / 3. * 40f64.sqrt()).abs() < 1e-9, "{}", distances[0]);
        Ok(())
    }

    #[test]
    fn each_metric_is_its_formula() -> Result<()> {
        let x = array![[3f32, 4.], [0., 2.], [6., 8.]];
        assert_eq!(Metric::Manhattan.condensed(x.view())?, [5., 7., 12.]);
        let cosine = Metric::Cosine.condensed(x.view())?;
        assert!((cosine[0] - 0.2).abs() < 1e-12 && cosine[1].abs() < 1e-12);
        let euclidean = Metric::Euclidean.condensed(x.view())?;
        assert!((euclidean[1] - 5.).abs() < 1e-12);
        Ok(())
    }

    #[test]
    fn rejects_what_has_no_distance() {
        let zero = Metric::Cosine.condensed(array![[1., 0.], [0., 0.]].view()).unwrap_err();
        assert!(zero.to_string().contains("row 1"), "{zero}");
        let huge = Metric::Euclidean.condensed(array![[1e200], [-1e200]].view()).unwrap_err();
        assert!(huge.to_string().contains("scale the features"), "{huge}");
        assert!(reserve(usize::MAX).unwrap_err().to_string().contains("fit into memory"));
    }

    proptest! {
        #[test]
        fn products_give_the_distances(
            values in prop::collection::vec(-9f64..9., 3 * 20),
            offset in -1e3f64..1e3,
        ) {
            let x = Array2::from_shape_vec((20, 3), values).unwrap() + offset;
            let rows = Table::new(x.view());
            let distances = Metric::Euclidean.condensed(x.view()).unwrap();
            let pairs = (0..20).flat_map(|i| (i + 1..20).map(move |j| (i, j)));
            for ((i, j), distance) in pairs.zip(distances) {
                let expected = squared_distance(rows.row(i), rows.row(j)).sqrt();
                prop_assert!((distance - expected).abs() <= 1e-10 * expected.max(1e-3));
            }
        }
    }
}
