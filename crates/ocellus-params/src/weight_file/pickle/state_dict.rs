use super::{
    machine::Pickle,
    value::{Id, Value},
};

/// Where programs keep the weights among other things, the likeliest first.
const NESTED: [&str; 6] = ["state_dict", "model_state_dict", "model", "module", "net", "weights"];

/// The tensors of a checkpoint by name, or why there are none and what to do.
///
/// The dictionary that holds tensors is looked for at the top and under the usual keys; failing
/// that, all dictionaries are joined, their keys by dots.
pub(crate) fn state_dict(pickle: &Pickle) -> Result<Vec<(String, Id)>, String> {
    let Value::Dict(_) = pickle.get(pickle.root) else {
        return Err(format!("holds {} instead of a state dict", pickle.get(pickle.root).kind()));
    };
    let mut collector = Collector { pickle, found: vec![], steps: 0 };
    match nested(pickle, pickle.root, 0) {
        Some(dict) => collector.visit(dict, "", 0)?,
        None => collector.visit(pickle.root, "", 8)?,
    }
    let mut found = collector.found;
    if found.is_empty() {
        let keys: Vec<&str> = entries(pickle, pickle.root).map(|(key, _)| key).take(6).collect();
        return Err(format!("holds no tensors under the keys {keys:?}"));
    }
    strip_wrappers(&mut found);
    Ok(found)
}

fn entries(pickle: &Pickle, dict: Id) -> impl Iterator<Item = (&str, Id)> {
    let pairs = match pickle.get(dict) {
        Value::Dict(pairs) => pairs.as_slice(),
        _ => &[],
    };
    pairs.iter().filter_map(|&(key, value)| match pickle.get(key) {
        Value::Text(key) => Some((key.as_str(), value)),
        _ => None,
    })
}

fn is_tensor(value: &Value) -> bool {
    matches!(value, Value::Tensor(_) | Value::Unreadable(_))
}

/// The dictionary with tensors at the top or under the usual keys, at most three deep.
fn nested(pickle: &Pickle, dict: Id, depth: usize) -> Option<Id> {
    if entries(pickle, dict).any(|(_, value)| is_tensor(pickle.get(value))) {
        return Some(dict);
    }
    if depth == 3 {
        return None;
    }
    let below = |key: &str| {
        let (_, value) = entries(pickle, dict).find(|(k, _)| *k == key)?;
        nested(pickle, value, depth + 1)
    };
    NESTED.into_iter().find_map(below)
}

/// Goes through dictionaries inside each other. Counts its steps: dictionaries that share others
/// could multiply without end.
struct Collector<'a> {
    pickle: &'a Pickle,
    found: Vec<(String, Id)>,
    steps: usize,
}

impl Collector<'_> {
    /// The tensors of a dictionary, and of those in it down to `depth`.
    fn visit(&mut self, dict: Id, prefix: &str, depth: usize) -> Result<(), String> {
        for (key, value) in entries(self.pickle, dict) {
            self.steps += 1;
            if self.steps > 1_000_000 || prefix.len() + key.len() > 10_000 {
                return Err("names more tensors than a network can have".into());
            }
            let name = || format!("{prefix}{key}");
            match self.pickle.get(value) {
                Value::Dict(_) if depth > 0 => {
                    self.visit(value, &format!("{}.", name()), depth - 1)?;
                }
                inside if is_tensor(inside) => self.found.push((name(), value)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Takes off what `DataParallel` and `torch.compile` put before every name.
fn strip_wrappers(found: &mut [(String, Id)]) {
    for wrapper in ["module.", "_orig_mod.", "module."] {
        if found.iter().all(|(name, _)| name.starts_with(wrapper)) {
            for (name, _) in found.iter_mut() {
                name.drain(..wrapper.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::machine::run, *};

    const TENSOR: &[u8] = b"ctorch._utils\n_rebuild_tensor\n(\
        (X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x02tQ\
        K\x00K\x02\x85K\x01\x85tR";

    fn text(text: &str) -> Vec<u8> {
        [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
    }

    /// A dictionary of already written values.
    fn dict(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = b"}(".to_vec();
        for (key, value) in entries {
            bytes.extend(text(key));
            bytes.extend(*value);
        }
        bytes.push(b'u');
        bytes
    }

    fn names(mut bytes: Vec<u8>) -> Result<Vec<String>, String> {
        bytes.push(b'.');
        let pickle = run(&bytes, 0).map_err(|fault| fault.what)?;
        Ok(state_dict(&pickle)?.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn finds_the_tensors_at_the_top_and_under_the_usual_keys() {
        let weights = dict(&[("a.weight", TENSOR), ("epoch", b"K\x01")]);
        assert_eq!(names(weights.clone()).unwrap(), ["a.weight"]);
        let optimizer = dict(&[("momentum", TENSOR)]);
        let inside = dict(&[("optimizer", &optimizer), ("state_dict", &weights)]);
        assert_eq!(names(inside.clone()).unwrap(), ["a.weight"]);
        assert_eq!(names(dict(&[("model", &inside)])).unwrap(), ["a.weight"]);
    }

    #[test]
    fn joins_what_is_under_other_keys() {
        let weights = dict(&[("w", TENSOR)]);
        let both = dict(&[("encoder", &weights), ("decoder", &weights)]);
        assert_eq!(names(both).unwrap(), ["encoder.w", "decoder.w"]);
    }

    #[test]
    fn takes_off_the_prefixes_of_wrappers() {
        let wrapped = dict(&[("module._orig_mod.a", TENSOR), ("module._orig_mod.b", TENSOR)]);
        assert_eq!(names(wrapped).unwrap(), ["a", "b"]);
        let mixed = dict(&[("module.a", TENSOR), ("b", TENSOR)]);
        assert_eq!(names(mixed).unwrap(), ["module.a", "b"]);
    }

    #[test]
    fn says_what_there_is_instead() {
        assert!(names(TENSOR.to_vec()).unwrap_err().contains("a single tensor"));
        assert!(names(b"cmy\nNet\n)\x81}b".to_vec()).unwrap_err().contains("`my.Net`"));
        assert!(names(dict(&[("epoch", b"K\x01")])).unwrap_err().contains("epoch"));
    }

    #[test]
    fn dictionaries_in_circles_come_to_an_end() {
        let mut bytes = b"}q\x00(".to_vec();
        for i in 0..50 {
            bytes.extend(text(&format!("k{i}")));
            bytes.extend(b"h\x00");
        }
        bytes.push(b'u');
        assert!(names(bytes).unwrap_err().contains("more tensors than"));
    }
}
