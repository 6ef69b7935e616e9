use candle_core::{DType, Device, Result, Tensor, bail};
use rayon::prelude::*;

use crate::cpu::{Float, dispatch, read};
use crate::cuda;
use crate::implementation::{Code, code};
use crate::packed::packed_len;
use crate::parallel::wide;
use crate::run::require_float;

const NAME: &str = "whiten_packed";

/// What [`whiten_packed`] gives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Whitened {
    /// L⁻¹ (x − μ), `(batch, places, size)`.
    pub residuals: Tensor,
    /// ‖L⁻¹ (x − μ)‖², the squared Mahalanobis distance, `(batch, places)`.
    pub squared_distances: Tensor,
}

/// Whitens a vector at each of many places, each place by a Gaussian of its own.
///
/// ```text
/// y = L⁻¹ (x − μ),  L Lᵀ = Σ:  y[i] = (x[i] − μ[i] − Σ_j<i L[i, j] y[j]) / L[i, i]
/// ```
///
/// Each vector is whitened as if the others were not there: the same bits in any batch. The triangular
/// systems are solved, row by row, in single precision for f32, with the sum of a row in double precision. There is
/// no gradient: what is found is detached.
///
/// # Shapes
///
/// - `x`: `(batch, places, size)`
/// - `mean`: `(places, size)`
/// - `factors`: `(places, size · (size + 1) / 2)`, for each place the rows of the triangle one behind the
///   other, as of [`cholesky_packed`](crate::cholesky_packed)
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::whiten_packed;
///
/// let x = Tensor::new(&[[[5f32, 10.]]], &Device::Cpu)?;
/// let mean = Tensor::new(&[[1f32, 1.]], &Device::Cpu)?;
/// let factors = Tensor::new(&[[2f32, 1., 7.]], &Device::Cpu)?;
/// let white = whiten_packed(&x, &mean, &factors)?;
/// assert_eq!(white.residuals.to_vec3::<f32>()?, [[[2., 1.]]]);
/// assert_eq!(white.squared_distances.to_vec2::<f32>()?, [[5.]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If shapes, types or devices do not fit, or a shape is empty.
///
/// # Complexity
///
/// O(size²) for a vector. On the CPU, [`solve_packed`](crate::solve_packed) solves sixteen at a time.
pub fn whiten_packed(x: &Tensor, mean: &Tensor, factors: &Tensor) -> Result<Whitened> {
    require_float(NAME, x)?;
    let (places, size) = match *x.dims() {
        [_, places, size] if x.elem_count() > 0 => (places, size),
        ref dims => bail!("{NAME}: vectors {dims:?} must be (batch, places, size), none 0"),
    };
    let expected = [("means", mean, size), ("factors", factors, packed_len(size))];
    for (what, tensor, entries) in expected {
        if tensor.dims() != [places, entries] || tensor.dtype() != x.dtype() {
            bail!(
                "{NAME}: {what} {:?} of {:?}, but vectors {:?} of {:?} need ({places}, {entries}) of \
                 that type",
                tensor.dims(),
                tensor.dtype(),
                x.dims(),
                x.dtype()
            )
        }
        if !tensor.device().same_device(x.device()) {
            bail!(
                "{NAME}: {what} on {:?}, but vectors on {:?}: move them with to_device",
                tensor.device().location(),
                x.device().location()
            )
        }
    }
    let [x, mean, factors] = [x, mean, factors].map(Tensor::detach);
    if matches!(x.dtype(), DType::F16 | DType::BF16) {
        let wide = |x: &Tensor| x.to_dtype(DType::F32);
        let white = whiten(&wide(&x)?, &wide(&mean)?, &wide(&factors)?)?;
        return Ok(Whitened {
            residuals: white.residuals.to_dtype(x.dtype())?,
            squared_distances: white.squared_distances.to_dtype(x.dtype())?,
        });
    }
    whiten(&x, &mean, &factors)
}

fn whiten(x: &Tensor, mean: &Tensor, factors: &Tensor) -> Result<Whitened> {
    match code(NAME, x)? {
        Code::Processor => dispatch!(x.dtype(), NAME, T => on_processor::<T>(x, mean, factors)),
        Code::Gpu(machine) => cuda::whiten_packed(&machine, x, mean, factors),
        Code::Composed => composed(x, mean, factors),
    }
}

