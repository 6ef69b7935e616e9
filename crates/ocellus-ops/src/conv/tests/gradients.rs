use candle_core::{DType, Result};
use ocellus_testing::{assert_close, check_op, fill};

use crate::testing::all;
use crate::{
    Conv2dConfig, ConvTranspose2dConfig, Padding, conv_transpose2d, conv2d, with_implementation,
};

/// (input, weight, configuration)
type Case<C> = ([usize; 4], [usize; 4], C);

fn check_conv(cases: &[Case<Conv2dConfig>]) -> Result<()> {
    for (input, weight, config) in cases {
        let x = fill(&input[..], 0.1, DType::F64)?;
        let w = fill(&weight[..], 0.2, DType::F64)?;
        let b = fill(weight[0], 0.3, DType::F64)?;
        for which in all() {
            eprintln!("{input:?} {weight:?} {config:?} {which:?}");
            let op =
                |t: &[_]| with_implementation(which, || conv2d(&t[0], &t[1], t.get(2), config));
            check_op(op, &[x.clone(), w.clone()])?;
            check_op(op, &[x.clone(), w.clone(), b.clone()])?;
        }
    }
    Ok(())
}

fn check_transpose(cases: &[Case<ConvTranspose2dConfig>]) -> Result<()> {
    for (input, weight, config) in cases {
        let x = fill(&input[..], 0.1, DType::F64)?;
        let w = fill(&weight[..], 0.2, DType::F64)?;
        let b = fill(weight[1] * config.groups, 0.3, DType::F64)?;
        for which in all() {
            eprintln!("{input:?} {weight:?} {config:?} {which:?}");
            let op = |t: &[_]| {
                with_implementation(which, || conv_transpose2d(&t[0], &t[1], t.get(2), config))
            };
            check_op(op, &[x.clone(), w.clone()])?;
            check_op(op, &[x.clone(), w.clone(), b.clone()])?;
        }
    }
    Ok(())
}

#[test]
fn a_linear_layers_weight_is_that_of_a_point() -> Result<()> {
    let (x, b) = (fill((2, 3, 5, 6), 0.1, DType::F64)?, fill(4, 0.3, DType::F64)?);
    let w = fill((4, 3), 0.2, DType::F64)?;
    let config = Conv2dConfig::default();
    for which in all() {
        let op = |t: &[_]| with_implementation(which, || conv2d(&t[0], &t[1], t.get(2), &config));
        let inputs = [x.clone(), w.clone(), b.clone()];
        check_op(op, &inputs)?;
        let square = w.reshape((4, 3, 1, 1))?;
        assert_close(&op(&inputs)?, &op(&[x.clone(), square, b.clone()])?, 0.)?;
    }
    Ok(())
}

#[test]
fn convolutions_have_exact_gradients() -> Result<()> {
    let conv = Conv2dConfig::default();
    check_conv(&[
        ([2, 3, 5, 6], [4, 3, 3, 3], conv.with_padding(1)),
        ([1, 2, 7, 5], [3, 2, 3, 3], conv),
        ([2, 2, 7, 8], [3, 2, 3, 3], conv.with_stride((2, 2)).with_padding(1)),
        ([1, 2, 9, 7], [2, 2, 2, 3], conv.with_stride((3, 2))),
        ([1, 2, 4, 5], [2, 2, 3, 2], conv.with_padding(Padding::new(2, 0, 1, 3))),
        ([1, 2, 8, 7], [2, 2, 3, 3], conv.with_dilation((2, 3)).with_padding((2, 3))),
        ([1, 2, 3, 3], [2, 2, 3, 3], conv.with_padding(4)), // More padding than the kernel reaches.
    ])
}

#[test]
fn grouped_and_pointwise_convolutions_have_exact_gradients() -> Result<()> {
    let conv = Conv2dConfig::default();
    check_conv(&[
        ([2, 4, 5, 4], [6, 2, 3, 3], conv.with_groups(2).with_padding(1)),
        ([2, 3, 5, 4], [3, 1, 3, 3], conv.with_groups(3).with_padding(1)),
        ([1, 2, 5, 5], [4, 1, 3, 3], conv.with_groups(2).with_stride((2, 2)).with_padding(1)),
        ([2, 5, 3, 4], [3, 5, 1, 1], conv),
        ([1, 3, 5, 6], [2, 3, 1, 1], conv.with_stride((2, 3))),
        ([1, 2, 3, 3], [2, 2, 1, 1], conv.with_padding((1, 0))),
        ([1, 1, 1, 1], [1, 1, 1, 1], conv),
    ])
}

#[test]
fn transposed_convolutions_have_exact_gradients() -> Result<()> {
    let conv = ConvTranspose2dConfig::default();
    let two = conv.with_stride((2, 2));
    check_transpose(&[
        ([2, 3, 3, 4], [3, 2, 4, 4], two.with_padding(1)),
        ([1, 2, 3, 4], [2, 3, 3, 3], two.with_padding(1).with_output_padding((1, 0))),
        ([1, 2, 4, 3], [2, 2, 3, 3], conv.with_padding(1)),
        ([1, 2, 3, 3], [2, 2, 2, 3], conv.with_stride((3, 1)).with_output_padding((2, 0))),
        ([1, 2, 3, 4], [2, 2, 3, 2], two.with_padding(Padding::new(0, 1, 1, 0))),
        ([1, 2, 3, 3], [2, 2, 3, 3], conv.with_dilation((2, 2)).with_output_padding((1, 1))),
        ([2, 4, 3, 3], [4, 2, 3, 3], two.with_groups(2).with_padding(1)),
        ([1, 3, 3, 3], [3, 1, 2, 2], two.with_groups(3)),
        ([1, 3, 2, 4], [3, 2, 1, 1], conv),
        ([1, 2, 2, 2], [2, 2, 1, 1], two), // Some output pixels get nothing.
    ])
}
