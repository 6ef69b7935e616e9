//! Packed convolutions against the composition of operations.

use candle_core::{DType, Module, Result, Tensor, Var};
use ocellus_testing::{assert_close, fill, relative_error, with_threads};

use super::BOTH;
use crate::simd::with_each_isa;
use crate::{Conv2dConfig, ConvAlgorithm, PackedConv2d, conv2d, relu, with_implementation};

/// (input, weight, configuration)
type Case = ([usize; 4], [usize; 4], Conv2dConfig);

fn cases() -> Vec<Case> {
    let conv = Conv2dConfig::default();
    let winograd = conv.with_padding(1).with_algorithm(ConvAlgorithm::Winograd);
    vec![
        ([2, 3, 5, 6], [4, 3, 3, 3], winograd),
        ([1, 5, 9, 140], [19, 5, 3, 3], winograd), // Whole groups of tiles, and cut ones.
        ([1, 515, 6, 5], [70, 515, 3, 3], winograd), // Filters transformed in parts.
        ([2, 3, 9, 8], [20, 3, 3, 3], conv.with_padding(1).with_stride((2, 2))),
        ([9, 20, 4, 4], [17, 20, 1, 1], conv), // Several images in a panel.
        ([2, 20, 9, 11], [33, 20, 1, 1], conv),
        ([1, 4, 30, 31], [6, 2, 3, 3], conv.with_groups(2)),
    ]
}

fn expected(x: &Tensor, w: &Tensor, b: &Tensor, r: &Tensor, c: &Conv2dConfig) -> Result<Tensor> {
    relu(&(conv2d(x, w, Some(b), c)? + r)?)
}

#[test]
fn a_packed_convolution_equals_the_operations() -> Result<()> {
    for (x, weight, config) in cases() {
        for dtype in [DType::F64, DType::F32] {
            let x = fill(&x[..], 0.1, dtype)?;
            let bias = fill(weight[0], 0.3, dtype)?;
            let weight = fill(&weight[..], 0.2, dtype)?;
            let plain = conv2d(&x, &weight, Some(&bias), &config)?;
            let residual = fill(plain.shape().clone(), 0.5, dtype)?;
            let all = expected(&x, &weight, &bias, &residual, &config)?;
            with_each_isa(|isa| {
                let check = || {
                    let conv = PackedConv2d::new(&weight, Some(&bias), &config)?;
                    let y = conv.forward_fused(&x, Some(&residual), true)?;
                    let tol = if dtype == DType::F64 { 1e-13 } else { 3e-6 };
                    let error = relative_error(&y, &all)?;
                    assert!(error < tol, "{isa:?} {:?}: {error}", x.dims());
                    let error = relative_error(&conv.forward(&x)?, &plain)?;
                    assert!(error < tol, "{isa:?} {:?}: {error}", x.dims());
                    Ok::<_, candle_core::Error>(())
                };
                check().unwrap();
            });
        }
    }
    Ok(())
}

#[test]
fn both_implementations_take_views_and_keep_no_graph() -> Result<()> {
    let config = Conv2dConfig::default().with_padding(1);
    let x = Var::from_tensor(&fill((2, 6, 7, 4), 0.1, DType::F64)?)?;
    let view = x.transpose(1, 3)?; // (2, 4, 7, 6)
    let (weight, bias) = (fill((5, 4, 3, 3), 0.2, DType::F64)?, fill(5, 0.3, DType::F64)?);
    let residual = fill((2, 5, 6, 7), 0.4, DType::F64)?.transpose(2, 3)?;
    let expected = expected(&view, &weight, &bias, &residual, &config)?;
    for which in BOTH {
        with_implementation(which, || {
            let conv = PackedConv2d::new(&weight, Some(&bias), &config)?;
            let y = conv.forward_fused(&view, Some(&residual), true)?;
            assert!(!y.track_op());
            assert_close(&y, &expected, 1e-12)
        })?;
    }
    Ok(())
}

#[test]
fn half_precision_is_computed_in_single() -> Result<()> {
    let x = fill((1, 4, 6, 5), 0.1, DType::F32)?.to_dtype(DType::BF16)?;
    let weight = fill((3, 4, 1, 1), 0.2, DType::F32)?.to_dtype(DType::BF16)?;
    let config = Conv2dConfig::default();
    let y = PackedConv2d::new(&weight, None, &config)?.forward(&x)?;
    assert_eq!(y.dtype(), DType::BF16);
    assert_close(&y, &conv2d(&x, &weight, None, &config)?, 0.)
}

#[test]
fn threads_change_no_bit() -> Result<()> {
    let x = fill((2, 40, 33, 30), 0.1, DType::F32)?;
    for (weight, algorithm) in
        [([24, 40, 3, 3], ConvAlgorithm::Winograd), ([24, 40, 1, 1], ConvAlgorithm::Direct)]
    {
        let weight = fill(&weight[..], 0.2, DType::F32)?;
        let config = Conv2dConfig::default().with_padding(weight.dims()[2] / 2);
        let conv = PackedConv2d::new(&weight, None, &config.with_algorithm(algorithm))?;
        let residual = fill((2, 24, 33, 30), 0.4, DType::F32)?;
        let run = |threads| {
            let y = with_threads(threads, || conv.forward_fused(&x, Some(&residual), true))?;
            y.flatten_all()?.to_vec1::<f32>()
        };
        assert!(run(1)? == run(2)? && run(2)? == run(3)?);
    }
    Ok(())
}

#[test]
fn says_what_does_not_fit() -> Result<()> {
    let config = Conv2dConfig::default();
    let weight = fill((3, 4, 1, 1), 0.2, DType::F32)?;
    let error = PackedConv2d::new(&weight, Some(&fill(4, 0., DType::F32)?), &config).unwrap_err();
    assert!(error.to_string().contains("the bias is [4] F32, but must be [3]"), "{error}");
    let conv = PackedConv2d::new(&weight, None, &config)?;
    let x = fill((1, 4, 6, 5), 0.1, DType::F32)?;
    let error = conv.forward_fused(&x, Some(&x), true).unwrap_err().to_string();
    assert!(error.contains("the residual is [1, 4, 6, 5], but the result [1, 3, 6, 5]"), "{error}");
    let error = conv.forward(&x.to_dtype(DType::F64)?).unwrap_err().to_string();
    assert!(error.contains("the input is F64, the weight F32"), "{error}");
    let error = conv.forward(&x.narrow(1, 0, 3)?).unwrap_err().to_string();
    assert!(error.contains("3 channels"), "{error}");
    Ok(())
}
