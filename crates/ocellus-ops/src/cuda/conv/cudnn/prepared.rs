#![allow(unsafe_code, reason = "cuDNN is called")]

//! A convolution's descriptors, and the algorithm that computes it.

use std::ffi::{c_int, c_void};

use candle_core::cuda_backend::cudarc::cudnn::{result, sys};
use candle_core::cuda_backend::cudarc::driver::{CudaStream, DevicePtrMut};
use candle_core::{DType, Error, Result, Storage, Tensor, bail};

use super::{Handle, Key, Library};
use crate::cuda::conv::choice::{Candidate, WORKSPACE, choose};
use crate::cuda::conv::plan::Direction;
use crate::cuda::device::{read, written};
use crate::cuda::machine::Output;

/// Descriptors and the algorithm of a convolution in one direction.
pub(super) struct Prepared {
    x: TensorDescriptor,
    weight: FilterDescriptor,
    y: TensorDescriptor,
    convolution: ConvolutionDescriptor,
    algorithm: Algorithm,
    pub(super) workspace: usize,
    dtype: DType,
}

#[derive(Clone, Copy)]
enum Algorithm {
    Forward(sys::cudnnConvolutionFwdAlgo_t),
    ByInput(sys::cudnnConvolutionBwdDataAlgo_t),
    ByWeight(sys::cudnnConvolutionBwdFilterAlgo_t),
}

/// A descriptor of cuDNN, which is destroyed with it.
macro_rules! descriptor {
    ($name:ident, $raw:ty, $create:path, $destroy:path) => {
        struct $name($raw);

        impl $name {
            fn new() -> Result<Self> {
                Ok(Self($create().map_err(Error::wrap)?))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: created by cuDNN, and not used any more.
                let _ = unsafe { $destroy(self.0) };
            }
        }
    };
}

descriptor!(
    TensorDescriptor,
    sys::cudnnTensorDescriptor_t,
    result::create_tensor_descriptor,
    result::destroy_tensor_descriptor
);
descriptor!(
    FilterDescriptor,
    sys::cudnnFilterDescriptor_t,
    result::create_filter_descriptor,
    result::destroy_filter_descriptor
);
descriptor!(
    ConvolutionDescriptor,
    sys::cudnnConvolutionDescriptor_t,
    result::create_convolution_descriptor,
    result::destroy_convolution_descriptor
);

const LAYOUT: sys::cudnnTensorFormat_t = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;

/// The type in which values are stored.
fn data_type(dtype: DType) -> Result<sys::cudnnDataType_t> {
    use sys::cudnnDataType_t as Type;
    Ok(match dtype {
        DType::F32 => Type::CUDNN_DATA_FLOAT,
        DType::F64 => Type::CUDNN_DATA_DOUBLE,
        DType::F16 => Type::CUDNN_DATA_HALF,
        DType::BF16 => Type::CUDNN_DATA_BFLOAT16,
        other => bail!("a convolution of {other:?}: convert with to_dtype"),
    })
}

/// What units may multiply: those for f32 alone, unless TF32 is allowed; half types always take the
/// tensor cores, with sums in f32.
fn math(dtype: DType, tf32: bool) -> sys::cudnnMathType_t {
    use sys::cudnnMathType_t as Math;
    match dtype {
        DType::F16 | DType::BF16 => Math::CUDNN_TENSOR_OP_MATH,
        DType::F32 if !tf32 => Math::CUDNN_FMA_MATH,
        _ => Math::CUDNN_DEFAULT_MATH,
    }
}

fn integers<const N: usize>(dims: [usize; N]) -> [c_int; N] {
    dims.map(|size| size as c_int) // `Plan` has looked that they fit.
}

impl Prepared {
    pub(super) fn new(handle: &Handle, key: Key) -> Result<Self> {
        let Key { plan, direction, dtype, tf32 } = key;
        let (stored, wide) = (data_type(dtype)?, dtype == DType::F64);
        let computed = data_type(if wide { DType::F64 } else { DType::F32 })?;
        let (x, weight) = (TensorDescriptor::new()?, FilterDescriptor::new()?);
        let (y, convolution) = (TensorDescriptor::new()?, ConvolutionDescriptor::new()?);
        let [vertical, horizontal] = integers(plan.padding);
        let [down, right] = integers(plan.stride);
        let [apart_down, apart_right] = integers(plan.dilation);
        // SAFETY: the descriptors have just been created, and live.
        unsafe {
            result::set_tensor4d_descriptor(x.0, LAYOUT, stored, integers(plan.x))
                .map_err(Error::wrap)?;
            result::set_tensor4d_descriptor(y.0, LAYOUT, stored, integers(plan.y))
                .map_err(Error::wrap)?;
            result::set_filter4d_descriptor(weight.0, stored, LAYOUT, integers(plan.weight))
                .map_err(Error::wrap)?;
            result::set_convolution2d_descriptor(
                convolution.0,
                vertical,
                horizontal,
                down,
                right,
                apart_down,
                apart_right,
                sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
                computed,
            )
            .map_err(Error::wrap)?;
            result::set_convolution_group_count(convolution.0, plan.groups as i32)
                .map_err(Error::wrap)?;
            result::set_convolution_math_type(convolution.0, math(dtype, tf32))
                .map_err(Error::wrap)?;
        }
        let algorithm = Algorithm::Forward(
            sys::cudnnConvolutionFwdAlgo_t::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
        );
        let mut prepared = Self { x, weight, y, convolution, algorithm, workspace: 0, dtype };
        let found = match direction {
            Direction::Forward => prepared.forward(handle)?,
            Direction::ByInput => prepared.by_input(handle)?,
            Direction::ByWeight => prepared.by_weight(handle)?,
        };
        let Some((algorithm, math, workspace)) = found else {
            bail!(
                "cuDNN has no algorithm for {plan:?}, {direction:?} in {dtype:?} that repeats its \
                 bits and works in {WORKSPACE} bytes: use Implementation::Composed"
            )
        };
        (prepared.algorithm, prepared.workspace) = (algorithm, workspace);
        // An algorithm may be listed for the default, which allows TF32, also where it was not asked.
        let math = if dtype == DType::F32 && !tf32 { self::math(dtype, tf32) } else { math };
        // SAFETY: the descriptor lives.
        unsafe { result::set_convolution_math_type(prepared.convolution.0, math) }
            .map_err(Error::wrap)?;
        Ok(prepared)
    }
}

