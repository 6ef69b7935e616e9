use candle_core::Result;
use ocellus_flows::{Cflow, CflowConfig, FastFlow, FastFlowConfig};
use ocellus_testing::parameter_counts;

fn cflow(channels: &[usize], condition: usize) -> Result<usize> {
    let config = CflowConfig::anomalib(channels.to_vec()).with_condition(condition);
    Ok(parameter_counts(|vb| Cflow::new(&config, vb))?.0)
}

#[test]
fn cflow_has_the_parameters_of_anomalibs() -> Result<()> {
    for (channels, count) in
        [(128, 989_184), (256, 2_107_392), (512, 5_523_456), (1024, 17_074_176), (2048, 59_049_984)]
    {
        assert_eq!(cflow(&[channels], 128)?, count, "{channels} channels");
    }
    assert_eq!(cflow(&[512, 1024, 2048], 128)?, 81_647_616);
    assert_eq!(cflow(&[128, 256, 512], 128)?, 8_620_032);
    Ok(())
}

fn fastflow(config: &FastFlowConfig) -> Result<usize> {
    Ok(parameter_counts(|vb| FastFlow::new(config, vb))?.0)
}

#[test]
fn fastflow_has_the_parameters_of_anomalibs() -> Result<()> {
    let wide = FastFlowConfig::wide_resnet50(256, 256);
    assert_eq!(fastflow(&wide)?, 45_007_872);
    assert_eq!(fastflow(&wide.with_layer_norm(false))?, 41_337_856);
    let small = FastFlowConfig::resnet18(256, 256);
    assert_eq!(fastflow(&small)?, 5_574_912);
    assert_eq!(fastflow(&small.clone().with_layer_norm(false))?, 4_657_408);
    assert_eq!(fastflow(&small.with_only_3x3(false))?, 3_510_528);
    assert_eq!(fastflow(&FastFlowConfig::transformer(768, 24, 24))?, 7_074_500);
    Ok(())
}
