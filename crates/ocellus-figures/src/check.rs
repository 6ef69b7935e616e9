use crate::{Error, Result};

/// Beyond this, differences of coordinates could overflow.
const LARGEST: f64 = 1e30;

pub(crate) fn not_empty<T>(what: &str, values: &[T]) -> Result<()> {
    if values.is_empty() {
        return Err(Error::Empty { what: what.to_owned() });
    }
    Ok(())
}

pub(crate) fn same_length(what: &str, got: usize, expected: usize) -> Result<()> {
    if got != expected {
        return Err(Error::Length { what: what.to_owned(), expected, got });
    }
    Ok(())
}

/// The values are neither NaN nor infinite nor absurdly large.
pub(crate) fn finite(what: &str, values: &[f64]) -> Result<()> {
    let remedy = "finite and below 1e30 in size";
    check(what, values, remedy, |value| value.abs() <= LARGEST)
}

/// The values lie between 0 and 1.
pub(crate) fn unit(what: &str, values: &[f64]) -> Result<()> {
    check(what, values, "between 0 and 1", |value| (0.0..=1.0).contains(&value))
}

fn check(
    what: &str,
    values: &[f64],
    remedy: &'static str,
    fits: impl Fn(f64) -> bool,
) -> Result<()> {
    match values.iter().position(|&value| !fits(value)) {
        Some(index) => {
            Err(Error::Value { what: what.to_owned(), index, value: values[index], remedy })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_slice_the_index_and_the_value() {
        let error = unit("precision of \"a\"", &[0.5, f64::NAN]).unwrap_err().to_string();
        assert_eq!(error, "precision of \"a\" is NaN at index 1: it must be between 0 and 1");
        let error = finite("loss", &[f64::INFINITY]).unwrap_err().to_string();
        assert!(error.contains("loss is inf at index 0"), "{error}");
        let error = same_length("recall", 2, 3).unwrap_err().to_string();
        assert_eq!(error, "recall has 2 values where 3 are needed");
    }
}
