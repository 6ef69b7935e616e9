use candle_core::{ModuleT, Result, Tensor, bail};
use ocellus_parallel::{ProcessGroup, current_group};

use crate::Noise;

/// Dropout whose masks can be repeated.
///
/// ```text
/// training:    y = x ⊙ m / (1 − p),  m_i ∈ {0, 1},  P(m_i = 0) = p
/// evaluation:  y = x
/// ```
///
/// The mask depends on the noise's seed and step, the layer's name and the position alone, not on
/// the number of threads or on what ran before. Of several ranks
/// ([`synchronized`](ocellus_parallel::synchronized)), each draws its rows' part of the mask that one process with
/// the whole batch would: the ranks tell each other how many rows they have, once a layer.
///
/// # Shapes
///
/// - input and output: any; of several ranks `(batch, …)`
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use ocellus_layers::{Dropout, Noise};
///
/// let noise = Noise::seeded(1);
/// let dropout = Dropout::new(0.5, &noise, "head.dropout")?;
/// let x = Tensor::ones(1000, DType::F32, &Device::Cpu)?;
///
/// let first = dropout.forward_t(&x, true)?.to_vec1::<f32>()?;
/// assert!(first.iter().all(|v| [0., 2.].contains(v)));
/// noise.at(1);
/// assert_ne!(dropout.forward_t(&x, true)?.to_vec1::<f32>()?, first);
/// noise.at(0);
/// assert_eq!(dropout.forward_t(&x, true)?.to_vec1::<f32>()?, first);
/// assert_eq!(dropout.forward_t(&x, false)?.to_vec1::<f32>()?, vec![1.; 1000]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// 1. N. Srivastava et al. *Dropout: A simple way to prevent neural networks from overfitting.*
///    JMLR 15, 2014.
#[derive(Clone, Debug)]
pub struct Dropout {
    probability: f64,
    noise: Noise,
    name: String,
}

impl Dropout {
    /// Drops entries with that probability; `name` sets this layer's masks apart from others'.
    ///
    /// # Errors
    ///
    /// If the probability is not in [0, 1).
    pub fn new(probability: f64, noise: &Noise, name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        if !(0. ..1.).contains(&probability) {
            bail!("`{name}`: a dropout probability must be in [0, 1), got {probability}")
        }
        Ok(Self { probability, noise: noise.clone(), name })
    }

    /// The probability that an entry is dropped.
    #[must_use]
    pub fn probability(&self) -> f64 {
        self.probability
    }
}

impl ModuleT for Dropout {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        if !train || self.probability == 0. {
            return Ok(x.clone());
        }
        let first = match current_group() {
            None => 0,
            Some(group) => elements_before(x, &group)?,
        };
        ocellus_ops::dropout_slice(x, self.probability, self.noise.draw(&self.name), first)
    }
}

/// How many elements of a batch the ranks before this one have.
fn elements_before(x: &Tensor, group: &ProcessGroup) -> Result<usize> {
    let Some((&own, row)) = x.dims().split_first() else {
        bail!("dropout over ranks takes a batch, (batch, …), got a scalar")
    };
    let mut rows = vec![0.; group.size()];
    rows[group.rank()] = own as f64;
    let before: f64 = group.sum(&rows)?[..group.rank()].iter().sum();
    Ok(before as usize * row.iter().product::<usize>())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use candle_core::{DType, Device, Var};
    use ocellus_parallel::{ProcessGroup, ThreadCommunicator, synchronized};
    use ocellus_testing::{assert_close, fill};

    use super::*;

    #[test]
    fn layers_of_other_names_draw_other_masks() -> Result<()> {
        let noise = Noise::seeded(3);
        let x = Tensor::ones(64, DType::F32, &Device::Cpu)?;
        let mask = |name| Dropout::new(0.5, &noise, name)?.forward_t(&x, true)?.to_vec1::<f32>();
        assert_ne!(mask("a")?, mask("b")?);
        assert_eq!(mask("a")?, mask("a")?);
        Ok(())
    }

    #[test]
    fn ranks_draw_their_parts_of_the_mask_of_the_whole_batch() -> Result<()> {
        let mask = |rows| {
            let dropout = Dropout::new(0.5, &Noise::seeded(3), "a")?;
            dropout.forward_t(&Tensor::ones((rows, 3, 3), DType::F32, &Device::Cpu)?, true)
        };
        let ranks = ThreadCommunicator::group(3)?.into_iter().map(ProcessGroup::new);
        let parts: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = ranks
                .zip([3, 1, 2])
                .map(|(rank, rows)| scope.spawn(move || synchronized(&rank, || mask(rows))))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Result<_>>()
        })?;
        assert_close(&Tensor::cat(&parts, 0)?, &mask(6)?, 0.)
    }

    #[test]
    fn the_gradient_passes_where_the_value_does() -> Result<()> {
        let dropout = Dropout::new(0.25, &Noise::seeded(4), "d")?;
        let x = Var::from_tensor(&(fill((8, 8), 0.1, DType::F64)? + 3.)?)?;
        let y = dropout.forward_t(x.as_tensor(), true)?;
        let grads = y.sum_all()?.backward()?;
        let expected = (&y / x.as_tensor())?;
        assert_close(grads.get(x.as_tensor()).expect("a gradient"), &expected, 1e-12)
    }

    #[test]
    fn rejects_a_probability_of_one() {
        let error = Dropout::new(1., &Noise::seeded(0), "head").unwrap_err().to_string();
        assert!(error.contains("`head`") && error.contains("[0, 1), got 1"), "{error}");
        assert!(Dropout::new(f64::NAN, &Noise::seeded(0), "head").is_err());
    }
}
