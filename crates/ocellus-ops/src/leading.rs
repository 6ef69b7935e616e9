#![allow(unsafe_code, reason = "results are written to memory that is not cleared before")]

use std::mem::MaybeUninit;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Device, Layout, Result, Shape, Tensor, bail};

use crate::backward::collect;
use crate::cpu::{Float, dispatch, read, view, widened};
use crate::cuda;
use crate::implementation::{Code, code};
use crate::parallel::{GRAIN, filled};
use crate::run::require_float;

const NAME: &str = "leading_channels";

/// The first channels of a tensor, and those of another behind them: what the network in a coupling
/// of a normalizing flow sees.
///
/// ```text
/// y = [x[:, :count], condition]
/// ```
///
/// As `narrow` and [`concat`](crate::concat()), in one pass, and in one back.
///
/// # Shapes
///
/// - `x`: `(batch, channels, …)`
/// - `condition`: `(batch, extra, …)`, or `(1, extra, …)` for all of the batch
/// - output: `(batch, count + extra, …)`
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::leading_channels;
///
/// let x = Tensor::new(&[[1f32, 2., 3.], [4., 5., 6.]], &Device::Cpu)?;
/// let condition = Tensor::new(&[[9f32]], &Device::Cpu)?;
/// let y = leading_channels(&x, 2, Some(&condition))?;
/// assert_eq!(y.to_vec2::<f32>()?, [[1., 2., 9.], [4., 5., 9.]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If `x` has not as many channels, or the condition does not fit.
pub fn leading_channels(x: &Tensor, count: usize, condition: Option<&Tensor>) -> Result<Tensor> {
    check(x, count, condition)?;
    let batch = x.dim(0)?;
    let kernel = match code(NAME, x)? {
        Code::Gpu(machine) => return cuda::leading_channels(machine, x, count, condition),
        Code::Processor => true,
        Code::Composed => false,
    };
    let op = Leading { count };
    match condition {
        None if kernel => widened(&[x], |t| t[0].apply_op1(op)),
        None => x.narrow(1, 0, count),
        Some(condition) if kernel => widened(&[x, condition], |t| t[0].apply_op2(&t[1], op)),
        Some(condition) => {
            let shape = [&[batch], &condition.dims()[1..]].concat();
            Tensor::cat(&[&x.narrow(1, 0, count)?, &condition.broadcast_as(shape)?], 1)
        }
    }
}

