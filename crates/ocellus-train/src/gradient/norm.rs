use candle_core::{
    DType, Device, Result, Storage, Tensor, Var, WithDType, backprop::GradStore, bail,
};
use rayon::prelude::*;

/// Entries that one task sums. Fixed, so that a sum never depends on the number of threads.
const CHUNK: usize = 1 << 15;

/// The length of a gradient; see [`gradient_norm`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GradientNorm {
    /// The Euclidean norm over all parameters. Not finite if one of them is not.
    pub value: f64,
    /// The first parameter, by the order given, whose gradient holds a NaN or an infinity.
    pub not_finite: Option<String>,
}

/// The Euclidean norm of the gradients of `params` together, summed in f64.
///
/// ```text
/// √ Σ_p Σ_i g_{p,i}²
/// ```
///
/// The order of summation is that of `params` and of the entries, whatever the number of threads. On
/// other devices than the CPU each parameter is summed in f32, where it lies. Parameters without
/// gradient count as zero.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Var};
/// use ocellus_train::gradient_norm;
///
/// let p = Var::new(&[3f32, 4.], &Device::Cpu)?;
/// let grads = (p.sqr()?.sum_all()? * 0.5)?.backward()?;
/// let norm = gradient_norm(&grads, &[("p".to_owned(), p)])?;
/// assert_eq!((norm.value, norm.not_finite), (5., None));
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// When a gradient cannot be read.
pub fn gradient_norm(grads: &GradStore, params: &[(String, Var)]) -> Result<GradientNorm> {
    PendingNorm::start(grads, params)?.read()
}

/// The norm of gradients that a GPU may still compute. Reading it waits for that, once for all of them.
#[derive(Debug)]
pub(crate) struct PendingNorm {
    gradients: Vec<(String, Tensor)>,
    /// For each gradient that is not on the CPU the sum of its squares, where it lies.
    squares: Vec<Tensor>,
}

impl PendingNorm {
    pub(crate) fn start(grads: &GradStore, params: &[(String, Var)]) -> Result<Self> {
        let found = |(name, var): &(String, Var)| {
            grads.get(var.as_tensor()).map(|grad| (name.clone(), grad.clone()))
        };
        let gradients: Vec<_> = params.iter().filter_map(found).collect();
        let away = gradients.iter().filter(|(_, grad)| !grad.device().is_cpu());
        let squares = away.map(|(_, grad)| square(grad));
        Ok(Self { squares: squares.collect::<Result<_>>()?, gradients })
    }

    pub(crate) fn read(self) -> Result<GradientNorm> {
        let squares = match self.squares.as_slice() {
            [] => Vec::new(),
            squares => Tensor::stack(squares, 0)?.to_vec1::<f32>()?,
        };
        let mut squares = squares.into_iter();
        let (mut sum, mut not_finite) = (0., None);
        for (name, grad) in &self.gradients {
            let known = if grad.device().is_cpu() { None } else { squares.next() };
            let sum_here = match known.filter(|square| square.is_finite()) {
                Some(square) => f64::from(square),
                None => sum_of_squares(grad)?, // Of a GPU, where f32 overflows, which f64 settles.
            };
            if !sum_here.is_finite() && not_finite.is_none() && has_not_finite(grad)? {
                not_finite = Some(name.clone());
            }
            sum += sum_here;
        }
        Ok(GradientNorm { value: sum.sqrt(), not_finite })
    }
}

/// The sum of squares in f32, where the tensor lies.
fn square(x: &Tensor) -> Result<Tensor> {
    x.to_dtype(DType::F32)?.sqr()?.sum_all()
}

fn sum_of_squares(x: &Tensor) -> Result<f64> {
    if x.dtype() == DType::F32 {
        return with_entries(x, |entries: &[f32]| sum(entries, |&v| f64::from(v) * f64::from(v)));
    }
    with_entries(&x.to_dtype(DType::F64)?, |entries: &[f64]| sum(entries, |&v| v * v))
}

