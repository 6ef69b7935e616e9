//! How the operations behave in candle's graph, and beside candle's own.

use candle_core::{DType, Result, Tensor, Var};
use ocellus_testing::{assert_close, fill};

use crate::testing::all;
use crate::{Conv2dConfig, ConvTranspose2dConfig, conv_transpose2d, conv2d, with_implementation};

fn pair() -> Result<(Tensor, Tensor)> {
    Ok((fill((2, 3, 8, 8), 0.1, DType::F32)?, fill((4, 3, 3, 3), 0.2, DType::F32)?))
}

#[test]
fn candle_agrees_where_it_is_right() -> Result<()> {
    let (x, weight) = pair()?;
    let (x, weight) = (Var::from_tensor(&x)?, Var::from_tensor(&weight)?);
    let config = Conv2dConfig::default().with_stride((2, 2)).with_padding(1);
    let own = conv2d(&x, &weight, None, &config)?;
    let candle = x.conv2d(&weight, 1, 2, 1, 1)?;
    assert_close(&own, &candle, 1e-5)?;
    let (own, candle) = (own.sqr()?.backward()?, candle.sqr()?.backward()?);
    for var in [&x, &weight] {
        let (own, candle) = (own.get(var).unwrap(), candle.get(var).unwrap());
        assert_close(own, candle, 1e-4)?;
    }
    Ok(())
}

#[test]
fn candle_agrees_on_transposed_convolutions() -> Result<()> {
    let x = Var::from_tensor(&fill((2, 3, 4, 4), 0.1, DType::F32)?)?;
    let weight = Var::from_tensor(&fill((3, 2, 4, 4), 0.2, DType::F32)?)?;
    let config = ConvTranspose2dConfig::default().with_stride((2, 2)).with_padding(1);
    let own = conv_transpose2d(&x, &weight, None, &config)?;
    let candle = x.conv_transpose2d(&weight, 1, 0, 2, 1)?;
    assert_close(&own, &candle, 1e-5)?;
    let (own, candle) = (own.sqr()?.backward()?, candle.sqr()?.backward()?);
    for var in [&x, &weight] {
        let (own, candle) = (own.get(var).unwrap(), candle.get(var).unwrap());
        assert_close(own, candle, 1e-4)?;
    }
    Ok(())
}

#[test]
fn no_gradient_is_computed_for_an_image_or_a_frozen_weight() -> Result<()> {
    let (x, weight) = pair()?;
    let config = Conv2dConfig::default();
    let trained = Var::from_tensor(&weight)?;
    let grads = conv2d(&x, &trained, None, &config)?.backward()?;
    assert!(grads.get(&trained).is_some() && grads.get(&x).is_none());

    let input = Var::from_tensor(&x)?;
    let grads = conv2d(&input, &weight, None, &config)?.backward()?;
    assert!(grads.get(&input).is_some() && grads.get(&weight).is_none());
    Ok(())
}

#[test]
fn half_types_keep_their_type_and_get_gradients() -> Result<()> {
    let (x, weight) = pair()?;
    let config = Conv2dConfig::default().with_padding(1);
    let expected = conv2d(&x, &weight, None, &config)?;
    for dtype in [DType::F16, DType::BF16] {
        for which in all() {
            let x = Var::from_tensor(&x.to_dtype(dtype)?)?;
            let weight = Var::from_tensor(&weight.to_dtype(dtype)?)?;
            let y = with_implementation(which, || conv2d(&x, &weight, None, &config))?;
            assert_eq!(y.dtype(), dtype);
            assert_close(&y, &expected, 0.05)?;
            let grads = y.backward()?;
            assert_eq!(grads.get(&weight).unwrap().dtype(), dtype);
            assert_eq!(grads.get(&x).unwrap().dtype(), dtype);
        }
    }
    Ok(())
}
