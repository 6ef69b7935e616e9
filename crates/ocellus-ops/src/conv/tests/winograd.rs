//! Winograd's algorithm against the direct one.

use candle_core::{DType, Device, Result, Tensor};
use ocellus_testing::{check_op, fill, relative_error};
use proptest::prelude::*;

use super::check_threads;
use crate::simd::with_each_isa;
use crate::testing::gradients;
use crate::{Conv2dConfig, ConvAlgorithm, Padding, conv2d};

/// Batch, input and output channels, height, width, padding of each side.
type Case = ([usize; 5], [usize; 4]);

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (1..4usize, 1..40usize, 1..40usize, 1..30usize, 1..40usize);
    let padding = [0..4usize, 0..4usize, 0..4usize, 0..4usize];
    (sizes.prop_map(|(a, b, c, d, e)| [a, b, c, d, e]), padding)
}

fn config([top, bottom, left, right]: [usize; 4], algorithm: ConvAlgorithm) -> Conv2dConfig {
    Conv2dConfig::default()
        .with_padding(Padding::new(top, bottom, left, right))
        .with_algorithm(algorithm)
}

/// The output and the gradients by input, weight and bias.
fn run(case: &Case, algorithm: ConvAlgorithm, dtype: DType) -> Result<Vec<Tensor>> {
    let &([batch, ci, co, h, w], padding) = case;
    let inputs = [
        fill((batch, ci, h, w), 0.1, dtype)?,
        fill((co, ci, 3, 3), 0.2, dtype)?,
        fill(co, 0.3, dtype)?,
    ];
    let [top, bottom, left, right] = padding;
    let upstream = fill((batch, co, h + top + bottom - 2, w + left + right - 2), 0.4, dtype)?;
    let config = config(padding, algorithm);
    let conv = |t: &[Tensor]| conv2d(&t[0], &t[1], Some(&t[2]), &config);
    let (y, mut all) = gradients(conv, &inputs.each_ref(), &upstream)?;
    all.insert(0, y);
    Ok(all)
}

fn compare(case: &Case) -> Result<()> {
    let expected = run(case, ConvAlgorithm::Direct, DType::F64)?;
    for (dtype, tol) in [(DType::F64, 1e-13), (DType::F32, 3e-5)] {
        with_each_isa(|isa| {
            let actual = run(case, ConvAlgorithm::Winograd, dtype).unwrap();
            // The gradient by the bias is no work of the algorithm, and may cancel to nearly nothing.
            for (n, (actual, expected)) in actual.iter().zip(&expected).take(3).enumerate() {
                let error = relative_error(actual, expected).unwrap();
                assert!(error < tol, "{case:?} {isa:?} {dtype:?} tensor {n}: {error}");
            }
        });
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn winograd_equals_the_direct_convolution(case in cases()) {
        let ([_, _, _, h, w], [top, bottom, left, right]) = case;
        prop_assume!(h + top + bottom > 2 && w + left + right > 2);
        compare(&case).unwrap();
    }
}

#[test]
fn winograd_has_exact_gradients() -> Result<()> {
    for ([batch, ci, co, h, w], padding) in
        [([2, 3, 2, 5, 6], [1; 4]), ([1, 2, 3, 9, 4], [0, 2, 1, 0]), ([1, 1, 1, 1, 2], [2; 4])]
    {
        let (x, weight) =
            (fill((batch, ci, h, w), 0.1, DType::F64)?, fill((co, ci, 3, 3), 0.2, DType::F64)?);
        let config = config(padding, ConvAlgorithm::Winograd);
        check_op(|t| conv2d(&t[0], &t[1], None, &config), &[x, weight])?;
    }
    Ok(())
}

/// Blocks, phases and runs of tiles: large sizes, and the same bits at any number of threads.
#[test]
fn large_layers_are_exact_and_the_same_on_any_number_of_threads() -> Result<()> {
    for sizes in [[2, 40, 70, 66, 70], [3, 520, 40, 13, 9], [1, 200, 150, 20, 22]] {
        let case = (sizes, [1; 4]);
        let expected = run(&case, ConvAlgorithm::Direct, DType::F64)?;
        // The bound that the documentation of `ConvAlgorithm` states.
        check_threads(&expected, 1e-5, || run(&case, ConvAlgorithm::Winograd, DType::F32))?;
    }
    Ok(())
}

/// The table in the documentation of `ConvAlgorithm`.
#[test]
fn layers_of_vgg16_round_no_more_than_documented() -> Result<()> {
    let bounds = [
        (ConvAlgorithm::Direct, [1.2e-6, 1.2e-6, 4e-7]),
        (ConvAlgorithm::Winograd, [2.3e-6, 2.2e-6, 2.7e-6]),
    ];
    for sizes in [[1, 64, 64, 64, 64], [1, 256, 512, 8, 8], [2, 512, 512, 8, 8]] {
        let case = (sizes, [1; 4]);
        let expected = run(&case, ConvAlgorithm::Direct, DType::F64)?;
        for (algorithm, bounds) in bounds {
            let actual = run(&case, algorithm, DType::F32)?;
            for (n, bound) in bounds.into_iter().enumerate() {
                let error = relative_error(&actual[n], &expected[n])?;
                assert!(error < 2. * bound, "{sizes:?} {algorithm:?} tensor {n}: {error}");
            }
        }
    }
    Ok(())
}

#[test]
fn refuses_what_winograd_cannot_compute() -> Result<()> {
    let x = Tensor::zeros((1, 2, 8, 8), DType::F32, &Device::Cpu)?;
    let weight = Tensor::zeros((2, 2, 3, 3), DType::F32, &Device::Cpu)?;
    let config =
        Conv2dConfig::default().with_stride((2, 2)).with_algorithm(ConvAlgorithm::Winograd);
    let error = conv2d(&x, &weight, None, &config).unwrap_err().to_string();
    assert!(error.contains("stride (2, 2)") && error.contains("ConvAlgorithm::Auto"), "{error}");
    Ok(())
}
