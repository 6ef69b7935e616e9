use std::time::Duration;

/// How long ranks wait for each other.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use ocellus_parallel::TcpConfig;
///
/// let config = TcpConfig::default().with_timeout(Duration::from_secs(3600));
/// assert_eq!(config.meeting_timeout, Duration::from_secs(120));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpConfig {
    /// How long a rank waits until all others are there.
    pub meeting_timeout: Duration,
    /// How long a rank waits for another in an operation: longer than anything that one rank does
    /// alone.
    pub timeout: Duration,
}

impl Default for TcpConfig {
    /// Two minutes to meet, half an hour for an operation.
    fn default() -> Self {
        Self { meeting_timeout: Duration::from_secs(120), timeout: Duration::from_secs(1800) }
    }
}

impl TcpConfig {
    /// Sets how long a rank waits until all others are there.
    #[must_use]
    pub fn with_meeting_timeout(self, meeting_timeout: Duration) -> Self {
        Self { meeting_timeout, ..self }
    }

    /// Sets how long a rank waits for another in an operation.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}
