//! Laws of all products and decompositions, in both precisions.

use ndarray::{Array2, ArrayView2, s};
use ocellus_testing::with_threads;
use proptest::prelude::*;

use super::*;
use crate::{Float, Result};

fn matrix<T: Float>(rows: usize, columns: usize, seed: u64) -> Array2<T> {
    use rand::{Rng, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_fn((rows, columns), |_| T::narrow(rng.random_range(-1.0..1.0)))
}

/// Triple loop in double precision.
fn naive<T: Float>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<f64> {
    Array2::from_shape_fn((a.nrows(), b.ncols()), |(i, j)| {
        a.row(i).iter().zip(b.column(j)).map(|(x, y)| x.widen() * y.widen()).sum()
    })
}

#[track_caller]
fn close<T: Float>(actual: &Array2<T>, expected: &Array2<f64>, tol: f64) {
    assert_eq!(actual.dim(), expected.dim());
    for (index, e) in expected.indexed_iter() {
        let a = actual[index].widen();
        assert!((a - e).abs() <= tol, "{index:?}: {a}, expected {e}");
    }
}

fn product_laws<T: Float>(rows: usize, depth: usize, columns: usize, seed: u64) {
    let tol = 20. * depth.max(rows) as f64 * T::epsilon().widen();
    let (a, b) = (matrix::<T>(rows, depth, seed), matrix::<T>(depth, columns, seed + 1));
    let expected = naive(a.view(), b.view());
    close(&product(a.view(), b.view()).unwrap(), &expected, tol);
    let (at, bt) = (a.t().as_standard_layout().to_owned(), b.t().as_standard_layout().to_owned());
    close(&product(at.t(), bt.t()).unwrap(), &expected, tol);
    let wide = matrix::<T>(rows, 2 * depth, seed);
    let view = wide.slice(s![.., ..;2]);
    close(&product(view, b.view()).unwrap(), &naive(view, b.view()), tol);
    let mut c = Array2::<T>::ones((2 * rows, columns));
    let half = T::narrow(0.5);
    add_product(half, a.view(), b.view(), c.slice_mut(s![..;2, ..])).unwrap();
    close(&c.slice(s![..;2, ..]).to_owned(), &(&expected * 0.5 + 1.), tol);
    assert!(c.slice(s![1..;2, ..]).iter().all(|&v| v == T::one()));
    let mut c = Array2::<T>::ones((columns, rows));
    add_product(half, a.view(), b.view(), c.view_mut().reversed_axes()).unwrap();
    close(&c.t().to_owned(), &(&expected * 0.5 + 1.), tol);
    let squares = gram(a.view()).unwrap();
    close(&squares, &naive(a.t(), a.view()), tol);
    assert_eq!(squares, squares.t());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn products_equal_the_triple_loop(
        rows in 1usize..90, depth in 1usize..60, columns in 1usize..90, seed in 0u64..1000,
    ) {
        product_laws::<f32>(rows, depth, columns, seed);
        product_laws::<f64>(rows, depth, columns, seed);
    }

    #[test]
    fn decompositions_compose_to_the_matrix(
        rows in 1usize..40, columns in 1usize..40, seed in 0u64..1000,
    ) {
        decomposition_laws::<f32>(rows, columns, seed).unwrap();
        decomposition_laws::<f64>(rows, columns, seed).unwrap();
    }
}

fn decomposition_laws<T: Float>(rows: usize, columns: usize, seed: u64) -> Result<()> {
    let tol = 200. * (rows + columns) as f64 * T::epsilon().widen();
    let a = matrix::<T>(rows, columns, seed);
    let identity = |size| Array2::<f64>::eye(size);
    let size = rows.min(columns);

    let svd = Svd::new(a.view())?;
    let scaled = &svd.u * &svd.values;
    close(&product(scaled.view(), svd.vt.view())?, &a.mapv(Float::widen), tol);
    close(&gram(svd.u.view())?, &identity(size), tol);
    close(&gram(svd.vt.t())?, &identity(size), tol);
    assert!(svd.values.windows(2).into_iter().all(|w| w[0] >= w[1]));

    let squares = gram(a.view())?;
    let eigen = SymmetricEigen::new(squares.view())?;
    let scaled = &eigen.vectors * &eigen.values;
    close(&product(scaled.view(), eigen.vectors.t())?, &squares.mapv(Float::widen), tol);
    assert!(eigen.values.windows(2).into_iter().all(|w| w[0] >= w[1]));

    let q = orthonormal(a.view());
    assert_eq!(q.dim(), (rows, size));
    close(&gram(q.view())?, &identity(size), tol);
    if rows >= columns {
        let back = product(q.view(), product(q.t(), a.view())?.view())?;
        close(&back, &a.mapv(Float::widen), tol);
    }

    let positive = &squares + &(Array2::<T>::eye(columns) * T::narrow(rows as f64));
    let factor = Cholesky::new(positive.view())?;
    let lower = factor.lower();
    close(&product(lower.view(), lower.t())?, &positive.mapv(Float::widen), tol);
    let b = matrix::<T>(columns, 3, seed);
    close(&product(positive.view(), factor.solve(b.view())?.view())?, &b.mapv(Float::widen), tol);
    let half = factor.half_solve(b.view())?;
    close(&product(lower.view(), half.view())?, &b.mapv(Float::widen), tol);
    let values = SymmetricEigen::new(positive.view())?.values;
    let log_det: f64 = values.iter().map(|v| v.widen().ln()).sum();
    assert!((factor.log_det() - log_det).abs() <= tol * (1. + log_det.abs()));
    Ok(())
}

#[test]
fn threads_change_no_bit() {
    let results = |threads| {
        with_threads(threads, || {
            let (a, b) = (matrix::<f32>(700, 300, 1), matrix::<f32>(300, 500, 2));
            let deep = matrix::<f32>(40_000, 20, 3);
            let wide = product(b.t(), a.t()).unwrap();
            let small = product(deep.t(), deep.view()).unwrap();
            (product(a.view(), b.view()).unwrap(), wide, gram(a.view()).unwrap(), small)
        })
    };
    assert!(results(1) == results(2) && results(1) == results(3));
}

#[test]
fn a_deep_sum_is_right() {
    let deep = matrix::<f64>(50_000, 9, 3);
    close(&gram(deep.view()).unwrap(), &naive(deep.t(), deep.view()), 1e-9);
}

#[test]
fn bad_matrices_are_refused() {
    let (a, b) = (Array2::<f64>::ones((2, 3)), Array2::<f64>::ones((2, 3)));
    let message = product(a.view(), b.view()).unwrap_err().to_string();
    assert_eq!(message, "A·B: 2 × 3 and 2 × 3 do not fit");
    assert!(SymmetricEigen::new(a.view()).is_err());
    assert!(Cholesky::new(a.view()).is_err());
    let singular = Array2::<f64>::ones((3, 3));
    let message = Cholesky::new(singular.view()).unwrap_err().to_string();
    assert!(message.contains("pivot 1 of 3"), "{message}");
    assert!(Cholesky::new(Array2::from_elem((2, 2), f32::NAN).view()).is_err());
    assert!(SymmetricEigen::new(Array2::from_elem((4, 4), f64::NAN).view()).is_err());
    assert!(Svd::new(Array2::from_elem((4, 3), f64::NAN).view()).is_err());
}

#[test]
fn dependent_columns_still_give_a_basis() {
    let a = Array2::<f64>::ones((5, 3));
    close(&gram(orthonormal(a.view()).view()).unwrap(), &Array2::eye(3), 1e-12);
    close(
        &gram(orthonormal(Array2::<f64>::zeros((5, 3)).view()).view()).unwrap(),
        &Array2::eye(3),
        1e-12,
    );
}

#[test]
fn empty_matrices_do_not_panic() -> Result<()> {
    let (a, b) = (Array2::<f64>::zeros((0, 3)), Array2::<f64>::zeros((3, 0)));
    assert_eq!(product(a.view(), b.view())?.dim(), (0, 0));
    assert_eq!(product(b.view(), a.view())?, Array2::<f64>::zeros((3, 3)));
    assert_eq!(gram(a.view())?, Array2::<f64>::zeros((3, 3)));
    assert_eq!(orthonormal(a.view()).dim(), (0, 0));
    assert_eq!(SymmetricEigen::new(Array2::<f64>::zeros((0, 0)).view())?.values.len(), 0);
    assert_eq!(Svd::new(a.view())?.values.len(), 0);
    assert_eq!(Cholesky::new(Array2::<f64>::zeros((0, 0)).view())?.log_det(), 0.);
    Ok(())
}
