use std::env;

use crate::{Error, Result};

/// Which rank a process is, and where the ranks meet.
///
/// | Variable | Holds |
/// | --- | --- |
/// | `RANK` | the number of the process among all, from 0 |
/// | `WORLD_SIZE` | the number of processes |
/// | `LOCAL_RANK` | its number on its machine: the GPU that it takes; `RANK` where it is not set |
/// | `MASTER_ADDR`, `MASTER_PORT` | where rank 0 listens |
///
/// They are those that `torchrun` and [`launch`](crate::launch()) set.
///
/// # Examples
///
/// ```
/// use ocellus_parallel::Ranks;
///
/// let ranks = Ranks::from_variables(|name| match name {
///     "RANK" => Some("3".into()),
///     "WORLD_SIZE" => Some("8".into()),
///     "MASTER_ADDR" => Some("node-1".into()),
///     "MASTER_PORT" => Some("29500".into()),
///     _ => None,
/// })?;
/// assert_eq!((ranks.rank, ranks.size, ranks.local_rank), (3, 8, 3));
/// assert_eq!(Ranks::from_variables(|_| None)?, Ranks::alone());
/// # Ok::<(), ocellus_parallel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ranks {
    /// The number of this process among all, from 0.
    pub rank: usize,
    /// The number of processes.
    pub size: usize,
    /// The number of this process on its machine.
    pub local_rank: usize,
    /// The machine of rank 0.
    pub host: String,
    /// The port on which it listens.
    pub port: u16,
}

impl Ranks {
    /// The only one.
    #[must_use]
    pub fn alone() -> Self {
        Self::new(0, 1, "127.0.0.1", 0)
    }

    /// A rank on the machine of rank 0.
    #[must_use]
    pub fn new(rank: usize, size: usize, host: impl Into<String>, port: u16) -> Self {
        Self { rank, size, local_rank: rank, host: host.into(), port }
    }

    /// As the environment says; the only one, if it says nothing.
    ///
    /// # Errors
    ///
    /// If a variable is missing while others are set, or holds no fitting number: the error has its
    /// name and value.
    pub fn from_env() -> Result<Self> {
        Self::from_variables(|name| env::var_os(name).map(|v| v.to_string_lossy().into_owned()))
    }

    /// As these variables say, such as those of another environment.
    ///
    /// # Errors
    ///
    /// As of [`from_env`](Self::from_env).
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        if variable("RANK").is_none() && variable("WORLD_SIZE").is_none() {
            return Ok(Self::alone());
        }
        let size: usize = number(&variable, "WORLD_SIZE")?;
        let rank: usize = number(&variable, "RANK")?;
        if size == 0 {
            return Err(wrong("WORLD_SIZE", "0", "give the number of processes, at least 1"));
        }
        if rank >= size {
            let remedy = format!("ranks count from 0 to {}, WORLD_SIZE being {size}", size - 1);
            return Err(wrong("RANK", &rank.to_string(), &remedy));
        }
        let local_rank = match variable("LOCAL_RANK") {
            Some(_) => number(&variable, "LOCAL_RANK")?,
            None => rank,
        };
        if size == 1 {
            return Ok(Self { local_rank, ..Self::alone() });
        }
        let port: u16 = number(&variable, "MASTER_PORT")?;
        if port == 0 {
            return Err(wrong(
                "MASTER_PORT",
                "0",
                "give a free port of rank 0's machine, as 29500",
            ));
        }
        let host = variable("MASTER_ADDR").ok_or_else(|| missing("MASTER_ADDR"))?;
        Ok(Self { rank, size, local_rank, host, port })
    }
}

fn number<T: std::str::FromStr>(
    variable: &impl Fn(&str) -> Option<String>,
    name: &str,
) -> Result<T> {
    let text = variable(name).ok_or_else(|| missing(name))?;
    let most = if name == "MASTER_PORT" { " up to 65535" } else { "" };
    let remedy = format!("give a whole number{most}");
    text.trim().parse().map_err(|_| wrong(name, &text, &remedy))
}

fn wrong(name: &str, value: &str, remedy: &str) -> Error {
    Error::Setting(format!("the environment variable {name} is `{value}`: {remedy}"))
}

fn missing(name: &str) -> Error {
    Error::Setting(format!(
        "the environment variable {name} is not set, though others of RANK, WORLD_SIZE, MASTER_ADDR and \
         MASTER_PORT are: set all four, or none for a single process"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn with(changes: &[(&str, Option<&str>)]) -> Result<Ranks> {
        let mut all = BTreeMap::from([
            ("RANK", "1"),
            ("WORLD_SIZE", "4"),
            ("LOCAL_RANK", "0"),
            ("MASTER_ADDR", "10.0.0.7"),
            ("MASTER_PORT", "29500"),
        ]);
        for &(name, value) in changes {
            match value {
                Some(value) => all.insert(name, value),
                None => all.remove(name),
            };
        }
        Ranks::from_variables(|name| all.get(name).map(|&value| value.to_owned()))
    }

    #[test]
    fn variables_are_read() -> Result<()> {
        let ranks = with(&[])?;
        assert_eq!((ranks.rank, ranks.size, ranks.local_rank), (1, 4, 0));
        assert_eq!((ranks.host.as_str(), ranks.port), ("10.0.0.7", 29500));
        assert_eq!(with(&[("LOCAL_RANK", None)])?.local_rank, 1);
        let single = with(&[("RANK", Some("0")), ("WORLD_SIZE", Some("1")), ("MASTER_ADDR", None)]);
        assert_eq!(single?, Ranks::alone());
        Ok(())
    }

    #[test]
    fn errors_name_the_variable_and_its_value() {
        for (name, value, says) in [
            ("RANK", Some("4"), "RANK is `4`: ranks count from 0 to 3"),
            ("RANK", Some("-1"), "RANK is `-1`"),
            ("RANK", None, "RANK is not set"),
            ("WORLD_SIZE", Some("0"), "WORLD_SIZE is `0`"),
            ("WORLD_SIZE", Some("two"), "WORLD_SIZE is `two`: give a whole number"),
            ("WORLD_SIZE", None, "WORLD_SIZE is not set"),
            ("LOCAL_RANK", Some(""), "LOCAL_RANK is ``"),
            (
                "MASTER_PORT",
                Some("70000"),
                "MASTER_PORT is `70000`: give a whole number up to 65535",
            ),
            ("MASTER_PORT", Some("0"), "MASTER_PORT is `0`"),
            ("MASTER_PORT", None, "MASTER_PORT is not set"),
            ("MASTER_ADDR", None, "MASTER_ADDR is not set"),
        ] {
            let error = with(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(says), "{name} {value:?}: {error}");
        }
    }
}
