use candle_core::{Result, Tensor};

/// A point that an [`Invertible`] map has moved, and how it stretched the space there.
///
/// Both are differentiable. See [`Invertible`].
#[derive(Clone, Debug)]
pub struct Mapped {
    /// Where the point is now.
    pub value: Tensor,
    /// `log |det J|` of the map at the point, one for each sample: `(batch)`.
    pub log_det: Tensor,
}

/// A map that can be undone, with the exact logarithm of the determinant of its Jacobian.
///
/// Whoever implements it promises:
///
/// ```text
/// inverse(forward(x).value).value = x
/// forward(x).log_det = log |det ∂z/∂x|,   inverse(z).log_det = log |det ∂x/∂z| = −forward(x).log_det
/// ```
///
/// and that a sample's result does not depend on the others of its batch.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_flows::{Flow, FlowConfig, Invertible};
/// use ocellus_params::ParamStore;
///
/// let params = ParamStore::seeded(1);
/// let config = FlowConfig::cflow(4, 0).with_blocks(2);
/// let flow = Flow::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
///
/// let x = Tensor::new(&[1f32, -2., 0.5, 3.], &Device::Cpu)?.reshape((1, 4, 1, 1))?;
/// let z = flow.forward(&x)?;
/// let back = flow.inverse(&z.value)?;
/// let error = (back.value - x)?.abs()?.max_all()?.to_scalar::<f32>()?;
/// assert!(error < 1e-5);
/// assert!((z.log_det + back.log_det)?.to_vec1::<f32>()?[0].abs() < 1e-5);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub trait Invertible {
    /// From data to latent space.
    ///
    /// # Errors
    ///
    /// If the input has a shape that the map does not take.
    fn forward(&self, x: &Tensor) -> Result<Mapped>;

    /// From latent space back to data.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    fn inverse(&self, z: &Tensor) -> Result<Mapped>;
}
