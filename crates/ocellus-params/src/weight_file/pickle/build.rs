use super::value::{Id, StorageRef, TensorRef, Value};
use crate::element::Element;

/// What a call of `class` with `arguments` makes, for the few that weights are made of; any other
/// becomes an object that is known by name only.
pub(crate) fn call(values: &[Value], class: Id, arguments: Id) -> Result<Value, String> {
    let Value::Global(class) = &values[class] else {
        return Ok(Value::Opaque(values[class].kind()));
    };
    let Value::Tuple(arguments) = &values[arguments] else {
        return Err(format!("`{class}` is called with {}", values[arguments].kind()));
    };
    let first = arguments.first().map(|&id| &values[id]);
    Ok(match (class.as_str(), first) {
        ("collections.OrderedDict" | "builtins.dict" | "__builtin__.dict", pairs) => {
            Value::Dict(pairs.map_or(Ok(vec![]), |pairs| dict_pairs(values, pairs))?)
        }
        ("torch.Size", Some(Value::Tuple(sizes) | Value::List(sizes))) => {
            Value::Tuple(sizes.clone())
        }
        ("torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2", _) => {
            tensor(values, arguments, None)?
        }
        ("torch._utils._rebuild_tensor_v3", _) => {
            let dtype = arguments.get(6).map(|&id| &values[id]);
            tensor(values, arguments, dtype)?
        }
        (
            "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state",
            Some(value @ (Value::Tensor(_) | Value::Unreadable(_))),
        ) => value.clone(),
        ("torch._tensor._rebuild_from_type_v2", Some(_)) if arguments.len() > 2 => {
            // (function, type, arguments, state): the call inside.
            if !matches!(&values[arguments[0]], Value::Global(name) if name != class) {
                return Err(format!("`{class}` of no function"));
            }
            call(values, arguments[0], arguments[2])?
        }
        (name, _) if name.starts_with("torch._utils._rebuild_") => {
            let kind = name.trim_start_matches("torch._utils._rebuild_");
            Value::Unreadable(format!("a tensor of the kind `{kind}`"))
        }
        (name, _) => Value::Opaque(name.to_owned()),
    })
}

/// `[[key, value], …]`, as Python 2 wrote an ordered dictionary.
fn dict_pairs(values: &[Value], pairs: &Value) -> Result<Vec<(Id, Id)>, String> {
    let (Value::List(pairs) | Value::Tuple(pairs)) = pairs else {
        return Err(format!("a dictionary made from {}", pairs.kind()));
    };
    let pair = |&id: &Id| match &values[id] {
        Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
        other => Err(format!("a dictionary entry that is {}", other.kind())),
    };
    pairs.iter().map(pair).collect()
}

/// `(storage, offset, size, stride, …)`.
fn tensor(values: &[Value], arguments: &[Id], dtype: Option<&Value>) -> Result<Value, String> {
    let [storage, offset, shape, strides, ..] = arguments else {
        return Err(format!("a tensor of {} parts instead of 4 or more", arguments.len()));
    };
    let Value::Storage(storage) = &values[*storage] else {
        return Err(format!("a tensor on {}", values[*storage].kind()));
    };
    let mut storage = storage.clone();
    if let Some(dtype) = dtype {
        let Value::Global(name) = dtype else {
            return Err(format!("a tensor whose type is {}", dtype.kind()));
        };
        storage.element = Element::of_torch(name.trim_start_matches("torch."));
    }
    let tensor = TensorRef {
        storage,
        offset: number(&values[*offset])?,
        shape: numbers(values, *shape)?,
        strides: numbers(values, *strides)?,
    };
    if tensor.shape.len() != tensor.strides.len() {
        return Err(format!("a tensor of {:?} with strides {:?}", tensor.shape, tensor.strides));
    }
    Ok(Value::Tensor(tensor))
}

/// `("storage", class, key, location, count[, view])`, the one kind of reference out of a pickle
/// that is read.
pub(crate) fn storage(values: &[Value], id: Id) -> Result<Value, String> {
    let Value::Tuple(parts) = &values[id] else {
        return Err(format!("a reference that is {}", values[id].kind()));
    };
    let part = |i: usize| parts.get(i).map(|&id| &values[id]);
    let Some(Value::Text(what)) = part(0) else {
        return Err("a reference without a kind".into());
    };
    if what != "storage" {
        return Ok(Value::Opaque(what.clone())); // `module`: the source code of a pickled model.
    }
    let (Some(Value::Global(class)), Some(Value::Text(key))) = (part(1), part(2)) else {
        return Err("a storage without class and key".into());
    };
    let class = class.rsplit('.').next().unwrap_or(class);
    let start = match part(5) {
        None | Some(Value::None) => 0,
        Some(Value::Tuple(view)) if view.len() == 3 => number(&values[view[1]])?,
        Some(other) => return Err(format!("a view of a storage that is {}", other.kind())),
    };
    let element = Element::of_torch(class);
    Ok(Value::Storage(StorageRef { element, key: key.clone(), start }))
}

fn numbers(values: &[Value], id: Id) -> Result<Vec<usize>, String> {
    let (Value::Tuple(items) | Value::List(items)) = &values[id] else {
        return Err(format!("a shape that is {}", values[id].kind()));
    };
    let size = |&id: &Id| {
        let size = number(&values[id])?;
        usize::try_from(size).map_err(|_| format!("a size of {size}"))
    };
    items.iter().map(size).collect()
}

fn number(value: &Value) -> Result<u64, String> {
    match value {
        Value::Int(number) if *number >= 0 => Ok(*number as u64),
        Value::Int(number) => Err(format!("a size of {number}")),
        other => Err(format!("a size that is {}", other.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_of_python_2_has_its_entries() {
        let values = [
            Value::Global("collections.OrderedDict".into()),
            Value::Text("key".into()),
            Value::Int(1),
            Value::List(vec![1, 2]),
            Value::List(vec![3]),
            Value::Tuple(vec![4]),
            Value::Tuple(vec![2]),
        ];
        assert_eq!(call(&values, 0, 5), Ok(Value::Dict(vec![(1, 2)])));
        assert!(call(&values, 0, 6).is_err());
    }

    #[test]
    fn sparse_tensors_are_named_not_read() {
        let values = [
            Value::Global("torch._utils._rebuild_sparse_tensor".into()),
            Value::Tuple(vec![]),
            Value::Global("my.Model".into()),
        ];
        assert!(
            matches!(call(&values, 0, 1), Ok(Value::Unreadable(why)) if why.contains("sparse"))
        );
        assert_eq!(call(&values, 2, 1), Ok(Value::Opaque("my.Model".into())));
        assert!(call(&values, 2, 2).is_err());
    }

    #[test]
    fn negative_sizes_are_errors() {
        assert!(number(&Value::Int(-1)).unwrap_err().contains("-1"));
        assert!(storage(&[Value::Tuple(vec![])], 0).is_err());
    }
}
