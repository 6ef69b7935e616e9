use candle_core::{Result, Var, backprop::GradStore};

use crate::gradient::gradient_norm;

/// How gradients are shortened before a step.
///
/// ```
/// use ocellus_train::Clip;
///
/// assert_eq!(Clip::Norm(1.0), Clip::Norm(1.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Clip {
    /// All gradients together to at most this Euclidean norm: [`clip_norm`].
    Norm(f64),
    /// Each entry to at most this size: [`clip_value`].
    Value(f64),
}

/// Scales all gradients by one factor, so that their common norm is at most `max`. Returns the norm
/// before.
///
/// ```text
/// g ← g · min(1, max / (‖g‖ + 1e-6))
/// ```
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Var};
/// use ocellus_train::clip_norm;
///
/// let p = Var::new(&[3f64, 4.], &Device::Cpu)?;
/// let params = [("p".to_owned(), p.clone())];
/// let mut grads = (p.sqr()?.sum_all()? * 0.5)?.backward()?;
/// assert_eq!(clip_norm(&mut grads, &params, 1.)?, 5.);
/// let clipped = grads.get(&p).unwrap().to_vec1::<f64>()?;
/// assert!((clipped[0] - 0.6).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// When a gradient cannot be read.
///
/// # References
///
/// Pascanu, Mikolov, Bengio: On the difficulty of training recurrent neural networks. ICML 2013.
/// The constant is that of PyTorch's `clip_grad_norm_`.
pub fn clip_norm(grads: &mut GradStore, params: &[(String, Var)], max: f64) -> Result<f64> {
    let norm = gradient_norm(grads, params)?.value;
    shorten(grads, params, norm, max)?;
    Ok(norm)
}

/// Scales gradients of that norm to at most `max`.
pub(crate) fn shorten(
    grads: &mut GradStore,
    params: &[(String, Var)],
    norm: f64,
    max: f64,
) -> Result<()> {
    let factor = max / (norm + 1e-6);
    if factor < 1. {
        for (_, var) in params {
            if let Some(grad) = grads.remove(var) {
                grads.insert(var, grad.affine(factor, 0.)?);
            }
        }
    }
    Ok(())
}

/// Clamps each entry of each gradient to `−max ..= max`.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Var};
/// use ocellus_train::clip_value;
///
/// let p = Var::new(&[3f64, -4., 0.5], &Device::Cpu)?;
/// let mut grads = (p.sqr()?.sum_all()? * 0.5)?.backward()?;
/// clip_value(&mut grads, &[("p".to_owned(), p.clone())], 1.)?;
/// assert_eq!(grads.get(&p).unwrap().to_vec1::<f64>()?, [1., -1., 0.5]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// When a gradient cannot be read.
pub fn clip_value(grads: &mut GradStore, params: &[(String, Var)], max: f64) -> Result<()> {
    for (_, var) in params {
        if let Some(grad) = grads.remove(var) {
            grads.insert(var, grad.clamp(-max, max)?);
        }
    }
    Ok(())
}
