use candle_core::{Result, Tensor, bail};

use super::{Clamp, CouplingConfig};
use crate::cpu::Float;

/// What FrEIA scales the coefficients by, so that a fresh block is close to the identity.
const SHRINK: f64 = 0.1;

/// Pixels that one task handles.
const CHUNK: usize = 512;

/// The sizes of a coupling, checked, and its settings.
#[derive(Clone, Debug)]
pub(crate) struct Geometry {
    pub(crate) batch: usize,
    /// Channels of the flow, without the one of the log-determinant.
    pub(crate) channels: usize,
    /// The product of the dimensions behind the channels.
    pub(crate) pixels: usize,
    /// Which channel stands at each place of the output.
    pub(crate) order: Vec<usize>,
    alpha: f64,
    /// What a coefficient is multiplied by before the hyperbolic tangent.
    inner: f64,
}

impl Geometry {
    pub(super) fn new(
        state: &Tensor,
        coefficients: &[usize],
        affine: &Tensor,
        config: &CouplingConfig,
    ) -> Result<Self> {
        let &[batch, planes, ref place @ ..] = state.dims() else {
            bail!("coupling: the state is {:?}, not (batch, channels + 1, …)", state.dims())
        };
        if planes < 3 || state.elem_count() == 0 {
            bail!("coupling: the state {:?} has not 2 channels and a log-determinant", state.dims())
        }
        let channels = planes - 1;
        let active = channels / 2;
        let wanted = [&[batch, 2 * active], place].concat();
        if coefficients != wanted {
            bail!(
                "coupling: the coefficients are {:?}, but a state {:?} takes {wanted:?}",
                coefficients,
                state.dims()
            )
        }
        if affine.dims() != [2, channels] {
            bail!("coupling: the affine map is {:?}, expected (2, {channels})", affine.dims())
        }
        require_same("affine map", affine, state)?;
        let &CouplingConfig { alpha, clamp, .. } = config;
        if !(alpha.is_finite() && alpha > 0.) {
            bail!("coupling: the bound α is {alpha}, it must be finite and above 0")
        }
        let inner = match clamp {
            Clamp::Scaled => SHRINK,
            Clamp::SoftLimit => SHRINK / alpha,
        };
        let order = order(channels, config.permutation.as_deref())?;
        Ok(Self { batch, channels, pixels: place.iter().product(), order, alpha, inner })
    }

    /// The channels that the coupling leaves as they are: the first ones, one more than half if
    /// their number is odd.
    pub(super) fn passive(&self) -> usize {
        self.channels - self.active()
    }

    /// The channels that it changes.
    pub(crate) fn active(&self) -> usize {
        self.channels / 2
    }

    /// Tasks that the work is cut into.
    pub(super) fn tasks(&self) -> usize {
        self.batch * self.pixels.div_ceil(CHUNK)
    }

    /// The image of a task, its first pixel and its number of pixels.
    pub(super) fn task(&self, task: usize) -> (usize, usize, usize) {
        let chunks = self.pixels.div_ceil(CHUNK);
        let first = task % chunks * CHUNK;
        (task / chunks, first, CHUNK.min(self.pixels - first))
    }

    /// The bound α, what a coefficient is multiplied by before the hyperbolic tangent, and what is
    /// multiplied to get a shift.
    #[cfg(any(feature = "cuda", all(test, target_os = "linux")))]
    pub(crate) fn numbers(&self) -> [f64; 3] {
        [self.alpha, self.inner, SHRINK]
    }

    pub(super) fn constants<T: Float>(&self) -> Constants<T> {
        Constants {
            alpha: T::from_f64(self.alpha),
            inner: T::from_f64(self.inner),
            shrink: T::from_f64(SHRINK),
        }
    }

    /// `log σ` of coefficients s.
    pub(super) fn log_scale(&self, s: &Tensor) -> Result<Tensor> {
        (s * self.inner)?.tanh()? * self.alpha
    }

    /// What is added of coefficients t.
    pub(super) fn shift(&self, t: &Tensor) -> Result<Tensor> {
        t * SHRINK
    }
}

/// The numbers that the kernels compute with.
#[derive(Clone, Copy)]
pub(super) struct Constants<T> {
    alpha: T,
    inner: T,
    pub(super) shrink: T,
}

impl<T: Float> Constants<T> {
    /// `log σ` and its derivative, of a coefficient s.
    #[inline(always)]
    pub(super) fn log_scale(&self, s: T) -> (T, T) {
        /// tanh is ±1 from here on, and e²ᵛ still finite. A NaN passes both comparisons.
        const END: f64 = 20.;
        let end = T::from_f64(END);
        let v = s * self.inner;
        let v = if v > end { end } else { v };
        let v = if v < -end { -end } else { v };
        let e = (v + v).exponential();
        let tanh = (e - T::one()) / (e + T::one());
        (self.alpha * tanh, self.alpha * self.inner * (T::one() - tanh * tanh))
    }
}

/// An error unless a tensor has the state's type and device.
pub(super) fn require_same(what: &str, tensor: &Tensor, state: &Tensor) -> Result<()> {
    if tensor.dtype() != state.dtype() || !tensor.device().same_device(state.device()) {
        bail!("coupling: the {what} must have the type and the device of the state")
    }
    Ok(())
}

fn order(channels: usize, permutation: Option<&[u32]>) -> Result<Vec<usize>> {
    let Some(permutation) = permutation else { return Ok((0..channels).collect()) };
    let mut seen = vec![false; channels];
    for &channel in permutation {
        match seen.get_mut(channel as usize) {
            Some(seen @ false) => *seen = true,
            _ => bail!("coupling: {channel} is out of place in a permutation of {channels}"),
        }
    }
    if permutation.len() != channels {
        bail!("coupling: a permutation of {} for {channels} channels", permutation.len())
    }
    Ok(permutation.iter().map(|&channel| channel as usize).collect())
}
