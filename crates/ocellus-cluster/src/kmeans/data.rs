use ndarray::ArrayView2;

use crate::table::Table;
use crate::{Error, Float, Result, moments};

/// Samples around their mean, where products lose fewer digits, with their squared norms.
pub(super) struct Data<T> {
    pub(super) rows: Table<T>,
    pub(super) mean: Vec<f64>,
    pub(super) norms: Vec<T>,
    /// The mean variance of the columns.
    pub(super) variance: f64,
}

impl<T: Float> Data<T> {
    pub(super) fn new(x: ArrayView2<'_, T>) -> Result<Self> {
        let mean = moments::means(x);
        let rows = Table::centered(x, &mean);
        let norms = rows.squared_norms();
        let variance = norms.iter().sum::<f64>() / x.len() as f64;
        let norms: Vec<T> = norms.into_iter().map(T::narrow).collect();
        if let Some(row) = norms.iter().position(|norm| !norm.is_finite()) {
            let remedy = "its squared distance to the mean is not finite: scale the features";
            return Err(Error::setting("a sample", format!("row {row}"), remedy));
        }
        Ok(Self { rows, mean, norms, variance })
    }
}
