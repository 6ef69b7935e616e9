/// The quantile of sorted values that interpolates between neighbors, as NumPy's default.
///
/// `sorted` must not be empty and `share` be between 0 and 1.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len() - 1;
    let position = share * last as f64;
    let below = (position.floor() as usize).min(last);
    let above = (below + 1).min(last);
    let (a, b, t) = (sorted[below], sorted[above], position - below as f64);
    if t < 0.5 { a + (b - a) * t } else { b - (b - a) * (1. - t) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolates_between_neighbors() {
        let sorted = [1., 2., 4.];
        let shares = [0., 0.25, 0.5, 0.75, 1.];
        assert_eq!(shares.map(|share| quantile(&sorted, share)), [1., 1.5, 2., 3., 4.]);
        assert_eq!(quantile(&[7.], 0.3), 7.);
    }
}
