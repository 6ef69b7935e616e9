mod fused;
mod half;

use candle_core::{DType, Device, Result, Tensor};
use ocellus_testing::{Golden, assert_close, fill};
use proptest::prelude::*;

use super::{batch_norm, batch_norm_inference};
use crate::testing::{all, check_both, check_golden, with_both};
use crate::with_implementation;

fn train(x: &[Tensor]) -> Result<Tensor> {
    Ok(batch_norm(&x[0], Some(&x[1]), Some(&x[2]), 1e-3)?.0)
}

fn parameters(channels: usize) -> Result<[Tensor; 2]> {
    Ok([fill(channels, 0.4, DType::F64)?, fill(channels, 0.8, DType::F64)?])
}

#[test]
fn training_passes_the_suite() -> Result<()> {
    let shapes: [&[usize]; 5] =
        [&[6, 3], &[2, 3, 5], &[2, 3, 5, 7], &[1, 4, 3, 1], &[2, 2, 3, 2, 2]];
    for shape in shapes {
        let x = (fill(shape, 0.1, DType::F64)? * 3.)?;
        let [weight, bias] = parameters(shape[1])?;
        check_both(train, &[x.clone(), weight, bias])?;
        check_both(|x| Ok(batch_norm(&x[0], None, None, 1e-3)?.0), &[x])?;
    }
    Ok(())
}

#[test]
fn inference_passes_the_suite() -> Result<()> {
    for shape in [&[6, 3][..], &[2, 3, 5, 7]] {
        let x = (fill(shape, 0.1, DType::F64)? * 3.)?;
        let [weight, bias] = parameters(3)?;
        let (mean, var) = (fill(3, 0.2, DType::F64)?, fill(3, 0.3, DType::F64)?.affine(0.5, 1.)?);
        check_both(
            |x| batch_norm_inference(&x[0], &mean, &var, Some(&x[1]), Some(&x[2]), 1e-3),
            &[x.clone(), weight, bias],
        )?;
        check_both(
            |x| batch_norm_inference(&x[0], &mean, &var, None, None, 1e-3),
            std::slice::from_ref(&x),
        )?;
        // Statistics that track gradients get them.
        check_both(
            |x| batch_norm_inference(&x[0], &x[1], &x[2], None, None, 1e-3),
            &[x, mean.clone(), var.clone()],
        )?;
    }
    Ok(())
}

#[test]
fn matches_pytorch() -> Result<()> {
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "batch_norm")?;
    for name in ["flat", "line", "image"] {
        let case = format!("train_{name}");
        check_golden(&golden, &case, &["x", "w", "b"], 2e-5, train)?;
        let x = golden.get(&format!("input.{case}.x"))?;
        for implementation in all() {
            let (_, found) =
                with_implementation(implementation, || batch_norm(x, None, None, 1e-3))?;
            assert_close(&found.mean, golden.get(&format!("output.{case}.mean"))?, 1e-6)?;
            let unbiased = (found.var * (found.count as f64 / (found.count - 1) as f64))?;
            assert_close(&unbiased, golden.get(&format!("output.{case}.unbiased_var"))?, 1e-6)?;
            assert_eq!(found.count, x.elem_count() / x.dim(1)?);
            assert!(!found.mean.track_op());
        }
        let mean = golden.get(&format!("param.{name}.mean"))?;
        let var = golden.get(&format!("param.{name}.var"))?;
        check_golden(&golden, &format!("infer_{name}"), &["x", "w", "b"], 1e-5, |x| {
            batch_norm_inference(&x[0], mean, var, Some(&x[1]), Some(&x[2]), 1e-3)
        })?;
    }
    Ok(())
}

#[test]
fn a_mean_far_from_zero_does_not_cancel() -> Result<()> {
    // Deviations of 1 around 10,000: the difference of mean square and squared mean has no digit
    // left in f32.
    let values: Vec<f32> = (0..64).map(|i| 1e4 + if i % 2 == 0 { 1. } else { -1. }).collect();
    let x = Tensor::from_vec(values, (4, 1, 4, 4), &Device::Cpu)?;
    let (y, statistics) = batch_norm(&x, None, None, 0.)?;
    assert_eq!(statistics.var.to_vec1::<f32>()?, [1.]);
    assert_eq!(y.flatten_all()?.to_vec1::<f32>()?[..2], [1., -1.]);
    Ok(())
}

#[test]
fn half_precision_is_normalized_in_single() -> Result<()> {
    let x = fill((4, 3, 5, 5), 0.1, DType::F32)?.to_dtype(DType::BF16)?;
    let (y, statistics) = batch_norm(&x, None, None, 1e-5)?;
    assert_eq!((y.dtype(), statistics.mean.dtype()), (DType::BF16, DType::F32));
    let expected = batch_norm(&x.to_dtype(DType::F32)?, None, None, 1e-5)?.0;
    assert_close(&y, &expected, 1e-2)
}

#[test]
fn rejects_one_value_per_channel() -> Result<()> {
    let x = Tensor::zeros((1, 64, 1, 1), DType::F32, &Device::Cpu)?;
    let message = batch_norm(&x, None, None, 1e-5).unwrap_err().to_string();
    assert!(message.contains("[1, 64, 1, 1] has 1 value per channel"), "{message}");
    assert!(message.contains("use batch_norm_inference"), "{message}");
    let (zeros, ones) = (x.flatten_all()?, (x.flatten_all()? + 1.)?);
    assert_eq!(batch_norm_inference(&x, &zeros, &ones, None, None, 0.)?.dims(), x.dims());
    Ok(())
}

#[test]
fn rejects_what_does_not_fit() -> Result<()> {
    let x = Tensor::zeros((2, 3, 4, 4), DType::F32, &Device::Cpu)?;
    let two = Tensor::zeros(2, DType::F32, &Device::Cpu)?;
    let message = batch_norm(&x, Some(&two), None, 1e-5).unwrap_err().to_string();
    assert!(message.contains("weight [2] for 3 channels"), "{message}");
    let message = batch_norm_inference(&x, &two, &two, None, None, 1e-5).unwrap_err().to_string();
    assert!(message.contains("mean [2] for 3 channels"), "{message}");
    let message = batch_norm(&x, None, None, -1.).unwrap_err().to_string();
    assert!(message.contains("eps -1 must be finite"), "{message}");
    let message = batch_norm(&two, None, None, 0.).unwrap_err().to_string();
    assert!(message.contains("input [2] is not (batch, channels"), "{message}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn scale_and_shift_of_the_input_change_nothing(
        scale in 0.1f64..100., shift in -100f64..100., phase in 0f64..3.,
    ) {
        with_both(|| {
            let x = fill((3, 2, 4, 5), phase, DType::F64)?;
            let (expected, _) = batch_norm(&x, None, None, 0.)?;
            let (y, _) = batch_norm(&x.affine(scale, shift)?, None, None, 0.)?;
            assert_close(&y, &expected, 1e-9)
        }).unwrap();
    }
}
