use candle_core::{DType, Result, Tensor, Var};
use ocellus_testing::{assert_close, check_op, fill};

use super::*;
use crate::testing::{BOTH, check_both};
use crate::{Conv2dConfig, backward, with_implementation};

/// Weights and biases of a network from 3 + `extra` channels over 4 to 4, kernels of that side.
fn weights(extra: usize, side: usize) -> Result<[Tensor; 4]> {
    let fill = |dims: &[usize], seed: f64| fill(dims.to_vec(), seed, DType::F64);
    Ok([
        fill(&[6, 3 + extra, side, side], 0.3)?,
        fill(&[6], 0.4)?,
        fill(&[4, 6, side, side], 0.5)?,
        (fill(&[4], 0.6)? * 3.)?,
    ])
}

fn affine(channels: usize, dtype: DType) -> Result<Tensor> {
    let scale = fill((1, channels), 0.7, DType::F64)?.affine(0.4, 1.)?;
    Tensor::cat(&[scale, fill((1, channels), 0.8, DType::F64)?], 0)?.to_dtype(dtype)
}

fn config() -> CouplingConfig {
    CouplingConfig::new(1.9).with_permutation(vec![3, 1, 4, 0, 2])
}

fn block(x: &[Tensor], padding: usize) -> NetworkCoupling<'_> {
    NetworkCoupling {
        first: (&x[1], &x[2]),
        second: (&x[3], &x[4]),
        conv: Conv2dConfig::default().with_padding(padding),
        affine: x[0].clone(),
        config: config(),
    }
}

fn run(x: &[Tensor], condition: Option<&Tensor>, padding: usize) -> Result<Tensor> {
    // Behind the state, a block is made of five tensors.
    let blocks: Vec<_> = x[1..].chunks_exact(5).map(|x| block(x, padding)).collect();
    network_couplings(&x[0], condition, &blocks)
}

#[test]
fn passes_the_suite() -> Result<()> {
    for (extra, side, blocks) in [(0, 1, 1), (0, 3, 1), (2, 1, 3)] {
        let state = fill((2, 6, 3, 2), 0.1, DType::F64)?;
        let condition = fill((1, extra.max(1), 3, 2), 0.2, DType::F64)?;
        let mut inputs = vec![state];
        for _ in 0..blocks {
            inputs.push(affine(5, DType::F64)?);
            inputs.extend(weights(extra, side)?);
        }
        let f = |x: &[Tensor]| {
            let condition = condition.to_dtype(x[0].dtype())?;
            run(x, (extra > 0).then_some(&condition), side / 2)
        };
        check_both(f, &inputs)?;
    }
    Ok(())
}

#[test]
fn a_condition_that_asks_for_a_gradient_gets_one() -> Result<()> {
    let mut inputs = vec![fill((2, 6, 3, 2), 0.1, DType::F64)?, affine(5, DType::F64)?];
    inputs.extend(weights(2, 1)?);
    inputs.push(fill((2, 2, 3, 2), 0.2, DType::F64)?);
    check_op(|x| run(&x[..6], Some(&x[6]), 0), &inputs)
}

#[test]
fn kernel_and_composition_agree_where_the_products_are_large() -> Result<()> {
    let (channels, extra, count) = (160, 70, 333);
    let state = fill((1, channels + 1, 1, count), 0.1, DType::F32)?;
    let condition = fill((1, extra, 1, count), 0.2, DType::F32)?;
    let inputs = channels / 2 + extra;
    let shapes =
        [vec![2 * inputs, inputs], vec![2 * inputs], vec![channels, 2 * inputs], vec![channels]];
    let run = || -> Result<Vec<Tensor>> {
        let mut vars =
            vec![Var::from_tensor(&state)?, Var::from_tensor(&affine(channels, DType::F32)?)?];
        for (seed, shape) in (3..).zip(&shapes) {
            vars.push(Var::from_tensor(
                &(fill(shape.clone(), f64::from(seed), DType::F32)? * 0.1)?,
            )?);
        }
        let x: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
        let block = NetworkCoupling { config: CouplingConfig::new(1.9), ..block(&x[1..], 0) };
        let y = network_couplings(&x[0], Some(&condition), &[block.clone(), block])?;
        let loss = (&y * fill(y.shape().clone(), 0.5, DType::F32)?)?.sum_all()?;
        // By either way, twice: what is handed over is there again.
        let (found, plain) = (backward(&loss)?, loss.backward()?);
        let mut all = vec![y];
        for var in &vars {
            let gradient = found.get(var).expect("a gradient").clone();
            assert_close(&gradient, plain.get(var).expect("a gradient"), 1e-6)?;
            all.push(gradient);
        }
        Ok(all)
    };
    let [kernel, composed] = BOTH.map(|implementation| with_implementation(implementation, run));
    for (a, b) in kernel?.iter().zip(&composed?) {
        assert_close(a, b, 3e-5)?;
    }
    Ok(())
}

#[test]
fn frozen_weights_get_no_gradient() -> Result<()> {
    let mut x = vec![fill((1, 6, 2, 2), 0.1, DType::F64)?, affine(5, DType::F64)?];
    x.extend(weights(0, 1)?);
    let bias = Var::from_tensor(&x[3])?;
    x[3] = bias.as_tensor().clone();
    let gradients = run(&x, None, 0)?.sum_all()?.backward()?;
    assert!(gradients.get(&bias).is_some() && gradients.get(&x[2]).is_none());
    let state = Var::from_tensor(&x[0])?;
    (x[0], x[3]) = (state.as_tensor().clone(), x[3].detach());
    assert!(run(&x, None, 0)?.sum_all()?.backward()?.get(&state).is_some());
    Ok(())
}

#[test]
fn refuses_what_does_not_fit() -> Result<()> {
    let mut x = vec![fill((1, 6, 2, 2), 0.1, DType::F64)?, affine(5, DType::F64)?];
    x.extend(weights(2, 1)?);
    let error = |x: &[Tensor]| run(x, None, 0).unwrap_err().to_string();
    assert!(error(&x).contains("the input has 3 channels"));
    x[0] = x[0].flatten_from(2)?;
    assert!(error(&x).contains("[1, 6, 4], not (batch, channels + 1, height, width)"));
    Ok(())
}