/// Whether a tensor holds a NaN or an infinity.
pub(crate) fn has_not_finite(x: &Tensor) -> Result<bool> {
    if !x.dtype().is_float() {
        return Ok(false);
    }
    if x.dtype() == DType::F32 {
        return with_entries(x, |entries: &[f32]| entries.par_iter().any(|v| !v.is_finite()));
    }
    let x = x.to_dtype(DType::F64)?;
    with_entries(&x, |entries: &[f64]| entries.par_iter().any(|v| !v.is_finite()))
}

/// Hands over the entries of a tensor, without a copy if it lies on the CPU in one piece.
fn with_entries<T: WithDType, R>(x: &Tensor, f: impl FnOnce(&[T]) -> R) -> Result<R> {
    let x = x.to_device(&Device::Cpu)?.contiguous()?;
    let (storage, layout) = x.storage_and_layout();
    let (Storage::Cpu(storage), Some((from, to))) = (&*storage, layout.contiguous_offsets()) else {
        bail!("a contiguous CPU tensor is neither")
    };
    Ok(f(&T::cpu_storage_as_slice(storage)?[from..to]))
}

fn sum<T: Sync>(entries: &[T], term: impl Fn(&T) -> f64 + Send + Sync) -> f64 {
    let sum_chunk = |chunk: &[T]| {
        // Eight sums at a time, which need not wait for each other.
        let mut lanes = [0f64; 8];
        let (eights, rest) = chunk.as_chunks::<8>();
        for eight in eights {
            for (lane, entry) in lanes.iter_mut().zip(eight) {
                *lane += term(entry);
            }
        }
        lanes.iter().sum::<f64>() + rest.iter().map(&term).sum::<f64>()
    };
    let parts: Vec<f64> = entries.par_chunks(CHUNK).map(sum_chunk).collect();
    parts.iter().sum()
}

#[cfg(test)]
mod tests {
    use ocellus_testing::{fill, with_threads};

    use super::*;

    fn store(params: &[(&str, Tensor)]) -> Result<(GradStore, Vec<(String, Var)>)> {
        let mut grads = GradStore::default();
        let mut vars = Vec::new();
        for (name, grad) in params {
            let var = Var::from_tensor(&grad.zeros_like()?)?;
            grads.insert(var.as_tensor(), grad.clone());
            vars.push(((*name).to_owned(), var));
        }
        Ok((grads, vars))
    }

    #[test]
    fn names_the_first_parameter_that_is_not_finite() -> Result<()> {
        let bad = |v: f32| Tensor::new(&[1., v], &Device::Cpu);
        let (grads, params) =
            store(&[("a", bad(1.)?), ("b", bad(f32::NAN)?), ("c", bad(f32::INFINITY)?)])?;
        assert_eq!(gradient_norm(&grads, &params)?.not_finite.as_deref(), Some("b"));
        Ok(())
    }

    #[test]
    fn a_finite_gradient_may_overflow_its_square() -> Result<()> {
        let (grads, params) = store(&[("a", Tensor::new(&[1e200f64], &Device::Cpu)?)])?;
        let norm = gradient_norm(&grads, &params)?;
        assert_eq!((norm.value, norm.not_finite), (f64::INFINITY, None));
        Ok(())
    }

    #[test]
    fn other_devices_sum_to_the_same() -> Result<()> {
        let x = fill((30, 40), 0.3, DType::F64)?;
        let (a, b) = (sum_of_squares(&x)?, f64::from(square(&x)?.to_scalar::<f32>()?));
        assert!((a - b).abs() < 1e-5 * a, "{a} and {b}");
        Ok(())
    }

    #[test]
    fn one_thread_and_two_sum_to_the_same_bits() -> Result<()> {
        let (grads, params) = store(&[("a", fill(200_000, 0.3, DType::F32)?)])?;
        let norm = || gradient_norm(&grads, &params).map(|n| n.value.to_bits());
        assert_eq!(with_threads(1, norm)?, with_threads(2, norm)?);
        Ok(())
    }
}
