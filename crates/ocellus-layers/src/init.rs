use candle_core::{Result, Shape, Tensor};
use candle_nn::{Init, VarBuilder};

/// A parameter of a linear or convolution layer, drawn as told or by PyTorch's default:
/// U(−1/√fan, 1/√fan), with fan the number of inputs of an output.
pub(crate) fn drawn(
    vb: &VarBuilder,
    shape: impl Into<Shape>,
    name: &str,
    init: Option<Init>,
    fan_in: usize,
) -> Result<Tensor> {
    let bound = 1. / (fan_in.max(1) as f64).sqrt();
    let init = init.unwrap_or(Init::Uniform { lo: -bound, up: bound });
    vb.get_with_hints(shape.into(), name, init)
}
