//! Checks of arguments, shared by all estimators.

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::{Error, Float, Result};

/// Errs unless there is a row and a column and all is finite.
pub(crate) fn samples<T: Float>(x: ArrayView2<'_, T>) -> Result<()> {
    let (rows, columns) = x.dim();
    if rows == 0 || columns == 0 {
        return Err(Error::Empty { what: "the data", rows, columns });
    }
    let bad = x.outer_iter().into_par_iter().enumerate().find_map_first(|(row, values)| {
        // A sum is finite where all are, unless it overflows: then each is looked at.
        let sum = match values.as_slice() {
            Some(values) => values.iter().fold(T::zero(), |sum, &v| sum + v * T::zero()),
            None => T::nan(),
        };
        if sum == T::zero() {
            return None;
        }
        let column = values.iter().position(|v| !v.is_finite())?;
        Some(Error::NotFinite { row, column, value: values[column].widen() })
    });
    bad.map_or(Ok(()), Err)
}

/// Errs unless all is finite and there are as many columns as features.
pub(crate) fn features<T: Float>(x: ArrayView2<'_, T>, expected: usize) -> Result<()> {
    let found = x.ncols();
    if found != expected {
        return Err(Error::Features { found, expected });
    }
    if x.nrows() == 0 { Ok(()) } else { samples(x) }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};

    use super::*;

    #[test]
    fn the_first_bad_entry_is_named() {
        let mut x = Array2::<f32>::ones((5, 7));
        assert!(samples(x.view()).is_ok());
        x[[3, 2]] = f32::INFINITY;
        x[[4, 0]] = f32::NAN;
        for view in [x.view(), x.t()] {
            let error = samples(view).unwrap_err();
            let (row, column) = if view.nrows() == 5 { (3, 2) } else { (0, 4) };
            let message = error.to_string();
            assert!(message.contains(&format!("row {row}, column {column} ")), "{message}");
        }
        assert!(samples(x.slice(s![..3, ..;2])).is_ok());
    }

    #[test]
    fn extreme_but_finite_values_pass() {
        assert!(samples(array![[f64::MAX, f64::MAX], [f64::MIN, f64::MIN]].view()).is_ok());
    }

    #[test]
    fn no_rows_are_no_samples_but_can_be_transformed() {
        let x = Array2::<f64>::zeros((0, 3));
        assert!(samples(x.view()).is_err());
        assert!(features(x.view(), 3).is_ok());
        assert!(features(x.view(), 2).unwrap_err().to_string().contains("3 features"));
    }
}
