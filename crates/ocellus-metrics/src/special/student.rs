use super::incomplete_beta;

/// `P(|T| ≥ |t|)` for Student's t with that many degrees of freedom.
pub(crate) fn student_two_sided(t: f64, degrees: f64) -> f64 {
    incomplete_beta(degrees / 2., 0.5, degrees / (degrees + t * t))
}

/// The t with `P(|T| < t) = confidence`, by bisection.
pub(crate) fn student_quantile(confidence: f64, degrees: f64) -> f64 {
    let above = |t: f64| student_two_sided(t, degrees) > 1. - confidence;
    let (mut low, mut high) = (0., 1.);
    while above(high) && high < f64::MAX / 4. {
        (low, high) = (high, 2. * high);
    }
    for _ in 0..200 {
        let middle = (low + high) / 2.;
        if middle <= low || middle >= high {
            break;
        }
        if above(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{self, numbers};

    #[test]
    fn matches_scipy() {
        for row in golden::read("special")["student"].as_array().unwrap() {
            let row = numbers(row);
            let p = student_two_sided(row[0], row[1]);
            assert!((p / row[2] - 1.).abs() < 1e-11, "{row:?}: {p}");
        }
        for row in golden::read("special")["student_quantile"].as_array().unwrap() {
            let row = numbers(row);
            golden::close(student_quantile(row[0], row[1]), row[2], 1e-11);
        }
    }
}
