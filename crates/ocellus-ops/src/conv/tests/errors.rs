use candle_core::{DType, Device, Result, Tensor};

use crate::{Conv2dConfig, ConvTranspose2dConfig, conv_transpose2d, conv2d};

fn zeros(shape: &[usize]) -> Result<Tensor> {
    Tensor::zeros(shape, DType::F32, &Device::Cpu)
}

/// Panics unless convolving zeros of these shapes fails with a message that holds `part`.
#[track_caller]
fn refused(x: &[usize], weight: &[usize], config: Conv2dConfig, part: &str) -> Result<()> {
    let error = conv2d(&zeros(x)?, &zeros(weight)?, None, &config).unwrap_err().to_string();
    assert!(error.contains(part), "{error}");
    Ok(())
}

#[test]
fn shapes_that_do_not_fit_are_refused_with_a_reason() -> Result<()> {
    let conv = Conv2dConfig::default();
    refused(&[1, 4, 8, 8], &[2, 3, 3, 3], conv, "the input has 4 channels")?;
    refused(&[1, 4, 8, 8], &[2, 4, 3, 3], conv.with_groups(2), "takes 8")?;
    refused(
        &[1, 4, 8, 8],
        &[3, 2, 3, 3],
        conv.with_groups(2),
        "3 output channels are no multiple",
    )?;
    refused(&[1, 4, 8], &[2, 4, 3, 3], conv, "4 dimensions")?;
    refused(&[1, 4, 8, 8], &[2, 4, 3], conv, "4 dimensions")?;
    refused(&[1, 1, 2, 8], &[1, 1, 5, 3], conv.with_padding(1), "height 5")?;
    refused(&[1, 1, 8, 2], &[1, 1, 3, 3], conv.with_dilation((1, 2)), "covers 5 pixels")?;
    refused(&[1, 1, 8, 8], &[1, 1, 3, 3], conv.with_stride((0, 1)), "stride (0, 1)")?;
    refused(&[1, 1, 8, 8], &[1, 1, 3, 3], conv.with_dilation((1, 0)), "dilation (1, 0)")?;
    refused(&[1, 1, 8, 8], &[1, 1, 3, 3], conv.with_groups(0), "groups")?;
    refused(&[1, 0, 8, 8], &[1, 0, 3, 3], conv, "empty")?;
    refused(&[1, 1, 8, 8], &[1, 1, 3, 3], conv.with_padding(usize::MAX), "overflow")
}

#[test]
fn operands_that_do_not_fit_are_refused_with_a_reason() -> Result<()> {
    let (x, weight, conv) = (zeros(&[1, 2, 4, 4])?, zeros(&[3, 2, 3, 3])?, Conv2dConfig::default());
    let error = conv2d(&x, &weight, Some(&zeros(&[2])?), &conv).unwrap_err().to_string();
    assert!(error.contains("the bias is [2]") && error.contains("3 channels"), "{error}");
    let error = conv2d(&x, &weight.to_dtype(DType::F64)?, None, &conv).unwrap_err().to_string();
    assert!(error.contains("the weight F64"), "{error}");
    let bytes = (x.to_dtype(DType::U8)?, weight.to_dtype(DType::U8)?);
    let error = conv2d(&bytes.0, &bytes.1, None, &conv).unwrap_err().to_string();
    assert!(error.contains("got U8"), "{error}");
    Ok(())
}

#[test]
fn transposed_shapes_that_do_not_fit_are_refused_with_a_reason() -> Result<()> {
    let conv = ConvTranspose2dConfig::default();
    let cases = [
        ([1, 3, 2, 2], conv, "the input has 3 channels"),
        ([1, 4, 2, 2], conv.with_groups(3), "no multiple of 3 groups"),
        ([1, 4, 1, 1], conv.with_padding(2), "leaves nothing"),
        ([1, 4, 0, 1], conv, "leaves nothing"),
        ([1, 4, 2, 2], conv.with_output_padding((1, 0)), "must be less than the stride"),
    ];
    for (x, config, part) in cases {
        let weight = zeros(&[4, 2, 3, 3])?;
        let error = conv_transpose2d(&zeros(&x)?, &weight, None, &config).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    Ok(())
}

#[test]
fn an_empty_batch_gives_an_empty_batch() -> Result<()> {
    let y = conv2d(&zeros(&[0, 2, 4, 4])?, &zeros(&[3, 2, 3, 3])?, None, &Conv2dConfig::default())?;
    assert_eq!(y.dims(), [0, 3, 2, 2]);
    Ok(())
}
