//! What holds of PCA and NMF on any data.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use ndarray::{Array1, Array2, ArrayView1, Axis, s};
use ocellus_cluster::{
    Components, Divergence, Error, Fit, Float, Nmf, NmfInit, NmfSolver, Pca, PcaModel, PcaSolver,
    RowSource, Transform,
    linalg::{TopEigen, gram, product},
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn uniform<T: Float>(rows: usize, columns: usize, seed: u64) -> Array2<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((rows, columns), || T::narrow(rng.random_range(0.0..1.0)))
}

/// Directions of falling strength, noise and an offset.
fn structured<T: Float>(rows: usize, columns: usize, rank: usize, seed: u64) -> Array2<T> {
    let mut left = uniform::<f64>(rows, rank, seed);
    for (r, mut column) in left.axis_iter_mut(Axis(1)).enumerate() {
        column *= 4. * 0.8f64.powi(r as i32);
    }
    let x =
        left.dot(&uniform(rank, columns, seed + 1)) + uniform::<f64>(rows, columns, seed + 2) * 0.1;
    x.mapv(T::narrow)
}

#[track_caller]
fn same_spectrum<T: Float>(actual: &PcaModel<T>, expected: &PcaModel<T>, tol: f64) {
    let pairs = actual.explained_variance().into_iter().zip(expected.explained_variance());
    for (a, e) in pairs {
        let (a, e) = (a.widen(), e.widen());
        assert!((a - e).abs() <= tol * e, "variance {a}, expected {e}");
    }
    for (a, e) in actual.components().outer_iter().zip(expected.components().outer_iter()) {
        let cosine: f64 = a.iter().zip(e).map(|(a, e)| a.widen() * e.widen()).sum();
        assert!(cosine > 1. - 10. * tol, "cosine {cosine}");
    }
}

#[test]
fn all_solvers_find_the_same_components() {
    for (rows, columns) in [(700, 650), (620, 900)] {
        let x = structured::<f32>(rows, columns, 6, 1);
        let fit = |solver| Pca::new(6).with_solver(solver).fit(x.view()).unwrap();
        let full = fit(PcaSolver::Full);
        for solver in [PcaSolver::Gram, PcaSolver::krylov(), PcaSolver::randomized()] {
            let model = fit(solver);
            assert!(model.converged());
            same_spectrum(&model, &full, 1e-4);
            let noise = (model.noise_variance(), full.noise_variance());
            assert!((noise.0 - noise.1).abs() < 1e-2 * noise.1);
        }
    }
}

#[test]
fn noise_without_structure_is_decomposed_to_the_tolerance() {
    let x = uniform::<f64>(900, 800, 5);
    let full = Pca::new(20).with_solver(PcaSolver::Gram).fit(x.view()).unwrap();
    let top = Pca::new(20).with_solver(PcaSolver::krylov()).fit(x.view()).unwrap();
    assert!(top.converged());
    for (a, e) in top.explained_variance().iter().zip(full.explained_variance()) {
        assert!((a - e).abs() <= 1e-4 * e, "{a}, expected {e}");
    }
    let identity = gram(top.components().t()).unwrap() - Array2::<f64>::eye(20);
    assert!(identity.iter().all(|d| d.abs() < 1e-10));
}

