use candle_core::{Result, Tensor, Var};
use ocellus_testing::{Golden, assert_close};

use crate::testing::all;
use crate::{
    Conv2dConfig, ConvTranspose2dConfig, Padding, conv_transpose2d, conv2d, with_implementation,
};

/// Compares output and gradients of a golden case.
fn check(
    golden: &Golden,
    case: &str,
    op: impl Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>,
) -> Result<()> {
    let var = |key: &str| Var::from_tensor(golden.get(&format!("input.{case}.{key}"))?);
    let (x, weight, bias) = (var("x")?, var("weight")?, var("bias")?);
    for which in all() {
        eprintln!("{case}, {which:?}");
        let y = with_implementation(which, || op(&x, &weight, &bias))?;
        assert_close(&y, golden.get(&format!("output.{case}.y"))?, 1e-12)?;
        let grads = (y * golden.get(&format!("input.{case}.grad"))?)?.sum_all()?.backward()?;
        for (key, var) in [("x", &x), ("weight", &weight), ("bias", &bias)] {
            let grad = grads.get(var).expect("a gradient");
            assert_close(grad, golden.get(&format!("output.{case}.{key}"))?, 1e-12)?;
        }
    }
    Ok(())
}

#[test]
fn convolution_matches_pytorch() -> Result<()> {
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "conv2d")?;
    let conv = Conv2dConfig::default();
    let cases = [
        ("same", conv.with_padding(1)),
        ("strided", conv.with_padding(1).with_stride((2, 3))),
        ("stem", conv.with_padding(3).with_stride((2, 2))),
        ("dilated", conv.with_padding(2).with_dilation((2, 3)).with_groups(2)),
        ("depthwise", conv.with_padding(1).with_groups(3)),
        ("pointwise", conv),
        ("asymmetric", conv.with_padding(Padding::new(0, 3, 2, 1))),
    ];
    for (case, config) in cases {
        check(&golden, case, |x, w, b| conv2d(x, w, Some(b), &config))?;
    }
    Ok(())
}

#[test]
fn transposed_convolution_matches_pytorch() -> Result<()> {
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "conv_transpose2d")?;
    let conv = ConvTranspose2dConfig::default();
    let two = conv.with_stride((2, 2)).with_padding(1);
    let cases = [
        ("double", two),
        ("odd", two.with_output_padding((1, 1))),
        ("plain", conv),
        ("oblong", conv.with_stride((3, 2)).with_padding((0, 1)).with_output_padding((2, 0))),
        (
            "dilated",
            conv.with_dilation((2, 2))
                .with_groups(2)
                .with_padding((1, 2))
                .with_output_padding((1, 0)),
        ),
    ];
    for (case, config) in cases {
        check(&golden, case, |x, w, b| conv_transpose2d(x, w, Some(b), &config))?;
    }
    Ok(())
}
