use std::collections::BTreeMap;

use super::LoadConfig;
use crate::{
    Error, Result, WeightFile,
    pattern::{captures, matches},
};

/// Which tensor of a file is meant for which weight.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Names in the model, each with its name in the file.
    pub(crate) sources: BTreeMap<String, String>,
    /// Names in the file that are left out.
    pub(crate) ignored: Vec<String>,
}

impl Names {
    pub(crate) fn new(file: &WeightFile, config: &LoadConfig) -> Result<Self> {
        for (from, to) in &config.rename {
            check_rename(from, to)?;
        }
        let mut names = Self::default();
        for source in file.names() {
            if config.ignore.iter().any(|pattern| matches(pattern, source)) {
                names.ignored.push(source.to_owned());
                continue;
            }
            let target = translate(source, config);
            if let Some(other) = names.sources.insert(target.clone(), source.to_owned()) {
                return Err(Error::InvalidSetting(format!(
                    "`{other}` and `{source}` of `{}` would both become `{target}`: narrow the \
                     renaming, or ignore one of them",
                    file.path().display()
                )));
            }
        }
        Ok(names)
    }
}

fn translate(name: &str, config: &LoadConfig) -> String {
    let prefix = config.strip_prefix.as_deref().unwrap_or_default();
    let name = name.strip_prefix(prefix).unwrap_or(name);
    let renamed = config.rename.iter().find_map(|(from, to)| {
        let mut parts = captures(from, name)?.into_iter();
        let fill = |c: char| match c {
            '*' | '?' => parts.next().unwrap_or_default(),
            c => c.to_string(),
        };
        Some(to.chars().map(fill).collect::<String>())
    });
    let name = renamed.as_deref().unwrap_or(name);
    format!("{}{name}", config.add_prefix.as_deref().unwrap_or_default())
}

fn check_rename(from: &str, to: &str) -> Result<()> {
    let wildcards = |text: &str| text.chars().filter(|c| "*?".contains(*c)).count();
    if wildcards(from) == wildcards(to) {
        return Ok(());
    }
    Err(Error::InvalidSetting(format!(
        "cannot rename `{from}` to `{to}`: {} wildcards on the left, {} on the right",
        wildcards(from),
        wildcards(to)
    )))
}

/// The prefix whose removal or addition would bring names together, as a hint.
pub(crate) fn hint(missing: &[String], unexpected: &[String]) -> Option<String> {
    for model in missing {
        for file in unexpected {
            if let Some(prefix) = file.strip_suffix(model.as_str()).filter(|p| p.ends_with('.')) {
                return Some(format!("take `{prefix}` off with `LoadConfig::with_strip_prefix`"));
            }
            if let Some(prefix) = model.strip_suffix(file.as_str()).filter(|p| p.ends_with('.')) {
                return Some(format!("add `{prefix}` with `LoadConfig::with_add_prefix`"));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_in_the_stated_order() {
        let config = LoadConfig::default()
            .with_strip_prefix("net.")
            .with_rename("block*.conv?.kernel", "b*.c?.weight")
            .with_rename("block*", "never*")
            .with_add_prefix("encoder.");
        assert_eq!(translate("net.block12.conv3.kernel", &config), "encoder.b12.c3.weight");
        assert_eq!(translate("other", &config), "encoder.other");
    }

    #[test]
    fn rejects_a_renaming_that_loses_a_part() {
        let error = check_rename("a.*", "b").unwrap_err().to_string();
        assert!(error.contains("1 wildcards on the left, 0 on the right"), "{error}");
    }

    #[test]
    fn hints_at_a_prefix() {
        let (long, short) = (vec!["backbone.conv1.weight".to_owned()], vec!["conv1.weight".into()]);
        assert!(hint(&short, &long).unwrap().contains("`backbone.` off"));
        assert!(hint(&long, &short).unwrap().contains("add `backbone.`"));
        assert_eq!(hint(&short, &["xconv1.weight".into()]), None);
    }
}
