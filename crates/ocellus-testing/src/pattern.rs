use candle_core::{DType, Device, Result, Shape, Tensor};

/// Values in (−1, 1) that look random, differ from each other and are the same everywhere:
/// `sin(phase + 12.9898 · i) · 43758.5453`, its fraction doubled, less one. A Python golden script
/// can compute the same in double precision.
pub fn fill(shape: impl Into<Shape>, phase: f64, dtype: DType) -> Result<Tensor> {
    let shape = shape.into();
    let value = |i: usize| {
        let v = (phase + 12.9898 * i as f64).sin() * 43758.5453;
        2. * (v - v.floor()) - 1.
    };
    let values: Vec<f64> = (0..shape.elem_count()).map(value).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)
}

/// `start, start + step, …` in the given shape: values without ties, for pooling.
pub fn ramp(shape: impl Into<Shape>, start: f64, step: f64, dtype: DType) -> Result<Tensor> {
    let shape = shape.into();
    let values: Vec<f64> = (0..shape.elem_count()).map(|i| start + step * i as f64).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)
}
