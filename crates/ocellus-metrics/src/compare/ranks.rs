/// Twice the rank of each value, from 2 for the lowest; equal values share the mean of their ranks,
/// which doubled is whole. O(n log n).
pub(super) fn doubled_ranks(values: &[f64]) -> Vec<u64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0; values.len()];
    let mut before = 0;
    for ties in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let after = before + ties.len() as u64;
        for &i in ties {
            ranks[i] = before + 1 + after;
        }
        before = after;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_their_mean_rank() {
        assert_eq!(doubled_ranks(&[5., 1., 5., 0., -0., 9.]), [9, 6, 9, 3, 3, 12]);
        assert!(doubled_ranks(&[]).is_empty());
    }
}
