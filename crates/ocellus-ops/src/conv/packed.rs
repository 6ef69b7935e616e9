use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, DType, Device, Layout, Module, Result, Shape, Tensor, bail,
};

use super::Conv2dConfig;
use super::composed;
use super::cpu::forward;
use super::epilogue::Epilogue;
use super::geometry::Geometry;
use super::weights::{Weights, pack, packed_len};
use crate::cpu::{Float, dispatch, read, view, widened};
use crate::implementation::use_kernel;
use crate::simd::Isa;

/// A convolution for inference: its weights are brought into the order of the kernels once, a
/// residual and ReLU are applied before a value is written, and no graph is kept.
///
/// ```text
/// y = max(0, conv2d(x, weight, bias) + residual)
/// ```
///
/// Later changes of the weight have no effect on it. On other devices than the CPU it is a
/// composition of operations.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_ops::{Conv2dConfig, PackedConv2d};
///
/// let x = Tensor::ones((1, 8, 6, 5), DType::F32, &Device::Cpu)?;
/// let weight = (Tensor::ones((8, 8, 1, 1), DType::F32, &Device::Cpu)? * -0.25)?;
/// let conv = PackedConv2d::new(&weight, None, &Conv2dConfig::default())?;
///
/// let y = conv.forward_fused(&x, Some(&x), true)?; // max(0, −2 + 1)
/// assert_eq!(y.max_all()?.to_scalar::<f32>()?, 0.);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PackedConv2d {
    filters: Filters,
    /// The shape of the weight.
    weight: [usize; 4],
    dtype: DType,
    bias: Option<Tensor>,
    config: Conv2dConfig,
}

#[derive(Clone, Debug)]
enum Filters {
    /// For the CPU kernel, in f32 or f64.
    Packed { data: Tensor, isa: Isa },
    /// As given, for a composition.
    Plain(Tensor),
}

impl PackedConv2d {
    /// Packs the weight, `(out, in / groups, kernel_height, kernel_width)`; the bias is `(out)`.
    ///
    /// # Errors
    ///
    /// If the weight is no such tensor, or the bias of another shape or type.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>, config: &Conv2dConfig) -> Result<Self> {
        let (co, ci, kh, kw) = weight.dims4()?;
        if config.groups == 0 || !co.is_multiple_of(config.groups) {
            bail!("PackedConv2d: {co} output channels in {} groups", config.groups)
        }
        if let Some(bias) = bias
            && (bias.dims() != [co] || bias.dtype() != weight.dtype())
        {
            bail!(
                "PackedConv2d: the bias is {:?} {:?}, but must be [{co}] {:?}",
                bias.dims(),
                bias.dtype(),
                weight.dtype()
            )
        }
        let filters = if use_kernel("PackedConv2d", weight)? {
            let sizes = (config.groups, co / config.groups, ci * kh * kw);
            let isa = Isa::current();
            let data = widened_type(weight)?;
            Filters::Packed {
                data: dispatch!(data.dtype(), "PackedConv2d", T => packed::<T>(isa, sizes, &data)?),
                isa,
            }
        } else {
            Filters::Plain(weight.detach())
        };
        Ok(Self {
            filters,
            weight: [co, ci, kh, kw],
            dtype: weight.dtype(),
            bias: bias.map(|bias| widened_type(&bias.detach())).transpose()?,
            config: *config,
        })
    }

    /// The convolution, then the sum with a residual as large as the result, then ReLU, where asked
    /// for.
    ///
    /// # Errors
    ///
    /// As [`conv2d`](crate::conv2d), and if the residual is not as the result.
    pub fn forward_fused(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
    ) -> Result<Tensor> {
        let geometry = Geometry::of_conv(x.dims(), &self.weight, &self.config)?;
        self.check(x, residual, &geometry)?;
        match &self.filters {
            Filters::Plain(weight) => self.composed(&geometry, x, weight, residual, relu),
            Filters::Packed { data, isa } => {
                let op = Apply { conv: self, filters: data, isa: *isa, geometry, relu };
                match residual {
                    None => widened(&[x], |t| t[0].apply_op1_no_bwd(&op)),
                    Some(residual) => {
                        widened(&[x, residual], |t| t[0].apply_op2_no_bwd(&t[1], &op))
                    }
                }
            }
        }
    }

    fn check(&self, x: &Tensor, residual: Option<&Tensor>, geometry: &Geometry) -> Result<()> {
        let shape = geometry.output_shape();
        for (what, tensor) in [("input", Some(x)), ("residual", residual)] {
            let Some(tensor) = tensor else { continue };
            if tensor.dtype() != self.dtype {
                let dtype = tensor.dtype();
                bail!("PackedConv2d: the {what} is {dtype:?}, the weight {:?}", self.dtype)
            }
            let weight = match &self.filters {
                Filters::Packed { data, .. } | Filters::Plain(data) => data,
            };
            if !tensor.device().same_device(weight.device()) {
                bail!("PackedConv2d: the {what} is on another device than the weight: move one")
            }
        }
        match residual {
            Some(residual) if residual.dims() != shape => bail!(
                "PackedConv2d: the residual is {:?}, but the result {shape:?}",
                residual.dims()
            ),
            _ => Ok(()),
        }
    }

    fn composed(
        &self,
        geometry: &Geometry,
        x: &Tensor,
        weight: &Tensor,
        residual: Option<&Tensor>,
        relu: bool,
    ) -> Result<Tensor> {
        let bias = self.bias.as_ref().map(|bias| bias.to_dtype(self.dtype)).transpose()?;
        let mut y = composed::forward(geometry, &x.detach(), weight, bias.as_ref())?;
        if let Some(residual) = residual {
            y = (y + residual.detach())?;
        }
        if relu { crate::relu(&y) } else { Ok(y) }
    }
}