#[test]
fn eigenvectors_of_a_matrix_of_low_rank_are_orthonormal() {
    let x = uniform::<f64>(400, 3, 7);
    let a = gram(x.t()).unwrap();
    let top = TopEigen::new(a.view(), 5, 1e-8, 0).unwrap();
    assert!(top.converged && top.steps > 0);
    assert!(top.values.slice(s![3..]).iter().all(|v| v.abs() < 1e-10));
    let identity = gram(top.vectors.view()).unwrap() - Array2::<f64>::eye(5);
    assert!(identity.iter().all(|d| d.abs() < 1e-10));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn components_are_orthonormal_and_variances_those_of_the_projection(
        rows in 3usize..40, columns in 2usize..40, seed in 0u64..1000, wide in any::<bool>(),
    ) {
        let x = uniform::<f64>(rows, columns, seed);
        let count = if wide { rows.min(columns) } else { 1 + rows.min(columns) / 2 };
        for solver in [PcaSolver::Full, PcaSolver::Gram] {
            let model = Pca::new(count).with_solver(solver).fit(x.view()).unwrap();
            let identity = gram(model.components().t()).unwrap() - Array2::<f64>::eye(count);
            prop_assert!(identity.iter().all(|d| d.abs() < 1e-8));
            let y = model.transform(x.view()).unwrap();
            let variance = y.var_axis(Axis(0), 1.);
            for (a, e) in variance.iter().zip(model.explained_variance()) {
                prop_assert!((a - e).abs() < 1e-9, "{} {}", a, e);
            }
            if count == columns.min(rows) {
                let back = model.inverse_transform(y.view()).unwrap();
                prop_assert!((back - &x).iter().all(|d| d.abs() < 1e-6));
            }
        }
    }

    #[test]
    fn parts_give_what_the_whole_gives(
        rows in 3usize..60, columns in 2usize..60, block in 1usize..70, seed in 0u64..1000,
    ) {
        let x = structured::<f64>(rows, columns, 3, seed) + 1e3;
        let count = 1 + rows.min(columns) / 3;
        let whole = Pca::new(count).with_solver(PcaSolver::Gram).fit(x.view()).unwrap();
        let parts = Pca::new(count).fit_source(&x.view(), block).unwrap();
        for (a, e) in parts.explained_variance().iter().zip(whole.explained_variance()) {
            prop_assert!((a - e).abs() < 1e-8 * (1. + e), "{} {}", a, e);
        }
        let mean = &parts.mean() - &whole.mean();
        prop_assert!(mean.iter().all(|d: &f64| d.abs() < 1e-9));
        let (a, e) = (parts.transform(x.view()).unwrap(), whole.transform(x.view()).unwrap());
        prop_assert!((a.column(0).to_owned() - e.column(0)).iter().all(|d| d.abs() < 1e-4));
        prop_assert!((parts.noise_variance() - whole.noise_variance()).abs() < 1e-8);
    }

    #[test]
    fn factors_are_not_negative_and_errors_fall(
        rows in 2usize..30, columns in 2usize..30, seed in 0u64..1000, multiply in any::<bool>(),
        relative in any::<bool>(), random in any::<bool>(),
    ) {
        let x = uniform::<f64>(rows, columns, seed);
        let mut settings = Nmf::new(1 + rows.min(columns) / 3).with_tolerance(0.).with_seed(seed);
        if multiply || relative {
            settings = settings.with_solver(NmfSolver::MultiplicativeUpdate);
        }
        if relative {
            settings = settings.with_divergence(Divergence::KullbackLeibler);
        }
        if random {
            settings = settings.with_init(NmfInit::Random);
        }
        let mut before = f64::INFINITY;
        for iterations in [1, 2, 5, 20] {
            let fit = settings.clone().with_max_iterations(iterations);
            let (model, w) = fit.fit_transform(x.view()).unwrap();
            prop_assert!(w.iter().chain(model.components()).all(|v| *v >= 0.));
            let now = model.reconstruction_error();
            prop_assert!(now <= before * (1. + 1e-9), "{} after {}", now, before);
            before = now;
            if !relative {
                let left = (&x - &product(w.view(), model.components()).unwrap()).mapv(|d| d * d);
                prop_assert!((left.sum().sqrt() - now).abs() < 1e-9);
            }
        }
    }
}

#[test]
fn whitened_samples_have_unit_variance() {
    let x = structured::<f64>(60, 10, 4, 3);
    let model = Pca::new(4).with_whiten(true).fit(x.view()).unwrap();
    let y = model.transform(x.view()).unwrap();
    assert!(y.var_axis(Axis(0), 1.).iter().all(|v| (v - 1.).abs() < 1e-9));
}

#[test]
fn a_fraction_keeps_the_fewest_components_that_explain_more() {
    let x = structured::<f64>(60, 10, 4, 3);
    let all = Pca::new(10).fit(x.view()).unwrap();
    let ratios: Array1<f64> = all.explained_variance_ratio().to_owned();
    for fraction in [0.3, 0.9, 0.999] {
        let kept = Pca::with_variance(fraction).fit(x.view()).unwrap().components().nrows();
        let sum = |count| ratios.slice(s![..count]).sum();
        assert!(sum(kept) > fraction && sum(kept - 1) <= fraction);
    }
}

#[test]
fn transformed_rows_solve_the_regularized_problem() {
    let x = uniform::<f64>(20, 12, 1);
    let settings = Nmf::new(3).with_tolerance(1e-12).with_max_iterations(3000);
    let settings = settings.with_regularization(0.01, 0.01, 0.5);
    let model = settings.fit(x.view()).unwrap();
    let w = model.transform(x.view()).unwrap();
    // The gradient is 0 where w is positive, and not negative where it is 0.
    let h = model.components();
    let (l1, l2) = (12. * 0.01 * 0.5, 12. * 0.01 * 0.5);
    let gradient = (w.dot(&h) - &x).dot(&h.t()) + l1 + &w * l2;
    for (w, g) in w.iter().zip(&gradient) {
        assert!(if *w > 0. { g.abs() < 1e-8 } else { *g > -1e-8 }, "w {w}, gradient {g}");
    }
}

