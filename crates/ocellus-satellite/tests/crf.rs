//! Laws of the dense CRF, and how near the lattice comes to exact sums.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ocellus_satellite::{AppearanceFilter, Compatibility, CrfBlock, DenseCrf, KernelNormalization};
use ocellus_testing::with_threads;

/// An image with buildings on a shaded ground, and noisy probabilities of what is where.
struct Scene {
    image: Vec<f32>,
    probabilities: Vec<f32>,
    bands: usize,
    height: usize,
    width: usize,
}

/// What distinguishes the classes in each band.
const LEVELS: [[f32; 4]; 4] =
    [[0., 0., 0., 0.], [1., 0.7, 0.8, -0.4], [-0.7, -0.5, -0.6, 0.9], [0.4, -0.8, 0.6, 0.5]];

/// Uniform in −1 to 1, by the golden ratio's hash.
fn noise(key: usize) -> f32 {
    let mut z = (key as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.
}

/// Nearly normal, of variance 1.
fn normal(key: usize) -> f32 {
    (0..6).map(|i| noise(key * 6 + i)).sum::<f32>() * 0.5f32.sqrt()
}

impl Scene {
    /// `contrast` is that of classes in the image, `grain` its noise, `doubt` that of the logits.
    fn new(bands: usize, classes: usize, size: [usize; 2], noise: [f32; 3]) -> Self {
        let ([height, width], [contrast, grain, doubt]) = (size, noise);
        let pixels = height * width;
        let label = |pixel: usize| {
            let (y, x) = (pixel / width, pixel % width);
            let (cell_y, cell_x) = (y / 14, x / 17);
            let kind = (cell_y * 5 + cell_x * 3) % (classes + 1);
            let inside = y % 14 > 2 && x % 17 > 3 && (y % 14 < 9 || x % 17 < 11);
            if inside { kind % classes } else { 0 }
        };
        let image = (0..bands * pixels).map(|at| {
            let (band, pixel) = (at / pixels, at % pixels);
            let (y, x) = ((pixel / width) as f32, (pixel % width) as f32);
            let shade = 6. * (y / 9.).sin() + 6. * (x / 13.).cos();
            let level = 100. + contrast * LEVELS[label(pixel) % 4][band % 4];
            (level + shade + grain * normal(5_000_000 + at)).round()
        });
        let image = image.collect();
        let mut probabilities = vec![0.; classes * pixels];
        for pixel in 0..pixels {
            let logit = |class: usize| {
                let truth = if label(pixel) == class { 2. } else { 0. };
                (truth + doubt * normal(9_000_000 + pixel * classes + class)).exp()
            };
            let sum: f32 = (0..classes).map(logit).sum();
            for class in 0..classes {
                probabilities[class * pixels + pixel] = logit(class) / sum;
            }
        }
        Self { image, probabilities, bands, height, width }
    }

    fn block(&self) -> CrfBlock<'_> {
        CrfBlock::new(&self.image, self.bands, self.height, self.width).unwrap()
    }

    fn refine(&self, crf: &DenseCrf) -> Vec<f32> {
        crf.refine(&self.probabilities, &self.block()).unwrap()
    }

    fn labels(&self, probabilities: &[f32]) -> Vec<usize> {
        let pixels = self.height * self.width;
        let best = |pixel: usize| {
            let planes = probabilities[pixel..].iter().step_by(pixels).enumerate();
            planes.max_by(|a, b| a.1.total_cmp(b.1)).map(|(class, _)| class).unwrap()
        };
        (0..pixels).map(best).collect()
    }
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0., f32::max)
}

fn agreement(a: &[usize], b: &[usize]) -> f64 {
    a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64
}

/// Which part of the labels of `refine` are those of `refine_exact`, with each filter, and which part
/// the latter changes.
fn compare<const N: usize>(
    scene: &Scene,
    crf: &DenseCrf,
    filters: [AppearanceFilter; N],
) -> ([f64; N], f64) {
    let exact = crf.refine_exact(&scene.probabilities, &scene.block()).unwrap();
    let labels = scene.labels(&exact);
    let before = scene.labels(&scene.probabilities);
    let refined = |filter| scene.labels(&scene.refine(&crf.clone().with_filter(filter)));
    let agreements = filters.map(|filter| agreement(&refined(filter), &labels));
    (agreements, 1. - agreement(&before, &labels))
}

