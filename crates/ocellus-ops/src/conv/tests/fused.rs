use candle_core::{DType, Result, Tensor};
use ocellus_testing::{assert_close, check_op, fill};

use crate::testing::all;
use crate::testing::gradients;
use crate::{
    Conv2dConfig, ConvAlgorithm, ConvTranspose2dConfig, conv_transpose2d, conv_transpose2d_relu,
    conv2d, conv2d_relu, relu, with_implementation,
};

/// (input, weight, configuration)
type Case = ([usize; 4], [usize; 4], Conv2dConfig);

fn cases() -> [Case; 4] {
    let conv = Conv2dConfig::default();
    let winograd = conv.with_padding(1).with_algorithm(ConvAlgorithm::Winograd);
    [
        ([2, 3, 5, 6], [4, 3, 3, 3], winograd),
        ([2, 3, 5, 6], [4, 3, 3, 3], conv.with_padding(1).with_stride((2, 2))),
        ([9, 3, 4, 4], [4, 3, 1, 1], conv), // Several images in a tile.
        ([1, 4, 30, 31], [6, 2, 3, 3], conv.with_groups(2)),
    ]
}

/// That values and gradients of `one` are those of `two`, in both implementations.
fn check(
    one: impl Fn(&[Tensor]) -> Result<Tensor> + Copy,
    two: impl Fn(&[Tensor]) -> Result<Tensor> + Copy,
    inputs: &[&Tensor],
) -> Result<()> {
    let tensors: Vec<_> = inputs.iter().map(|&x| x.clone()).collect();
    let upstream = fill(two(&tensors)?.shape().clone(), 0.4, DType::F64)?;
    for which in all() {
        with_implementation(which, || {
            let (expected, expected_grads) = gradients(two, inputs, &upstream)?;
            let (y, grads) = gradients(one, inputs, &upstream)?;
            assert_close(&y, &expected, 0.)?;
            for (grad, expected) in grads.iter().zip(&expected_grads) {
                assert_close(grad, expected, 0.)?;
            }
            Ok::<_, candle_core::Error>(())
        })?;
    }
    Ok(())
}

#[test]
fn a_convolution_with_relu_equals_the_two() -> Result<()> {
    for (x, weight, config) in cases() {
        let x = fill(&x[..], 0.1, DType::F64)?;
        let bias = fill(weight[0], 0.3, DType::F64)?;
        let weight = fill(&weight[..], 0.2, DType::F64)?;
        let two = |t: &[Tensor]| relu(&conv2d(&t[0], &t[1], t.get(2), &config)?);
        let one = |t: &[Tensor]| conv2d_relu(&t[0], &t[1], t.get(2), &config);
        check(one, two, &[&x, &weight])?;
        check(one, two, &[&x, &weight, &bias])?;
    }
    Ok(())
}

#[test]
fn a_transposed_convolution_with_relu_equals_the_two() -> Result<()> {
    let conv = ConvTranspose2dConfig::default().with_padding(1);
    // One phase, two, three, a kernel that skips pixels, and one image row cut.
    for (stride, kernel, width) in [(1, 3, 5), (2, 4, 21), (3, 4, 7), (3, 2, 6), (2, 3, 40)] {
        let config = conv.with_stride((stride, stride));
        let x = fill((2, 3, 4, width), 0.1, DType::F64)?;
        let weight = fill((3, 5, kernel, kernel), 0.2, DType::F64)?;
        let bias = fill(5, 0.3, DType::F64)?;
        let two = |t: &[Tensor]| relu(&conv_transpose2d(&t[0], &t[1], t.get(2), &config)?);
        let one = |t: &[Tensor]| conv_transpose2d_relu(&t[0], &t[1], t.get(2), &config);
        check(one, two, &[&x, &weight, &bias])?;
    }
    Ok(())
}

#[test]
fn a_convolution_with_relu_has_exact_gradients() -> Result<()> {
    let (x, weight, config) = cases()[0];
    let (x, bias) = (fill(&x[..], 0.1, DType::F64)?, fill(weight[0], 0.3, DType::F64)?);
    let weight = fill(&weight[..], 0.2, DType::F64)?;
    for which in all() {
        let op = |t: &[Tensor]| {
            with_implementation(which, || conv2d_relu(&t[0], &t[1], Some(&t[2]), &config))
        };
        check_op(op, &[x.clone(), weight.clone(), bias.clone()])?;
    }
    Ok(())
}
