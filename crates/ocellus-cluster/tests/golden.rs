//! PCA, NMF and scaling against scikit-learn: `testdata/reduction.py`.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use ndarray::{Array2, ArrayView2, array};
use ocellus_cluster::{
    Components, Divergence, Fit, MinMaxScaler, Nmf, NmfInit, NmfSolver, Pca, PcaSolver,
    StandardScaler, Transform, linalg::product,
};
use serde_json::Value;

fn golden() -> Value {
    let file = format!("{}/testdata/reduction.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// As `fill` of the script.
fn fill(rows: usize, columns: usize, phase: f64) -> Array2<f64> {
    let value = |i: usize| {
        let v = (phase + 12.9898 * i as f64).sin() * 43758.5453;
        v - v.floor()
    };
    Array2::from_shape_fn((rows, columns), |(i, j)| value(i * columns + j))
}

fn small() -> Array2<f64> {
    array![[1., 0., 3.], [2., 1., 0.], [0., 4., 1.], [3., 2., 2.], [5., 0., 1.], [1., 1., 4.]]
}

fn data(case: &Value) -> Array2<f64> {
    match case["data"].as_array() {
        Some(size) => {
            let size = |i: usize| size[i].as_u64().unwrap() as usize;
            fill(size(0), size(1), case["data"][2].as_f64().unwrap())
        }
        None => small(),
    }
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = match value[0].as_array() {
        Some(_) => serde_json::from_value(value.clone()).unwrap(),
        None => vec![serde_json::from_value(value.clone()).unwrap()],
    };
    let columns = rows[0].len();
    Array2::from_shape_vec((rows.len(), columns), rows.concat()).unwrap()
}

#[track_caller]
fn close(what: &str, actual: ArrayView2<'_, f64>, expected: &Array2<f64>, tol: f64) {
    assert_eq!(actual.dim(), expected.dim(), "{what}");
    for (index, e) in expected.indexed_iter() {
        let a = actual[index];
        assert!((a - e).abs() <= tol * (1. + e.abs()), "{what}, {index:?}: {a}, expected {e}");
    }
}

#[test]
fn components_variances_and_transformed_samples_equal_scikit_learns() {
    for case in golden()["pca"].as_array().unwrap() {
        let x = data(case);
        let components = match case["components"].as_u64() {
            Some(count) => Components::Count(count as usize),
            None => Components::Variance(case["components"].as_f64().unwrap()),
        };
        let whiten = case["whiten"].as_bool().unwrap_or_default();
        for solver in [PcaSolver::Auto, PcaSolver::Full, PcaSolver::Gram] {
            let settings = Pca::new(components).with_whiten(whiten).with_solver(solver);
            let model = settings.fit(x.view()).unwrap();
            let row = |values: ndarray::ArrayView1<'_, f64>| {
                values.to_owned().insert_axis(ndarray::Axis(0))
            };
            let check = |what: &str, actual: ArrayView2<'_, f64>| {
                close(what, actual, &matrix(&case[what]), 1e-7);
            };
            check("mean", row(model.mean()).view());
            check("directions", model.components());
            check("variance", row(model.explained_variance()).view());
            check("ratio", row(model.explained_variance_ratio()).view());
            check("singular", row(model.singular_values().view()).view());
            let y = model.transform(x.view()).unwrap();
            check("transformed", y.view());
            check("restored", model.inverse_transform(y.view()).unwrap().view());
            let noise = case["noise"].as_f64().unwrap();
            assert!((model.noise_variance() - noise).abs() < 1e-9);
            assert!(model.converged());
        }
    }
}

#[test]
fn the_published_small_example_holds() {
    let model = Pca::new(2).fit(small().view()).unwrap();
    let variance = model.explained_variance().insert_axis(ndarray::Axis(0));
    close("variances", variance, &array![[4.27099857, 2.66783724]], 1e-8);
    let ratio = model.explained_variance_ratio().insert_axis(ndarray::Axis(0));
    close("ratios", ratio, &array![[0.55951946, 0.34949833]], 1e-8);
    let magnitudes = model.components().mapv(f64::abs);
    let expected =
        array![[0.82825236, 0.53051603, 0.18041831], [0.16235524, 0.53535677, 0.82887508]];
    close("components", magnitudes.view(), &expected, 1e-8);

    let settings = Nmf::new(2).with_max_iterations(5000).with_tolerance(1e-10);
    let model = settings.fit(small().view()).unwrap();
    assert!(model.converged());
    assert!((model.reconstruction_error() - 3.635670655).abs() < 1e-8);
}

