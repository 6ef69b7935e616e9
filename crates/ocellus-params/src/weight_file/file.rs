use std::{collections::BTreeMap, fmt, path::Path};

use candle_core::{DType, Tensor};

use super::{
    legacy, safetensors,
    source::{Source, Values},
    zip,
};
use crate::{Error, Result, pattern::some_of, store::is_buffer};

/// A file of weights: safetensors, or PyTorch's `.pth` of any age.
///
/// The content decides, not the name. Opening reads the description; each tensor is read when it
/// is asked for. Every size is checked against the length of the file before memory is taken, and
/// of a `.pth` file, whose description is a program, nothing is run: tensors and dictionaries are
/// recognized, all else is passed over.
///
/// Of a `.pth` file, the state dict is found at the top or under the usual keys (`state_dict`,
/// `model`, …); the `module.` of `DataParallel` and the `_orig_mod.` of `torch.compile` are taken
/// off the names.
///
/// # Examples
///
/// ```
/// use ocellus_params::{WeightFile, WeightFormat};
///
/// let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");
/// let file = WeightFile::open(format!("{folder}/nested.pth"))?;
/// assert_eq!(file.format(), WeightFormat::PyTorch);
/// assert_eq!(file.shape("conv.weight"), Some(&[4, 3, 3, 3][..]));
/// assert_eq!(file.tensor("conv.bias")?.dims(), [4]);
/// # Ok::<(), ocellus_params::Error>(())
/// ```
///
/// # Deviations
///
/// Types that candle lacks are widened: booleans to U8, I8 to I16, U16 to U32. Sparse, quantized
/// and complex tensors are listed but cannot be read.
#[derive(Clone, Debug)]
pub struct WeightFile {
    source: Source,
    format: WeightFormat,
    index: Index,
}

/// The format of a [`WeightFile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightFormat {
    /// [Safetensors](https://github.com/huggingface/safetensors).
    Safetensors,
    /// The zip archive of `torch.save` since PyTorch 1.6.
    PyTorch,
    /// The plain pickles of `torch.save` before PyTorch 1.6.
    PyTorchLegacy,
}

impl fmt::Display for WeightFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::PyTorch => "PyTorch",
            Self::PyTorchLegacy => "PyTorch before 1.6",
        })
    }
}

/// What a file says that it holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    pub(crate) entries: BTreeMap<String, Entry>,
    pub(crate) metadata: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Values(Values),
    /// What it is that cannot be read.
    Unreadable(String),
}

impl WeightFile {
    /// Opens a file and reads its description.
    ///
    /// # Errors
    ///
    /// If the file is missing, cut short, damaged or of another kind: the message names the byte
    /// and what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let source = Source::open(path.as_ref())?;
        let start = source.read(0, source.length().min(64))?;
        // Safetensors first: the length it begins with may look like the others' first bytes, but
        // none of those has a brace after eight bytes.
        let (format, index) =
            if let Some(length) = safetensors::header_length(&start, source.length()) {
                (WeightFormat::Safetensors, safetensors::index(&source, length)?)
            } else if start.starts_with(b"PK\x03\x04") {
                (WeightFormat::PyTorch, zip::index(&source)?)
            } else if start.first() == Some(&0x80) {
                (WeightFormat::PyTorchLegacy, legacy::index(&source)?)
            } else {
                return Err(stranger(&source, &start));
            };
        Ok(Self { source, format, index })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// Its format.
    #[must_use]
    pub fn format(&self) -> WeightFormat {
        self.format
    }

    /// The names of its tensors, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.index.entries.keys().map(String::as_str)
    }

    /// Whether it has a tensor of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.index.entries.contains_key(name)
    }

    /// The shape of a tensor; `None` if there is none of that name, or none that can be read.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.values(name).map(|values| values.shape.as_slice())
    }

    /// The byte of the file from which on the values of a tensor lie one after the other, the lowest
    /// byte first, in the type that they are read as: for who reads parts of a large tensor. `None`
    /// if there is none of that name, or it lies otherwise.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<u64> {
        self.values(name)?.position()
    }

    /// The type that a tensor is read as.
    #[must_use]
    pub fn dtype(&self, name: &str) -> Option<DType> {
        self.values(name).map(|values| values.element.dtype())
    }

    /// The number of values in all its tensors but running statistics.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        let parameters = self.names().filter(|name| !is_buffer(name));
        parameters.filter_map(|name| self.shape(name)).map(|s| s.iter().product::<usize>()).sum()
    }

    /// The texts beside the tensors: those given to [`write_tensors`](crate::write_tensors), or what
    /// another program wrote. `.pth` files have none.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.index.metadata
    }

    /// Reads a tensor to the CPU, contiguous, in the file's own type.
    ///
    /// # Errors
    ///
    /// If there is none of that name, it is of a kind that cannot be read, or reading fails.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        match self.index.entries.get(name) {
            Some(Entry::Values(values)) => self.source.tensor(values),
            Some(Entry::Unreadable(what)) => Err(self.source.unsupported(
                format!("holds {what} under `{name}`"),
                "save it as a dense tensor of 32-bit floats",
            )),
            None => Err(Error::NoTensor {
                path: self.path().to_path_buf(),
                name: name.to_owned(),
                present: some_of(&self.names().collect::<Vec<_>>(), 4),
            }),
        }
    }

    /// Reads all tensors.
    ///
    /// # Errors
    ///
    /// As [`tensor`](Self::tensor).
    pub fn tensors(&self) -> Result<BTreeMap<String, Tensor>> {
        self.names().map(|name| Ok((name.to_owned(), self.tensor(name)?))).collect()
    }

    fn values(&self, name: &str) -> Option<&Values> {
        match self.index.entries.get(name)? {
            Entry::Values(values) => Some(values),
            Entry::Unreadable(_) => None,
        }
    }
}

/// The error for a file of another kind, with what it looks like.
fn stranger(source: &Source, start: &[u8]) -> Error {
    let text = String::from_utf8_lossy(start).to_lowercase();
    let (what, remedy) = if source.length() == 0 {
        ("is empty", "copy or download it again")
    } else if source.length() < 9 {
        ("is too short to hold weights", "copy or download it again")
    } else if start.starts_with(b"\x89HDF") {
        ("is an HDF5 file, as Keras writes them", "convert it to safetensors in Python")
    } else if text.starts_with("version https://git-lfs") {
        ("is a pointer of Git LFS, not the file itself", "fetch it with `git lfs pull`")
    } else if text.trim_start().starts_with("<!doctype") || text.trim_start().starts_with("<html") {
        ("is a web page", "download the file itself, not the page that shows it")
    } else if start.starts_with(b"GGUF") {
        ("is a GGUF file", "give a .safetensors or .pth file")
    } else {
        (
            "is neither safetensors nor a file of PyTorch",
            "give a .safetensors or .pth file, or download it again",
        )
    };
    source.unsupported(what, remedy)
}
