//! Every variant of the attention gate equals PyTorch's; counts, gradients, bad input.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use ocellus_layers::{AttentionGate, AttentionGateConfig, AttentionNormalization};
use ocellus_ops::Alignment;
use ocellus_testing::{assert_close, check_gradients, check_model, fill, testdata};

const CASES: [&str; 8] =
    ["paper", "corners", "grid", "sononet", "monai", "softmax", "range", "sub_sampled_corners"];

fn config(case: &str) -> AttentionGateConfig {
    let paper = AttentionGateConfig::paper(4, 5);
    match case {
        "corners" => paper.with_alignment(Alignment::Corners),
        "grid" => AttentionGateConfig::grid_attention(4, 5),
        "sononet" => AttentionGateConfig::sononet(4, 5),
        "monai" => AttentionGateConfig::monai(4, 5),
        "softmax" => paper.with_normalization(AttentionNormalization::Softmax).with_psi_bias(false),
        "range" => paper.with_normalization(AttentionNormalization::Range),
        "sub_sampled_corners" => paper
            .with_sub_sample((2, 2))
            .with_alignment(Alignment::Corners)
            .with_normalization(AttentionNormalization::SumShifted),
        _ => paper,
    }
    .with_inter_channels(3)
}

/// The entries `CASE.*` of the golden file, without the prefix.
fn golden(case: &str) -> Result<HashMap<String, Tensor>> {
    let path = testdata(env!("CARGO_MANIFEST_DIR")).join("attention_gate.safetensors");
    let all = candle_core::safetensors::load(path, &Device::Cpu)?;
    let prefix = format!("{case}.");
    Ok(all
        .into_iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?.to_owned(), value)))
        .collect())
}

/// The gate with the golden parameters, and those as variables.
fn build(
    case: &str,
    golden: &HashMap<String, Tensor>,
) -> Result<(AttentionGate, HashMap<String, Var>)> {
    let mut vars = HashMap::new();
    for (name, value) in golden {
        if let Some(name) = name.strip_prefix("param.") {
            vars.insert(name.to_owned(), Var::from_tensor(value)?);
        }
    }
    let tensors = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    let vb = VarBuilder::from_tensors(tensors, DType::F64, &Device::Cpu);
    Ok((AttentionGate::new(&config(case), vb)?, vars))
}

#[test]
fn every_variant_matches_pytorch() -> Result<()> {
    for case in CASES {
        let golden = golden(case)?;
        let (gate, vars) = build(case, &golden)?;
        let (x, g) = (Var::from_tensor(&golden["x"])?, Var::from_tensor(&golden["g"])?);
        let evaluated = gate.forward(&golden["x"], &golden["g"])?;
        assert_close(&evaluated.value, &golden["evaluated"], 1e-10)?;
        let gated = gate.forward_t(x.as_tensor(), g.as_tensor(), true)?;
        assert_close(&gated.value, &golden["y"], 1e-10)?;
        assert_close(&gated.map, &golden["map"], 1e-10)?;
        let grads = (gated.value * &golden["upstream"])?.sum_all()?.backward()?;
        for (name, expected) in &golden {
            let Some(name) = name.strip_prefix("gradient.") else { continue };
            let var = match name {
                "x" => &x,
                "g" => &g,
                _ => &vars[name],
            };
            let gradient = grads.get(var.as_tensor());
            let gradient = gradient.unwrap_or_else(|| unreachable!("{case}: none for {name}"));
            assert_close(gradient, expected, 1e-9)?;
        }
    }
    Ok(())
}

#[test]
fn gradients_equal_finite_differences() -> Result<()> {
    for case in CASES {
        for alignment in [Alignment::HalfPixel, Alignment::Corners, Alignment::TensorFlow1] {
            let config = config(case).with_alignment(alignment);
            let vars = VarMap::new();
            let vb = VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu);
            let gate = AttentionGate::new(&config, vb)?;
            for (i, var) in vars.all_vars().iter().enumerate() {
                var.set(&(fill(var.shape().clone(), i as f64, DType::F64)?.abs()? + 0.2)?)?;
            }
            let inputs =
                [fill((2, 4, 4, 3), 0.3, DType::F64)?, fill((2, 5, 2, 2), 0.6, DType::F64)?];
            check_gradients(|v| Ok(gate.forward_t(&v[0], &v[1], true)?.value), &inputs, 1e-6)?;
        }
    }
    Ok(())
}

#[test]
fn every_variant_conforms() -> Result<()> {
    let input = |batch, height, width| -> Result<Vec<Tensor>> {
        let x = fill((batch, 4, height, width), 0.3, DType::F32)?;
        Ok(vec![x, fill((batch, 5, 2, 3), 0.6, DType::F32)?])
    };
    for case in CASES {
        check_model(
            |vb| AttentionGate::new(&config(case), vb),
            |gate, x, train| {
                let gated = gate.forward_t(&x[0], &x[1], train)?;
                gated.value.broadcast_add(&gated.map)
            },
            &[input(2, 6, 5)?, input(3, 4, 8)?],
        )?;
    }
    Ok(())
}

#[test]
fn has_as_many_parameters_as_published() -> Result<()> {
    let paper = AttentionGateConfig::paper(512, 512);
    for (config, buffers, expected) in [
        (paper, 0, 262_657),
        (paper.with_inter_channels(512), 0, 525_313),
        (paper.with_sub_sample((2, 2)), 0, 655_873),
        (AttentionGateConfig::grid_attention(512, 512), 1024, 655_873 + 263_680),
        (AttentionGateConfig::monai(512, 512), 1026, 262_657 + 256 + 4 * 256 + 2),
    ] {
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
        AttentionGate::new(&config, vb)?;
        let count: usize = vars.all_vars().iter().map(|var| var.elem_count()).sum();
        assert_eq!(count - buffers, expected, "{config:?}");
        assert_eq!(config.parameter_count(), expected);
    }
    Ok(())
}

#[test]
fn a_map_that_sums_to_one_pools_to_a_weighted_mean() -> Result<()> {
    let golden = golden("sononet")?;
    let (gate, _) = build("sononet", &golden)?;
    let gated = gate.forward(&golden["x"], &golden["g"])?;
    let ones = Tensor::ones(2, DType::F64, &Device::Cpu)?;
    assert_close(&gated.map.flatten_from(1)?.sum(1)?, &ones, 1e-12)?;
    assert_eq!(gated.pooled()?.dims(), [2, 4]);
    Ok(())
}

#[test]
fn rejects_another_batch_or_other_channels() -> Result<()> {
    let gate = AttentionGate::new(
        &AttentionGateConfig::paper(4, 5),
        VarBuilder::zeros(DType::F32, &Device::Cpu),
    )?;
    let zeros = |dims: [usize; 4]| Tensor::zeros(&dims, DType::F32, &Device::Cpu);
    let x = zeros([2, 4, 4, 4])?;
    let error = gate.forward(&x, &zeros([1, 5, 2, 2])?).unwrap_err().to_string();
    assert!(error.contains("2 features and 1 gating signals"), "{error}");
    assert!(gate.forward(&x, &zeros([2, 4, 2, 2])?).is_err());
    Ok(())
}
