use std::f64::consts::TAU;

/// `ln Γ(x)` for x > 0: Stirling's series after a shift to x ≥ 10.
pub(super) fn ln_gamma(x: f64) -> f64 {
    if x < 10. {
        // Γ(x) = Γ(x + n) / (x (x + 1) … (x + n − 1)).
        let n = (10. - x).ceil();
        let product: f64 = (0..n as u32).map(|k| x + f64::from(k)).product();
        return ln_gamma(x + n) - product.ln();
    }
    let i = 1. / (x * x);
    let tail = (1. / 12.
        - i * (1. / 360.
            - i * (1. / 1260. - i * (1. / 1680. - i * (1. / 1188. - i * 691. / 360_360.)))))
        / x;
    (x - 0.5) * x.ln() - x + 0.5 * TAU.ln() + tail
}

/// The regularized upper incomplete gamma function `Q(a, x)` for a > 0: the power series below
/// x = a + 1, Legendre's continued fraction from there, where each converges fast.
pub(super) fn upper_gamma(a: f64, x: f64) -> f64 {
    if x <= 0. {
        return 1.;
    }
    if x.is_infinite() {
        return 0.;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1. { 1. - front * series(a, x) } else { front * fraction(a, x) }
}

/// Σ xⁿ / (a (a + 1) … (a + n)).
fn series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (1. / a, 1. / a, a);
    while term > sum * 1e-17 {
        n += 1.;
        term *= x / n;
        sum += term;
    }
    sum
}

/// 1 / (x + 1 − a − 1 (1 − a) / (x + 3 − a − 2 (2 − a) / …)), by Lentz's method.
fn fraction(a: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let nonzero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut b = x + 1. - a;
    let mut d = 1. / nonzero(b);
    let (mut value, mut c) = (d, 1. / TINY);
    for i in 1..100_000 {
        let i = f64::from(i);
        let k = -i * (i - a);
        b += 2.;
        d = 1. / nonzero(b + k * d);
        c = nonzero(b + k / c);
        value *= c * d;
        if (c * d - 1.).abs() < 1e-16 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;
    use crate::golden::{self, numbers};

    #[test]
    fn matches_scipy() {
        for row in golden::read("special")["upper_gamma"].as_array().unwrap() {
            let row = numbers(row);
            let value = upper_gamma(row[0], row[1]);
            let tolerance = 1e-12 * (1. + row[0]) * row[2];
            assert!((value - row[2]).abs() <= tolerance, "{row:?}: {value}");
        }
    }

    #[test]
    fn gamma_of_a_half_is_the_root_of_pi() {
        golden::close(ln_gamma(0.5), PI.ln() / 2., 1e-14);
        golden::close(ln_gamma(11.), 3_628_800f64.ln(), 1e-14);
    }
}
