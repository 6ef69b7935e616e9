//! What cuDNN computes, on the processor: so that tests run all that is around it.

use candle_core::{DType, Result, Shape, Storage, Tensor};

use super::plan::{Direction, Plan};
use crate::conv::{Epilogue, Geometry, Padding, Weights, forward, grad_input, grad_weight};
use crate::cpu::{Float, dispatch, read};
use crate::cuda::machine::Output;
use crate::{Conv2dConfig, ConvAlgorithm};

/// `a` and `b` are what the direction is computed from, in its order.
pub(super) fn compute(plan: &Plan, direction: Direction, a: &Tensor, b: &Tensor) -> Result<Output> {
    let Plan { padding: [vertical, horizontal], stride, dilation, groups, .. } = *plan;
    let config = Conv2dConfig::default()
        .with_stride(stride.into())
        .with_padding(Padding::new(vertical, vertical, horizontal, horizontal))
        .with_dilation(dilation.into())
        .with_groups(groups)
        .with_algorithm(ConvAlgorithm::Direct);
    let g = Geometry::of_conv(&plan.x, &plan.weight, &config)?;
    assert_eq!(g.output_shape(), plan.y, "cuDNN counts other outputs than the plan");
    let shape = match direction {
        Direction::Forward => plan.y,
        Direction::ByInput => plan.x,
        Direction::ByWeight => plan.weight,
    };
    let dtype = a.dtype();
    let wide = if dtype == DType::F64 { DType::F64 } else { DType::F32 };
    let (a, b) = (a.to_dtype(wide)?, b.to_dtype(wide)?);
    let values = dispatch!(wide, "conv2d", T => {
        let values = run::<T>(&g, direction, &read(&a)?, &read(&b)?);
        Tensor::from_vec(values, shape.as_slice(), a.device())?.to_dtype(dtype)?
    });
    Ok(Output { storage: storage(&values)?, shape: Shape::from(shape.as_slice()) })
}

fn run<T: Float>(g: &Geometry, direction: Direction, a: &[T], b: &[T]) -> Vec<T> {
    let plain = Epilogue::of(None);
    match direction {
        Direction::Forward => forward(g, a, Weights::Plain(b), plain),
        Direction::ByInput => grad_input(g, a, b, plain),
        Direction::ByWeight => grad_weight(g, a, b),
    }
}

fn storage(x: &Tensor) -> Result<Storage> {
    match &*x.storage_and_layout().0 {
        Storage::Cpu(storage) => Ok(Storage::Cpu(storage.clone())),
        _ => candle_core::bail!("an emulated tensor on a device"),
    }
}
