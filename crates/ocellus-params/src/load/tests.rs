use candle_core::{DType, Device, Module, Tensor};
use candle_nn::{BatchNormConfig, Linear, batch_norm, conv2d, linear};
use ocellus_testing::assert_close;

use super::{LoadConfig, LoadReport, ReshapeOutcome};
use crate::{Error, ParamStore, Result, WeightFile, write_tensors};

fn nested() -> Result<WeightFile> {
    WeightFile::open(format!("{}/testdata/nested.pth", env!("CARGO_MANIFEST_DIR")))
}

/// A file of the given tensors.
fn file(tensors: &[(&str, Tensor)]) -> Result<WeightFile> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.safetensors");
    let tensors = tensors.iter().map(|(n, t)| ((*n).to_owned(), t.clone())).collect();
    write_tensors(&path, &tensors, &Default::default())?;
    // The open file stays readable after the folder is gone, but for Windows.
    let file = WeightFile::open(&path)?;
    if cfg!(windows) {
        drop(folder.keep());
    }
    Ok(file)
}

/// The network of `testdata/pth.py` on inputs of that many channels, its head under that name.
fn build(params: &ParamStore, channels: usize, head: &str) -> Result<()> {
    let vb = params.var_builder(DType::F64, &Device::Cpu);
    conv2d(channels, 4, 3, Default::default(), vb.pp("conv"))?;
    batch_norm(4, BatchNormConfig::default(), vb.pp("norm"))?;
    conv2d(4, 2, 1, Default::default(), vb.pp(head))?;
    Ok(())
}

fn store(channels: usize, head: &str) -> Result<ParamStore> {
    let params = ParamStore::seeded(1);
    build(&params, channels, head)?;
    Ok(params)
}

fn check_loaded(params: &ParamStore, report: &LoadReport) -> Result<()> {
    assert_eq!((report.loaded.len(), report.missing.len()), (8, 0));
    assert!(report.unexpected.is_empty());
    assert_eq!(report.ignored, ["norm.num_batches_tracked"]);
    for (name, tensor) in params.tensors() {
        assert_close(&tensor, &nested()?.tensor(&name)?, 0.)?;
    }
    Ok(())
}

#[test]
fn a_file_that_fits_is_loaded_and_counters_are_tolerated() -> Result<()> {
    let params = store(3, "head")?;
    let report = params.load(&nested()?, &LoadConfig::default())?;
    check_loaded(&params, &report)
}

#[test]
fn a_file_loaded_before_building_is_what_the_model_gets() -> Result<()> {
    let params = ParamStore::seeded(1);
    let report = params.load(&nested()?, &LoadConfig::default())?;
    assert_eq!((report.loaded.len(), report.waiting.len()), (0, 9));
    let error = params.load(&nested()?, &LoadConfig::default()).unwrap_err().to_string();
    assert!(error.contains("already waits"), "{error}");
    let vb = params.var_builder(DType::F64, &Device::Cpu);
    assert!(vb.contains_tensor("head.weight"));
    assert_eq!(vb.get_unchecked("head.weight")?.dims(), [2, 4, 1, 1]);
    build(&params, 3, "head")?;
    let report = params.finish_load()?.unwrap();
    check_loaded(&params, &report)?;
    assert_eq!(params.finish_load()?, None);
    Ok(())
}

#[test]
fn what_a_strict_load_before_building_forbids_is_found_at_its_end() -> Result<()> {
    let params = ParamStore::seeded(1);
    params.load(&nested()?, &LoadConfig::default())?;
    build(&params, 3, "classes")?;
    let error = params.finish_load().unwrap_err().to_string();
    assert!(error.contains("missing: `classes.bias`, `classes.weight`"), "{error}");
    assert!(error.contains("unexpected: `head.bias`, `head.weight`"), "{error}");
    Ok(())
}