/// An error unless they fit together.
pub(crate) fn check(x: &Tensor, count: usize, condition: Option<&Tensor>) -> Result<()> {
    require_float(NAME, x)?;
    let &[batch, channels, ref place @ ..] = x.dims() else {
        bail!("{NAME}: the input is {:?}, not (batch, channels, …)", x.dims())
    };
    if !(1..=channels).contains(&count) || x.elem_count() == 0 {
        bail!("{NAME}: {count} channels of {:?}", x.dims())
    }
    if let Some(condition) = condition {
        let fits = matches!(condition.dims(), [n, _, rest @ ..]
            if (*n == 1 || *n == batch) && rest == place);
        if !fits || condition.dtype() != x.dtype() || !condition.device().same_device(x.device()) {
            bail!(
                "{NAME}: a condition {:?} of {:?} for an input {:?} of {:?}",
                condition.dims(),
                condition.dtype(),
                x.dims(),
                x.dtype()
            )
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
pub(crate) struct Leading {
    pub(crate) count: usize,
}

impl Leading {
    /// Rows of the first channels of x, with rows of the condition behind; `rows` are their lengths.
    pub(crate) fn run<T: Float>(
        &self,
        x: &[T],
        condition: &[T],
        dims: &[usize],
        extra: usize,
    ) -> Vec<T> {
        let plane: usize = dims[2..].iter().product();
        let (stride, len) = (dims[1] * plane, self.count * plane);
        let behind = extra * plane;
        // SAFETY: every element is written: see `rows`.
        unsafe {
            rows(dims[0], len + behind, |row, place| {
                let x = &x[row * stride..][..len];
                let row = if condition.len() > behind { row } else { 0 };
                let condition = &condition[row * behind..][..behind];
                if place < len { &x[place..] } else { &condition[place - len..] }
            })
        }
    }

    /// The gradient by x: that of the first channels, zero for the others.
    fn by_x<T: Float>(&self, x: &Tensor, grad: &[T], extra: usize) -> Result<Option<Tensor>> {
        if !x.track_op() {
            return Ok(None);
        }
        let dims = x.dims();
        let plane: usize = dims[2..].iter().product();
        let (stride, len) = ((self.count + extra) * plane, self.count * plane);
        let zeros = vec![T::zero(); (dims[1] - self.count) * plane];
        // SAFETY: every element is written: see `rows`.
        let by_x = unsafe {
            rows(dims[0], dims[1] * plane, |row, place| {
                if place < len { &grad[row * stride..][place..len] } else { &zeros[place - len..] }
            })
        };
        collect(x, Tensor::from_vec(by_x, x.shape(), &Device::Cpu)?)
    }
}

/// Rows of `len` elements, each put together of what `from(row, place)` gives from that place on.
///
/// # Safety
///
/// `from` must never give an empty slice, nor one that reaches beyond the row.
unsafe fn rows<'a, T: Float>(
    count: usize,
    len: usize,
    from: impl Fn(usize, usize) -> &'a [T] + Sync,
) -> Vec<T> {
    let fill = |block: usize, mut y: &mut [MaybeUninit<T>]| {
        let mut at = block * GRAIN;
        while !y.is_empty() {
            let from = from(at / len, at % len);
            let (to, rest) = y.split_at_mut(from.len().min(y.len()));
            for (y, &x) in to.iter_mut().zip(from) {
                y.write(x);
            }
            at += to.len();
            y = rest;
        }
    };
    // SAFETY: by the caller's promise every element of a piece is written.
    unsafe { filled(count * len, GRAIN, fill) }
}

impl CustomOp1 for Leading {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        dispatch!(x.dtype(), NAME, T => {
            let mut dims = layout.dims().to_vec();
            let y = self.run::<T>(&view(x, layout)?, &[], &dims, 0);
            dims[1] = self.count;
            Ok((<T as candle_core::WithDType>::to_cpu_storage_owned(y), dims.into()))
        })
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        dispatch!(x.dtype(), NAME, T => self.by_x::<T>(x, &read(grad)?, 0))
    }
}

impl CustomOp2 for Leading {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        condition: &CpuStorage,
        condition_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!(x.dtype(), NAME, T => {
            let mut dims = layout.dims().to_vec();
            let extra = condition_layout.dims()[1];
            let condition = view(condition, condition_layout)?;
            let y = self.run::<T>(&view(x, layout)?, &condition, &dims, extra);
            dims[1] = self.count + extra;
            Ok((<T as candle_core::WithDType>::to_cpu_storage_owned(y), dims.into()))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        condition: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let extra = condition.dim(1)?;
        let by_x = dispatch!(x.dtype(), NAME, T => self.by_x::<T>(x, &read(grad)?, extra))?;
        if !condition.track_op() {
            return Ok((by_x, None));
        }
        let by_condition = grad.narrow(1, self.count, extra)?;
        let shared = condition.dim(0)? < x.dim(0)?;
        Ok((by_x, Some(if shared { by_condition.sum_keepdim(0)? } else { by_condition })))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::testing::{BOTH, check_both};
    use crate::with_implementation;

    #[test]
    fn passes_the_suite() -> Result<()> {
        let x = fill((2, 5, 3, 2), 0.1, DType::F64)?;
        check_both(|x| leading_channels(&x[0], 3, None), std::slice::from_ref(&x))?;
        for batch in [1, 2] {
            let condition = fill((batch, 4, 3, 2), 0.2, DType::F64)?;
            check_both(|x| leading_channels(&x[0], 3, Some(&x[1])), &[x.clone(), condition])?;
        }
        check_both(|x| leading_channels(&x[0], 5, Some(&x[1])), &[x.clone(), x])
    }

    #[test]
    fn kernel_and_composition_agree_on_more_than_a_block() -> Result<()> {
        let x = fill((3, 7, 71, 53), 0.1, DType::F32)?;
        for batch in [1, 3] {
            let condition = fill((batch, 2, 71, 53), 0.2, DType::F32)?;
            let run = || leading_channels(&x, 4, Some(&condition));
            let [a, b] = BOTH.map(|implementation| with_implementation(implementation, run));
            assert_close(&a?, &b?, 0.)?;
        }
        Ok(())
    }

    #[test]
    fn refuses_what_does_not_fit() -> Result<()> {
        let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu);
        let x = zeros(&[2, 3, 4])?;
        let error = |count, condition: Option<&Tensor>| {
            leading_channels(&x, count, condition).unwrap_err().to_string()
        };
        assert!(error(4, None).contains("4 channels of [2, 3, 4]"));
        assert!(error(0, None).contains("0 channels"));
        assert!(error(1, Some(&zeros(&[3, 1, 4])?)).contains("[3, 1, 4]"));
        assert!(error(1, Some(&zeros(&[2, 1, 5])?)).contains("[2, 1, 5]"));
        assert!(error(1, Some(&zeros(&[2, 1, 4])?.to_dtype(DType::F64)?)).contains("F64"));
        Ok(())
    }
}
