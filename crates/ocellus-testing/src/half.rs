use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;

use crate::model::{built, is_buffer, named, no_gradient};
use crate::{fill, relative_error};

/// The suite that every model must pass that computes in the type of its input, with weights of f32. In bf16
/// and in f16:
///
/// 1. the output is as narrow as the input, and differs from that of f32 by `tolerance` at most: norms, of
///    the difference and of the whole;
/// 2. each parameter gets a gradient of f32; of all together, the difference is `gradient_tolerance` at most;
/// 3. the running statistics are f32, and differ by `tolerance` at most.
///
/// The tolerances are those of bf16; f16, which has three bits more, must keep to a quarter of them.
/// `forward` runs the model in training, on inputs that both types hold exactly. The weights are set as
/// [`check_model`](crate::check_model) does.
///
/// A layer alone is as exact as its type, about 2e-3 in bf16. A network is not: what is nearly zero before a
/// ReLU comes out on its other side, and another pixel is the largest in a window. Its gradients then differ by
/// tenths, as they do in f32 when nothing but the weights is rounded to bf16.
#[track_caller]
pub fn check_half<M>(
    build: impl Fn(VarBuilder<'static>) -> Result<M>,
    forward: impl Fn(&M, &[Tensor]) -> Result<Tensor>,
    inputs: &[Tensor],
    (tolerance, gradient_tolerance): (f64, f64),
) -> Result<()> {
    assert!(gradient_tolerance < 1., "gradients of zero would be close enough");
    let exact = |x: &Tensor| x.to_dtype(DType::BF16)?.to_dtype(DType::F32);
    let inputs = inputs.iter().map(exact).collect::<Result<Vec<_>>>()?;
    let expected = Trained::new(&build, &forward, &inputs, DType::F32)?;
    for (dtype, share) in [(DType::BF16, 1.), (DType::F16, 0.25)] {
        let found = Trained::new(&build, &forward, &inputs, dtype)?;
        assert_eq!(found.output.dtype(), dtype, "an output of another type than the input");
        let pairs = [
            ("output", &found.output, &expected.output, tolerance),
            ("gradient", &found.gradients, &expected.gradients, gradient_tolerance),
            ("running statistics", &found.statistics, &expected.statistics, tolerance),
        ];
        for (what, found, expected, tolerance) in pairs {
            let error = relative_error(found, expected)?;
            let close = error <= share * tolerance; // False for a NaN.
            assert!(close, "the {what} in {dtype:?} differs by {error:.2e}");
        }
    }
    Ok(())
}

/// What a step of training gives, each in a row.
struct Trained {
    output: Tensor,
    gradients: Tensor,
    statistics: Tensor,
}

impl Trained {
    #[track_caller]
    fn new<M>(
        build: &impl Fn(VarBuilder<'static>) -> Result<M>,
        forward: &impl Fn(&M, &[Tensor]) -> Result<Tensor>,
        inputs: &[Tensor],
        dtype: DType,
    ) -> Result<Self> {
        let (weights, model) = built(build)?;
        let inputs = inputs.iter().map(|x| x.to_dtype(dtype)).collect::<Result<Vec<_>>>()?;
        let output = forward(&model, &inputs)?;
        let upstream = fill(output.shape().clone(), 0.5, DType::F32)?;
        let store = (output.to_dtype(DType::F32)? * upstream)?.sum_all()?.backward()?;
        let (mut gradients, mut statistics) = (Vec::new(), vec![fill(1, 0.1, DType::F32)?]);
        for (name, var) in named(&weights) {
            assert_eq!(var.dtype(), DType::F32, "`{name}` was changed");
            if is_buffer(&name) {
                statistics.push(var.as_detached_tensor().flatten_all()?);
                continue;
            }
            let gradient = store.get(var.as_tensor()).unwrap_or_else(|| no_gradient(&name));
            assert_eq!(gradient.dtype(), DType::F32, "the gradient of `{name}`");
            gradients.push(gradient.flatten_all()?);
        }
        Ok(Self {
            output,
            gradients: Tensor::cat(&gradients, 0)?,
            statistics: Tensor::cat(&statistics, 0)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Layer = (Tensor, Tensor);

    fn build(vb: VarBuilder<'static>) -> Result<Layer> {
        Ok((vb.get((2, 3), "weight")?, vb.get(2, "bias")?))
    }

    fn check(forward: impl Fn(&Layer, &Tensor) -> Result<Tensor>) -> Result<()> {
        let x = fill((4, 3), 0.1, DType::F32)?;
        check_half(build, |layer, x| forward(layer, &x[0]), &[x], (0.01, 0.01))
    }

    fn linear((weight, bias): &Layer, x: &Tensor) -> Result<Tensor> {
        x.to_dtype(DType::F32)?.matmul(&weight.t()?)?.broadcast_add(bias)
    }

    #[test]
    fn a_layer_that_rounds_its_output_passes() -> Result<()> {
        check(|layer, x| linear(layer, x)?.to_dtype(x.dtype()))
    }

    #[test]
    #[should_panic(expected = "another type than the input")]
    fn an_output_that_stays_wide_is_found() {
        check(linear).unwrap();
    }

    #[test]
    #[should_panic(expected = "the output in BF16 differs")]
    fn an_output_of_few_digits_is_found() {
        check(|layer, x| {
            let y = linear(layer, x)?;
            let coarse = ((&y * 8.)?.round()? / 8.)?;
            match x.dtype() {
                DType::F32 => Ok(y),
                narrow => (&y + (coarse - &y)?.detach())?.to_dtype(narrow),
            }
        })
        .unwrap();
    }

    #[test]
    #[should_panic(expected = "`bias` gets no gradient")]
    fn a_parameter_that_is_left_out_is_found() {
        check(|(weight, bias), x| linear(&(weight.clone(), bias.detach()), x)?.to_dtype(x.dtype()))
            .unwrap();
    }
}