#[test]
fn built_models_see_loaded_values_frozen_or_not() -> Result<()> {
    let params = ParamStore::seeded(0);
    params.freeze("frozen.*");
    let vb = params.var_builder(DType::F32, &Device::Cpu);
    let (frozen, free) = (linear(1, 1, vb.pp("frozen"))?, linear(1, 1, vb.pp("free"))?);
    let one = Tensor::ones((1, 1), DType::F16, &Device::Cpu)?;
    let file = file(&[
        ("frozen.weight", one.affine(3., 0.)?),
        ("frozen.bias", one.flatten_all()?),
        ("free.weight", one.affine(5., 0.)?),
        ("free.bias", one.flatten_all()?),
    ])?;
    params.load(&file, &LoadConfig::default())?;
    let x = Tensor::new(&[[2f32]], &Device::Cpu)?;
    let y = |layer: &Linear| layer.forward(&x)?.flatten_all()?.to_vec1::<f32>();
    assert_eq!((y(&frozen)?, y(&free)?), (vec![7.], vec![11.]));
    Ok(())
}

#[test]
fn an_error_changes_nothing_and_names_the_first_few() -> Result<()> {
    let params = store(3, "classes")?;
    let before = params.fingerprint()?;
    let error = params.load(&nested()?, &LoadConfig::default()).unwrap_err();
    let Error::Mismatch { message, report } = error else { panic!("{error}") };
    assert!(message.contains("6 of 8 weights"), "{message}");
    assert!(message.contains("missing: `classes.bias`, `classes.weight`"), "{message}");
    assert!(message.contains("with_allow_missing`, `with_allow_unexpected"), "{message}");
    assert_eq!(report.unexpected, ["head.bias", "head.weight"]);
    assert_eq!(params.fingerprint()?, before);

    let config = LoadConfig::partial();
    let report = params.load(&nested()?, &config)?;
    assert_eq!(report.loaded.len(), 6);
    assert!(report.to_string().contains("loaded 6 of 8 weights"), "{report}");
    Ok(())
}

#[test]
fn another_architecture_is_an_error_even_for_a_partial_load() -> Result<()> {
    let params = ParamStore::seeded(0);
    linear(2, 2, params.var_builder(DType::F32, &Device::Cpu).pp("fc"))?;
    let error = params.load(&nested()?, &LoadConfig::partial()).unwrap_err().to_string();
    assert!(error.contains("no tensor of") && error.contains("another architecture"), "{error}");
    Ok(())
}

#[test]
fn a_prefix_is_hinted_at() -> Result<()> {
    let params = ParamStore::seeded(0);
    let vb = params.var_builder(DType::F64, &Device::Cpu);
    conv2d(3, 4, 3, Default::default(), vb.pp("encoder.conv"))?;
    let error = params.load(&nested()?, &LoadConfig::partial()).unwrap_err().to_string();
    assert!(error.contains("add `encoder.` with `LoadConfig::with_add_prefix`"), "{error}");
    Ok(())
}

#[test]
fn a_head_of_another_shape_is_skipped_only_by_choice() -> Result<()> {
    let params = store(3, "head")?;
    let wider = Tensor::zeros((1000, 4, 1, 1), DType::F32, &Device::Cpu)?;
    let mut tensors = nested()?.tensors()?;
    tensors.insert("head.weight".into(), wider);
    let tensors: Vec<(&str, Tensor)> =
        tensors.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    let file = file(&tensors)?;
    let error = params.load(&file, &LoadConfig::default()).unwrap_err().to_string();
    assert!(
        error.contains("`head.weight` is [1000, 4, 1, 1] in the file, [2, 4, 1, 1] in the model"),
        "{error}"
    );
    let report = params.load(&file, &LoadConfig::default().with_allow_reshape(true))?;
    assert_eq!(report.reshaped[0].outcome, ReshapeOutcome::Skipped);
    assert_eq!(report.loaded.len(), 7);
    Ok(())
}