fn nmf(case: &Value) -> Nmf {
    let number = |name: &str| case[name].as_f64().unwrap_or_default();
    let multiply = case["solver"] == "mu";
    let relative = case["beta_loss"] == "kullback-leibler";
    let init = if case["init"] == "nndsvd" { NmfInit::Nndsvd } else { NmfInit::Nndsvda };
    Nmf::new(number("n_components") as usize)
        .with_init(init)
        .with_max_iterations(number("max_iter") as usize)
        .with_tolerance(number("tol"))
        .with_solver(if multiply {
            NmfSolver::MultiplicativeUpdate
        } else {
            NmfSolver::CoordinateDescent
        })
        .with_divergence(if relative { Divergence::KullbackLeibler } else { Divergence::Frobenius })
        .with_regularization(number("alpha_W"), number("alpha_H"), number("l1_ratio"))
}

#[test]
fn factors_follow_scikit_learns_iteration_by_iteration() {
    for case in golden()["nmf"].as_array().unwrap() {
        let (model, w) = nmf(case).fit_transform(data(case).view()).unwrap();
        close("h", model.components(), &matrix(&case["h"]), 1e-6);
        close("w", w.view(), &matrix(&case["w"]), 1e-6);
        let error = case["error"].as_f64().unwrap();
        assert!((model.reconstruction_error() - error).abs() < 1e-7, "{case}");
        assert_eq!(model.iterations() as u64, case["iterations"].as_u64().unwrap());
        let restored = product(w.view(), model.components()).unwrap();
        close("restored", model.inverse_transform(w.view()).unwrap().view(), &restored, 1e-12);
    }
}

#[test]
fn random_cases_end_no_worse_than_scikit_learns() {
    for case in golden()["objectives"].as_array().unwrap() {
        let number = |i: usize| case["data"][i].as_f64().unwrap();
        let [rows, columns, rank] = [0, 1, 3].map(|i| number(i) as usize);
        let phase = number(2);
        let exact = fill(rows, rank, phase).dot(&fill(rank, columns, phase + 1.));
        let x = exact + fill(rows, columns, phase + 2.) * 0.1;
        let relative = case["divergence"] == "kullback-leibler";
        let settings = Nmf::new(case["components"].as_u64().unwrap() as usize)
            .with_max_iterations(300)
            .with_tolerance(1e-5);
        let settings = if relative {
            settings
                .with_divergence(Divergence::KullbackLeibler)
                .with_solver(NmfSolver::MultiplicativeUpdate)
        } else {
            settings
        };
        let error = settings.fit(x.view()).unwrap().reconstruction_error();
        let expected = case["nndsvda"].as_f64().unwrap();
        assert!(error <= expected * (1. + 1e-4), "{error}, scikit-learn {expected}: {case}");
    }
}

#[test]
fn scaled_samples_equal_scikit_learns() {
    let (mut x, y) = (fill(9, 4, 0.3), fill(3, 4, 0.7));
    x.column_mut(2).fill(0.7);
    let expected = &golden()["scaling"];
    let standard = StandardScaler::default().fit(x.view()).unwrap().transform(y.view()).unwrap();
    close("standard", standard.view(), &matrix(&expected["standard"]), 1e-9);
    let plain = MinMaxScaler::default().fit(x.view()).unwrap().transform(y.view()).unwrap();
    close("min_max", plain.view(), &matrix(&expected["min_max"]), 1e-9);
    let clipped = MinMaxScaler::default().with_range(-1., 2.).with_clip(true);
    let clipped = clipped.fit(x.view()).unwrap().transform(y.view()).unwrap();
    close("clipped", clipped.view(), &matrix(&expected["clipped"]), 1e-9);
}
