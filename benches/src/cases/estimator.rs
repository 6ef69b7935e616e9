use crate::{Case, Estimator, Module, Pass, Solver};

/// Reduction and clustering of the features of the quality-grading paper: 2,553 probability maps of
/// 2,100 places, and what 32 components leave of them; support vector machines, a forest and features
/// of images at the sizes of the paper on blood cells.
#[must_use]
pub fn estimator_cases() -> Vec<Case> {
    let any = |size, input, what| Case::new(size, Module::Estimator { what }, Pass::Fit, input);
    let sized = |size, samples, features, what| any(size, [1, 1, samples, features], what);
    let of = |size, features, what| sized(size, 2553, features, what);
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
        sized("424x768", 424, 768, Estimator::Svm { predict: true }),
        sized("5000x256", 5000, 256, Estimator::Svm { predict: false }),
        sized("100x2000x256", 2000, 256, Estimator::Forest { trees: 100 }),
        any("400x512", [400, 1, 512, 512], Estimator::ImageFeatures),
    ]
}
