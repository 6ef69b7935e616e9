//! Squared distances, in vectors of sixteen partial sums.

const LANES: usize = 16;
/// After how many features it is looked whether the sum is beyond its limit already.
const CHUNK: usize = 128;

/// ‖a − b‖² where that is below `limit`, else something that is not.
///
/// Partial sums only grow, so giving up early changes no result that is below the limit.
pub(super) fn squared_distance(a: &[f32], b: &[f32], limit: f32) -> f32 {
    let mut sums = [0f32; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<CHUNK>();
    let (b_chunks, b_rest) = b.as_chunks::<CHUNK>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
            add_squares(&mut sums, a, b);
        }
        if sum(sums) >= limit {
            return f32::INFINITY;
        }
    }
    let (a_chunks, a_rest) = a_rest.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b_rest.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        add_squares(&mut sums, a, b);
    }
    for ((sum, a), b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum += (a - b) * (a - b);
    }
    sum(sums)
}

#[inline]
fn add_squares(sums: &mut [f32; LANES], a: &[f32; LANES], b: &[f32; LANES]) {
    for lane in 0..LANES {
        let difference = a[lane] - b[lane];
        sums[lane] += difference * difference;
    }
}

#[inline]
fn sum(sums: [f32; LANES]) -> f32 {
    let mut four = [0f32; 4];
    for (lane, four) in four.iter_mut().enumerate() {
        *four = (sums[lane] + sums[lane + 4]) + (sums[lane + 8] + sums[lane + 12]);
    }
    (four[0] + four[1]) + (four[2] + four[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_sum_of_squares_and_a_limit_changes_no_smaller_one() {
        for len in [1, 3, 15, 16, 17, 127, 128, 129, 300, 513] {
            let a: Vec<f32> = (0..len).map(|i| (i as f32).sin()).collect();
            let b: Vec<f32> = (0..len).map(|i| (i as f32 * 1.7).cos()).collect();
            let exact: f64 =
                a.iter().zip(&b).map(|(a, b)| f64::from(a - b) * f64::from(a - b)).sum();
            let distance = squared_distance(&a, &b, f32::INFINITY);
            assert!((f64::from(distance) / exact - 1.).abs() < 1e-6, "{len}");
            assert_eq!(squared_distance(&a, &b, distance.next_up()), distance, "{len}");
            assert!(squared_distance(&a, &b, distance / 2.) >= distance / 2., "{len}");
        }
    }
}
