use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor};
use ocellus_flows::{
    Cflow, CflowConfig, FastFlow, FastFlowConfig, FastFlowScale, Mixing, load_anomalib, to_anomalib,
};
use ocellus_params::{ParamStore, WeightFile, write_tensors};
use ocellus_testing::{Golden, assert_close, fill, testdata};

fn open(name: &str) -> Result<WeightFile> {
    Ok(WeightFile::open(testdata(env!("CARGO_MANIFEST_DIR")).join(name))?)
}

fn cflow(channels: &[usize], mixing: Mixing) -> Result<(Cflow, ParamStore)> {
    let params = ParamStore::seeded(5);
    let config = CflowConfig::anomalib(channels.to_vec()).with_condition(4).with_blocks(2);
    let config = config.with_mixing(mixing);
    Ok((Cflow::new(&config, params.var_builder(DType::F32, &Device::Cpu))?, params))
}

fn check(flow: &Cflow, kind: &str, channels: &[usize]) -> Result<()> {
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "checkpoint")?;
    for (k, &channels) in channels.iter().enumerate() {
        let latent = flow.latent(k, &fill((1, channels, 2, 3), 0.5, DType::F32)?)?;
        assert_close(&latent.value, golden.get(&format!("{kind}.z.{k}"))?, 2e-6)?;
        assert_close(&latent.log_det, golden.get(&format!("{kind}.log_det.{k}"))?, 2e-6)?;
    }
    Ok(())
}

#[test]
fn a_cflow_checkpoint_gives_what_anomalib_gives() -> Result<()> {
    let (flow, params) = cflow(&[6, 5], Mixing::Hard)?;
    assert_eq!(load_anomalib(&params, &open("cflow.ckpt")?)?, 28);
    check(&flow, "cflow", &[6, 5])
}

#[test]
fn a_checkpoint_with_rotations_gives_what_anomalib_gives() -> Result<()> {
    let (flow, params) = cflow(&[6], Mixing::Soft)?;
    load_anomalib(&params, &open("cflow_soft.ckpt")?)?;
    check(&flow, "soft", &[6])
}

#[test]
fn a_fastflow_checkpoint_gives_what_anomalib_gives() -> Result<()> {
    let params = ParamStore::seeded(5);
    let config = FastFlowConfig::new(vec![FastFlowScale::new(6, 4, 5)]).with_blocks(2);
    let flow = FastFlow::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
    assert_eq!(load_anomalib(&params, &open("fastflow.ckpt")?)?, 16);
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "checkpoint")?;
    let latent = flow.latent(0, &fill((2, 6, 4, 5), 0.5, DType::F32)?)?;
    assert_close(&latent.value, golden.get("fastflow.z")?, 5e-6)?;
    assert_close(&latent.log_det, golden.get("fastflow.log_det")?, 5e-6)
}

#[test]
fn what_is_written_is_what_anomalib_wrote() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (name, mixing, channels) in
        [("cflow", Mixing::Hard, vec![6, 5]), ("cflow_soft", Mixing::Soft, vec![6])]
    {
        let original = open(&format!("{name}.ckpt"))?;
        let (_, params) = cflow(&channels, mixing)?;
        load_anomalib(&params, &original)?;
        let path = folder.path().join("ours.safetensors");
        write_tensors(&path, &to_anomalib(&params)?, &BTreeMap::new())?;
        let ours = WeightFile::open(&path)?;
        for name in original.names().filter(|name| !name.contains("encoder")) {
            assert_eq!(ours.shape(name), original.shape(name), "{name}");
            assert_close(&ours.tensor(name)?, &original.tensor(name)?, 0.)?;
        }
        assert_eq!(ours.names().len() + 2, original.names().len());
    }
    Ok(())
}

#[test]
fn a_checkpoint_of_another_model_changes_nothing() -> Result<()> {
    let values = |params: &ParamStore| -> Result<Vec<f32>> {
        let all: Vec<Tensor> = params.tensors().into_values().collect();
        let flat = all.iter().map(Tensor::flatten_all).collect::<Result<Vec<_>>>()?;
        Tensor::cat(&flat, 0)?.to_vec1()
    };
    for (channels, mixing, file, message) in [
        (vec![6, 7], Mixing::Hard, "cflow.ckpt", "build the model with the settings"),
        (vec![6, 5, 4], Mixing::Hard, "cflow.ckpt", "neither `model.decoders.2."),
        (vec![6], Mixing::Hard, "cflow_soft.ckpt", "the matrix is a rotation"),
        (vec![6], Mixing::Hard, "fastflow.ckpt", "is it of another model?"),
    ] {
        let (_, params) = cflow(&channels, mixing)?;
        let before = values(&params)?;
        let error = load_anomalib(&params, &open(file)?).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert_eq!(values(&params)?, before);
    }
    Ok(())
}