/// What was chosen: the algorithm, the units that it was judged with, and what it works in.
type Choice = (Algorithm, sys::cudnnMathType_t, usize);

/// A method that asks cuDNN for its algorithms, in the order of their expected speed, and chooses one.
macro_rules! search {
    ($name:ident, $perf:ty, $count:literal, $variant:ident, $get:path, [$($descriptor:ident),*]) => {
        fn $name(&self, handle: &Handle) -> Result<Option<Choice>> {
            const COUNT: usize = $count;
            let mut count: c_int = 0;
            // SAFETY: plain numbers and enums, of which 0 is a value.
            let mut found: [$perf; COUNT] = unsafe { std::mem::zeroed() };
            // SAFETY: handle and descriptors live, and there is room for as many as are asked for.
            unsafe {
                $get(
                    handle.0,
                    $(self.$descriptor.0,)*
                    COUNT as c_int,
                    &mut count,
                    found.as_mut_ptr(),
                )
            }
            .map_err(Error::wrap)?;
            let candidates: Vec<_> = found[..(count as usize).min(COUNT)]
                .iter()
                .map(|found| Candidate {
                    algorithm: (Algorithm::$variant(found.algo), found.mathType),
                    works: found.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS,
                    repeats: found.determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC,
                    workspace: found.memory,
                })
                .collect();
            Ok(choose(&candidates).map(|c| (c.algorithm.0, c.algorithm.1, c.workspace)))
        }
    };
}

impl Prepared {
    search!(
        forward,
        sys::cudnnConvolutionFwdAlgoPerf_t,
        8,
        Forward,
        result::get_convolution_forward_algorithm,
        [x, weight, convolution, y]
    );
    search!(
        by_input,
        sys::cudnnConvolutionBwdDataAlgoPerf_t,
        6,
        ByInput,
        result::get_convolution_backward_data_algorithm,
        [weight, y, convolution, x]
    );
    search!(
        by_weight,
        sys::cudnnConvolutionBwdFilterAlgoPerf_t,
        7,
        ByWeight,
        result::get_convolution_backward_filter_algorithm,
        [x, y, convolution, weight]
    );

    /// Puts the product into the stream.
    pub(super) fn run(
        &self,
        library: &mut Library,
        stream: &CudaStream,
        [a, b]: [&Tensor; 2],
        output: &mut Output,
    ) -> Result<()> {
        let ((a, a_layout), (b, b_layout)) = (a.storage_and_layout(), b.storage_and_layout());
        let (Storage::Cuda(a), Storage::Cuda(b), Storage::Cuda(to)) =
            (&*a, &*b, &mut output.storage)
        else {
            bail!("a convolution's tensors are not all on the CUDA device: move them")
        };
        let size = self.dtype.size_in_bytes();
        let ((a, _a_used), (b, _b_used)) = (read(&a.slice, stream)?, read(&b.slice, stream)?);
        let a = (a + (a_layout.start_offset() * size) as u64) as *const c_void;
        let b = (b + (b_layout.start_offset() * size) as u64) as *const c_void;
        let (to, _to_used) = written(&mut to.slice, stream)?;
        let to = to as *mut c_void;
        let (memory, _memory_used) = match &mut library.workspace {
            Some(workspace) if self.workspace > 0 => {
                let (memory, used) = workspace.device_ptr_mut(stream);
                (memory as *mut c_void, Some(used))
            }
            _ => (std::ptr::null_mut(), None),
        };
        // The factors of product and former output: f64 for f64, else f32.
        let (wide, single) = ([1f64, 0.], [1f32, 0.]);
        let factor = |n: usize| -> *const c_void {
            if self.dtype == DType::F64 {
                (&raw const wide[n]).cast()
            } else {
                (&raw const single[n]).cast()
            }
        };
        let (one, zero, handle) = (factor(0), factor(1), library.handle.0);
        let Self { x, weight, y, convolution, workspace, .. } = self;
        // SAFETY: handle, descriptors and memory live; the tensors are contiguous and of the
        // descriptors' sizes, which come from the same plan.
        unsafe {
            match self.algorithm {
                Algorithm::Forward(algorithm) => result::convolution_forward(
                    handle,
                    one,
                    x.0,
                    a,
                    weight.0,
                    b,
                    convolution.0,
                    algorithm,
                    memory,
                    *workspace,
                    zero,
                    y.0,
                    to,
                ),
                Algorithm::ByInput(algorithm) => result::convolution_backward_data(
                    handle,
                    one,
                    weight.0,
                    b,
                    y.0,
                    a,
                    convolution.0,
                    algorithm,
                    memory,
                    *workspace,
                    zero,
                    x.0,
                    to,
                ),
                Algorithm::ByWeight(algorithm) => result::convolution_backward_filter(
                    handle,
                    one,
                    x.0,
                    a,
                    y.0,
                    b,
                    convolution.0,
                    algorithm,
                    memory,
                    *workspace,
                    zero,
                    weight.0,
                    to,
                ),
            }
        }
        .map_err(Error::wrap)
    }
}
