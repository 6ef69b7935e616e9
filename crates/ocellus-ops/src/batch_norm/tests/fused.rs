//! With the sum and the ReLU in one.

use candle_core::{DType, Device, Result, Tensor, Var};
use ocellus_testing::{assert_close, fill};

use super::parameters;
use crate::testing::{all, check_both, gradients, with_both};
use crate::{
    batch_norm, batch_norm_inference, batch_norm_inference_relu, batch_norm_relu, relu,
    with_implementation,
};

/// Planes of one element and of odd sizes.
const SHAPES: [&[usize]; 4] = [&[6, 3], &[2, 3, 5], &[2, 3, 5, 7], &[1, 4, 3, 1]];

#[test]
fn training_passes_the_suite() -> Result<()> {
    for shape in SHAPES {
        let x = (fill(shape, 0.1, DType::F64)? * 3.)?;
        let residual = fill(shape, 0.7, DType::F64)?;
        let [weight, bias] = parameters(shape[1])?;
        check_both(
            |x| Ok(batch_norm_relu(&x[0], None, Some(&x[1]), Some(&x[2]), 1e-3)?.0),
            &[x.clone(), weight.clone(), bias.clone()],
        )?;
        check_both(
            |x| Ok(batch_norm_relu(&x[0], Some(&x[3]), Some(&x[1]), Some(&x[2]), 1e-3)?.0),
            &[x, weight, bias, residual],
        )?;
    }
    Ok(())
}

#[test]
fn inference_passes_the_suite() -> Result<()> {
    for shape in SHAPES {
        let x = (fill(shape, 0.1, DType::F64)? * 3.)?;
        let residual = fill(shape, 0.7, DType::F64)?;
        let [weight, bias] = parameters(shape[1])?;
        let mean = fill(shape[1], 0.2, DType::F64)?;
        let var = fill(shape[1], 0.3, DType::F64)?.affine(0.5, 1.)?;
        let infer = |x: &[Tensor]| {
            batch_norm_inference_relu(&x[0], x.get(3), &mean, &var, x.get(1), x.get(2), 1e-3)
        };
        check_both(infer, std::slice::from_ref(&x))?;
        check_both(infer, &[x.clone(), weight.clone(), bias.clone()])?;
        check_both(infer, &[x.clone(), weight, bias, residual.clone()])?;
        // Statistics that track gradients get them.
        check_both(
            |x| batch_norm_inference_relu(&x[0], Some(&x[3]), &x[1], &x[2], None, None, 1e-3),
            &[x, mean.clone(), var.clone(), residual],
        )?;
    }
    Ok(())
}

#[test]
fn equals_the_operations_one_by_one() -> Result<()> {
    // A plane of several blocks, of odd size, and many small planes.
    for shape in [(2, 3, 97, 89), (5, 64, 7, 9)] {
        let x = (fill(shape, 0.1, DType::F32)? * 3.)?;
        let residual = fill(shape, 0.7, DType::F32)?;
        let [weight, bias] = parameters(shape.1)?;
        let (weight, bias) = (weight.to_dtype(DType::F32)?, bias.to_dtype(DType::F32)?);
        let upstream = fill(shape, 0.4, DType::F32)?;
        let inputs = [&x, &weight, &bias, &residual];
        let fused =
            |x: &[Tensor]| Ok(batch_norm_relu(&x[0], x.get(3), x.get(1), x.get(2), 1e-5)?.0);
        let composed = |x: &[Tensor]| {
            let (y, _) = batch_norm(&x[0], x.get(1), x.get(2), 1e-5)?;
            relu(&if let Some(residual) = x.get(3) { (y + residual)? } else { y })
        };
        for inputs in [&inputs[..3], &inputs[..]] {
            let (y, found) = gradients(fused, inputs, &upstream)?;
            let (expected_y, expected) = gradients(composed, inputs, &upstream)?;
            assert_close(&y, &expected_y, 0.)?;
            for (found, expected) in found.iter().zip(&expected) {
                assert_close(found, expected, 0.)?;
            }
        }
    }
    Ok(())
}

