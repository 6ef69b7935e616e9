use candle_core::{DType, Device, Result, Tensor, bail};
use rayon::prelude::*;

use crate::cpu::{Float, dispatch, read};
use crate::cuda;
use crate::implementation::{Code, code};
use crate::run::require_float;

const NAME: &str = "farthest_points";

/// What [`farthest_points`] chooses.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FarthestPoints {
    /// The numbers of the points in the order in which they were chosen, `(count,)` of u32.
    pub indices: Tensor,
    /// The bound of each when it was chosen: its squared distance from those before, `(count,)`.
    pub squared_distances: Tensor,
}

/// Chooses points that are far from each other: each next one is the farthest from those before.
///
/// ```text
/// c₀ = first,  cᵢ = argmax over p of bᵢ(p),  bᵢ(p) = min(bᵢ₋₁(p), ‖p − cᵢ₋₁‖²),  b₀ = bounds
/// ```
///
/// Of points that are equally far, the first is chosen; none is chosen twice.
///
/// On CUDA a step is one kernel, and nothing comes to the host before the last. Distances of f32 are
/// added up in f32, in sixteen sums as on the CPU, so that both choose the same points, to the bit.
/// There is no gradient: what is found is detached.
///
/// # Shapes
///
/// - `points`: `(points, features)`
/// - `bounds`: `(points,)` of the same type, squared distances to begin with; infinite where `None`.
///   Points whose bound is negative or not a number are chosen last, with −1 for it.
/// - output: `(count,)` each
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::farthest_points;
///
/// let points = Tensor::new(&[[0f32], [1.], [2.], [10.], [11.], [6.]], &Device::Cpu)?;
/// let chosen = farthest_points(&points, None, 0, 3)?;
/// assert_eq!(chosen.indices.to_vec1::<u32>()?, [0, 4, 5]);
/// assert_eq!(chosen.squared_distances.to_vec1::<f32>()?, [f32::INFINITY, 121., 25.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the points are no matrix or empty, the bounds have another shape, type or device, `first` is none of
/// them, or `count` is 0 or more than there are.
///
/// # Complexity
///
/// O(count · points · features): the coresets of `ocellus-cluster` leave out most distances on the CPU.
pub fn farthest_points(
    points: &Tensor,
    bounds: Option<&Tensor>,
    first: usize,
    count: usize,
) -> Result<FarthestPoints> {
    require_float(NAME, points)?;
    let all = match *points.dims() {
        [all, size] if all * size > 0 && u32::try_from(all).is_ok() => all,
        ref dims => bail!("{NAME}: points {dims:?} must be (points, features), none 0"),
    };
    if first >= all || count == 0 || count > all {
        bail!(
            "{NAME}: {count} of {all} points from number {first} on: choose 1 to {all}, from 0 on"
        )
    }
    let bounds = match bounds {
        Some(bounds) if bounds.dims() != [all] || bounds.dtype() != points.dtype() => bail!(
            "{NAME}: bounds {:?} of {:?}, but there are {all} points of {:?}",
            bounds.dims(),
            bounds.dtype(),
            points.dtype()
        ),
        Some(bounds) if !bounds.device().same_device(points.device()) => bail!(
            "{NAME}: bounds on {:?}, but points on {:?}: move them with to_device",
            bounds.device().location(),
            points.device().location()
        ),
        Some(bounds) => {
            // Those that are chosen have still less.
            let none = bounds.ones_like()?.neg()?;
            bounds.ge(&bounds.zeros_like()?)?.where_cond(bounds, &none)?.detach()
        }
        None => Tensor::full(f32::INFINITY, all, points.device())?.to_dtype(points.dtype())?,
    };
    let points = points.detach();
    if matches!(points.dtype(), DType::F16 | DType::BF16) {
        let wide = |x: &Tensor| x.to_dtype(DType::F32);
        let chosen = choose(&wide(&points)?, &wide(&bounds)?, first, count)?;
        let squared_distances = chosen.squared_distances.to_dtype(points.dtype())?;
        return Ok(FarthestPoints { squared_distances, ..chosen });
    }
    choose(&points, &bounds, first, count)
}

fn choose(points: &Tensor, bounds: &Tensor, first: usize, count: usize) -> Result<FarthestPoints> {
    match code(NAME, points)? {
        Code::Processor => {
            dispatch!(points.dtype(), NAME, T => on_processor::<T>(points, bounds, first, count))
        }
        Code::Gpu(machine) => cuda::farthest_points(&machine, points, bounds, first, count),
        Code::Composed => composed(points, bounds, first, count),
    }
}

