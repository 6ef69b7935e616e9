//! Checks of arguments, shared by all estimators and for those of other crates.
//!
//! ```
//! use ndarray::array;
//! use ocellus_cluster::check;
//!
//! let x = array![[1., 2.], [3., 4.], [5., 6.]];
//! assert_eq!(check::labels(x.view(), &[0, 1, 0])?, 2);
//! assert_eq!(
//!     check::labels(x.view(), &[0, 2, 0]).unwrap_err().to_string(),
//!     "no sample is of class 1, but one is of class 2: number the classes from 0 without gaps, and \
//!      give each a sample"
//! );
//! # Ok::<(), ocellus_cluster::Error>(())
//! ```

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::{Error, Float, Result};

/// Samples to learn from: there is a row and a column, and all is finite.
///
/// # Errors
///
/// If not.
pub fn samples<T: Float>(x: ArrayView2<'_, T>) -> Result<()> {
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

/// Samples for a model: as many columns as it has features, and all is finite. There may be no row.
///
/// # Errors
///
/// If not.
pub fn features<T: Float>(x: ArrayView2<'_, T>, expected: usize) -> Result<()> {
    let found = x.ncols();
    if found != expected {
        return Err(Error::Features { found, expected });
    }
    if x.nrows() == 0 { Ok(()) } else { samples(x) }
}

/// Errs unless there are so many clusters that each can have a sample.
pub(crate) fn clusters(samples: usize, clusters: usize) -> Result<()> {
    positive("clusters", clusters)?;
    if clusters <= samples {
        return Ok(());
    }
    let remedy = format!("ask for {samples} clusters or fewer");
    Err(Error::TooFew { what: "samples", found: samples, needed: clusters, remedy })
}

/// Errs unless both have the same length, which is not zero.
pub(crate) fn paired<A, B>(left: (&'static str, &[A]), right: (&'static str, &[B])) -> Result<()> {
    let (left_len, right_len) = (left.1.len(), right.1.len());
    if left_len != right_len {
        let (left, right) = (left.0, right.0);
        return Err(Error::LengthMismatch { left, left_len, right, right_len });
    }
    if left_len == 0 {
        return Err(Error::Empty { what: left.0, rows: 0, columns: 1 });
    }
    Ok(())
}

/// How many classes there are: samples to learn from, with one label each, 0 to classes − 1.
///
/// # Errors
///
/// If [`samples`] errs, the labels differ in number from the rows, there is one class only, or a
/// class below the largest has no sample.
pub fn labels<T: Float>(x: ArrayView2<'_, T>, labels: &[usize]) -> Result<usize> {
    samples(x)?;
    one_label_each(x, labels)?;
    let largest = labels.iter().copied().max().unwrap_or(0);
    let mut seen = vec![false; labels.len()];
    for &label in labels {
        if let Some(seen) = seen.get_mut(label) {
            *seen = true;
        }
    }
    match seen.iter().take(largest).position(|seen| !seen) {
        Some(class) => Err(Error::MissingClass { class, largest }),
        None if largest == 0 => {
            let remedy = "give samples of another class too".into();
            Err(Error::TooFew { what: "classes", found: 1, needed: 2, remedy })
        }
        None => Ok(largest + 1),
    }
}

/// One label for each row.
///
/// # Errors
///
/// If not.
pub fn one_label_each<T: Float>(x: ArrayView2<'_, T>, labels: &[usize]) -> Result<()> {
    let (left_len, right_len) = (x.nrows(), labels.len());
    if left_len == right_len {
        return Ok(());
    }
    Err(Error::LengthMismatch { left: "the data", left_len, right: "labels", right_len })
}

/// A setting that is 1 or more.
///
/// # Errors
///
/// If it is 0.
pub fn positive(name: &'static str, value: usize) -> Result<()> {
    if value > 0 { Ok(()) } else { Err(Error::setting(name, value, "give 1 or more")) }
}

/// A setting that is finite, 0 or more.
///
/// # Errors
///
/// If not.
pub fn not_negative(name: &'static str, value: f64) -> Result<()> {
    if value >= 0. && value.is_finite() {
        return Ok(());
    }
    Err(Error::setting(name, value, "give a finite number, 0 or more"))
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
    fn classes_are_counted_without_gaps() {
        let x = Array2::<f32>::ones((4, 1));
        assert_eq!(labels(x.view(), &[2, 0, 1, 0]).unwrap(), 3);
        for (bad, part) in [
            (vec![0, 1], "labels has 2"),
            (vec![0; 4], "1 classes, but 2 are needed"),
            (vec![1; 4], "no sample is of class 0"),
            (vec![0, 1, 2, usize::MAX], "no sample is of class 3"),
        ] {
            let message = labels(x.view(), &bad).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn no_rows_are_no_samples_but_can_be_transformed() {
        let x = Array2::<f64>::zeros((0, 3));
        assert!(samples(x.view()).is_err());
        assert!(features(x.view(), 3).is_ok());
        assert!(features(x.view(), 2).unwrap_err().to_string().contains("3 features"));
    }
}
