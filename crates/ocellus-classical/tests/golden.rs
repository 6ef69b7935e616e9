//! Against scikit-learn: see `testdata`.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use ndarray::{Array2, Axis, s};
use ocellus_classical::{
    ClassWeights, ClassifierModel, FitLabeled, Gamma, GaussianNaiveBayes, Kernel,
    LogisticRegression, Penalty, PlattScaling, Predict, Svm,
};
use serde_json::Value;

fn read(name: &str) -> Value {
    let path = format!("{}/testdata/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[track_caller]
fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

#[track_caller]
fn indices(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

#[track_caller]
fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

/// Relative to the largest expected value.
#[track_caller]
fn close(actual: &Array2<f64>, expected: &Array2<f64>, tolerance: f64, name: &str) {
    assert_eq!(actual.dim(), expected.dim(), "{name}");
    let scale = expected.iter().map(|v| v.abs()).fold(0., f64::max);
    let worst = (actual - expected).iter().map(|d| d.abs()).fold(0., f64::max);
    assert!(worst <= tolerance * scale, "{name}: off by {:e} relative", worst / scale);
}

fn weights(settings: &Value) -> ClassWeights {
    match settings.get("class_weight") {
        None => ClassWeights::Equal,
        Some(Value::String(_)) => ClassWeights::Balanced,
        Some(given) => ClassWeights::Given(numbers(given)),
    }
}

fn svm(case: &Value) -> Svm {
    let settings = &case["settings"];
    let number = |name: &str| settings.get(name).and_then(Value::as_f64);
    let gamma = match settings.get("gamma") {
        Some(Value::String(name)) if name == "auto" => Gamma::Auto,
        Some(Value::Number(gamma)) => Gamma::Value(gamma.as_f64().unwrap()),
        _ => Gamma::Scale,
    };
    let constant = number("coef0").unwrap_or(0.);
    let kernel = match case["kernel"].as_str().unwrap() {
        "linear" => Kernel::Linear,
        "poly" => Kernel::Polynomial { degree: number("degree").unwrap() as u32, gamma, constant },
        "sigmoid" => Kernel::Sigmoid { gamma, constant },
        _ => Kernel::Rbf { gamma },
    };
    Svm::default()
        .with_c(number("C").unwrap())
        .with_kernel(kernel)
        .with_class_weights(weights(settings))
        .with_tolerance(1e-10)
}

#[test]
fn support_vector_machines_are_those_of_scikit_learn() {
    let golden = read("svm");
    for case in golden["cases"].as_array().unwrap() {
        let set = &golden["sets"][case["classes"].to_string()];
        let (x, y, new) = (matrix(&set["x"]), indices(&set["y"]), matrix(&set["new"]));
        let name = format!("{} of {} classes", case["name"], case["classes"]);
        for settings in [svm(case), svm(case).with_shrinking(false), svm(case).with_cache_bytes(0)]
        {
            let model = settings.fit(x.view(), &y).unwrap();
            assert!(model.converged(), "{name}");
            assert_eq!(model.support(), indices(&case["support"]), "{name}");
            assert_eq!(model.support_vectors(), x.select(Axis(0), model.support()), "{name}");
            close(&model.dual_coefficients(), &matrix(&case["dual"]), 1e-6, &name);
            let row = |values: Vec<f64>| Array2::from_shape_vec((1, values.len()), values).unwrap();
            close(&row(model.intercepts()), &row(numbers(&case["intercept"])), 1e-6, &name);
            let one_vs_one = model.decision_one_vs_one(new.view()).unwrap();
            close(&one_vs_one, &matrix(&case["one_vs_one"]), 1e-6, &name);
            let one_vs_rest = model.decision_one_vs_rest(new.view()).unwrap();
            close(&one_vs_rest, &matrix(&case["one_vs_rest"]), 1e-6, &name);
            assert_eq!(model.predict(new.view()).unwrap(), indices(&case["predicted"]), "{name}");
            let settings = settings.with_break_ties(true);
            let model = settings.fit(x.view(), &y).unwrap();
            assert_eq!(model.predict(new.view()).unwrap(), indices(&case["tie_free"]), "{name}");
        }
    }
}

#[test]
fn the_dual_objective_is_not_above_scikit_learns() {
    let golden = read("svm");
    let cases = golden["cases"].as_array().unwrap();
    for case in cases.iter().filter(|c| c["classes"] == 2 && c["kernel"] == "rbf") {
        let set = &golden["sets"]["2"];
        let (x, y) = (matrix(&set["x"]), indices(&set["y"]));
        let gamma = match &case["settings"]["gamma"] {
            Value::Number(gamma) => gamma.as_f64().unwrap(),
            Value::String(name) if name == "auto" => 0.25,
            _ => 1. / (4. * x.var(0.)),
        };
        let kernel =
            |i: usize, j: usize| (-gamma * (&x.row(i) - &x.row(j)).mapv(|d| d * d).sum()).exp();
        let objective = |support: &[usize], dual: &[f64]| {
            let mut sum = 0.;
            for (&i, a) in support.iter().zip(dual) {
                sum -= a.abs();
                sum +=
                    support.iter().zip(dual).map(|(&j, b)| a * b * kernel(i, j)).sum::<f64>() / 2.;
            }
            sum
        };
        let model = svm(case).fit(x.view(), &y).unwrap();
        let ours = objective(model.support(), &model.dual_coefficients().row(0).to_vec());
        let theirs = objective(&indices(&case["support"]), &numbers(&case["dual"][0]));
        assert!(ours <= theirs + 1e-7 * theirs.abs(), "{ours} above {theirs}");
        assert!((model.objectives()[0] - ours).abs() <= 1e-6 * ours.abs());
    }
}

#[test]
fn platt_scalings_are_those_of_scikit_learn() {
    for case in read("svm")["platt"].as_array().unwrap() {
        let positive: Vec<bool> =
            case["positive"].as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect();
        let scaling = PlattScaling::fit(&numbers(&case["decisions"]), &positive);
        for (ours, theirs) in
            [(scaling.slope, &case["slope"]), (scaling.intercept, &case["intercept"])]
        {
            let theirs = theirs.as_f64().unwrap();
            assert!((ours - theirs).abs() < 1e-5 * theirs.abs().max(1.), "{ours}, {theirs}");
        }
    }
}

#[test]
fn naive_bayes_is_that_of_scikit_learn() {
    let golden = read("naive_bayes");
    let (x, y, new) = (matrix(&golden["x"]), indices(&golden["y"]), matrix(&golden["new"]));
    for case in golden["cases"].as_array().unwrap() {
        let settings = &case["settings"];
        let mut bayes = GaussianNaiveBayes::default();
        if let Some(smoothing) = settings.get("var_smoothing") {
            bayes = bayes.with_smoothing(smoothing.as_f64().unwrap());
        }
        if let Some(priors) = settings.get("priors") {
            bayes = bayes.with_priors(numbers(priors));
        }
        let model = bayes.fit(x.view(), &y).unwrap();
        close(&model.means().to_owned(), &matrix(&case["means"]), 1e-12, "means");
        close(&model.variances().to_owned(), &matrix(&case["variances"]), 1e-12, "variances");
        let joint = model.joint_log_likelihood(new.view()).unwrap();
        close(&joint, &matrix(&case["joint"]), 1e-12, "joint");
        let log = model.predict_log_proba(new.view()).unwrap();
        close(&log, &matrix(&case["log_proba"]), 1e-12, "log-probabilities");
        assert_eq!(model.predict(new.view()).unwrap(), indices(&case["predicted"]));
    }
}

#[test]
fn logistic_coefficients_are_those_of_scikit_learn() {
    let golden = read("logistic");
    for case in golden["cases"].as_array().unwrap() {
        let set = &golden["sets"][case["classes"].to_string()];
        let (x, y, new) = (matrix(&set["x"]), indices(&set["y"]), matrix(&set["new"]));
        let settings = &case["settings"];
        let penalty =
            settings.get("C").map_or(Penalty::None, |c| Penalty::L2 { c: c.as_f64().unwrap() });
        let model = LogisticRegression::default()
            .with_penalty(penalty)
            .with_class_weights(weights(settings))
            .with_intercept(settings.get("fit_intercept").is_none())
            .with_tolerance(1e-10)
            .fit(x.view(), &y)
            .unwrap();
        let name = format!("{settings} of {} classes", case["classes"]);
        assert!(model.converged(), "{name}");
        close(&model.coefficients().to_owned(), &matrix(&case["coefficients"]), 1e-6, &name);
        let intercepts = model.intercepts().insert_axis(Axis(0)).to_owned();
        let expected = numbers(&case["intercepts"]);
        let expected = Array2::from_shape_vec((1, expected.len()), expected).unwrap();
        close(&intercepts, &expected, 1e-6, &name);
        let probabilities = model.predict_proba(new.view()).unwrap();
        close(&probabilities, &matrix(&case["probabilities"]), 1e-6, &name);
        let single = new.mapv(|v| v as f32);
        let single = model.predict_proba(single.slice(s![..3, ..])).unwrap();
        close(&single, &probabilities.slice(s![..3, ..]).to_owned(), 1e-5, &name);
    }
}
