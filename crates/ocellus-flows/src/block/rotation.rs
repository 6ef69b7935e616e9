use rayon::prelude::*;

/// How far the first row of a matrix may be from length one for the matrix to be taken as a rotation.
/// The rows of a Gaussian one have lengths of about √n.
const TOLERANCE: f64 = 1e-3;

/// Whether rows of length one stand at right angles: the first two tell it from a random matrix.
pub(crate) fn is_orthogonal(matrix: &[f64], n: usize) -> bool {
    let Some(first) = matrix.get(..n) else { return false };
    let second = matrix.get(n..2 * n).unwrap_or_default();
    let right = second.is_empty() || dot(first, second).abs() < TOLERANCE;
    right && (dot(first, first) - 1.).abs() < TOLERANCE
}

/// The rotation in a Gaussian matrix: uniform on SO(n) if its entries are independent.
///
/// ```text
/// A = Q R by Householder reflections, columns of Q turned so that R has a positive diagonal,
/// the last row of Q turned if its determinant is −1                                        [1]
/// ```
///
/// `matrix` is row-major and `n × n`, and so is what is returned. O(n³).
///
/// # References
///
/// 1. F. Mezzadri. *How to generate random matrices from the classical compact groups.* Notices of the
///    AMS 54(5), 2007. <https://arxiv.org/abs/math-ph/0609050>
pub(crate) fn rotation_of(matrix: &[f64], n: usize) -> Vec<f64> {
    // Columns of A, one after the other: the reflections go along them.
    let mut columns = transposed(matrix, n);
    let mut reflections = Vec::with_capacity(n);
    let mut signs = Vec::with_capacity(n);
    for k in 0..n {
        let (head, tail) = columns.split_at_mut((k + 1) * n);
        let column = &head[k * n + k..];
        let length = dot(column, column).sqrt();
        let sign = if column[0] < 0. { -1. } else { 1. };
        let mut v = column.to_vec();
        v[0] += sign * length;
        let size = dot(&v, &v);
        // R has −sign · length on its diagonal.
        signs.push(-sign);
        let v = if size > 0. { v } else { vec![] };
        reflect(tail, n, k, &v, size);
        reflections.push((v, size));
    }
    // Q = H₀ H₁ … applied to the unit vectors, which are turned where R is negative.
    let mut q = vec![0.; n * n];
    for (k, &sign) in signs.iter().enumerate() {
        q[k * n + k] = sign;
    }
    for (k, (v, size)) in reflections.iter().enumerate().rev() {
        reflect(&mut q[k * n..], n, k, v, *size);
    }
    // Each reflection has determinant −1, as has each turned column.
    let turned = signs.iter().filter(|&&sign| sign < 0.).count();
    let reflected = reflections.iter().filter(|(v, _)| !v.is_empty()).count();
    let mut q = transposed(&q, n);
    if (turned + reflected) % 2 == 1 {
        q[n * (n - 1)..].iter_mut().for_each(|x| *x = -*x);
    }
    q
}

/// Reflects vectors of n entries, from entry k on.
fn reflect(vectors: &mut [f64], n: usize, k: usize, v: &[f64], size: f64) {
    if v.is_empty() {
        return;
    }
    let turn = |x: &mut [f64]| {
        let x = &mut x[k..];
        let share = 2. * dot(v, x) / size;
        x.iter_mut().zip(v).for_each(|(x, v)| *x -= share * v);
    };
    if n < 128 {
        vectors.chunks_exact_mut(n).for_each(turn);
    } else {
        vectors.par_chunks_exact_mut(n).with_min_len(16).for_each(turn);
    }
}

/// Σ aᵢ bᵢ, by eight sums side by side.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

fn transposed(matrix: &[f64], n: usize) -> Vec<f64> {
    (0..n * n).map(|i| matrix[i % n * n + i / n]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudo_random(n: usize, seed: f64) -> Vec<f64> {
        (0..n * n).map(|i| ((seed + 12.9898 * i as f64).sin() * 43758.5453).fract()).collect()
    }

    /// By elimination with pivots.
    fn determinant(matrix: &[f64], n: usize) -> f64 {
        let mut a: Vec<Vec<f64>> = matrix.chunks(n).map(<[f64]>::to_vec).collect();
        let mut det = 1.;
        for k in 0..n {
            let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs())).unwrap();
            if pivot != k {
                a.swap(pivot, k);
                det = -det;
            }
            det *= a[k][k];
            let (above, below) = a.split_at_mut(k + 1);
            for row in below {
                let factor = row[k] / above[k][k];
                row.iter_mut().zip(&above[k]).for_each(|(x, p)| *x -= factor * p);
            }
        }
        det
    }

    #[test]
    fn gives_a_rotation() {
        for n in [1, 2, 3, 8, 17, 130] {
            for seed in [0.1, 0.2, 0.3] {
                let q = rotation_of(&pseudo_random(n, seed), n);
                for i in 0..n {
                    for j in 0..n {
                        let product = dot(&q[i * n..][..n], &q[j * n..][..n]);
                        let expected = if i == j { 1. } else { 0. };
                        assert!((product - expected).abs() < 1e-12, "{n}: {i} {j} {product}");
                    }
                }
                assert!((determinant(&q, n) - 1.).abs() < 1e-9, "{n} {seed}");
                assert!(is_orthogonal(&q, n));
            }
        }
    }

    #[test]
    fn a_rotation_is_its_own() {
        let q = rotation_of(&pseudo_random(9, 0.5), 9);
        let again = rotation_of(&q, 9);
        assert!(q.iter().zip(again).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn a_random_matrix_is_told_from_a_rotation() {
        assert!(!is_orthogonal(&pseudo_random(64, 0.5), 64));
        assert!(!is_orthogonal(&[0.; 16], 4));
    }
}
