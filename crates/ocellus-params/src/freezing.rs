use crate::pattern::matches;

/// What was frozen and unfrozen, in order: the last rule that fits a name decides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Freezing {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: String,
    frozen: bool,
}

impl Freezing {
    pub(crate) fn push(&mut self, pattern: &str, frozen: bool) {
        self.rules.retain(|rule| rule.pattern != pattern);
        self.rules.push(Rule { pattern: pattern.to_owned(), frozen });
    }

    pub(crate) fn is_frozen(&self, name: &str) -> bool {
        let last = self.rules.iter().rev().find(|rule| matches(&rule.pattern, name));
        last.is_some_and(|rule| rule.frozen)
    }

    pub(crate) fn unmatched<'a>(
        &self,
        names: impl Iterator<Item = &'a String> + Clone,
    ) -> Vec<String> {
        let fits_none = |rule: &&Rule| !names.clone().any(|name| matches(&rule.pattern, name));
        self.rules.iter().filter(fits_none).map(|rule| rule.pattern.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_decides() {
        let mut freezing = Freezing::default();
        freezing.push("features.*", true);
        freezing.push("features.28.*", false);
        assert!(freezing.is_frozen("features.0.weight"));
        assert!(!freezing.is_frozen("features.28.weight"));
        freezing.push("features.*", true); // Again: now it is the last.
        assert!(freezing.is_frozen("features.28.weight"));
        assert!(!freezing.is_frozen("head.weight"));
    }

    #[test]
    fn names_patterns_without_a_match() {
        let mut freezing = Freezing::default();
        freezing.push("features.*", true);
        freezing.push("head", false);
        let names = ["features.0.weight".to_owned()];
        assert_eq!(freezing.unmatched(names.iter()), ["head"]);
    }
}
