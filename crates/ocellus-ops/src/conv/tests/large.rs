//! Inputs that the kernels cut into several tiles, parts, runs and blocks.

use candle_core::{DType, Result, Tensor, Var};
use ocellus_testing::{assert_close, fill};

use super::check_threads;
use crate::{
    Conv2dConfig, ConvTranspose2dConfig, Implementation, conv_transpose2d, conv2d,
    with_implementation,
};

/// (input, weight, configuration)
type Case<C> = ([usize; 4], [usize; 4], C);

fn convolutions() -> Vec<Case<Conv2dConfig>> {
    let conv = Conv2dConfig::default();
    vec![
        ([2, 70, 31, 33], [17, 70, 3, 3], conv.with_padding(1)), // Strips, two parts of channels.
        ([7, 6, 9, 11], [300, 6, 3, 3], conv.with_padding(1)), // Sets of images, blocks of filters.
        ([3, 8, 40, 37], [12, 4, 3, 3], conv.with_groups(2).with_stride((2, 2)).with_padding(1)),
        ([2, 33, 30, 30], [20, 33, 1, 1], conv), // In place.
        ([1, 3, 4, 700], [5, 3, 3, 3], conv.with_padding(1)), // A row wider than a tile.
    ]
}

fn transposed() -> Vec<Case<ConvTranspose2dConfig>> {
    let conv = ConvTranspose2dConfig::default();
    vec![
        ([3, 20, 25, 26], [20, 70, 4, 4], conv.with_stride((2, 2)).with_padding(1)),
        ([9, 20, 8, 7], [20, 40, 3, 3], conv.with_stride((2, 2)).with_output_padding((1, 1))),
        ([2, 16, 30, 23], [16, 4, 3, 3], conv.with_groups(2).with_padding(1)),
    ]
}

/// The output and the gradients by input, weight and bias.
fn run(
    tensors: &[Tensor; 3],
    op: impl Fn(&Tensor, &Tensor, Option<&Tensor>) -> Result<Tensor>,
) -> Result<Vec<Tensor>> {
    let [x, weight, bias] = tensors.each_ref().map(Var::from_tensor);
    let (x, weight, bias) = (x?, weight?, bias?);
    let y = op(&x, &weight, Some(&bias))?;
    let upstream = fill(y.shape().clone(), 0.4, y.dtype())?;
    let grads = (&y * upstream)?.sum_all()?.backward()?;
    let mut all = vec![y];
    for var in [&x, &weight, &bias] {
        all.push(grads.get(var).expect("a gradient").clone());
    }
    Ok(all)
}

fn inputs(x: &[usize], weight: &[usize], bias: usize, dtype: DType) -> Result<[Tensor; 3]> {
    Ok([fill(x, 0.1, dtype)?, fill(weight, 0.2, dtype)?, fill(bias, 0.3, dtype)?])
}

/// Kernel and composition agree in f64, and the kernel gives the same bits on 1, 2 and 3 threads.
fn check(
    x: &[usize],
    weight: &[usize],
    bias: usize,
    op: impl Fn(&Tensor, &Tensor, Option<&Tensor>) -> Result<Tensor> + Copy + Send + Sync,
) -> Result<()> {
    eprintln!("{x:?} {weight:?}");
    let double = inputs(x, weight, bias, DType::F64)?;
    let expected = with_implementation(Implementation::Composed, || run(&double, op))?;
    for (actual, expected) in run(&double, op)?.iter().zip(&expected) {
        assert_close(actual, expected, 1e-11)?;
    }
    let single = inputs(x, weight, bias, DType::F32)?;
    check_threads(&expected, 1e-5, || run(&single, op))
}

#[test]
fn large_convolutions_are_exact_and_the_same_on_any_number_of_threads() -> Result<()> {
    for (x, weight, config) in convolutions() {
        check(&x, &weight, weight[0], |x, w, b| conv2d(x, w, b, &config))?;
    }
    Ok(())
}

#[test]
fn large_transposed_convolutions_are_exact_and_the_same_on_any_number_of_threads() -> Result<()> {
    for (x, weight, config) in transposed() {
        let channels = weight[1] * config.groups;
        check(&x, &weight, channels, |x, w, b| conv_transpose2d(x, w, b, &config))?;
    }
    Ok(())
}
