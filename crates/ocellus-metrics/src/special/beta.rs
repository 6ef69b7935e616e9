use std::f64::consts::TAU;

/// `ln Γ(x)` for x > 0: Stirling's series after a shift to x ≥ 10.
fn ln_gamma(x: f64) -> f64 {
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

/// The regularized incomplete beta function `I_x(a, b)` for a, b > 0.
///
/// The continued fraction of DiDonato and Morris, evaluated by Lentz's method, on the side of the
/// mean where it converges fast.
pub(crate) fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0. {
        return 0.;
    }
    if x >= 1. {
        return 1.;
    }
    if x > (a + 1.) / (a + b + 2.) {
        return 1. - incomplete_beta(b, a, 1. - x);
    }
    let ln_beta = ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta).exp() / a;
    front / fraction(a, b, x)
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let nonzero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let coefficient = |i: u32| {
        let m = f64::from(i / 2);
        if i.is_multiple_of(2) {
            m * (b - m) * x / ((a + 2. * m - 1.) * (a + 2. * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2. * m) * (a + 2. * m + 1.))
        }
    };
    let (mut value, mut c, mut d) = (1., 1., 0.);
    for i in 1..100_000 {
        let k = coefficient(i);
        d = 1. / nonzero(1. + k * d);
        c = nonzero(1. + k / c);
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
        for row in golden::read("special")["incomplete_beta"].as_array().unwrap() {
            let row = numbers(row);
            let value = incomplete_beta(row[0], row[1], row[2]);
            let tolerance = 1e-12 * (1. + row[0] + row[1]) * row[3];
            assert!((value - row[3]).abs() <= tolerance, "{row:?}: {value}");
        }
    }

    #[test]
    fn gamma_of_a_half_is_the_root_of_pi() {
        golden::close(ln_gamma(0.5), PI.ln() / 2., 1e-14);
        golden::close(ln_gamma(11.), 3_628_800f64.ln(), 1e-14);
    }
}