#[test]
fn inference_equals_the_operations_one_by_one() -> Result<()> {
    let (x, residual) =
        (fill((2, 3, 7, 9), 0.1, DType::F32)?, fill((2, 3, 7, 9), 0.7, DType::F32)?);
    let [mean, var] = parameters(3)?;
    let var = var.abs()?;
    let y = batch_norm_inference_relu(&x, Some(&residual), &mean, &var, None, None, 1e-5)?;
    let normalized = batch_norm_inference(&x, &mean, &var, None, None, 1e-5)?;
    assert_close(&y, &relu(&(normalized + &residual)?)?, 0.)?;
    assert_close(&y, &y.abs()?, 0.)
}

#[test]
fn only_what_is_tracked_gets_a_gradient() -> Result<()> {
    for implementation in all() {
        with_implementation(implementation, || {
            let x = fill((2, 3, 4, 4), 0.1, DType::F32)?;
            let residual = Var::from_tensor(&fill((2, 3, 4, 4), 0.7, DType::F32)?)?;
            let (y, _) = batch_norm_relu(&x, Some(&residual), None, None, 1e-5)?;
            let grads = y.sum_all()?.backward()?;
            let mask = y.gt(0f32)?.to_dtype(DType::F32)?;
            assert_close(grads.get(&residual).expect("a gradient"), &mask, 0.)?;
            assert!(grads.get(&x).is_none());
            // Here the sums are not needed: everything else is constant.
            let zeros = Tensor::zeros(3, DType::F32, &Device::Cpu)?;
            let ones = zeros.ones_like()?;
            let y = batch_norm_inference_relu(&x, Some(&residual), &zeros, &ones, None, None, 0.)?;
            assert!(y.backward()?.get(&residual).is_some());
            Ok::<_, candle_core::Error>(())
        })?;
    }
    Ok(())
}

#[test]
fn a_nan_stays_and_takes_its_gradient() -> Result<()> {
    with_both(|| {
        let x = Var::new(&[[f32::NAN, 2.], [0., -1.]], &Device::Cpu)?;
        let residual = Var::new(&[[0f32, 1.], [0., 1.]], &Device::Cpu)?;
        let zeros = Tensor::zeros(2, DType::F32, &Device::Cpu)?;
        let ones = zeros.ones_like()?;
        for residual in [None, Some(residual.as_tensor())] {
            let y = batch_norm_inference_relu(&x, residual, &zeros, &ones, None, None, 0.)?;
            let values = y.to_vec2::<f32>()?;
            assert!(values[0][0].is_nan() && values[1] == [0., 0.], "{values:?}");
            let grads = y.sum_all()?.backward()?;
            for input in [Some(x.as_tensor()), residual].into_iter().flatten() {
                let gradient = grads.get(input).expect("a gradient").to_vec2::<f32>()?;
                assert_eq!(gradient, [[1., 1.], [0., 0.]]);
            }
        }
        Ok(())
    })
}

#[test]
fn half_precision_is_kept() -> Result<()> {
    let x = fill((4, 3, 5, 5), 0.1, DType::BF16)?;
    let residual = fill((4, 3, 5, 5), 0.7, DType::BF16)?;
    let (y, statistics) = batch_norm_relu(&x, Some(&residual), None, None, 1e-5)?;
    assert_eq!((y.dtype(), statistics.mean.dtype()), (DType::BF16, DType::F32));
    let single = |x: &Tensor| x.to_dtype(DType::F32);
    let (expected, _) = batch_norm_relu(&single(&x)?, Some(&single(&residual)?), None, None, 1e-5)?;
    assert_close(&y, &expected, 1e-2)
}

#[test]
fn rejects_a_residual_that_does_not_fit() -> Result<()> {
    let x = Tensor::zeros((2, 3, 4, 4), DType::F32, &Device::Cpu)?;
    let cases = [
        (x.narrow(3, 0, 1)?, "residual [2, 3, 4, 1] for an input [2, 3, 4, 4]: give both the same"),
        (x.to_dtype(DType::F64)?, "residual is F64, the input F32: convert one with to_dtype"),
    ];
    for (residual, expected) in cases {
        let message =
            batch_norm_relu(&x, Some(&residual), None, None, 1e-5).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let message = batch_norm_relu(&x, None, Some(&x), None, 1e-5).unwrap_err().to_string();
    assert!(message.contains("batch_norm_relu: weight [2, 3, 4, 4] for 3 channels"), "{message}");
    Ok(())
}
