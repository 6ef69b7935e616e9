use std::fmt;

/// An estimate with its confidence interval.
///
/// # Examples
///
/// ```
/// let interval = ocellus_metrics::wilson_interval(96, 100, 0.95)?;
/// assert_eq!(interval.to_string(), "0.960 (0.902 to 0.984)");
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Interval {
    /// The estimate itself.
    pub estimate: f64,
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
    /// The share of such intervals that hold the true value, 0.95 say.
    pub confidence: f64,
}

/// `estimate (lower to upper)`, with three decimals unless a precision is given.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(3);
        let Self { estimate, lower, upper, .. } = self;
        write!(f, "{estimate:.digits$} ({lower:.digits$} to {upper:.digits$})")
    }
}
