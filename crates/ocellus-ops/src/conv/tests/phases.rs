//! Winograd's algorithm for the phases of 4 × 4 convolutions at stride 2 against the direct one.

use candle_core::{DType, Result, Tensor};
use ocellus_testing::{check_op, fill, relative_error};
use proptest::prelude::*;

use super::check_threads;
use crate::simd::with_each_isa;
use crate::testing::gradients;
use crate::{
    Conv2dConfig, ConvAlgorithm, ConvTranspose2dConfig, Padding, conv_transpose2d,
    conv_transpose2d_relu, conv2d, with_conv_algorithm,
};

/// Batch, channels of y and of x, height and width of y; the padding of x's sides.
type Case = ([usize; 5], [usize; 4]);

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (1..4usize, 1..40usize, 1..40usize, 1..30usize, 1..40usize);
    let padding = [0..4usize, 0..4usize, 0..4usize, 0..4usize];
    (sizes.prop_map(|(a, b, c, d, e)| [a, b, c, d, e]), padding)
        .prop_filter("pixels are left", fits)
}

fn fits(&([.., h, w], [top, bottom, left, right]): &Case) -> bool {
    2 * h + 2 > top + bottom && 2 * w + 2 > left + right
}

fn transpose_config([top, bottom, left, right]: [usize; 4]) -> ConvTranspose2dConfig {
    let padding = Padding::new(top, bottom, left, right);
    ConvTranspose2dConfig::default().with_stride((2, 2)).with_padding(padding)
}

/// The transposed convolution y → x and its gradients by y, which is the convolution, and by the
/// weight.
fn transposed(case: &Case, dtype: DType) -> Result<Vec<Tensor>> {
    let &([batch, co, ci, h, w], padding) = case;
    let [top, bottom, left, right] = padding;
    let inputs = [
        fill((batch, co, h, w), 0.1, dtype)?,
        fill((co, ci, 4, 4), 0.2, dtype)?,
        fill(ci, 0.3, dtype)?,
    ];
    let x = (batch, ci, 2 * h + 2 - top - bottom, 2 * w + 2 - left - right);
    let upstream = fill(x, 0.4, dtype)?;
    let config = transpose_config(padding);
    let op = |t: &[Tensor]| conv_transpose2d(&t[0], &t[1], Some(&t[2]), &config);
    let (y, mut all) = gradients(op, &inputs.each_ref(), &upstream)?;
    all.truncate(2);
    all.insert(0, y);
    Ok(all)
}

/// The convolution x → y with a bias, and its gradients by x and by the weight.
fn strided(case: &Case, dtype: DType) -> Result<Vec<Tensor>> {
    let &([batch, co, ci, h, w], [top, bottom, left, right]) = case;
    // One row more than the windows reach.
    let (height, width) = (2 * h + 3 - top - bottom, 2 * w + 2 - left - right);
    let inputs = [
        fill((batch, ci, height, width), 0.1, dtype)?,
        fill((co, ci, 4, 4), 0.2, dtype)?,
        fill(co, 0.3, dtype)?,
    ];
    let upstream = fill((batch, co, h, w), 0.4, dtype)?;
    let config = Conv2dConfig::default()
        .with_stride((2, 2))
        .with_padding(Padding::new(top, bottom, left, right));
    let op = |t: &[Tensor]| conv2d(&t[0], &t[1], Some(&t[2]), &config);
    let (y, mut all) = gradients(op, &inputs.each_ref(), &upstream)?;
    all.truncate(2);
    all.insert(0, y);
    Ok(all)
}

fn run(case: &Case, algorithm: ConvAlgorithm, dtype: DType) -> Result<Vec<Tensor>> {
    with_conv_algorithm(
        algorithm,
        || Ok([transposed(case, dtype)?, strided(case, dtype)?].concat()),
    )
}

fn compare(case: &Case) -> Result<()> {
    let expected = run(case, ConvAlgorithm::Direct, DType::F64)?;
    for (dtype, tol) in [(DType::F64, 1e-13), (DType::F32, 3e-5)] {
        with_each_isa(|isa| {
            let actual = run(case, ConvAlgorithm::Winograd, dtype).unwrap();
            for (n, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
                let error = relative_error(actual, expected).unwrap();
                assert!(error < tol, "{case:?} {isa:?} {dtype:?} tensor {n}: {error}");
            }
        });
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    #[test]
    fn phases_equal_the_direct_convolution(case in cases()) {
        compare(&case).unwrap();
    }
}

#[test]
fn phases_have_exact_gradients() -> Result<()> {
    with_conv_algorithm(ConvAlgorithm::Winograd, || {
        for ([batch, co, ci, h, w], padding) in
            [([2, 3, 2, 5, 6], [1; 4]), ([1, 2, 3, 7, 1], [0, 2, 1, 0])]
        {
            let y = fill((batch, co, h, w), 0.1, DType::F64)?;
            let weight = fill((co, ci, 4, 4), 0.2, DType::F64)?;
            let config = transpose_config(padding);
            check_op(|t| conv_transpose2d(&t[0], &t[1], None, &config), &[y, weight])?;
        }
        Ok(())
    })
}

/// Blocks, panels and channels that are cut: large sizes, and the same bits at any number of threads.
#[test]
fn large_layers_are_exact_and_the_same_on_any_number_of_threads() -> Result<()> {
    for sizes in [[2, 70, 40, 70, 60], [2, 520, 40, 9, 13], [1, 40, 150, 40, 44]] {
        let case = (sizes, [1; 4]);
        let expected = run(&case, ConvAlgorithm::Direct, DType::F64)?;
        // The bound that the documentation of `ConvAlgorithm` states.
        check_threads(&expected, 1e-5, || run(&case, ConvAlgorithm::Winograd, DType::F32))?;
    }
    Ok(())
}

#[test]
fn relu_is_applied_to_phases() -> Result<()> {
    let y = fill((2, 18, 21, 17), 0.1, DType::F32)?;
    let (weight, bias) = (fill((18, 20, 4, 4), 0.2, DType::F32)?, fill(20, 0.3, DType::F32)?);
    let config = transpose_config([1; 4]);
    let run = |algorithm| {
        with_conv_algorithm(algorithm, || conv_transpose2d_relu(&y, &weight, Some(&bias), &config))
    };
    let (actual, expected) = (run(ConvAlgorithm::Winograd)?, run(ConvAlgorithm::Direct)?);
    assert_eq!(actual.min_all()?.to_scalar::<f32>()?, 0.);
    assert!(relative_error(&actual, &expected)? < 1e-5);
    Ok(())
}

/// The table in the documentation of `ConvAlgorithm`.
#[test]
fn layers_of_a_decoder_round_no_more_than_documented() -> Result<()> {
    let bounds = [
        (ConvAlgorithm::Direct, [3e-7, 1.1e-6, 3.1e-7]),
        (ConvAlgorithm::Winograd, [2e-6, 3e-6, 2.6e-6]),
    ];
    for sizes in [[1, 512, 256, 8, 8], [1, 256, 64, 32, 32], [1, 128, 64, 64, 64]] {
        let case = (sizes, [1; 4]);
        let expected = transposed(&case, DType::F64)?;
        for (algorithm, bounds) in bounds {
            let actual = with_conv_algorithm(algorithm, || transposed(&case, DType::F32))?;
            for (n, bound) in bounds.into_iter().enumerate() {
                let error = relative_error(&actual[n], &expected[n])?;
                assert!(error < 2. * bound, "{sizes:?} {algorithm:?} tensor {n}: {error}");
            }
        }
    }
    Ok(())
}
