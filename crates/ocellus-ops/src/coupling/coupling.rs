use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Tensor};

use super::CouplingConfig;
use super::backward::gradients;
use super::composed::composed;
use super::forward::forward;
use super::geometry::{Geometry, require_same};
use crate::backward::collect;
use crate::cpu::{dispatch, read, view, widened};
use crate::cuda;
use crate::implementation::{Code, code};
use crate::run::require_float;

const NAME: &str = "coupling";

/// An affine coupling, the global affine map and the permutation behind it, in one: a block of a
/// normalizing flow, but for the network that finds the coefficients.
///
/// ```text
/// u₁ = x₁                                        the first C − C/2 channels
/// u₂ = x₂ · exp(log σ) + t / 10                  log σ = α · tanh(s / 10), see Clamp     [1], Eq. 8
/// y[i] = g[p] · u[p] + b[p],   p = permutation[i]
/// ℓ′ = ℓ + Σ log σ + Σ log g                                                            [1], Eq. 6
/// ```
///
/// with the coefficients s and t from a network on x₁. The state's last channel carries the
/// logarithm of the determinant of the Jacobian: ℓ, zero before the first block, is summed up
/// pixel by pixel; the one of a map over whole images is its sum over the pixels.
///
/// # Shapes
///
/// - `state` and output: `(batch, C + 1, …)`: C channels, then ℓ
/// - `coefficients`: `(batch, 2 ⌊C/2⌋, …)`: s, then t
/// - `affine`: `(2, C)`: g, which must be positive, and b
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::{CouplingConfig, coupling};
///
/// let state = Tensor::new(&[[[1f64], [2.], [0.]]], &Device::Cpu)?; // Two channels, ℓ = 0.
/// let coefficients = Tensor::new(&[[[0f64], [5.]]], &Device::Cpu)?; // s = 0, t = 5.
/// let affine = Tensor::new(&[[3f64, 1.], [0., 0.]], &Device::Cpu)?; // g = (3, 1), b = 0.
/// let config = CouplingConfig::new(1.9).with_permutation(vec![1, 0]);
/// let y = coupling(&state, &coefficients, &affine, &config)?.flatten_all()?.to_vec1::<f64>()?;
/// assert_eq!(y[..2], [2.5, 3.]);
/// assert!((y[2] - 3f64.ln()).abs() < 1e-15);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the shapes, types or devices do not fit together, α is not positive, or the permutation is
/// none.
///
/// # References
///
/// 1. L. Dinh, J. Sohl-Dickstein, S. Bengio. *Density estimation using Real NVP.* ICLR 2017.
///    <https://arxiv.org/abs/1605.08803>; the block is `AllInOneBlock` of FrEIA,
///    <https://github.com/vislearn/FrEIA>.
pub fn coupling(
    state: &Tensor,
    coefficients: &Tensor,
    affine: &Tensor,
    config: &CouplingConfig,
) -> Result<Tensor> {
    require_float(NAME, state)?;
    let geometry = Geometry::new(state, coefficients.dims(), affine, config)?;
    require_same("coefficients", coefficients, state)?;
    let code = code(NAME, state)?;
    if let Code::Gpu(machine) = code {
        return cuda::coupling(machine, geometry, state, coefficients, affine);
    }
    widened(&[state, coefficients, affine], |t| {
        if matches!(code, Code::Processor) {
            t[0].apply_op3(&t[1], &t[2], Coupling(geometry))
        } else {
            composed(&geometry, &t[0], &t[1], &t[2])
        }
    })
}

struct Coupling(Geometry);

impl CustomOp3 for Coupling {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        state: &CpuStorage,
        state_layout: &Layout,
        coefficients: &CpuStorage,
        coefficients_layout: &Layout,
        affine: &CpuStorage,
        affine_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!(state.dtype(), NAME, T => {
            let y = forward::<T>(
                &self.0,
                &view(state, state_layout)?,
                &view(coefficients, coefficients_layout)?,
                &view(affine, affine_layout)?,
            );
            Ok((<T as candle_core::WithDType>::to_cpu_storage_owned(y), state_layout.shape().clone()))
        })
    }

    fn bwd(
        &self,
        state: &Tensor,
        coefficients: &Tensor,
        affine: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        dispatch!(state.dtype(), NAME, T => {
            let found = gradients::<T>(
                &self.0,
                &read(state)?,
                &read(coefficients)?,
                &read(affine)?,
                &read(grad)?,
            );
            let give = |argument: &Tensor, values: Vec<T>| {
                if !argument.track_op() {
                    return Ok(None);
                }
                collect(argument, Tensor::from_vec(values, argument.shape(), &Device::Cpu)?)
            };
            Ok((
                give(state, found.state)?,
                give(coefficients, found.coefficients)?,
                give(affine, found.affine)?,
            ))
        })
    }
}
