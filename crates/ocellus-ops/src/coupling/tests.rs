use candle_core::{DType, Device, Result, Tensor, Var};
use ocellus_testing::{assert_close, check_op, fill, with_threads};

use super::*;
use crate::testing::{BOTH, check_both, with_both};
use crate::with_implementation;

fn affine(channels: usize, dtype: DType) -> Result<Tensor> {
    let scale = fill((1, channels), 0.7, DType::F64)?.affine(0.4, 1.)?;
    Tensor::cat(&[scale, fill((1, channels), 0.8, DType::F64)?], 0)?.to_dtype(dtype)
}

fn configs(channels: u32) -> [CouplingConfig; 3] {
    let turned: Vec<u32> = (0..channels).map(|i| (i * 2 + 1) % channels).collect();
    [
        CouplingConfig::new(1.9),
        CouplingConfig::new(0.7).with_clamp(Clamp::SoftLimit),
        CouplingConfig::new(2.).with_permutation(turned),
    ]
}

#[test]
fn passes_the_suite() -> Result<()> {
    for config in configs(5) {
        let state = fill((2, 6, 3, 2), 0.1, DType::F64)?;
        let a = (fill((2, 4, 3, 2), 0.2, DType::F64)? * 9.)?;
        let f = |x: &[Tensor]| coupling(&x[0], &x[1], &x[2], &config);
        check_both(f, &[state, a, affine(5, DType::F64)?])?;
    }
    Ok(())
}

#[test]
fn kernel_and_composition_agree_on_more_than_a_chunk() -> Result<()> {
    let [_, _, config] = configs(7);
    let state = fill((2, 8, 37, 31), 0.1, DType::F32)?;
    let a = (fill((2, 6, 37, 31), 0.2, DType::F32)? * 12.)?;
    let run = || -> Result<Vec<Tensor>> {
        let vars = [Var::from_tensor(&state)?, Var::from_tensor(&a)?];
        let affine = Var::from_tensor(&affine(7, DType::F32)?)?;
        let y = coupling(&vars[0], &vars[1], &affine, &config)?;
        let weights = fill(y.shape().clone(), 0.5, DType::F32)?;
        let gradients = crate::backward(&(&y * weights)?.sum_all()?)?;
        let mut all = vec![y];
        for var in [&vars[0], &vars[1], &affine] {
            all.push(gradients.get(var).expect("a gradient").clone());
        }
        Ok(all)
    };
    let [kernel, composed] = BOTH.map(|implementation| with_implementation(implementation, run));
    let kernel = kernel?;
    for (a, b) in kernel.iter().zip(&composed?) {
        assert_close(a, b, 2e-5)?;
    }
    for (a, b) in kernel.iter().zip(&with_threads(1, run)?) {
        assert_close(a, b, 0.)?;
    }
    Ok(())
}

#[test]
fn large_coefficients_stay_within_the_bound_and_a_nan_shows() -> Result<()> {
    with_both(|| {
        let state = Tensor::new(&[[[1f32, 1., 1.], [1., 1., 1.], [0., 0., 0.]]], &Device::Cpu)?;
        let a = Tensor::new(&[[[1e30f32, -1e30, f32::NAN], [0., 0., 0.]]], &Device::Cpu)?;
        let affine = Tensor::new(&[[1f32, 1.], [0., 0.]], &Device::Cpu)?;
        let y = coupling(&state, &a, &affine, &CouplingConfig::new(1.9))?.to_vec3::<f32>()?;
        assert!((y[0][2][0] - 1.9).abs() < 1e-6 && (y[0][2][1] + 1.9).abs() < 1e-6, "{y:?}");
        assert!((y[0][1][0] - 1.9f32.exp()).abs() < 1e-5, "{y:?}");
        assert!(y[0][1][2].is_nan() && y[0][2][2].is_nan(), "{y:?}");
        Ok(())
    })
}

#[test]
fn keeps_half_precision() -> Result<()> {
    let state = fill((1, 5, 2), 0.1, DType::BF16)?;
    let a = fill((1, 4, 2), 0.2, DType::BF16)?;
    let y = coupling(&state, &a, &affine(4, DType::BF16)?, &CouplingConfig::new(2.))?;
    assert_eq!((y.dtype(), y.dims()), (DType::BF16, state.dims()));
    Ok(())
}

#[test]
fn gradients_by_vectors_equal_finite_differences() -> Result<()> {
    // A fiber is a vector without a place: (batch, channels).
    let state = fill((3, 5), 0.1, DType::F64)?;
    let a = fill((3, 4), 0.2, DType::F64)?;
    let config = CouplingConfig::new(1.9).with_permutation(vec![3, 1, 0, 2]);
    check_op(|x| coupling(&x[0], &x[1], &x[2], &config), &[state, a, affine(4, DType::F64)?])
}

#[test]
fn refuses_what_does_not_fit() -> Result<()> {
    let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu);
    let ones = |dims: &[usize]| Tensor::ones(dims, DType::F32, &Device::Cpu);
    let (state, a, affine) = (zeros(&[1, 5, 2])?, zeros(&[1, 4, 2])?, ones(&[2, 4])?);
    let error = |s: &Tensor, a: &Tensor, b: &Tensor, config: CouplingConfig| {
        coupling(s, a, b, &config).unwrap_err().to_string()
    };
    let good = || CouplingConfig::new(2.);
    assert!(error(&state, &zeros(&[1, 3, 2])?, &affine, good()).contains("[1, 4, 2]"));
    assert!(error(&state, &a, &ones(&[2, 5])?, good()).contains("(2, 4)"));
    assert!(error(&zeros(&[1, 2, 2])?, &a, &affine, good()).contains("2 channels"));
    assert!(error(&state, &a, &affine, CouplingConfig::new(f64::NAN)).contains("NaN"));
    let short = good().with_permutation(vec![0, 1]);
    assert!(error(&state, &a, &affine, short).contains("of 2 for 4"));
    let twice = good().with_permutation(vec![0, 1, 1, 2]);
    assert!(error(&state, &a, &affine, twice).contains("1 is out of place"));
    Ok(())
}
