use candle_core::{DType, Device, Result, Tensor};

use crate::assert_close;

const STEP: f64 = 1e-5;

/// What a map gives: the value, and the log-determinant of each sample, `(batch)`.
type Point = (Tensor, Tensor);

/// The suite that every invertible map must pass, in f64, at a batch of samples:
///
/// 1. there and back again is the identity, to 1e-9;
/// 2. the log-determinant is that of the numerical Jacobian, to 1e-6;
/// 3. the way back has the opposite log-determinant;
/// 4. a sample's result does not depend on the others of its batch.
///
/// Costs two evaluations per entry of a sample: keep samples small.
#[track_caller]
pub fn check_invertible(
    forward: impl Fn(&Tensor) -> Result<Point>,
    inverse: impl Fn(&Tensor) -> Result<Point>,
    x: &Tensor,
) -> Result<()> {
    assert_eq!(x.dtype(), DType::F64, "the Jacobian is taken in f64");
    let (z, log_det) = forward(x)?;
    assert_eq!(z.dims(), x.dims(), "an invertible map keeps the number of entries");
    assert_eq!(log_det.dims(), [x.dim(0)?], "a log-determinant for each sample");
    let (back, back_log_det) = inverse(&z)?;
    assert_close(&back, x, 1e-9)?;
    assert_close(&back_log_det.neg()?, &log_det, 1e-9)?;
    for sample in 0..x.dim(0)? {
        let x = x.narrow(0, sample, 1)?.contiguous()?;
        let (alone, alone_log_det) = forward(&x)?;
        assert_close(&alone, &z.narrow(0, sample, 1)?, 1e-12)?;
        assert_close(&alone_log_det, &log_det.narrow(0, sample, 1)?, 1e-12)?;
        let expected = log_abs_det(jacobian(&forward, &x)?);
        let found = alone_log_det.to_vec1::<f64>()?[0];
        assert!(
            (found - expected).abs() <= 1e-6 * (1. + expected.abs()),
            "sample {sample}: log-determinant {found}, of the numerical Jacobian {expected}"
        );
    }
    Ok(())
}

/// Columns `∂z/∂xⱼ`, by central differences.
fn jacobian(forward: &impl Fn(&Tensor) -> Result<Point>, x: &Tensor) -> Result<Vec<Vec<f64>>> {
    let values = x.flatten_all()?.to_vec1::<f64>()?;
    let at = |j: usize, delta: f64| -> Result<Vec<f64>> {
        let mut moved = values.clone();
        moved[j] += delta;
        let moved = Tensor::from_vec(moved, x.shape(), &Device::Cpu)?;
        forward(&moved)?.0.flatten_all()?.to_vec1::<f64>()
    };
    let column = |j: usize| -> Result<Vec<f64>> {
        let difference = at(j, STEP)?.into_iter().zip(at(j, -STEP)?);
        Ok(difference.map(|(up, down)| (up - down) / (2. * STEP)).collect())
    };
    (0..values.len()).map(column).collect()
}

/// By elimination with pivots.
fn log_abs_det(mut a: Vec<Vec<f64>>) -> f64 {
    let n = a.len();
    let mut sum = 0.;
    for k in 0..n {
        let largest = |&i: &usize, &j: &usize| a[i][k].abs().total_cmp(&a[j][k].abs());
        let pivot = (k..n).max_by(largest).unwrap_or(k);
        a.swap(pivot, k);
        sum += a[k][k].abs().ln();
        let (above, below) = a.split_at_mut(k + 1);
        for row in below {
            let factor = row[k] / above[k][k];
            for (x, p) in row[k..].iter_mut().zip(&above[k][k..]) {
                *x -= factor * p;
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fill;

    /// y = (x₁, x₂ · exp(x₁)), its log-determinant x₁, or another one.
    fn map(x: &Tensor, log_det: f64) -> Result<Point> {
        let (a, b) = (x.narrow(1, 0, 1)?, x.narrow(1, 1, 1)?);
        Ok((Tensor::cat(&[&a, &(b * a.exp()?)?], 1)?, (a.squeeze(1)? * log_det)?))
    }

    fn back(y: &Tensor) -> Result<Point> {
        let (a, b) = (y.narrow(1, 0, 1)?, y.narrow(1, 1, 1)?);
        Ok((Tensor::cat(&[&a, &(b * a.neg()?.exp()?)?], 1)?, a.squeeze(1)?.neg()?))
    }

    #[test]
    fn a_right_map_passes() -> Result<()> {
        check_invertible(|x| map(x, 1.), back, &fill((3, 2), 0.1, DType::F64)?)
    }

    #[test]
    #[should_panic(expected = "of the numerical Jacobian")]
    fn a_wrong_determinant_is_found() {
        let wrong = |y: &Tensor| back(y).and_then(|(x, l)| Ok((x, (l * 2.)?)));
        let x = fill((3, 2), 0.1, DType::F64).unwrap();
        check_invertible(|x| map(x, 2.), wrong, &x).unwrap();
    }

    #[test]
    #[should_panic(expected = "entry 1")]
    fn a_wrong_inverse_is_found() {
        let x = fill((3, 2), 0.1, DType::F64).unwrap();
        check_invertible(|x| map(x, 1.), |y| Ok((y.clone(), y.sum(1)?)), &x).unwrap();
    }
}