#[test]
fn both_filters_agree_with_exact_sums_on_99_percent_of_the_labels() {
    for (bands, classes) in [(1, 2), (3, 3), (4, 2)] {
        for (grain, doubt) in [(4., 1.5), (10., 1.)] {
            let scene = Scene::new(bands, classes, [40, 44], [60., grain, doubt]);
            for (weight, position, value) in [(10., 80., 13.), (5., 20., 20.), (2., 10., 30.)] {
                let crf = DenseCrf::default().with_appearance(weight, position, value);
                let filters = [crf.filter, AppearanceFilter::Lattice];
                let (agreements, changed) = compare(&scene, &crf, filters);
                let case = format!(
                    "{bands} bands, {classes} classes, grain {grain}, θ {position}, {value}"
                );
                assert!(agreements.iter().all(|a| *a >= 0.99), "{case}: {agreements:?}");
                assert!(changed > 0.05, "{case}: {changed}");
            }
        }
    }
}

#[test]
fn where_strong_kernels_make_objects_tip_landmarks_agree_on_99_percent_the_lattice_on_95() {
    // Classes 40 apart: one to three θβ.
    for (bands, grain, weight, position, value) in [
        (1, 4., 5., 20., 20.),
        (3, 4., 4., 10., 30.),
        (4, 4., 4., 10., 30.),
        (3, 10., 10., 80., 13.),
    ] {
        let scene = Scene::new(bands, 3, [48, 52], [40., grain, 1.5]);
        let crf = DenseCrf::default().with_appearance(weight, position, value);
        let filters = [crf.filter, AppearanceFilter::Lattice];
        let ([landmarks, lattice], _) = compare(&scene, &crf, filters);
        let case = format!("{bands} bands, θ {position}, {value}: {landmarks}, {lattice}");
        assert!(landmarks >= 0.995 && lattice >= 0.95, "{case}");
    }
}

#[test]
fn smoothness_alone_equals_exact_sums() {
    let scene = Scene::new(2, 4, [30, 70], [60., 5., 1.5]);
    for theta in [0.4, 3., 25.] {
        let crf = DenseCrf::default().with_appearance(0., 1., 1.).with_smoothness(4., theta);
        let exact = crf.refine_exact(&scene.probabilities, &scene.block()).unwrap();
        let difference = largest_difference(&scene.refine(&crf), &exact);
        assert!(difference < 2e-5, "θ {theta}: {difference}");
    }
}

#[test]
fn a_constant_image_is_smoothed_by_position_only() {
    let mut scene = Scene::new(3, 2, [40, 44], [60., 5., 1.]);
    scene.image.fill(123.);
    let wide = DenseCrf::default().with_appearance(3., 6., 10.).with_smoothness(0., 1.);
    let gaussian = DenseCrf::default().with_appearance(0., 1., 1.).with_smoothness(3., 6.);
    let exact = |crf: &DenseCrf| crf.refine_exact(&scene.probabilities, &scene.block()).unwrap();
    assert!(largest_difference(&exact(&wide), &exact(&gaussian)) < 1e-6);
    // The image's level does not matter to sums; it moves the lattice, so a little to the fast path.
    let (a, b) = (scene.refine(&wide), scene.refine(&gaussian));
    assert!(agreement(&scene.labels(&a), &scene.labels(&b)) >= 0.98);
}

#[test]
fn without_weights_the_probabilities_come_back() {
    let scene = Scene::new(3, 4, [9, 13], [60., 5., 1.]);
    let crf = DenseCrf::default().with_appearance(0., 80., 13.).with_smoothness(0., 3.);
    assert!(largest_difference(&scene.refine(&crf), &scene.probabilities) < 1e-6);
    let crf = DenseCrf::default().with_iterations(0);
    assert!(largest_difference(&scene.refine(&crf), &scene.probabilities) < 1e-6);
    let crf = crf.with_min_probability(0.5);
    assert!(scene.refine(&crf).iter().all(|p| (0.1..0.6).contains(p)));
}

#[test]
fn permuted_labels_permute_the_result() {
    let scene = Scene::new(3, 3, [40, 50], [60., 5., 1.5]);
    let pixels = 2000;
    let order = [2, 0, 1];
    let permute = |planes: &[f32]| -> Vec<f32> {
        order.iter().flat_map(|&class| &planes[class * pixels..][..pixels]).copied().collect()
    };
    let costs = [0., 1.5, 0.4, 1.5, 0., 2., 0.4, 2., 0.];
    let moved = order.iter().flat_map(|&a| order.iter().map(move |&b| costs[a * 3 + b])).collect();
    let crf = DenseCrf::default().with_iterations(4);
    let pairs = [
        (crf.clone(), crf.clone()),
        (
            crf.clone().with_compatibility(Compatibility::Matrix(costs.to_vec())),
            crf.with_compatibility(Compatibility::Matrix(moved)),
        ),
    ];
    for (crf, permuted) in pairs {
        let expected = permute(&scene.refine(&crf));
        let actual = permuted.refine(&permute(&scene.probabilities), &scene.block()).unwrap();
        assert!(largest_difference(&actual, &expected) < 2e-5);
    }
}

