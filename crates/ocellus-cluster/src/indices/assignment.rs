use ndarray::ArrayView2;

use crate::{Error, Float, Result, check};

/// The one-to-one assignment of rows to columns with the least sum of costs (the Hungarian method, in
/// the form of shortest augmenting paths \[1\]).
///
/// Gives the column of each row; none for rows that are left over where there are fewer columns.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::assignment;
///
/// let cost = array![[4., 1., 3.], [2., 0., 5.], [3., 2., 2.]];
/// assert_eq!(assignment(cost.view())?, [Some(1), Some(0), Some(2)]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Errors
///
/// If there is no cost, or one is not finite.
///
/// # Complexity
///
/// O(r² c) for r rows and c columns, r ≤ c; else O(c² r).
///
/// # References
///
/// 1. D. F. Crouse. *On implementing 2D rectangular assignment algorithms.* IEEE Transactions on
///    Aerospace and Electronic Systems 52, 2016.
pub fn assignment<T: Float>(cost: ArrayView2<'_, T>) -> Result<Vec<Option<usize>>> {
    check::samples(cost)?;
    let (rows, columns) = cost.dim();
    if rows <= columns {
        return Ok(by_rows(cost)?.into_iter().map(Some).collect());
    }
    let mut of_row = vec![None; rows];
    for (column, row) in by_rows(cost.reversed_axes())?.into_iter().enumerate() {
        of_row[row] = Some(column);
    }
    Ok(of_row)
}

/// The column of each row, for no more rows than columns.
fn by_rows<T: Float>(cost: ArrayView2<'_, T>) -> Result<Vec<usize>> {
    let (rows, columns) = cost.dim();
    let (mut row_prices, mut column_prices) = (vec![0.; rows], vec![0.; columns]);
    let mut row_of: Vec<Option<usize>> = vec![None; columns];
    let mut column_of = vec![0; rows];
    for start in 0..rows {
        // Dijkstra's algorithm from the row to a free column, along reduced costs.
        let mut distances = vec![f64::INFINITY; columns];
        let mut from = vec![start; columns];
        let mut done: Vec<usize> = Vec::new();
        let mut open: Vec<usize> = (0..columns).collect();
        let (mut row, mut length) = (start, 0.);
        let free = loop {
            for &column in &open {
                let price = row_prices[row] + column_prices[column];
                let reached = length + cost[[row, column]].widen() - price;
                if reached < distances[column] {
                    (distances[column], from[column]) = (reached, row);
                }
            }
            let nearest = open
                .iter()
                .enumerate()
                .min_by(|(_, a), (_, b)| distances[**a].total_cmp(&distances[**b]).then(a.cmp(b)));
            let Some((place, &column)) = nearest.filter(|(_, c)| distances[**c].is_finite()) else {
                let remedy = "scale them: their sums are not finite";
                return Err(Error::setting("the costs", "too large", remedy));
            };
            length = distances[column];
            open.swap_remove(place);
            match row_of[column] {
                None => break column,
                Some(next) => row = next,
            }
            done.push(column);
        };
        row_prices[start] += length;
        for column in done {
            let change = length - distances[column];
            column_prices[column] -= change;
            if let Some(row) = row_of[column] {
                row_prices[row] += change;
            }
        }
        // Each row on the path takes the column that the path left it for.
        let mut column = free;
        loop {
            let row = from[column];
            row_of[column] = Some(row);
            std::mem::swap(&mut column_of[row], &mut column);
            if row == start {
                break;
            }
        }
    }
    Ok(column_of)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    use super::*;
    use crate::golden::{close, matrix, number, read};

    fn total(cost: &Array2<f64>, of_row: &[Option<usize>]) -> f64 {
        let pairs = of_row.iter().enumerate();
        pairs.filter_map(|(row, column)| Some(cost[[row, (*column)?]])).sum()
    }

    #[test]
    fn matches_scipy() {
        for case in read("indices")["assignments"].as_array().unwrap() {
            let cost = matrix(&case["cost"]);
            let found = assignment(cost.view()).unwrap();
            close(total(&cost, &found), number(&case["total"]), 1e-12);
        }
    }

    #[test]
    fn rejects_costs_without_a_sum() {
        assert!(assignment(array![[f64::NAN]].view()).is_err());
        assert!(assignment(Array2::<f32>::zeros((0, 2)).view()).is_err());
        let huge = array![[f64::MAX, -f64::MAX], [-f64::MAX, f64::MAX]];
        let found = assignment(huge.view());
        assert!(found.is_err() || found.is_ok_and(|of_row| of_row.len() == 2));
    }

    fn least(cost: &Array2<f64>, row: usize, used: &mut Vec<bool>) -> f64 {
        if row == cost.nrows() {
            return 0.;
        }
        let mut best = f64::INFINITY;
        for column in 0..cost.ncols() {
            if !used[column] {
                used[column] = true;
                best = best.min(cost[[row, column]] + least(cost, row + 1, used));
                used[column] = false;
            }
        }
        best
    }

    proptest! {
        #[test]
        fn no_other_assignment_costs_less(
            values in prop::collection::vec(-9i32..9, 4 * 5), transposed: bool,
        ) {
            let values = values.into_iter().map(f64::from).collect();
            let wide = Array2::from_shape_vec((4, 5), values).unwrap();
            let cost = if transposed { wide.t().to_owned() } else { wide.clone() };
            let found = assignment(cost.view()).unwrap();
            let mut columns: Vec<usize> = found.iter().copied().flatten().collect();
            columns.sort_unstable();
            columns.dedup();
            prop_assert_eq!(columns.len(), 4);
            prop_assert_eq!(total(&cost, &found), least(&wide, 0, &mut vec![false; 5]));
        }
    }
}
