use super::gamma::upper_gamma;
use super::incomplete_beta;
use crate::{Error, Result};

/// The p-value of a χ² statistic: how often chance alone makes at least that.
///
/// ```text
/// P(χ² ≥ x) = Q(d / 2, x / 2)
/// ```
///
/// # Examples
///
/// ```
/// use ocellus_metrics::chi_squared_tail;
///
/// assert!((chi_squared_tail(3.841458820694124, 1.)? - 0.05).abs() < 1e-12);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the statistic is negative or NaN, or the degrees of freedom are not positive.
pub fn chi_squared_tail(statistic: f64, degrees: f64) -> Result<f64> {
    check_statistic(statistic)?;
    check_degrees("degrees", degrees)?;
    Ok(upper_gamma(degrees / 2., statistic / 2.))
}

/// The p-value of an F statistic, such as that of an analysis of variance: how often chance alone
/// makes at least that.
///
/// ```text
/// P(F ≥ f) = I_x(d₂ / 2, d₁ / 2),   x = d₂ / (d₂ + d₁ f)
/// ```
///
/// d₁ are the degrees of freedom between groups, d₂ those within.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::f_tail;
///
/// assert!((f_tail(4.9646027437307145, 1., 10.)? - 0.05).abs() < 1e-12);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the statistic is negative or NaN, or degrees of freedom are not positive.
pub fn f_tail(statistic: f64, between: f64, within: f64) -> Result<f64> {
    check_statistic(statistic)?;
    check_degrees("degrees between", between)?;
    check_degrees("degrees within", within)?;
    Ok(incomplete_beta(within / 2., between / 2., within / (within + between * statistic)))
}

fn check_statistic(value: f64) -> Result<()> {
    if value >= 0. {
        return Ok(());
    }
    Err(Error::setting("the statistic", value, "give 0 or more"))
}

fn check_degrees(name: &'static str, value: f64) -> Result<()> {
    if value > 0. && value.is_finite() {
        return Ok(());
    }
    Err(Error::setting(name, value, "give a finite number above 0"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{self, numbers};

    #[test]
    fn matches_scipy() {
        for row in golden::read("special")["chi_squared"].as_array().unwrap() {
            let row = numbers(row);
            let p = chi_squared_tail(row[0], row[1]).unwrap();
            assert!((p - row[2]).abs() <= 1e-12 * (1. + row[1]) * row[2], "{row:?}: {p}");
        }
        for row in golden::read("special")["f"].as_array().unwrap() {
            let row = numbers(row);
            let p = f_tail(row[0], row[1], row[2]).unwrap();
            assert!((p - row[3]).abs() <= 1e-12 * (1. + row[1] + row[2]) * row[3], "{row:?}: {p}");
        }
    }

    #[test]
    fn the_ends_are_certain() {
        assert_eq!(chi_squared_tail(0., 3.), Ok(1.));
        assert_eq!(chi_squared_tail(f64::INFINITY, 3.), Ok(0.));
        assert_eq!(f_tail(0., 3., 4.), Ok(1.));
        assert_eq!(f_tail(f64::INFINITY, 3., 4.), Ok(0.));
    }

    #[test]
    fn what_is_no_statistic_is_an_error() {
        assert!(chi_squared_tail(-1., 1.).is_err());
        assert!(chi_squared_tail(f64::NAN, 1.).is_err());
        assert!(chi_squared_tail(1., 0.).unwrap_err().to_string().starts_with("degrees is 0"));
        assert!(f_tail(1., 1., -2.).is_err());
        assert!(f_tail(1., f64::NAN, 1.).is_err());
    }
}
