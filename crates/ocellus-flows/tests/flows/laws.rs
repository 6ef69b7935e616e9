use candle_core::{DType, Device, Result, Tensor};
use ocellus_flows::{Clamp, Flow, FlowConfig, Invertible, Mixing, Subnet};
use ocellus_params::ParamStore;
use ocellus_testing::{assert_close, check_invertible, check_model, fill};

use crate::formula::set_weights;

fn build(config: &FlowConfig, dtype: DType) -> Result<Flow> {
    let params = ParamStore::seeded(0);
    let build = || Flow::new(config, params.var_builder(dtype, &Device::Cpu));
    build()?;
    set_weights(&params)?;
    build()
}

fn pair(map: &impl Invertible, x: &Tensor, forward: bool) -> Result<(Tensor, Tensor)> {
    let mapped = if forward { map.forward(x)? } else { map.inverse(x)? };
    Ok((mapped.value, mapped.log_det))
}

fn check(map: &impl Invertible, x: &Tensor) -> Result<()> {
    check_invertible(|x| pair(map, x, true), |z| pair(map, z, false), x)
}

fn variants(channels: usize, condition: usize) -> Vec<FlowConfig> {
    let config = FlowConfig::cflow(channels, condition).with_blocks(3);
    vec![
        config.clone(),
        config.clone().with_clamp(Clamp::SoftLimit).with_alpha(0.8),
        config.clone().with_mixing(Mixing::Soft),
        config.with_mixing(Mixing::Soft).with_subnets(vec![Subnet::Pointwise]).with_blocks(1),
    ]
}

#[test]
fn fibers_obey_the_contract() -> Result<()> {
    for channels in [2, 5, 6] {
        for config in variants(channels, 0) {
            check(&build(&config, DType::F64)?, &fill((3, channels, 1, 1), 0.3, DType::F64)?)?;
        }
    }
    Ok(())
}

#[test]
fn fibers_under_a_condition_obey_the_contract() -> Result<()> {
    let condition = fill((1, 4, 1, 1), 0.7, DType::F64)?;
    for config in variants(5, 4) {
        let flow = build(&config, DType::F64)?;
        check(&flow.given(&condition), &fill((3, 5, 1, 1), 0.3, DType::F64)?)?;
    }
    Ok(())
}

#[test]
fn whole_images_obey_the_contract() -> Result<()> {
    for only_3x3 in [false, true] {
        let config = FlowConfig::fastflow(4, 3, only_3x3, 1.);
        check(&build(&config, DType::F64)?, &fill((2, 4, 3, 4), 0.3, DType::F64)?)?;
        let soft = config.with_mixing(Mixing::Soft).with_clamp(Clamp::SoftLimit);
        check(&build(&soft, DType::F64)?, &fill((2, 4, 3, 4), 0.3, DType::F64)?)?;
    }
    Ok(())
}

#[test]
fn single_precision_inverts_to_a_hundred_thousandth() -> Result<()> {
    for (config, x) in [
        (FlowConfig::cflow(64, 0), fill((40, 64, 1, 1), 0.3, DType::F32)?),
        (FlowConfig::fastflow(16, 8, false, 1.), fill((2, 16, 9, 8), 0.3, DType::F32)?),
    ] {
        let flow = build(&config, DType::F32)?;
        let z = flow.forward(&x)?;
        let back = flow.inverse(&z.value)?;
        assert_close(&back.value, &x, 1e-5)?;
        assert_close(&back.log_det.neg()?, &z.log_det, 1e-5)?;
    }
    Ok(())
}

#[test]
fn flows_pass_the_suite_of_models() -> Result<()> {
    for config in [FlowConfig::cflow(6, 0), FlowConfig::fastflow(6, 4, false, 1.)] {
        let config = config.with_blocks(2);
        let inputs = [(1, 6, 4, 5), (2, 6, 3, 3)].map(|shape| fill(shape, 0.2, DType::F32));
        let inputs = inputs.into_iter().map(|x| Ok(vec![x?])).collect::<Result<Vec<_>>>()?;
        check_model(|vb| Flow::new(&config, vb), |f, x, _| f.log_density(&x[0], None), &inputs)?;
    }
    Ok(())
}

#[test]
fn a_fresh_flow_is_drawn_from_the_seed() -> Result<()> {
    let x = fill((1, 6, 1, 3), 0.2, DType::F32)?;
    for mixing in [Mixing::Hard, Mixing::Soft] {
        let config = FlowConfig::cflow(6, 0).with_mixing(mixing);
        let z = |seed| {
            let vb = ParamStore::seeded(seed).var_builder(DType::F32, &Device::Cpu);
            Flow::new(&config, vb)?.forward(&x)?.value.flatten_all()?.to_vec1::<f32>()
        };
        assert_eq!(z(1)?, z(1)?);
        assert_ne!(z(1)?, z(2)?);
    }
    Ok(())
}