fn on_processor<T: Float>(x: &Tensor, mean: &Tensor, factors: &Tensor) -> Result<Whitened> {
    let (batch, places, size) = x.dims3()?;
    let (vectors, mean, factors) = (read::<T>(x)?, read::<T>(mean)?, read::<T>(factors)?);
    let (mean, factors): (&[T], &[T]) = (&mean, &factors);
    let mut residuals = vectors.to_vec();
    let mut squared = vec![T::zero(); batch * places];
    let systems = residuals.par_chunks_exact_mut(size).zip(&mut squared).enumerate();
    systems.for_each(|(system, (vector, squared))| {
        let place = system % places;
        let (mean, mut length) = (&mean[place * size..][..size], 0.);
        let factor = &factors[place * packed_len(size)..][..packed_len(size)];
        for i in 0..size {
            let row = &factor[packed_len(i)..][..=i];
            let sum: f64 = row.iter().zip(&vector[..i]).map(|(&l, &y)| wide(l) * wide(y)).sum();
            let y = (wide(vector[i]) - wide(mean[i]) - sum) / wide(row[i]);
            vector[i] = T::from_f64(y);
            length += y * y;
        }
        *squared = T::from_f64(length);
    });
    Ok(Whitened {
        residuals: Tensor::from_vec(residuals, (batch, places, size), &Device::Cpu)?,
        squared_distances: Tensor::from_vec(squared, (batch, places), &Device::Cpu)?,
    })
}

fn composed(x: &Tensor, mean: &Tensor, factors: &Tensor) -> Result<Whitened> {
    let size = x.dim(2)?;
    let right = x.broadcast_sub(mean)?;
    let mut solved: Vec<Tensor> = Vec::with_capacity(size);
    for i in 0..size {
        let mut value = right.narrow(2, i, 1)?;
        if i > 0 {
            let row = factors.narrow(1, packed_len(i), i)?.contiguous()?;
            let sum = Tensor::cat(&solved, 2)?.broadcast_mul(&row)?.sum_keepdim(2)?;
            value = (value - sum)?;
        }
        let diagonal = factors.narrow(1, packed_len(i + 1) - 1, 1)?;
        solved.push(value.broadcast_div(&diagonal)?);
    }
    let residuals = Tensor::cat(&solved, 2)?;
    let squared_distances = residuals.sqr()?.sum(2)?;
    Ok(Whitened { residuals, squared_distances })
}

#[cfg(test)]
mod tests {
    use ocellus_testing::{assert_close, fill, with_threads};

    use super::*;
    use crate::SOLVE_LANES;
    use crate::testing::with_both;

    /// Vectors, means and factors with diagonals of 2 to 3.
    fn gaussians(shape: (usize, usize, usize), dtype: DType) -> Result<[Tensor; 3]> {
        let (batch, places, size) = shape;
        let mut factors = vec![0f64; places * packed_len(size)];
        for (at, value) in factors.iter_mut().enumerate() {
            let at = at % packed_len(size);
            let diagonal = (1..=size).any(|i| packed_len(i) == at + 1);
            *value = (at as f64 * 0.7).sin() + if diagonal { 3. } else { 0. };
        }
        let factors = Tensor::from_vec(factors, (places, packed_len(size)), &Device::Cpu)?;
        Ok([
            fill((batch, places, size), 0.2, dtype)?,
            fill((places, size), 0.5, dtype)?,
            factors.to_dtype(dtype)?,
        ])
    }

