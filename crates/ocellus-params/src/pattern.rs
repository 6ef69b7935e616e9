use std::ops::Range;

/// Whether `name` as a whole fits `pattern`, in which `*` stands for any run of characters (dots
/// included, possibly empty) and `?` for any one character.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    captures(pattern, name).is_some()
}

/// What each wildcard of `pattern` stands for in `name`, in order; `None` if it does not fit.
///
/// Every `*` but the last takes as little as it can. O(pattern · name) steps.
pub(crate) fn captures(pattern: &str, name: &str) -> Option<Vec<String>> {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let mut taken: Vec<Range<usize>> = Vec::new();
    let (mut p, mut n) = (0, 0);
    // Where to go back to: the last `*`, the number of captures before it, the end of its run.
    let mut star: Option<(usize, usize, usize)> = None;
    while n < name.len() || p < pattern.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, taken.len(), n));
                taken.push(n..n);
                p += 1;
            }
            Some('?') if n < name.len() => {
                taken.push(n..n + 1);
                (p, n) = (p + 1, n + 1);
            }
            Some(c) if name.get(n) == Some(c) => (p, n) = (p + 1, n + 1),
            _ => {
                let (at, count, end) = star.filter(|&(_, _, end)| end < name.len())?;
                star = Some((at, count, end + 1));
                taken.truncate(count + 1);
                taken[count].end = end + 1;
                (p, n) = (at + 1, end + 1);
            }
        }
    }
    Some(taken.into_iter().map(|range| name[range].iter().collect()).collect())
}

/// The first few of `names`, for a message.
pub(crate) fn some_of<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let shown: Vec<String> = names.iter().take(most).map(|n| format!("`{}`", n.as_ref())).collect();
    let rest = names.len().saturating_sub(most);
    match (shown.is_empty(), rest) {
        (true, _) => "none".to_owned(),
        (false, 0) => shown.join(", "),
        (false, rest) => format!("{} and {rest} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The textbook recursion.
    fn reference(p: &[u8], n: &[u8]) -> bool {
        match (p.split_first(), n.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => {
                reference(rest, n) || (!n.is_empty() && reference(p, &n[1..]))
            }
            (Some((b'?', p)), Some((_, n))) => reference(p, n),
            (Some((a, p)), Some((b, n))) => a == b && reference(p, n),
            _ => false,
        }
    }

    #[test]
    fn stars_cross_dots_and_questions_take_one() {
        assert!(matches("features.*", "features.0.weight"));
        assert!(matches("features.?.*", "features.7.bias"));
        assert!(!matches("features.?.*", "features.10.bias"));
        assert!(matches("*.bias", "a.b.bias"));
        assert!(!matches("features", "features.0.weight"));
        assert!(matches("*", ""));
        assert!(!matches("?", ""));
    }

    #[test]
    fn captures_name_what_the_wildcards_stand_for() {
        assert_eq!(captures("a.*.b.*", "a.1.2.b.w"), Some(vec!["1.2".into(), "w".into()]));
        assert_eq!(captures("?*", "xyz"), Some(vec!["x".into(), "yz".into()]));
        assert_eq!(captures("a", "a"), Some(vec![]));
        assert_eq!(captures("a*c", "ab"), None);
    }

    #[test]
    fn lists_a_few_names() {
        assert_eq!(some_of::<&str>(&[], 2), "none");
        assert_eq!(some_of(&["a", "b"], 2), "`a`, `b`");
        assert_eq!(some_of(&["a", "b", "c"], 2), "`a`, `b` and 1 more");
    }

    proptest! {
        #[test]
        fn agrees_with_the_textbook(p in "[ab*?]{0,7}", n in "[ab]{0,9}") {
            let found = captures(&p, &n);
            prop_assert_eq!(found.is_some(), reference(p.as_bytes(), n.as_bytes()));
            if let Some(found) = found {
                let mut parts = found.iter();
                let rebuilt: String = p
                    .chars()
                    .map(|c| if "*?".contains(c) {
                        parts.next().cloned().unwrap_or_default()
                    } else {
                        c.to_string()
                    })
                    .collect();
                prop_assert_eq!(rebuilt, n);
            }
        }
    }
}
