use std::fmt::{Debug, Display};

use ndarray::{Array2, ArrayView2, s};

use crate::with_threads;

/// The suite that every estimator must pass, with samples that suffice for its settings:
///
/// 1. what is fitted and applied is finite, and the same bits again, on one thread, two and three;
/// 2. samples given as a strided or a transposed view give what contiguous ones give;
/// 3. each sample gets the same bits alone, among others, and in reversed order; no samples give none;
/// 4. NaN and infinity are errors that name the row and the column; another number of features, no
///    samples and no features are errors;
/// 5. one sample, constant features and equal samples are errors, or give finite numbers.
///
/// `fit` learns of (samples, features), `apply` transforms or predicts: one row for each sample.
#[track_caller]
pub fn check_estimator<T, M, E>(
    fit: impl Fn(ArrayView2<'_, T>) -> Result<M, E> + Sync,
    apply: impl Fn(&M, ArrayView2<'_, T>) -> Result<Array2<T>, E> + Sync,
    x: ArrayView2<'_, T>,
) where
    T: Copy + Default + Debug + PartialEq + Into<f64> + From<f32> + Send + Sync,
    M: Send + Sync,
    E: Display + Send,
{
    let model = done(fit(x));
    let y = done(apply(&model, x));
    assert_eq!(y.nrows(), x.nrows(), "one row for each sample");
    finite(&y);
    for threads in [1, 2, 3] {
        let again = with_threads(threads, || done(apply(&done(fit(x)), x)));
        assert!(again == y, "{threads} threads give other bits");
    }

    let mut wide = Array2::from_elem((2 * x.nrows(), 2 * x.ncols()), T::from(f32::NAN));
    wide.slice_mut(s![..;2, ..;2]).assign(&x);
    let turned = x.t().to_owned();
    for view in [wide.slice(s![..;2, ..;2]), turned.t()] {
        close(&done(apply(&done(fit(view)), view)), &y);
        assert!(done(apply(&model, view)) == y, "a view gets other bits");
    }

    for i in 0..x.nrows() {
        let alone = done(apply(&model, x.slice(s![i..=i, ..])));
        assert!(alone.row(0) == y.row(i), "sample {i} gets other bits alone");
    }
    let reversed = done(apply(&model, x.slice(s![..;-1, ..])));
    assert!(reversed == y.slice(s![..;-1, ..]), "reversed samples get other bits");
    assert_eq!(done(apply(&model, x.slice(s![..0, ..]))).nrows(), 0);

    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let (mut broken, place) = (x.to_owned(), (x.nrows() - 1, x.ncols() / 2));
        broken[place] = T::from(bad);
        let named = format!("row {}, column {}", place.0, place.1);
        for view in [broken.view(), broken.t().to_owned().t()] {
            let error = fit(view).err().map(|e| e.to_string());
            assert!(error.is_some(), "{bad} is learned from");
            assert!(
                error.is_some_and(|e| e.contains(&named)),
                "{bad} is not said to be at {named}"
            );
            let error = apply(&model, view).err().map(|e| e.to_string());
            assert!(error.is_some(), "{bad} is applied to");
            assert!(
                error.is_some_and(|e| e.contains(&named)),
                "{bad} is not said to be at {named}"
            );
        }
    }
    assert!(apply(&model, x.slice(s![.., 1..])).is_err(), "a feature less is no error");
    assert!(fit(x.slice(s![..0, ..])).is_err(), "no samples are no error");
    assert!(fit(x.slice(s![.., ..0])).is_err(), "no features are no error");

    let mut constant = x.to_owned();
    constant.column_mut(0).fill(T::from(1.));
    let last = x.ncols() - 1;
    constant.column_mut(last).fill(T::default());
    let equal = x.slice(s![..1, ..]);
    let equal = equal.broadcast(x.dim()).unwrap_or(equal);
    for samples in [x.slice(s![..1, ..]), constant.view(), constant.slice(s![..1, ..]), equal] {
        if let Ok(model) = fit(samples) {
            finite(&done(apply(&model, samples)));
        }
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "a test helper reports by panicking")]
fn done<V, E: Display>(result: Result<V, E>) -> V {
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn finite<T: Copy + Into<f64>>(y: &Array2<T>) {
    for (index, &value) in y.indexed_iter() {
        let value: f64 = value.into();
        assert!(value.is_finite(), "{index:?} is {value}");
    }
}

/// Within 1e-4 of the largest entry.
#[track_caller]
fn close<T: Copy + Into<f64>>(actual: &Array2<T>, expected: &Array2<T>) {
    assert_eq!(actual.dim(), expected.dim(), "a strided view gives another shape");
    let scale = expected.iter().fold(0f64, |most, &v| most.max(v.into().abs()));
    for (index, &e) in expected.indexed_iter() {
        let (a, e): (f64, f64) = (actual[index].into(), e.into());
        assert!((a - e).abs() <= 1e-4 * scale, "strided, {index:?} is {a}, expected {e}");
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Axis, array};

    use super::*;

    fn samples() -> Array2<f64> {
        array![[1., 2., 5.], [4., 3., 1.], [0., 1., 2.]]
    }

    fn sound(x: ArrayView2<'_, f64>) -> Result<(), String> {
        match x.indexed_iter().find(|(_, v)| !v.is_finite()) {
            Some(((row, column), _)) => Err(format!("row {row}, column {column} is bad")),
            None => Ok(()),
        }
    }

    fn checked(x: ArrayView2<'_, f64>) -> Result<Array1<f64>, String> {
        sound(x)?;
        let mean = x.mean_axis(Axis(0)).filter(|_| !x.is_empty());
        mean.ok_or_else(|| "no samples".to_owned())
    }

    #[test]
    fn subtracting_the_mean_passes() {
        let apply = |mean: &Array1<f64>, x: ArrayView2<'_, f64>| {
            sound(x)?;
            if x.ncols() == mean.len() { Ok(&x - mean) } else { Err("other features".to_owned()) }
        };
        check_estimator(checked, apply, samples().view());
    }

    #[test]
    #[should_panic(expected = "other bits alone")]
    fn dependence_on_the_batch_is_found() {
        let apply = |_: &Array1<f64>, x: ArrayView2<'_, f64>| Ok(&x - &checked(x)?);
        check_estimator(checked, apply, samples().view());
    }

    #[test]
    #[should_panic(expected = "is not said to be at row 2, column 1")]
    fn an_error_without_a_place_is_found() {
        let fit = |x: ArrayView2<'_, f64>| checked(x).map_err(|_| "bad samples".to_owned());
        check_estimator(fit, |mean: &Array1<f64>, x| Ok(&x - mean), samples().view());
    }

    #[test]
    #[should_panic(expected = "NaN is applied to")]
    fn a_missing_check_is_found() {
        let apply = |mean: &Array1<f64>, x: ArrayView2<'_, f64>| Ok(&x - mean);
        check_estimator(checked, apply, samples().view());
    }
}
