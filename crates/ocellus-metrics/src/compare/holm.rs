use crate::{Error, Result, check};

/// Holm's correction: p-values that stay honest when many comparisons are made.
///
/// ```text
/// p'_(i) = max over j ≤ i of min((m − j + 1) p_(j), 1)                                 [1]
/// ```
///
/// for the m values in rising order. The result is in the order of the input. Rejecting where p' is
/// below 0.05 makes one or more false claims in at most 5 % of all studies.
///
/// # Examples
///
/// ```
/// let corrected = ocellus_metrics::holm(&[0.01, 0.04, 0.03])?;
/// assert_eq!(corrected, [0.03, 0.06, 0.06]);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If there are no values or one is outside 0 to 1.
///
/// # Complexity
///
/// O(m log m).
///
/// # References
///
/// 1. S. Holm. *A simple sequentially rejective multiple test procedure.* Scandinavian Journal of
///    Statistics 6 (1979).
pub fn holm(p_values: &[f64]) -> Result<Vec<f64>> {
    check::not_empty("p_values", p_values)?;
    check::finite("p_values", p_values)?;
    if let Some(p) = p_values.iter().find(|p| !(0. ..=1.).contains(*p)) {
        return Err(Error::setting("a p-value", p, "give values between 0 and 1"));
    }
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut corrected = vec![0.; p_values.len()];
    let mut highest: f64 = 0.;
    for (i, &at) in order.iter().enumerate() {
        highest = highest.max(((p_values.len() - i) as f64 * p_values[at]).min(1.));
        corrected[at] = highest;
    }
    Ok(corrected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{self, all_close, numbers};

    #[test]
    fn matches_statsmodels() {
        for case in golden::read("tests")["holm"].as_array().unwrap() {
            let corrected = holm(&numbers(&case["p_values"])).unwrap();
            all_close(&corrected, &numbers(&case["corrected"]), 1e-14);
        }
    }

    #[test]
    fn rejects_what_is_no_p_value() {
        assert!(holm(&[]).is_err());
        assert!(holm(&[0.5, 1.5]).is_err());
        assert!(holm(&[f64::NAN]).is_err());
    }
}