/// ‖a − b‖² in sixteen sums, as the kernel for GPUs adds it up.
fn squared_distance<T: Float>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::zero(); 16];
    for (a, b) in a.chunks(16).zip(b.chunks(16)) {
        for (sum, (&a, &b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += (a - b) * (a - b);
        }
    }
    let four = |i: usize| (sums[i] + sums[i + 4]) + (sums[i + 8] + sums[i + 12]);
    (four(0) + four(1)) + (four(2) + four(3))
}

fn on_processor<T: Float>(
    points: &Tensor,
    bounds: &Tensor,
    first: usize,
    count: usize,
) -> Result<FarthestPoints> {
    let size = points.dim(1)?;
    let (points, bounds) = (read::<T>(points)?, read::<T>(bounds)?);
    let (points, mut bounds): (&[T], Vec<T>) = (&points, bounds.to_vec());
    let (mut indices, mut squared) = (Vec::new(), Vec::new());
    let mut center = first;
    for _ in 0..count {
        indices.push(center as u32);
        squared.push(bounds[center]);
        let to = &points[center * size..][..size];
        bounds.par_iter_mut().zip(points.par_chunks_exact(size)).for_each(|(bound, point)| {
            let distance = squared_distance(point, to);
            if distance < *bound {
                *bound = distance;
            }
        });
        bounds[center] = -T::infinity(); // It is chosen no more.
        let none = (-T::infinity(), 0);
        let greatest =
            |best: (T, usize), (i, &b): (usize, &T)| if b > best.0 { (b, i) } else { best };
        center = bounds.iter().enumerate().fold(none, greatest).1;
    }
    Ok(FarthestPoints {
        squared_distances: Tensor::from_vec(squared, count, &Device::Cpu)?,
        indices: Tensor::from_vec(indices, count, &Device::Cpu)?,
    })
}

fn composed(
    points: &Tensor,
    bounds: &Tensor,
    first: usize,
    count: usize,
) -> Result<FarthestPoints> {
    let (all, points) = (points.dim(0)?, points.contiguous()?);
    let places = Tensor::arange(0, all as u32, points.device())?;
    let taken = Tensor::full(u32::MAX, all, points.device())?;
    let never = bounds.ones_like()?.affine(f64::NEG_INFINITY, 0.)?;
    let mut center = Tensor::new(&[first as u32], points.device())?;
    let (mut bounds, mut indices, mut squared) = (bounds.clone(), Vec::new(), Vec::new());
    for _ in 0..count {
        squared.push(bounds.index_select(&center, 0)?);
        let to = points.index_select(&center, 0)?;
        let distances = points.broadcast_sub(&to)?.sqr()?.sum(1)?;
        bounds = distances.lt(&bounds)?.where_cond(&distances, &bounds)?;
        bounds = places.broadcast_eq(&center)?.where_cond(&never, &bounds)?;
        indices.push(center);
        let greatest = bounds.max_keepdim(0)?;
        center = bounds.broadcast_eq(&greatest)?.where_cond(&places, &taken)?.min_keepdim(0)?;
    }
    Ok(FarthestPoints {
        indices: Tensor::cat(&indices, 0)?,
        squared_distances: Tensor::cat(&squared, 0)?,
    })
}

#[cfg(test)]
mod tests {
    use ocellus_testing::{fill, with_threads};

    use super::*;
    use crate::testing::with_both;

    /// The definition, in double precision.
    fn naive(points: &[Vec<f64>], mut bounds: Vec<f64>, first: usize, count: usize) -> Vec<u32> {
        let mut chosen = vec![first];
        while chosen.len() < count {
            let last = &points[chosen[chosen.len() - 1]];
            for (bound, point) in bounds.iter_mut().zip(points) {
                let distance: f64 = point.iter().zip(last).map(|(a, b)| (a - b).powi(2)).sum();
                *bound = bound.min(distance);
            }
            let left = (0..points.len()).filter(|i| !chosen.contains(i));
            let next = left.reduce(|a, b| if bounds[b] > bounds[a] { b } else { a });
            chosen.push(next.unwrap());
        }
        chosen.into_iter().map(|i| i as u32).collect()
    }

    #[test]
    fn chooses_what_the_definition_says() -> Result<()> {
        with_both(|| {
            for (all, size, count, first) in
                [(1, 1, 1, 0), (7, 3, 7, 2), (60, 16, 9, 59), (83, 37, 12, 0), (40, 300, 5, 7)]
            {
                for dtype in [DType::F32, DType::F64] {
                    let points = fill((all, size), 0.3, dtype)?;
                    let chosen = farthest_points(&points, None, first, count)?;
                    let rows = points.to_dtype(DType::F64)?.to_vec2()?;
                    let expected = naive(&rows, vec![f64::INFINITY; all], first, count);
                    assert_eq!(chosen.indices.to_vec1::<u32>()?, expected, "{all} {dtype:?}");
                    let squared =
                        chosen.squared_distances.to_dtype(DType::F64)?.to_vec1::<f64>()?;
                    assert!(squared[0].is_infinite() && squared.is_sorted_by(|a, b| a >= b));
                }
            }
            Ok(())
        })
    }

