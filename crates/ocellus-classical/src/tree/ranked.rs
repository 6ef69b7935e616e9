use ndarray::{ArrayView1, ArrayView2, Axis};
use ocellus_cluster::Float;
use rayon::prelude::*;

/// A feature of all samples: its different values, ascending, and for each sample which of them.
pub(super) struct Column {
    pub(super) values: Vec<f64>,
    pub(super) ranks: Vec<u32>,
}

impl Column {
    fn new<T: Float>(column: ArrayView1<'_, T>) -> Self {
        let widen = |(i, value): (usize, &T)| (value.widen(), i);
        let mut sorted: Vec<(f64, usize)> = column.iter().enumerate().map(widen).collect();
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut values, mut ranks) = (Vec::new(), vec![0; sorted.len()]);
        for (value, i) in sorted {
            if values.last() != Some(&value) {
                values.push(value);
            }
            ranks[i] = (values.len() - 1) as u32;
        }
        Self { values, ranks }
    }

    /// Between the value of a rank and another, larger one: what is not above it is left.
    pub(super) fn threshold(&self, below: u32, above: u32) -> f64 {
        let (below, above) = (self.values[below as usize], self.values[above as usize]);
        let middle = below / 2. + above / 2.;
        // Rounded up where there is no number between them.
        if middle < above { middle } else { below }
    }
}

/// Sorts each feature, once for all trees.
pub(super) fn columns<T: Float>(x: ArrayView2<'_, T>) -> Vec<Column> {
    let columns: Vec<_> = x.axis_iter(Axis(1)).collect();
    columns.into_par_iter().map(Column::new).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn equal_values_have_equal_ranks() {
        let column = Column::new(array![3., -0., 7., 0., 3.].view());
        assert_eq!(column.values, [0., 3., 7.]);
        assert_eq!(column.ranks, [1, 0, 2, 0, 1]);
        assert_eq!(column.threshold(0, 2), 3.5);
    }

    #[test]
    fn a_threshold_parts_neighbors() {
        let next = 1f64.next_up();
        let column = Column::new(array![next, 1., f64::MAX, f64::MIN].view());
        assert!(column.threshold(1, 2) == 1. && column.threshold(0, 3).abs() < 1.);
    }
}
