use std::f64::consts::{FRAC_1_SQRT_2, PI, TAU};

/// The complementary error function, to 14 digits also in the far tail.
fn erfc(x: f64) -> f64 {
    if x < 0. {
        return 2. - erfc(-x);
    }
    if x < 1.5 {
        // erf x = 2 x exp(−x²) / √π · Σ (2x²)ⁿ / (2n + 1)!!, all terms positive.
        let (mut term, mut sum, mut n) = (1., 1., 1.);
        while term > sum * 1e-17 {
            term *= 2. * x * x / (2. * n + 1.);
            sum += term;
            n += 1.;
        }
        return 1. - 2. * x * (-x * x).exp() / PI.sqrt() * sum;
    }
    // Laplace's continued fraction, from its tail.
    let fraction = (1..=120).rev().fold(x, |tail, k| x + f64::from(k) / 2. / tail);
    (-x * x).exp() / PI.sqrt() / fraction
}

/// `P(Z ≤ z)` of a standard normal variable.
pub(crate) fn normal_cdf(z: f64) -> f64 {
    erfc(-z * FRAC_1_SQRT_2) / 2.
}

/// `P(|Z| ≥ |z|)` of a standard normal variable.
pub(crate) fn normal_two_sided(z: f64) -> f64 {
    erfc(z.abs() * FRAC_1_SQRT_2)
}

/// The z with `P(Z ≤ z) = p`; infinite at 0 and 1.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    if p > 0.5 {
        return -normal_quantile(1. - p);
    }
    if p <= 0. {
        return f64::NEG_INFINITY;
    }
    // Abramowitz and Stegun 26.2.23, then Halley's iteration.
    let t = (-2. * p.ln()).sqrt();
    let numerator = 2.515517 + t * (0.802853 + t * 0.010328);
    let mut z = numerator / (1. + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
    for _ in 0..3 {
        let density = (-z * z / 2.).exp() / TAU.sqrt();
        let step = (normal_cdf(z) - p) / density;
        z -= step / (1. + z * step / 2.);
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{self, number, numbers};

    #[test]
    fn matches_scipy() {
        for row in golden::read("special")["normal"].as_array().unwrap() {
            let row = numbers(row);
            let (z, cdf) = (row[0], normal_cdf(row[0]));
            assert!((cdf / row[1] - 1.).abs() < 1e-12, "{z}: {cdf} {}", row[1]);
            let p = normal_two_sided(z);
            assert!((p / row[2] - 1.).abs() < 1e-12, "{z}: {p} {}", row[2]);
        }
        for row in golden::read("special")["normal_quantile"].as_array().unwrap() {
            golden::close(normal_quantile(number(&row[0])), number(&row[1]), 1e-12);
        }
        assert_eq!(normal_quantile(0.), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.), f64::INFINITY);
    }
}
