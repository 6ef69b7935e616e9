/// A 3×3 matrix, row by row.
pub(super) type Matrix = [[f64; 3]; 3];

pub(super) fn apply(matrix: &Matrix, v: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

/// The inverse of a matrix that has one, by cofactors.
pub(super) fn inverse(m: &Matrix) -> Matrix {
    let cofactor = |i: usize, j: usize| {
        let ((a, b), (c, d)) = (((i + 1) % 3, (i + 2) % 3), ((j + 1) % 3, (j + 2) % 3));
        m[a][c] * m[b][d] - m[a][d] * m[b][c]
    };
    let determinant: f64 = (0..3).map(|j| m[0][j] * cofactor(0, j)).sum();
    [0, 1, 2].map(|i| [0, 1, 2].map(|j| cofactor(j, i) / determinant))
}

/// Eigenvalues, the largest first, and their eigenvectors, of a symmetric matrix, by Jacobi's
/// rotations.
pub(super) fn eigen(mut a: Matrix) -> ([f64; 3], [[f64; 3]; 3]) {
    let mut vectors: Matrix = [[1., 0., 0.], [0., 1., 0.], [0., 0., 1.]];
    // Each sweep squares what is left off the diagonal: these are many more than are needed.
    for _ in 0..32 {
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if a[p][q] == 0. {
                continue;
            }
            let theta = (a[q][q] - a[p][p]) / (2. * a[p][q]);
            let t = theta.signum() / (theta.abs() + theta.hypot(1.));
            let (cos, sin) = (1. / t.hypot(1.), t / t.hypot(1.));
            for row in &mut a {
                (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
            }
            for column in 0..3 {
                let (x, y) = (a[p][column], a[q][column]);
                (a[p][column], a[q][column]) = (cos * x - sin * y, sin * x + cos * y);
                let (x, y) = (vectors[p][column], vectors[q][column]);
                (vectors[p][column], vectors[q][column]) = (cos * x - sin * y, sin * x + cos * y);
            }
        }
    }
    let mut order = [0, 1, 2];
    order.sort_by(|&i, &j| a[j][j].total_cmp(&a[i][i]));
    (order.map(|i| a[i][i]), order.map(|i| vectors[i]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_inverse_undoes_its_matrix(values in prop::array::uniform9(-1f64..1.)) {
            let mut m = [[0.; 3]; 3];
            values.iter().enumerate().for_each(|(at, &v)| m[at / 3][at % 3] = v + 3. * f64::from(at % 4 == 0));
            let back = apply(&inverse(&m), apply(&m, [0.3, -2., 5.]));
            prop_assert!(back.iter().zip([0.3, -2., 5.]).all(|(a, e)| (a - e).abs() < 1e-10));
        }

        #[test]
        fn eigenvectors_are_stretched_by_their_values(v in prop::array::uniform6(-10f64..10.)) {
            let m = [[v[0], v[1], v[2]], [v[1], v[3], v[4]], [v[2], v[4], v[5]]];
            let (values, vectors) = eigen(m);
            prop_assert!(values[0] >= values[1] && values[1] >= values[2]);
            for (value, vector) in values.iter().zip(vectors) {
                let stretched = apply(&m, vector);
                prop_assert!((0..3).all(|i| (stretched[i] - value * vector[i]).abs() < 1e-11));
                prop_assert!((vector.iter().map(|x| x * x).sum::<f64>() - 1.).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn a_diagonal_matrix_is_sorted() {
        let (values, vectors) = eigen([[1., 0., 0.], [0., 3., 0.], [0., 0., 2.]]);
        assert_eq!((values, vectors[0]), ([3., 2., 1.], [0., 1., 0.]));
    }
}
