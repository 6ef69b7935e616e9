use crate::{Case, Estimator, Module, Pass, Solver};

/// Reduction and clustering of the features of the quality-grading paper: 2,553 probability maps of
/// 2,100 places, and what 32 components leave of them.
#[must_use]
pub fn estimator_cases() -> Vec<Case> {
    let of = |size, features, what| {
        Case::new(size, Module::Estimator { what }, Pass::Fit, [1, 1, 2553, features])
    };
    let case = |size, what| of(size, 2100, what);
    let kmeans = Estimator::Kmeans { clusters: 2, runs: 10 };
    let pca = |solver| Estimator::Pca { components: 32, solver };
    vec![
        case("2553x2100_to_32", pca(Solver::Covariance)),
        case("2553x2100_to_32", pca(Solver::Randomized)),
        case("2553x2100_to_32", Estimator::Nmf { components: 32, iterations: 200 }),
        case("2553x2100", kmeans),
        of("2553x32", 32, kmeans),
        of("2553x32", 32, Estimator::Ward),
        of("2553x32", 32, Estimator::Gmm { components: 2, iterations: 100 }),
    ]
}
