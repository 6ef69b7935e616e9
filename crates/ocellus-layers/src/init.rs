use candle_nn::Init;

/// PyTorch's default for the weights and biases of linear and convolution layers:
/// U(−1/√fan, 1/√fan), with fan the number of inputs of an output.
pub(crate) fn pytorch_default(fan_in: usize) -> Init {
    let bound = 1. / (fan_in.max(1) as f64).sqrt();
    Init::Uniform { lo: -bound, up: bound }
}