#[test]
fn data_of_zeros_and_constant_columns_have_the_right_answers() {
    let zeros = Array2::<f64>::zeros((5, 4));
    let model = Nmf::new(2).fit(zeros.view()).unwrap();
    assert!(model.converged() && model.reconstruction_error() == 0.);
    let model = Pca::new(2).fit(zeros.view()).unwrap();
    assert!(model.explained_variance_ratio().iter().all(|v| *v == 0.));
    assert!(model.components().iter().all(|v| v.is_finite()));
    let mut x = uniform::<f32>(30, 5, 1);
    x.column_mut(2).fill(7.);
    let model = Pca::new(4).fit(x.view()).unwrap();
    assert!(model.components().column(2).iter().all(|v| v.abs() < 1e-6));
}

fn message<M>(result: ocellus_cluster::Result<M>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn settings_that_cannot_be_met_say_which_and_what_to_do() {
    let x = uniform::<f64>(5, 8, 1);
    let pca = |settings: Pca| message(settings.fit(x.view()));
    assert_eq!(pca(Pca::new(6)), "5 samples, but 6 are needed: keep 5 components at most");
    assert_eq!(pca(Pca::new(0)), "components is 0: keep one at least");
    assert!(pca(Pca::with_variance(1.5)).starts_with("components is 1.5: a fraction"));
    let randomized = Pca::with_variance(0.5).with_solver(PcaSolver::randomized());
    assert!(pca(randomized).contains("use Full or Gram"));
    let loose = Pca::new(1).with_solver(PcaSolver::Krylov { tolerance: f64::NAN });
    assert!(pca(loose).starts_with("tolerance is NaN"));
    assert!(message(Pca::new(1).fit(x.slice(s![..1, ..]))).contains("a variance takes two"));
    assert!(message(Pca::new(1).fit_source(&x.view(), 0)).starts_with("block is 0"));
    let full = Pca::new(Components::Count(1)).with_solver(PcaSolver::Full);
    assert!(message(full.fit_source(&x.view(), 2)).contains("Gram or Krylov"));

    let nmf = |settings: Nmf| message(settings.fit(x.view()));
    let relative = Nmf::new(1).with_divergence(Divergence::KullbackLeibler);
    assert!(nmf(relative).contains("takes MultiplicativeUpdate"));
    assert!(nmf(Nmf::new(6).with_init(NmfInit::Nndsvd)).contains("or start at random"));
    assert!(nmf(Nmf::new(6)).is_empty());
    assert!(nmf(Nmf::new(0)).starts_with("components is 0"));
    assert!(nmf(Nmf::new(1).with_max_iterations(0)).starts_with("max_iterations is 0"));
    assert!(nmf(Nmf::new(1).with_tolerance(-1.)).starts_with("tolerance is -1"));
    assert!(nmf(Nmf::new(1).with_regularization(0., -1., 0.)).starts_with("alpha_h is -1"));
    assert!(nmf(Nmf::new(1).with_regularization(0., 0., 2.)).starts_with("l1_ratio is 2"));
    let error = message(Nmf::new(1).fit((x - 0.5).view()));
    assert!(error.contains("NMF takes no negative values; shift"), "{error}");
}

struct Broken;

impl RowSource for Broken {
    fn size(&self) -> (usize, usize) {
        (10, 4)
    }

    fn read_part(
        &self,
        row: usize,
        columns: std::ops::Range<usize>,
        out: &mut [f32],
    ) -> ocellus_cluster::Result<()> {
        if row > 0 {
            let (column, source) = (columns.start, "the disk is gone".into());
            return Err(Error::Source { row, column, source });
        }
        out.fill(1.);
        Ok(())
    }
}

#[test]
fn a_source_that_fails_is_told_with_its_reason() {
    let error = Pca::new(1).fit_source(&Broken, 4).unwrap_err();
    assert_eq!(error.to_string(), "the rows from 4 on, from column 0, could not be read");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the disk is gone");
    let mut x = uniform::<f64>(10, 4, 1);
    x[[7, 1]] = f64::NAN;
    let error = message(Pca::new(1).fit_source(&x.view(), 4));
    assert!(error.starts_with("row 7, column 1 is NaN"), "{error}");
}

/// The columns' offset would drown the variance, were it not subtracted first.
#[test]
fn a_large_mean_costs_no_digits() {
    let x = structured::<f32>(200, 30, 3, 9).mapv(|v| (v * 64.).round() / 64.);
    let shifted = &x + 4096.;
    let (a, e) = (Pca::new(3).fit(shifted.view()).unwrap(), Pca::new(3).fit(x.view()).unwrap());
    let ratio = |values: ArrayView1<'_, f32>| values.to_vec();
    for (a, e) in ratio(a.explained_variance()).iter().zip(ratio(e.explained_variance())) {
        assert!((a - e).abs() <= 1e-3 * e, "{a}, expected {e}");
    }
}
