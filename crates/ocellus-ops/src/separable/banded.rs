use crate::cpu::Float;

/// A matrix that maps one axis of a plane: what stands in a row lies side by side, and further to
/// the right, or as far, in each row below.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Banded {
    /// Elements of the axis before: the matrix' columns.
    pub(crate) size: usize,
    /// Each output's first input, and the weights of the inputs from there on.
    pub(crate) bands: Vec<(usize, Vec<f64>)>,
}

impl Banded {
    /// From the rows of the matrix: each the first input and the weights. Zeros at the ends are
    /// left out, so that infinities there do not become NaN.
    pub(crate) fn new(size: usize, bands: impl Iterator<Item = (usize, Vec<f64>)>) -> Self {
        let trimmed = |(mut first, mut weights): (usize, Vec<f64>)| {
            while weights.last() == Some(&0.) {
                weights.pop();
            }
            let zeros = weights.iter().take_while(|&&w| w == 0.).count();
            first += zeros;
            (first, weights.split_off(zeros))
        };
        Self { size, bands: bands.map(trimmed).collect() }
    }

    /// How many outputs the axis has.
    pub(crate) fn len(&self) -> usize {
        self.bands.len()
    }

    /// The transposed matrix, which maps gradients back.
    pub(crate) fn transposed(&self) -> Self {
        let mut bands = vec![(0, Vec::new()); self.size];
        for (output, (first, weights)) in self.bands.iter().enumerate() {
            for (band, &weight) in bands[*first..].iter_mut().zip(weights) {
                if band.1.is_empty() {
                    band.0 = output;
                }
                band.1.resize(output - band.0, 0.);
                band.1.push(weight);
            }
        }
        Self { size: self.len(), bands }
    }

    /// The bands, in the kernel's type.
    pub(super) fn typed<T: Float>(&self) -> Vec<(usize, Vec<T>)> {
        let typed = |weights: &[f64]| weights.iter().map(|&w| T::from_f64(w)).collect();
        self.bands.iter().map(|(first, weights)| (*first, typed(weights))).collect()
    }

    /// All of the matrix, row by row.
    pub(super) fn dense(&self) -> Vec<Vec<f64>> {
        let row = |(first, weights): &(usize, Vec<f64>)| {
            let mut row = vec![0.; self.size];
            row[*first..][..weights.len()].copy_from_slice(weights);
            row
        };
        self.bands.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transposed_matrix_has_rows_for_columns() {
        let rows = [(0, vec![1., 2.]), (0, vec![0., 3., 0.]), (1, vec![4., 5.]), (4, vec![6.])];
        let matrix = Banded::new(5, rows.into_iter());
        assert_eq!(matrix.bands[1], (1, vec![3.]));
        let (dense, transposed) = (matrix.dense(), matrix.transposed());
        assert_eq!((transposed.size, transposed.len()), (4, 5));
        for (i, row) in transposed.dense().iter().enumerate() {
            assert!(row.iter().enumerate().all(|(j, &value)| value == dense[j][i]));
        }
        assert_eq!(transposed.transposed(), matrix);
    }
}
