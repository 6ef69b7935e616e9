//! The dense CRF against its authors' code and against sums in Python (`testdata/crf.py`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::PI;

use ocellus_satellite::{AppearanceFilter, Compatibility, CrfBlock, DenseCrf, KernelNormalization};
use ocellus_testing::Golden;

/// Costs of labels in the cases `matrix`.
const COSTS: [f64; 9] = [0., 1.5, 0.4, 1.5, 0., 2., 0.4, 2., 0.];

struct Case {
    image: Vec<f32>,
    bands: usize,
    probabilities: Vec<f32>,
    expected: Vec<f32>,
}

impl Case {
    fn new(name: &str, output: &str) -> Self {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "crf").unwrap();
        let get = |name: &str| golden.get(name).unwrap();
        let flat = |name: &str| get(name).flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let image = format!("input.{name}.image");
        Self {
            bands: get(&image).dims()[0],
            image: flat(&image),
            probabilities: flat(&format!("input.{name}.probabilities")),
            expected: flat(output),
        }
    }

    fn block(&self) -> CrfBlock<'_> {
        CrfBlock::new(&self.image, self.bands, 18, 23).unwrap().with_origin(5, 7)
    }

    fn largest_error(&self, actual: &[f32]) -> f32 {
        assert_eq!(actual.len(), self.expected.len());
        let errors = actual.iter().zip(&self.expected).map(|(a, e)| (a - e).abs());
        errors.fold(0., f32::max)
    }
}

fn normalizations() -> [(&'static str, KernelNormalization); 4] {
    [
        ("none", KernelNormalization::None),
        ("before", KernelNormalization::Before),
        ("after", KernelNormalization::After),
        ("symmetric", KernelNormalization::Symmetric),
    ]
}

/// Their lattice multiplies by 1 / (1 + 2^−d); ours by what makes its kernel weigh as much as the Gaussian.
fn gain_of_the_authors(dims: i32) -> f64 {
    let d = f64::from(dims);
    let ours = (4. * PI / 3.).powf(d / 2.) * (d + 1.).sqrt() / 2f64.powi(dims + 1);
    1. / (1. + 0.5f64.powi(dims)) / ours
}

#[test]
fn the_lattice_equals_that_of_the_authors() {
    for (case, weight, position, value, dims) in
        [("two", 4., 9., 25., 5), ("three", 2., 6.3, 15.7, 3)]
    {
        for (name, normalization) in normalizations() {
            let case = Case::new(case, &format!("output.lattice.{case}.{name}"));
            let scale = if name == "none" { 0.005 * gain_of_the_authors(dims) } else { 1. };
            let crf = DenseCrf::default()
                .with_appearance(weight * scale, position, value)
                .with_smoothness(0., 1.)
                .with_normalization(normalization)
                .with_filter(AppearanceFilter::Lattice)
                .with_iterations(5);
            let error =
                case.largest_error(&crf.refine(&case.probabilities, &case.block()).unwrap());
            assert!(error < 2e-6, "{name}: {error}");
        }
    }
}

#[test]
fn the_lattice_of_six_dimensions_equals_that_of_the_authors() {
    let case = Case::new("four", "output.lattice.four.symmetric");
    let crf = DenseCrf::default()
        .with_appearance(3., 12., 30.)
        .with_smoothness(0., 1.)
        .with_filter(AppearanceFilter::Lattice)
        .with_iterations(5);
    let error = case.largest_error(&crf.refine(&case.probabilities, &case.block()).unwrap());
    assert!(error < 2e-6, "{error}");

    let case = Case::new("four", "output.lattice.four.matrix");
    let crf =
        crf.with_appearance(2., 12., 30.).with_compatibility(Compatibility::Matrix(COSTS.to_vec()));
    let error = case.largest_error(&crf.refine(&case.probabilities, &case.block()).unwrap());
    assert!(error < 2e-6, "{error}");
}

#[test]
fn exact_sums_equal_those_in_python() {
    for (name, normalization) in normalizations() {
        let case = Case::new("two", &format!("output.exact.two.{name}"));
        let scale = if name == "none" { 0.02 } else { 1. };
        let crf = DenseCrf::default()
            .with_appearance(4. * scale, 9., 25.)
            .with_smoothness(2. * scale, 2.)
            .with_normalization(normalization)
            .with_iterations(5);
        let refined = crf.refine_exact(&case.probabilities, &case.block()).unwrap();
        let error = case.largest_error(&refined);
        assert!(error < 2e-7, "{name}: {error}");
    }
    let case = Case::new("four", "output.exact.four.matrix");
    let crf = DenseCrf::default()
        .with_appearance(3., 12., 30.)
        .with_smoothness(1., 3.)
        .with_compatibility(Compatibility::Matrix(COSTS.to_vec()))
        .with_iterations(5);
    let error = case.largest_error(&crf.refine_exact(&case.probabilities, &case.block()).unwrap());
    assert!(error < 2e-7, "{error}");
}
