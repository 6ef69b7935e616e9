use crate::{Case, Estimator, Module, Pass, Solver};

/// Reduction of the features of the quality-grading paper: 2,553 probability maps of 2,100 places.
#[must_use]
pub fn estimator_cases() -> Vec<Case> {
    let input = [1, 1, 2553, 2100];
    let case = |size, what| Case::new(size, Module::Estimator { what }, Pass::Fit, input);
    let pca = |solver| Estimator::Pca { components: 32, solver };
    vec![
        case("2553x2100_to_32", pca(Solver::Covariance)),
        case("2553x2100_to_32", pca(Solver::Randomized)),
        case("2553x2100_to_32", Estimator::Nmf { components: 32, iterations: 200 }),
    ]
}