impl Module for PackedConv2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_fused(x, None, false)
    }
}

/// In the type that kernels compute in.
fn widened_type(x: &Tensor) -> Result<Tensor> {
    match x.dtype() {
        DType::F16 | DType::BF16 => x.to_dtype(DType::F32),
        _ => Ok(x.clone()),
    }
}

fn packed<T: Float>(isa: Isa, sizes: (usize, usize, usize), weight: &Tensor) -> Result<Tensor> {
    let (groups, co, depth) = sizes;
    let mut data = vec![T::zero(); packed_len(groups, co, depth, isa.lanes::<T>())];
    pack(isa, sizes, &read::<T>(weight)?, &mut data);
    let len = data.len();
    Tensor::from_vec(data, len, &Device::Cpu)
}

/// One application of the kernel.
struct Apply<'a> {
    conv: &'a PackedConv2d,
    filters: &'a Tensor,
    isa: Isa,
    geometry: Geometry,
    relu: bool,
}

impl Apply<'_> {
    fn run<T: Float>(&self, x: &[T], residual: Option<&[T]>) -> Result<(CpuStorage, Shape)> {
        assert_eq!(self.isa, Isa::current(), "filters packed for other vectors");
        let bias = self.conv.bias.as_ref().map(read::<T>).transpose()?;
        let epilogue = Epilogue { bias: bias.as_deref(), residual, relu: self.relu };
        let filters = read::<T>(self.filters)?;
        let y = forward(&self.geometry, x, Weights::Packed(&filters), epilogue);
        Ok((T::to_cpu_storage_owned(y), self.geometry.output_shape().as_slice().into()))
    }
}

impl CustomOp1 for Apply<'_> {
    fn name(&self) -> &'static str {
        "PackedConv2d"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        dispatch!(x.dtype(), "PackedConv2d", T => self.run::<T>(&view(x, layout)?, None))
    }
}

impl CustomOp2 for Apply<'_> {
    fn name(&self) -> &'static str {
        "PackedConv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!(x.dtype(), "PackedConv2d", T => {
            self.run::<T>(&view(x, layout)?, Some(&view(residual, residual_layout)?))
        })
    }
}