#[test]
fn a_matrix_of_equal_costs_is_potts() {
    let scene = Scene::new(3, 3, [40, 50], [60., 5., 1.5]);
    let potts = DenseCrf::default();
    let matrix = (0..9).map(|i| if i % 4 == 0 { 0. } else { 1. }).collect();
    let matrix = potts.clone().with_compatibility(Compatibility::Matrix(matrix));
    assert!(largest_difference(&scene.refine(&potts), &scene.refine(&matrix)) < 2e-5);
}

#[test]
fn probabilities_sum_to_one_and_are_the_same_bits_at_any_number_of_threads() {
    for (classes, size) in [(2, [70, 300]), (3, [65, 129]), (6, [33, 40])] {
        let scene = Scene::new(4, classes, size, [60., 10., 1.5]);
        let crf = DenseCrf::default().with_appearance(4., 30., 15.).with_iterations(3);
        let filter = if classes == 3 { AppearanceFilter::Lattice } else { crf.filter };
        let crf = crf.with_filter(filter);
        let refined = with_threads(1, || scene.refine(&crf));
        let pixels = size[0] * size[1];
        for pixel in 0..pixels {
            let sum: f32 = refined[pixel..].iter().step_by(pixels).sum();
            assert!((sum - 1.).abs() < 1e-6, "{sum}");
        }
        for threads in [2, 3] {
            let again = with_threads(threads, || scene.refine(&crf));
            let same = refined.iter().zip(&again).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{threads} threads");
        }
    }
}

