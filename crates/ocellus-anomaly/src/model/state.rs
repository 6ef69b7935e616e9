use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use candle_core::{DType, Tensor};
use ocellus_cluster::RowFile;

use crate::{Error, Result};

/// What is written into a file, by name: texts and tensors.
///
/// Numbers are texts, which keep every bit of them.
///
/// # Examples
///
/// ```
/// use ocellus_anomaly::State;
///
/// let mut state = State::default();
/// state.set("sigma", 0.1 + 0.2);
/// state.set_all("scales", &[64, 128]);
/// assert_eq!(state.get::<f64>("sigma")?, 0.1 + 0.2);
/// assert_eq!(state.get_all::<usize>("scales")?, [64, 128]);
/// assert!(state.get::<f64>("alpha").is_err());
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct State {
    texts: BTreeMap<String, String>,
    tensors: BTreeMap<String, Tensor>,
    tables: BTreeMap<String, RowFile>,
}

impl State {
    /// A state of those texts and tensors.
    #[must_use]
    pub fn new(texts: BTreeMap<String, String>, tensors: BTreeMap<String, Tensor>) -> Self {
        Self { texts, tensors, ..Self::default() }
    }

    /// This state with tables of `f32` that stay in a file. They are no [`tensors`](Self::tensors):
    /// a model that can work so asks for [`table`](Self::table).
    #[must_use]
    pub fn with_tables(mut self, tables: BTreeMap<String, RowFile>) -> Self {
        self.tables = tables;
        self
    }

    /// The texts by name.
    #[must_use]
    pub fn texts(&self) -> &BTreeMap<String, String> {
        &self.texts
    }

    /// The tensors by name.
    #[must_use]
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// The tables that stay in a file, by name.
    #[must_use]
    pub fn tables(&self) -> &BTreeMap<String, RowFile> {
        &self.tables
    }

    /// The table of that name, if it stays in a file.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&RowFile> {
        self.tables.get(name)
    }

    /// Keeps a text or a number.
    pub fn set(&mut self, name: &str, value: impl Display) {
        self.texts.insert(name.to_owned(), value.to_string());
    }

    /// Keeps several numbers, none of which has a space in it.
    pub fn set_all<T: Display>(&mut self, name: &str, values: &[T]) {
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        self.set(name, values.join(" "));
    }

    /// Keeps a tensor.
    pub fn set_tensor(&mut self, name: &str, tensor: &Tensor) {
        self.tensors.insert(name.to_owned(), tensor.clone());
    }

    /// The text or number of that name.
    ///
    /// # Errors
    ///
    /// If there is none, or it is no `T`.
    pub fn get<T: FromStr>(&self, name: &str) -> Result<T> {
        let text = self.texts.get(name).ok_or_else(|| Self::missing(name))?;
        text.parse().map_err(|_| Error::Value(format!("has `{text}` as its `{name}`")))
    }

    /// As [`get`](Self::get); nothing if there is none.
    ///
    /// # Errors
    ///
    /// If it is no `T`.
    pub fn find<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        if self.texts.contains_key(name) { self.get(name).map(Some) } else { Ok(None) }
    }

    /// Several numbers.
    ///
    /// # Errors
    ///
    /// If there are none of that name, or one is no `T`.
    pub fn get_all<T: FromStr>(&self, name: &str) -> Result<Vec<T>> {
        let text = self.texts.get(name).ok_or_else(|| Self::missing(name))?;
        let parse = |word: &str| {
            word.parse().map_err(|_| Error::Value(format!("has `{word}` in its `{name}`")))
        };
        text.split_whitespace().map(parse).collect()
    }

    /// The tensor of that name, which must have the type and dimensions.
    ///
    /// # Errors
    ///
    /// If there is none, or it has others.
    pub fn tensor(&self, name: &str, dtype: DType, dims: &[usize]) -> Result<Tensor> {
        let tensor = self.tensors.get(name).ok_or_else(|| Self::missing(name))?;
        if tensor.dtype() != dtype || tensor.dims() != dims {
            return Err(Error::Value(format!(
                "has `{name}` as {:?} {:?}, not {dtype:?} {dims:?}",
                tensor.dtype(),
                tensor.dims()
            )));
        }
        Ok(tensor.clone())
    }

    /// This state with `prefix.` before every name.
    #[must_use]
    pub fn under(self, prefix: &str) -> Self {
        let put = |name: String| format!("{prefix}.{name}");
        Self {
            texts: self.texts.into_iter().map(|(name, text)| (put(name), text)).collect(),
            tensors: self.tensors.into_iter().map(|(name, tensor)| (put(name), tensor)).collect(),
            tables: self.tables.into_iter().map(|(name, table)| (put(name), table)).collect(),
        }
    }

    /// What stands under `prefix.`, without it.
    #[must_use]
    pub fn part(&self, prefix: &str) -> Self {
        fn cut<T: Clone>(all: &BTreeMap<String, T>, prefix: &str) -> BTreeMap<String, T> {
            let strip = |name: &str| Some(name.strip_prefix(prefix)?.strip_prefix('.')?.to_owned());
            all.iter().filter_map(|(name, item)| Some((strip(name)?, item.clone()))).collect()
        }
        Self {
            texts: cut(&self.texts, prefix),
            tensors: cut(&self.tensors, prefix),
            tables: cut(&self.tables, prefix),
        }
    }

    /// Takes over all of another state.
    pub fn extend(&mut self, other: Self) {
        self.texts.extend(other.texts);
        self.tensors.extend(other.tensors);
        self.tables.extend(other.tables);
    }

    fn missing(name: &str) -> Error {
        Error::Value(format!("has no `{name}`"))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn numbers_keep_every_bit() -> Result<()> {
        let values = [0.1, 1. / 3., f64::MIN_POSITIVE, 5e-324, -0., f64::INFINITY, 1.7e308];
        let mut state = State::default();
        state.set_all("values", &values);
        let back = state.get_all::<f64>("values")?;
        assert!(back.iter().zip(values).all(|(a, b)| a.to_bits() == b.to_bits()), "{back:?}");
        Ok(())
    }

    #[test]
    fn parts_come_back_and_others_are_named() -> Result<()> {
        let mut inner = State::default();
        inner.set("kind", "padim");
        inner.set_tensor("mean", &Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?);
        let mut outer = State::default();
        outer.set("models", 1);
        outer.extend(inner.under("model"));
        let part = outer.part("model");
        assert_eq!(part.get::<String>("kind")?, "padim");
        assert_eq!(part.tensor("mean", DType::F32, &[2, 3])?.dims(), [2, 3]);
        assert!(part.get::<String>("s").unwrap_err().to_string().contains("no `s`"));
        let error = part.tensor("mean", DType::F32, &[3, 2]).unwrap_err().to_string();
        assert!(error.contains("F32 [2, 3], not F32 [3, 2]"), "{error}");
        assert!(part.get::<f64>("kind").unwrap_err().to_string().contains("`padim` as its `kind`"));
        assert_eq!(outer.find::<u8>("none")?, None);
        Ok(())
    }
}