    #[test]
    fn bounds_that_are_known_before_hold() -> Result<()> {
        with_both(|| {
            let points = fill((50, 5), 0.3, DType::F32)?;
            let bounds = fill(50, 0.6, DType::F32)?.abs()?;
            let chosen = farthest_points(&points, Some(&bounds), 4, 20)?;
            let (rows, known) =
                (points.to_dtype(DType::F64)?, bounds.to_dtype(DType::F64)?.to_vec1()?);
            let expected = naive(&rows.to_vec2()?, known, 4, 20);
            assert_eq!(chosen.indices.to_vec1::<u32>()?, expected);
            let first = chosen.squared_distances.narrow(0, 0, 1)?.to_vec1::<f32>()?;
            assert_eq!(first, bounds.narrow(0, 4, 1)?.to_vec1::<f32>()?);
            Ok(())
        })
    }

    #[test]
    fn equal_points_are_chosen_once_each() -> Result<()> {
        with_both(|| {
            let points = Tensor::ones((70, 2), DType::F32, &Device::Cpu)?;
            let chosen = farthest_points(&points, None, 2, 70)?;
            let mut expected: Vec<u32> = (0..70).filter(|&i| i != 2).collect();
            expected.insert(0, 2);
            assert_eq!(chosen.indices.to_vec1::<u32>()?, expected);
            Ok(())
        })
    }

    #[test]
    fn what_is_not_a_number_keeps_no_order_from_being_one() -> Result<()> {
        with_both(|| {
            let points = Tensor::new(&[[0f32], [f32::NAN], [5.], [1.]], &Device::Cpu)?;
            let chosen = farthest_points(&points, None, 0, 4)?;
            // Its distance is never less than infinite; measured from it, nothing is.
            assert_eq!(chosen.indices.to_vec1::<u32>()?, [0, 1, 2, 3]);
            let bounds = Tensor::new(&[f32::NAN, 9., -3., 4.], &Device::Cpu)?;
            let points = Tensor::new(&[[0f32], [3.], [5.], [1.]], &Device::Cpu)?;
            let chosen = farthest_points(&points, Some(&bounds), 1, 4)?;
            assert_eq!(chosen.indices.to_vec1::<u32>()?, [1, 3, 0, 2]);
            assert_eq!(chosen.squared_distances.to_vec1::<f32>()?, [9., 4., -1., -1.]);
            Ok(())
        })
    }

    #[test]
    fn views_halves_and_threads_choose_the_same() -> Result<()> {
        with_both(|| {
            let points = fill((9, 40), 0.3, DType::F32)?.t()?;
            let choose = |x: &Tensor| farthest_points(x, None, 3, 11)?.indices.to_vec1::<u32>();
            assert_eq!(choose(&points)?, choose(&points.copy()?)?);
            let half = points.to_dtype(DType::BF16)?;
            assert_eq!(choose(&half)?, choose(&half.to_dtype(DType::F32)?)?);
            Ok(())
        })?;
        let points = fill((900, 7), 0.3, DType::F32)?;
        let choose = |threads| {
            with_threads(threads, || {
                farthest_points(&points, None, 3, 90)?.indices.to_vec1::<u32>()
            })
        };
        assert_eq!(choose(1)?, choose(3)?);
        Ok(())
    }

    #[test]
    fn says_what_cannot_be_chosen() -> Result<()> {
        let points = fill((5, 3), 0., DType::F32)?;
        let message = |points: &Tensor, bounds: Option<&Tensor>, first, count| {
            farthest_points(points, bounds, first, count).unwrap_err().to_string()
        };
        assert!(message(&points, None, 5, 1).contains("from number 5 on"));
        for count in [0, 6] {
            assert!(message(&points, None, 0, count).contains(&format!("{count} of 5 points")));
        }
        assert!(message(&points.narrow(0, 0, 0)?, None, 0, 1).contains("none 0"));
        assert!(message(&points.get(0)?, None, 0, 1).contains("[3]"));
        let bounds = fill(4, 0., DType::F32)?;
        assert!(message(&points, Some(&bounds), 0, 1).contains("bounds [4] of F32"));
        let bounds = fill(5, 0., DType::F64)?;
        assert!(message(&points, Some(&bounds), 0, 1).contains("of F64"));
        assert!(message(&points.to_dtype(DType::U8)?, None, 0, 1).contains("U8"));
        Ok(())
    }
}