#[test]
fn pixels_without_data_take_no_part() {
    let mut scene = Scene::new(3, 2, [40, 50], [60., 5., 1.]);
    let pixels = 2000;
    // The right half of the image is missing: the left one must come out as if it were alone.
    let valid: Vec<bool> = (0..pixels).map(|pixel| pixel % 50 < 25).collect();
    let left = |planes: &[f32]| -> Vec<f32> {
        planes.iter().enumerate().filter(|(at, _)| valid[at % pixels]).map(|(_, &v)| v).collect()
    };
    let (image, probabilities) = (left(&scene.image), left(&scene.probabilities));
    for at in (0..3 * pixels).filter(|at| !valid[at % pixels]) {
        scene.image[at] = f32::NAN;
        if at < 2 * pixels {
            scene.probabilities[at] = [f32::NAN, 17., -1.][at % 3];
        }
    }
    let alone = CrfBlock::new(&image, 3, 40, 25).unwrap();
    let masked = scene.block().with_valid(&valid).unwrap();
    for crf in
        [DenseCrf::default(), DenseCrf::default().with_normalization(KernelNormalization::Before)]
    {
        for refine in [DenseCrf::refine, DenseCrf::refine_exact] {
            let whole = refine(&crf, &scene.probabilities, &masked).unwrap();
            let expected = refine(&crf, &probabilities, &alone).unwrap();
            assert!(largest_difference(&left(&whole), &expected) < 1e-5);
            let kept = (0..2 * pixels).filter(|at| !valid[at % pixels]);
            let kept = kept.map(|at| (whole[at].to_bits(), scene.probabilities[at].to_bits()));
            assert!(kept.into_iter().all(|(a, b)| a == b));
        }
    }
    let nothing = vec![false; pixels];
    let empty = scene.block().with_valid(&nothing).unwrap();
    for refine in [DenseCrf::refine, DenseCrf::refine_exact] {
        let whole = refine(&DenseCrf::default(), &scene.probabilities, &empty).unwrap();
        assert!(whole.iter().zip(&scene.probabilities).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}

#[test]
fn images_of_one_pixel_and_of_one_line_are_refined() {
    for size in [[1, 1], [1, 2], [1, 300], [300, 1], [2, 2], [33, 129]] {
        let scene = Scene::new(2, 2, size, [60., 5., 1.]);
        let crf = DenseCrf::default().with_appearance(2., 8., 20.);
        let refined = scene.refine(&crf);
        assert!(refined.iter().all(|p| (0. ..=1.).contains(p)));
        if size[0] * size[1] <= 300 {
            let ([agreement], _) = compare(&scene, &crf, [crf.filter]);
            assert!(agreement >= 0.98, "{size:?}: {agreement}");
        }
    }
}

#[test]
fn a_block_with_its_margin_comes_out_as_in_the_whole_scene() {
    let scene = Scene::new(3, 2, [150, 210], [60., 8., 1.2]);
    let crf = DenseCrf::default().with_appearance(3., 12., 20.);
    let margin = crf.margin();
    assert_eq!(margin, 36);
    let whole = scene.refine(&crf);
    let (top, left, height, width) = (30, 50, 110, 120);
    let cut = |planes: &[f32]| -> Vec<f32> {
        let inside = |at: usize| {
            let (y, x) = (at / 210 % 150, at % 210);
            (top..top + height).contains(&y) && (left..left + width).contains(&x)
        };
        planes.iter().enumerate().filter(|(at, _)| inside(*at)).map(|(_, &v)| v).collect()
    };
    let image = cut(&scene.image);
    let block = CrfBlock::new(&image, 3, height, width).unwrap().with_origin(top, left);
    let refined = crf.refine(&cut(&scene.probabilities), &block).unwrap();
    let expected = cut(&whole);
    let inner = (0..2 * height * width).filter(|at| {
        let (y, x) = (at / width % height, at % width);
        (margin..height - margin).contains(&y) && (margin..width - margin).contains(&x)
    });
    let worst = inner.map(|at| (refined[at] - expected[at]).abs()).fold(0., f32::max);
    assert!(worst < 0.02, "{worst}");
}

#[test]
fn bad_input_is_told_with_its_place_and_the_remedy() {
    let scene = Scene::new(2, 2, [4, 5], [60., 5., 1.]);
    let message = |change: &dyn Fn(&mut Vec<f32>, &mut Vec<f32>)| {
        let (mut probabilities, mut image) = (scene.probabilities.clone(), scene.image.clone());
        change(&mut probabilities, &mut image);
        let block = CrfBlock::new(&image, 2, 4, 5).unwrap();
        let crf = DenseCrf::default();
        let error = crf.refine(&probabilities, &block).unwrap_err();
        let exact = crf.refine_exact(&probabilities, &block).unwrap_err();
        assert_eq!(exact.to_string(), error.to_string());
        error.to_string()
    };
    for bad in [f32::NAN, f32::INFINITY, -0.1, 1.5] {
        let text = message(&|p, _| p[27] = bad);
        assert!(
            text.starts_with(&format!("probabilities[1, 1, 2] (class, row, column) is {bad}")),
            "{text}"
        );
    }
    assert!(message(&|p, _| p[7] = 0.).contains("row 1, column 2 sum to"));
    assert!(message(&|_, image| image[39] = f32::NAN).starts_with("image[1, 3, 4]"));
    assert!(message(&|p, _| p.truncate(39)).contains("no multiple of the image's 4×5"));
    assert!(message(&|p, _| p.truncate(20)).starts_with("1 classes"));
    assert!(message(&|p, _| p.clear()).starts_with("0 classes"));
    let far = DenseCrf::default().with_appearance(1., 80., 1e-9);
    let error = far.refine(&scene.probabilities, &scene.block()).unwrap_err().to_string();
    assert!(error.contains("raise θβ"), "{error}");
    assert!(far.refine_exact(&scene.probabilities, &scene.block()).is_ok());
}

#[test]
fn wrong_settings_are_told() {
    let crf = DenseCrf::default;
    let text = |crf: DenseCrf| crf.check().unwrap_err().to_string();
    for bad in [0., -1., f64::NAN, f64::INFINITY] {
        assert!(text(crf().with_appearance(1., bad, 1.)).starts_with("appearance_position is"));
        assert!(text(crf().with_appearance(1., 1., bad)).starts_with("appearance_value is"));
        assert!(text(crf().with_smoothness(1., bad)).starts_with("smoothness_position is"));
    }
    for bad in [-1., f64::NAN, f64::INFINITY] {
        assert!(text(crf().with_appearance(bad, 1., 1.)).starts_with("appearance_weight is"));
        assert!(text(crf().with_smoothness(bad, 1.)).starts_with("smoothness_weight is"));
    }
    for bad in [0., -1., 0.6, f64::NAN] {
        assert!(text(crf().with_min_probability(bad)).starts_with("min_probability is"));
    }
    let matrix = |costs: &[f64]| crf().with_compatibility(Compatibility::Matrix(costs.to_vec()));
    let nothing = AppearanceFilter::Landmarks { most: 0 };
    assert!(text(crf().with_filter(nothing)).starts_with("0 landmarks"));
    assert!(text(matrix(&[0., 1.])).contains("no square"));
    assert!(text(matrix(&[0., 1., 2., 0.])).contains("no direction"));
    assert!(text(matrix(&[0., f64::NAN, 1., 0.])).contains("finite cost"));
    let scene = Scene::new(1, 3, [4, 5], [60., 5., 1.]);
    let error = matrix(&[0., 1., 1., 0.]).refine(&scene.probabilities, &scene.block()).unwrap_err();
    assert!(error.to_string().contains("has 4 entries, expected 3×3"), "{error}");
}