    /// The factor times the residual is what was whitened.
    fn check_product(shape: (usize, usize, usize), dtype: DType, tolerance: f64) -> Result<()> {
        let [x, mean, factors] = gaussians(shape, dtype)?;
        let white = whiten_packed(&x, &mean, &factors)?;
        let double = |x: &Tensor| x.to_dtype(DType::F64);
        let right = double(&x)?.broadcast_sub(&double(&mean)?)?.to_vec3::<f64>()?;
        let factors = double(&factors)?.to_vec2::<f64>()?;
        let squared = double(&white.squared_distances)?.to_vec2::<f64>()?;
        for (image, solved) in double(&white.residuals)?.to_vec3::<f64>()?.iter().enumerate() {
            for (place, solved) in solved.iter().enumerate() {
                for i in 0..shape.2 {
                    let row = &factors[place][packed_len(i)..][..=i];
                    let product: f64 = row.iter().zip(solved).map(|(l, y)| l * y).sum();
                    let error = (product - right[image][place][i]).abs();
                    let scale: f64 = row.iter().zip(solved).map(|(l, y)| (l * y).abs()).sum();
                    assert!(error <= tolerance * (1. + scale), "{shape:?} {i}: {error:e}");
                }
                let sum: f64 = solved.iter().map(|y| y * y).sum();
                assert!((squared[image][place] - sum).abs() <= tolerance * sum, "{shape:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn the_factor_times_the_residual_is_the_deviation() -> Result<()> {
        with_both(|| {
            for shape in [(1, 1, 1), (3, 5, 2), (2, 7, 9), (5, 3, 23), (1, 19, 40)] {
                check_product(shape, DType::F32, 1e-6)?;
                check_product(shape, DType::F64, 1e-14)?;
            }
            Ok(())
        })
    }

    #[test]
    fn is_what_packed_systems_give() -> Result<()> {
        let size = 21;
        let [x, mean, factors] = gaussians((1, 4, size), DType::F32)?;
        let (right, factor) = (x.broadcast_sub(&mean)?.to_vec3::<f32>()?, factors.to_vec2()?);
        with_both(|| {
            let found = whiten_packed(&x, &mean, &factors)?.residuals.to_vec3::<f32>()?;
            for place in 0..4 {
                let mut lanes: Vec<_> = right[0][place].iter().map(|&v| [v; SOLVE_LANES]).collect();
                crate::solve_packed(&factor[place], &mut lanes)?;
                for (found, lanes) in found[0][place].iter().zip(&lanes) {
                    assert!((found - lanes[0]).abs() < 1e-5 * (1. + lanes[0].abs()));
                }
            }
            Ok(())
        })
    }

    #[test]
    fn a_vector_has_its_bits_alone_as_a_view_and_at_any_number_of_threads() -> Result<()> {
        let [x, mean, factors] = gaussians((5, 6, 17), DType::F32)?;
        with_both(|| {
            let all = whiten_packed(&x, &mean, &factors)?.residuals;
            let alone = whiten_packed(&x.narrow(0, 3, 1)?, &mean, &factors)?.residuals;
            assert_close(&alone, &all.narrow(0, 3, 1)?, 0.)?;
            let turned = x.transpose(0, 1)?.contiguous()?.transpose(0, 1)?;
            let mean = mean.t()?.contiguous()?.t()?;
            assert_close(&whiten_packed(&turned, &mean, &factors)?.residuals, &all, 0.)
        })?;
        let whiten = |threads| {
            with_threads(threads, || {
                Ok::<_, candle_core::Error>(whiten_packed(&x, &mean, &factors)?.residuals)
            })
        };
        assert_close(&whiten(1)?, &whiten(3)?, 0.)
    }

    #[test]
    fn half_types_are_solved_in_single_precision() -> Result<()> {
        with_both(|| {
            let half = gaussians((2, 3, 9), DType::F16)?;
            let [x, mean, factors] = half.clone().map(|x| x.to_dtype(DType::F32));
            let expected = whiten_packed(&x?, &mean?, &factors?)?.residuals;
            let [x, mean, factors] = half;
            let found = whiten_packed(&x, &mean, &factors)?.residuals;
            assert_close(&found, &expected.to_dtype(DType::F16)?, 0.)
        })
    }

    #[test]
    fn what_is_not_a_number_stays_with_its_vector() -> Result<()> {
        let [x, mean, factors] = gaussians((2, 3, 5), DType::F32)?;
        let mut values = x.flatten_all()?.to_vec1::<f32>()?;
        values[5] = f32::NAN; // Image 0, place 1.
        let spoiled = Tensor::from_vec(values, (2, 3, 5), &Device::Cpu)?;
        with_both(|| {
            let squared = |x: &Tensor| {
                whiten_packed(x, &mean, &factors)?.squared_distances.flatten_all()?.to_vec1::<f32>()
            };
            for (i, (a, b)) in squared(&spoiled)?.iter().zip(&squared(&x)?).enumerate() {
                assert!(if i == 1 { a.is_nan() } else { a == b }, "{i}: {a}, {b}");
            }
            Ok(())
        })
    }

    #[test]
    fn rejects_what_does_not_fit() -> Result<()> {
        let [x, mean, factors] = gaussians((2, 3, 5), DType::F32)?;
        let message = |x: &Tensor, mean: &Tensor, factors: &Tensor| {
            whiten_packed(x, mean, factors).unwrap_err().to_string()
        };
        assert!(message(&x.get(0)?, &mean, &factors).contains("[3, 5]"));
        assert!(message(&x.narrow(0, 0, 0)?, &mean, &factors).contains("none 0"));
        assert!(message(&x, &mean.narrow(0, 0, 2)?, &factors).contains("means [2, 5]"));
        assert!(message(&x, &mean, &factors.narrow(1, 0, 14)?).contains("need (3, 15)"));
        assert!(message(&x, &mean, &factors.to_dtype(DType::F64)?).contains("factors"));
        assert!(message(&x.to_dtype(DType::U32)?, &mean, &factors).contains("U32"));
        Ok(())
    }
}
