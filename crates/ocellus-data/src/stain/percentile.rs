/// A percentile of one value or more, between two by linear interpolation. Reorders the values.
pub(super) fn percentile(values: &mut [f64], percent: f64) -> f64 {
    let place = percent / 100. * (values.len() - 1) as f64;
    let low = (place as usize).min(values.len() - 1);
    let (_, &mut below, above) = values.select_nth_unstable_by(low, f64::total_cmp);
    let next = above.iter().copied().min_by(f64::total_cmp).unwrap_or(below);
    below + (place - low as f64) * (next - below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_lies_between_its_neighbors() {
        let mut values = [4., 1., 3., 2.];
        assert_eq!([0., 50., 100., 90.].map(|p| percentile(&mut values, p)), [1., 2.5, 4., 3.7]);
        assert_eq!(percentile(&mut [7.], 99.), 7.);
    }
}
