use super::gamma::ln_gamma;

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
}
