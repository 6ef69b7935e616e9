//! Every layer with weights of f32, given images of bf16 and f16.

use candle_core::{DType, Device, Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use ocellus_layers::{
    AttentionGate, AttentionGateConfig, AttentionNormalization, BatchNorm2d, BatchNorm2dConfig,
    Conv2d, Conv2dConfig, ConvBlock, ConvBlockConfig, ConvNorm2d, ConvTranspose2d,
    ConvTranspose2dConfig, DeconvBlock, Dropout, Linear, LinearBlock, LinearBlockConfig,
    LinearConfig, Noise, ResidualUnit, ResidualUnitConfig,
};
use ocellus_testing::{check_half, fill};

/// A layer rounds its weights, its output and its gradient. Found: 2.5e-3 and 3e-3 in bf16, 4e-4 and 5e-4 in f16.
const LAYER: (f64, f64) = (5e-3, 6e-3);

/// Behind a ReLU, of few values: one that comes out on its other side changes the gradient by a twentieth.
/// Found: 4.6e-3 and 0.078 in bf16, 7e-4 and 9e-4 in f16.
const UNIT: (f64, f64) = (1e-2, 0.15);

/// A gate of one channel, whose scores are rounded before their range is stretched to 0 ..= 1. Found: 1.8e-2 and 1.7e-2 in
/// bf16, 2.2e-3 and 3.3e-3 in f16.
const GATE: (f64, f64) = (3.5e-2, 3.5e-2);

fn images() -> Result<Tensor> {
    fill((3, 4, 11, 9), 0.1, DType::F32)
}

fn check<M: ModuleT>(
    build: impl Fn(VarBuilder<'static>) -> Result<M>,
    x: Tensor,
    tolerances: (f64, f64),
) -> Result<()> {
    check_half(build, |layer, x| layer.forward_t(&x[0], true), &[x], tolerances)
}

#[test]
fn convolutions_compute_in_the_type_of_their_input() -> Result<()> {
    let conv = Conv2dConfig::new(4, 6, 3).with_padding(1).with_stride((2, 1)).with_groups(2);
    check(|vb| Conv2d::new(&conv, vb), images()?, LAYER)?;
    check_half(
        |vb| Conv2d::new(&conv, vb),
        |layer, x| layer.forward_relu(&x[0]),
        &[images()?],
        UNIT,
    )?;
    let up = ConvTranspose2dConfig::new(4, 3, 4).with_stride((2, 2)).with_padding(1);
    check(|vb| ConvTranspose2d::new(&up, vb), images()?, LAYER)?;
    check_half(
        |vb| ConvTranspose2d::new(&up, vb),
        |layer, x| layer.forward_relu(&x[0]),
        &[images()?],
        UNIT,
    )
}

#[test]
fn linear_layers_compute_in_the_type_of_their_input() -> Result<()> {
    let x = fill((2, 5, 24), 0.2, DType::F32)?;
    check(|vb| Linear::new(&LinearConfig::new(24, 7), vb), x.clone(), LAYER)?;
    let block = LinearBlockConfig::new(24, 32).with_dropout(0.5);
    check(|vb| LinearBlock::new(&block, &Noise::seeded(3), vb), x, UNIT)
}

#[test]
fn batch_normalization_keeps_parameters_and_statistics_in_f32() -> Result<()> {
    check(|vb| BatchNorm2d::new(&BatchNorm2dConfig::new(4), vb), images()?, LAYER)?;
    check_half(
        |vb| BatchNorm2d::new(&BatchNorm2dConfig::new(4), vb),
        |norm, x| norm.forward_relu_t(&x[0], Some(&x[1]), true),
        &[images()?, fill((3, 4, 11, 9), 0.7, DType::F32)?],
        UNIT,
    )?;
    // With the running statistics too.
    check_half(
        |vb| BatchNorm2d::new(&BatchNorm2dConfig::new(4).with_momentum(None), vb),
        |norm, x| norm.forward_t(&norm.forward_t(&x[0], true)?, false),
        &[images()?],
        UNIT,
    )
}

#[test]
fn units_compute_in_the_type_of_their_input() -> Result<()> {
    let conv = Conv2dConfig::new(4, 6, 3).with_padding(1).with_bias(false);
    check(|vb| ConvNorm2d::new(&conv, vb.pp("conv"), vb.pp("bn")), images()?, UNIT)?;
    for batch_norm in [false, true] {
        let block = ConvBlockConfig::new(4, 5, 3).with_batch_norm(batch_norm);
        check(|vb| ConvBlock::new(&block, vb), images()?, UNIT)?;
    }
    let up = ConvTranspose2dConfig::new(4, 3, 4).with_stride((2, 2)).with_padding(1);
    check(|vb| DeconvBlock::new(&up, vb), images()?, UNIT)?;
    for unit in [
        ResidualUnitConfig::basic(4, 4),
        ResidualUnitConfig::basic(4, 8).with_stride((2, 2)),
        ResidualUnitConfig::bottleneck(4, 2, 8).with_stride((2, 2)),
    ] {
        check(|vb| ResidualUnit::new(&unit, vb), images()?, UNIT)?;
    }
    Ok(())
}

#[test]
fn attention_gates_compute_in_the_type_of_their_input() -> Result<()> {
    let signal = fill((3, 6, 5, 4), 0.3, DType::F32)?;
    for normalization in [
        AttentionNormalization::Sigmoid,
        AttentionNormalization::Softmax,
        AttentionNormalization::SumShifted,
        AttentionNormalization::Range,
    ] {
        let mut config = AttentionGateConfig::paper(4, 6);
        config.normalization = normalization;
        let build = |vb| AttentionGate::new(&config, vb);
        let inputs = [images()?, signal.clone()];
        check_half(build, |gate, x| Ok(gate.forward_t(&x[0], &x[1], true)?.value), &inputs, GATE)?;
        check_half(build, |gate, x| gate.forward_t(&x[0], &x[1], true)?.pooled(), &inputs, GATE)?;
    }
    let build = |vb| AttentionGate::new(&AttentionGateConfig::sononet(4, 6), vb);
    check_half(
        build,
        |gate, x| Ok(gate.forward_t(&x[0], &x[1], true)?.value),
        &[images()?, signal.clone()],
        GATE,
    )?;
    // The map is as wide as what it was normalized in.
    let gate = build(VarBuilder::zeros(DType::F32, &Device::Cpu))?;
    let (x, g) = (images()?.to_dtype(DType::BF16)?, signal.to_dtype(DType::BF16)?);
    let gated = gate.forward(&x, &g)?;
    assert_eq!((gated.value.dtype(), gated.map.dtype()), (DType::BF16, DType::F32));
    Ok(())
}

#[test]
fn dropout_keeps_the_type_and_the_mask() -> Result<()> {
    let dropout = Dropout::new(0.5, &Noise::seeded(5), "d")?;
    let x = Tensor::ones(1000, DType::F32, &Device::Cpu)?;
    let expected = dropout.forward_t(&x, true)?.to_vec1::<f32>()?;
    for dtype in [DType::BF16, DType::F16] {
        let y = dropout.forward_t(&x.to_dtype(dtype)?, true)?;
        assert_eq!(y.dtype(), dtype);
        assert_eq!(y.to_dtype(DType::F32)?.to_vec1::<f32>()?, expected);
    }
    Ok(())
}

#[test]
fn a_type_that_is_no_half_is_still_refused() -> Result<()> {
    let layer = Linear::new(&LinearConfig::new(3, 2), VarBuilder::zeros(DType::F64, &Device::Cpu))?;
    let error = layer.forward(&fill((1, 3), 0.1, DType::F32)?).unwrap_err().to_string();
    assert!(error.contains("the input is F32, the weight F64"), "{error}");
    Ok(())
}