#[test]
fn the_stem_is_fitted_to_the_channels() -> Result<()> {
    for (channels, before_building) in [(1, false), (4, false), (4, true)] {
        let config = LoadConfig::default().with_inflate_stem("conv.weight");
        let params = ParamStore::seeded(1);
        let report = if before_building {
            params.load(&nested()?, &config)?;
            build(&params, channels, "head")?;
            params.finish_load()?.unwrap()
        } else {
            build(&params, channels, "head")?;
            params.load(&nested()?, &config)?
        };
        assert_eq!(report.reshaped[0].outcome, ReshapeOutcome::Inflated);
        let expected = super::inflate_stem(&nested()?.tensor("conv.weight")?, channels)?;
        assert_close(&params.get("conv.weight").unwrap(), &expected, 0.)?;
    }
    let config = LoadConfig::partial().with_inflate_stem("conv1.weight");
    let error = store(4, "head")?.load(&nested()?, &config).unwrap_err().to_string();
    assert!(error.contains("no weight `conv1.weight` to fit"), "{error}");
    let error = store(4, "head")?.load(&nested()?, &LoadConfig::default()).unwrap_err();
    assert!(error.to_string().contains("[4, 3, 3, 3] in the file"), "{error}");
    Ok(())
}

#[test]
fn a_linear_layer_takes_a_convolution_by_choice() -> Result<()> {
    let params = ParamStore::seeded(0);
    linear(18, 2, params.var_builder(DType::F32, &Device::Cpu))?;
    let weight = ocellus_testing::ramp((2, 2, 3, 3), 0., 1., DType::F32)?;
    let bias = Tensor::zeros(2, DType::F32, &Device::Cpu)?;
    let file = file(&[("weight", weight.clone()), ("bias", bias)])?;
    assert!(params.load(&file, &LoadConfig::default()).is_err());
    let report = params.load(&file, &LoadConfig::default().with_flatten(true))?;
    assert_eq!(report.reshaped[0].outcome, ReshapeOutcome::Flattened);
    Ok(assert_close(&params.get("weight").unwrap(), &weight.flatten_from(1)?, 0.)?)
}

#[test]
fn values_that_are_no_numbers_are_an_error_naming_the_tensor() -> Result<()> {
    let params = ParamStore::seeded(0);
    params.var_builder(DType::F16, &Device::Cpu).get(3, "w")?;
    let nan = file(&[("w", Tensor::new(&[1f32, f32::NAN, 2.], &Device::Cpu)?)])?;
    let error = params.load(&nan, &LoadConfig::default()).unwrap_err().to_string();
    assert!(error.contains("`w` of") && error.contains("1 of 3 values"), "{error}");
    params.load(&nan, &LoadConfig::default().with_allow_non_finite(true))?;
    // Too large for the model's type.
    let large = file(&[("w", Tensor::new(&[1f32, 1e6, 2.], &Device::Cpu)?)])?;
    let error = params.load(&large, &LoadConfig::default()).unwrap_err().to_string();
    assert!(error.contains("not finite as F16, inf"), "{error}");
    Ok(())
}

#[test]
fn two_tensors_for_one_weight_are_an_error() -> Result<()> {
    let x = Tensor::zeros(1, DType::F32, &Device::Cpu)?;
    let file = file(&[("a.w", x.clone()), ("b.w", x)])?;
    let config = LoadConfig::default().with_rename("?.w", "?.v").with_rename("*", "*");
    let params = ParamStore::seeded(0);
    params.var_builder(DType::F32, &Device::Cpu).get(1, "w")?;
    assert!(params.load(&file, &config.with_allow_missing(true)).is_err());
    let config = LoadConfig::default().with_strip_prefix("a.").with_rename("b.*", "*");
    let error = params.load(&file, &config).unwrap_err().to_string();
    assert!(error.contains("`a.w` and `b.w`") && error.contains("both become `w`"), "{error}");
    Ok(())
}

#[test]
fn a_tensor_that_cannot_be_read_is_an_error_only_if_it_is_wanted() -> Result<()> {
    let kinds = WeightFile::open(format!("{}/testdata/kinds.pth", env!("CARGO_MANIFEST_DIR")))?;
    let params = ParamStore::seeded(0);
    params.var_builder(DType::F32, &Device::Cpu).get((2, 3, 8), "plain")?;
    params.load(&kinds, &LoadConfig::partial())?;
    params.var_builder(DType::F32, &Device::Cpu).get((3, 3), "sparse")?;
    let error = params.load(&kinds, &LoadConfig::partial()).unwrap_err().to_string();
    assert!(error.contains("`sparse_tensor` under `sparse`"), "{error}");
    Ok(())
}
