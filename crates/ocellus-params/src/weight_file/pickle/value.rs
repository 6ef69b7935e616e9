use crate::element::Element;

/// The number of a value in its pickle.
pub(crate) type Id = usize;

/// What a pickle can hold, as far as weights need it. Nothing of it is ever executed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits, little-endian.
    Long(Vec<u8>),
    Text(String),
    /// A class or function by its full name: looked at, never imported.
    Global(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Storage(StorageRef),
    Tensor(TensorRef),
    /// A tensor of a kind that is not read, and why.
    Unreadable(String),
    /// Any other object, by its class.
    Opaque(String),
}

impl Value {
    /// The memory it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        let inside = match self {
            Self::None | Self::Bool(_) | Self::Int(_) => 0,
            Self::Long(bytes) => bytes.len(),
            Self::Text(text) | Self::Global(text) | Self::Unreadable(text) | Self::Opaque(text) => {
                text.len()
            }
            Self::Tuple(items) | Self::List(items) => size_of::<Id>() * items.len(),
            Self::Dict(pairs) => 2 * size_of::<Id>() * pairs.len(),
            Self::Storage(storage) => storage.key.len(),
            Self::Tensor(tensor) => {
                tensor.storage.key.len() + 2 * size_of::<usize>() * tensor.shape.len()
            }
        };
        size_of::<Self>() + inside
    }

    /// What it is, for a message.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::None => "None".into(),
            Self::Bool(_) => "a truth value".into(),
            Self::Int(_) | Self::Long(_) => "an integer".into(),
            Self::Text(_) => "a text".into(),
            Self::Global(name) => format!("the class `{name}`"),
            Self::Tuple(_) => "a tuple".into(),
            Self::List(_) => "a list".into(),
            Self::Dict(_) => "a dictionary".into(),
            Self::Storage(_) => "a storage".into(),
            Self::Tensor(_) | Self::Unreadable(_) => "a single tensor".into(),
            Self::Opaque(class) => format!("a `{class}`"),
        }
    }
}

/// A block of values beside the pickle.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StorageRef {
    /// The kind of its values, or the name of a kind that is not read.
    pub(crate) element: Result<Element, String>,
    pub(crate) key: String,
    /// Where a view of the block begins, in values; 0 but in files older than PyTorch 0.4.
    pub(crate) start: u64,
}

/// A tensor: which values of a storage, in which order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TensorRef {
    pub(crate) storage: StorageRef,
    pub(crate) offset: u64,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}
