use ocellus::candle::{DType, Device, Result, Shape, Tensor};
use ocellus::params::ParamStore;

/// Values in (−1, 1), the same on every machine: a multiplicative hash of the index.
pub(crate) fn fill(shape: impl Into<Shape>, seed: u32) -> Result<Tensor> {
    let shape = shape.into();
    let value = |i: usize| {
        let mut bits = (i as u32).wrapping_add(seed << 24).wrapping_mul(0x9E37_79B9);
        bits ^= bits >> 15;
        bits = bits.wrapping_mul(0x85EB_CA6B);
        bits ^= bits >> 13;
        (bits >> 8) as f32 / (1 << 23) as f32 - 1.
    };
    let values: Vec<f32> = (0..shape.elem_count()).map(value).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}

/// Class indices.
pub(crate) fn classes(shape: &[usize], classes: usize) -> Result<Tensor> {
    let scaled = fill(shape, 3)?.affine(classes as f64 / 2., classes as f64 / 2.)?;
    scaled.clamp(0., (classes - 1) as f64)?.to_dtype(DType::I64)
}

/// Moves biases, scales and statistics off 0 and 1, so that comparing outputs compares them too.
pub(crate) fn vary(params: &ParamStore) -> Result<()> {
    let vectors = params.trainable().into_iter().chain(params.buffers());
    for (name, var) in vectors.filter(|(_, var)| var.rank() == 1) {
        let centered = name.ends_with("bias") || name.ends_with("running_mean");
        let (scale, center) = if centered { (0.1, 0.) } else { (0.5, 1.) };
        let values = fill(var.shape().clone(), 4)?.affine(scale, center)?;
        var.set(&values.to_device(var.device())?)?;
    }
    Ok(())
}
