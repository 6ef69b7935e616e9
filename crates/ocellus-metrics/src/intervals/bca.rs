use crate::{
    Error, Result,
    special::{normal_cdf, normal_quantile},
};

/// The shares of the sorted resampled statistics at which the BCa interval ends.
///
/// ```text
/// α' = Φ(z₀ + (z₀ + z_α) / (1 − a (z₀ + z_α)))
/// ```
///
/// for the bias z₀ (the normal quantile of the share of resampled statistics below the estimate)
/// and the acceleration a (a sixth of the skewness of the jackknife).
pub(super) fn shares(
    estimate: f64,
    sorted: &[f64],
    jackknife: &[f64],
    alpha: f64,
) -> Result<(f64, f64)> {
    let below = sorted.partition_point(|&v| v < estimate);
    let up_to = sorted.partition_point(|&v| v <= estimate);
    let bias = normal_quantile((below + up_to) as f64 / (2 * sorted.len()) as f64);

    let mean = jackknife.iter().sum::<f64>() / jackknife.len() as f64;
    let moment = |k| jackknife.iter().map(|v| (mean - v).powi(k)).sum::<f64>();
    let spread = moment(2);
    if spread == 0. || !bias.is_finite() {
        let reason = "the statistic does not vary enough; take the percentile interval";
        return Err(Error::undefined("the BCa interval", reason));
    }
    let acceleration = moment(3) / (6. * spread.powf(1.5));
    let share = |alpha: f64| {
        let z = bias + normal_quantile(alpha);
        normal_cdf(bias + z / (1. - acceleration * z))
    };
    Ok((share(alpha), share(1. - alpha)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        golden::{self, close, number, numbers},
        intervals::quantile,
    };

    #[test]
    fn matches_scipy() {
        for case in golden::read("tests")["bca"].as_array().unwrap() {
            let (sample, mut resampled) = (numbers(&case["sample"]), numbers(&case["resampled"]));
            resampled.sort_unstable_by(f64::total_cmp);
            let total: f64 = sample.iter().sum();
            let n = sample.len() as f64;
            let jackknife: Vec<f64> = sample.iter().map(|v| (total - v) / (n - 1.)).collect();
            let alpha = (1. - number(&case["confidence"])) / 2.;
            let (low, high) = shares(total / n, &resampled, &jackknife, alpha).unwrap();
            let expected = numbers(&case["interval"]);
            close(quantile(&resampled, low), expected[0], 1e-11);
            close(quantile(&resampled, high), expected[1], 1e-11);
        }
    }
}
