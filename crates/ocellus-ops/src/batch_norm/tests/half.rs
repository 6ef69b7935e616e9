//! Images of half precision with parameters and statistics of f32, as mixed precision has them.

use candle_core::{DType, Device, Result, Tensor, Var};
use ocellus_testing::{assert_close, fill};

use crate::testing::all;
use crate::{
    batch_norm, batch_norm_inference, batch_norm_inference_relu, batch_norm_relu,
    with_implementation,
};

/// Half of the last digit.
const HALF: [(DType, f64); 2] = [(DType::F16, 5e-4), (DType::BF16, 4e-3)];

/// Weight and bias that are no numbers of half precision.
fn affine() -> Result<[Tensor; 2]> {
    Ok([(fill(3, 0.4, DType::F32)? + 1.)?, fill(3, 0.8, DType::F32)?])
}

/// The output, and the gradients by all inputs.
fn gradients(
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
    inputs: &[Tensor],
    upstream: &Tensor,
) -> Result<Vec<Tensor>> {
    let vars = inputs.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
    let y = f(&vars.iter().map(|v| v.as_tensor().clone()).collect::<Vec<_>>())?;
    let store = (y.to_dtype(DType::F32)? * upstream)?.sum_all()?.backward()?;
    let gradients = vars.iter().map(|v| store.get(v).expect("a gradient").clone());
    Ok([y].into_iter().chain(gradients).collect())
}

/// Compares half precision with f32 on the same numbers: what is of half precision to its last digit,
/// what is of f32 to that of f32.
#[track_caller]
fn check(f: impl Fn(&[Tensor]) -> Result<Tensor>, images: usize) -> Result<()> {
    let shape = (4, 3, 9, 11);
    // What a gradient of half precision can be.
    let upstream = fill(shape, 0.6, DType::BF16)?.to_dtype(DType::F32)?;
    for (dtype, digit) in HALF {
        let images =
            (0..images).map(|n| (fill(shape, n as f64, DType::F32)? * 3.)?.to_dtype(dtype));
        let images = images.collect::<Result<Vec<_>>>()?;
        let single = images.iter().map(|x| x.to_dtype(DType::F32)).collect::<Result<Vec<_>>>()?;
        let expected = gradients(&f, &[&affine()?[..], &single].concat(), &upstream)?;
        let inputs = [&affine()?[..], &images].concat();
        for implementation in all() {
            let found = with_implementation(implementation, || gradients(&f, &inputs, &upstream))?;
            let [y, weight, bias, by_images @ ..] = &found[..] else { unreachable!() };
            assert_eq!((y.dtype(), weight.dtype(), bias.dtype()), (dtype, DType::F32, DType::F32));
            assert_close(y, &expected[0], digit)?;
            assert_close(weight, &expected[1], 2e-5)?;
            assert_close(bias, &expected[2], 2e-5)?;
            for (found, expected) in by_images.iter().zip(&expected[3..]) {
                assert_eq!(found.dtype(), dtype);
                assert_close(found, expected, digit)?;
            }
        }
    }
    Ok(())
}

#[test]
fn training_rounds_nothing_but_images() -> Result<()> {
    check(|x| Ok(batch_norm(&x[2], Some(&x[0]), Some(&x[1]), 1e-3)?.0), 1)?;
    check(|x| Ok(batch_norm_relu(&x[2], None, Some(&x[0]), Some(&x[1]), 1e-3)?.0), 1)?;
    check(|x| Ok(batch_norm_relu(&x[2], x.get(3), Some(&x[0]), Some(&x[1]), 1e-3)?.0), 2)
}

#[test]
fn inference_rounds_nothing_but_images() -> Result<()> {
    let (mean, var) = (fill(3, 0.2, DType::F32)?, (fill(3, 0.3, DType::F32)?.abs()? + 0.5)?);
    let (mean, var) = (&mean, &var);
    check(|x| batch_norm_inference(&x[2], mean, var, Some(&x[0]), Some(&x[1]), 1e-3), 1)?;
    check(
        |x| batch_norm_inference_relu(&x[2], x.get(3), mean, var, Some(&x[0]), Some(&x[1]), 1e-3),
        2,
    )
}

#[test]
fn statistics_are_those_of_f32() -> Result<()> {
    for (dtype, _) in HALF {
        let x = (fill((4, 3, 9, 11), 0.1, dtype)? + 100.)?;
        for implementation in all() {
            let (found, expected) = with_implementation(implementation, || {
                let (_, found) = batch_norm(&x, None, None, 1e-5)?;
                let (_, expected) = batch_norm(&x.to_dtype(DType::F64)?, None, None, 1e-5)?;
                Ok::<_, candle_core::Error>((found, expected))
            })?;
            assert_eq!((found.mean.dtype(), found.var.dtype()), (DType::F32, DType::F32));
            assert_close(&found.mean, &expected.mean, 1e-6)?;
            assert_close(&found.var, &expected.var, 1e-5)?;
        }
    }
    Ok(())
}

/// None of these numbers is one of f16 or bf16, and rounding any of them would change the result by its
/// own size.
#[test]
fn equals_the_value_by_hand() -> Result<()> {
    let one = |value: f32| Tensor::new(&[value], &Device::Cpu);
    let (mean, var) = (one(1. + 1. / 4096.)?, one(1. / (4096. * 4096.))?);
    let (weight, bias) = (one(2049.)?, one(2048.)?);
    for (dtype, _) in HALF {
        let x = Tensor::ones((1, 1), dtype, &Device::Cpu)?;
        for implementation in all() {
            let y = with_implementation(implementation, || {
                batch_norm_inference(&x, &mean, &var, Some(&weight), Some(&bias), 0.)
            })?;
            assert_close(&y, &Tensor::new(&[[-1f32]], &Device::Cpu)?, 0.)?;
        }
    }
    Ok(())
}
