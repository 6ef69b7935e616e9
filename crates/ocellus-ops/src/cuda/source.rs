//! What is compiled: the text of a family of kernels, for a type and for indices of one width.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use candle_core::{DType, Result, bail};

const PRELUDE: &str = include_str!("kernels/prelude.h");

/// What the kernels are compiled for: the driver translates that for the GPU at hand, whatever it is,
/// so that one text serves all from Turing on. The kernels use nothing that only later GPUs have.
pub(crate) const ARCHITECTURE: &str = "compute_75";

/// Kernels that are compiled together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Family {
    Elementwise,
    Farthest,
    Flow,
    Loss,
    Lovasz,
    Neighbors,
    Norm,
    Pool,
    Resample,
    Softmax,
    Whiten,
}

impl Family {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 11] = [
        Self::Elementwise,
        Self::Farthest,
        Self::Flow,
        Self::Loss,
        Self::Lovasz,
        Self::Neighbors,
        Self::Norm,
        Self::Pool,
        Self::Resample,
        Self::Softmax,
        Self::Whiten,
    ];

    /// The name of the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Elementwise => "elementwise",
            Self::Farthest => "farthest",
            Self::Flow => "flow",
            Self::Loss => "loss",
            Self::Lovasz => "lovasz",
            Self::Neighbors => "neighbors",
            Self::Norm => "norm",
            Self::Pool => "pool",
            Self::Resample => "resample",
            Self::Softmax => "softmax",
            Self::Whiten => "whiten",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Elementwise => include_str!("kernels/elementwise.cu"),
            Self::Farthest => include_str!("kernels/farthest.cu"),
            Self::Flow => include_str!("kernels/flow.cu"),
            Self::Loss => include_str!("kernels/loss.cu"),
            Self::Lovasz => include_str!("kernels/lovasz.cu"),
            Self::Neighbors => include_str!("kernels/neighbors.cu"),
            Self::Norm => include_str!("kernels/norm.cu"),
            Self::Pool => include_str!("kernels/pool.cu"),
            Self::Resample => include_str!("kernels/resample.cu"),
            Self::Softmax => include_str!("kernels/softmax.cu"),
            Self::Whiten => include_str!("kernels/whiten.cu"),
        }
    }
}

/// Where kernels stand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Text {
    Family(Family),
    /// A text that was written at run time.
    Program(Arc<str>),
}

impl Text {
    fn name(&self) -> String {
        /// Names of texts, in the order of their first use.
        static PROGRAMS: LazyLock<Mutex<HashMap<Arc<str>, usize>>> = LazyLock::new(Mutex::default);
        match self {
            Self::Family(family) => family.name().into(),
            Self::Program(text) => {
                let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
                let next = programs.len();
                format!("program_{}", programs.entry(text.clone()).or_insert(next))
            }
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Family(family) => family.text(),
            Self::Program(text) => text,
        }
    }
}

/// What one compilation makes: the key of what is compiled already.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Module {
    pub(crate) text: Text,
    /// What tensors are stored in; half types are computed in f32.
    pub(crate) dtype: DType,
    /// Whether elements are counted in 64 bits: twice the registers, and slower divisions.
    pub(crate) wide_index: bool,
}

/// Elements from which on 32 bits are not enough: behind the last element stands up to a whole grid
/// of threads, which look whether there is something for them.
const WIDE: usize = 1 << 30;

#[cfg(test)]
thread_local! {
    /// Whether indices are wide, however few elements there are.
    pub(crate) static FORCE_WIDE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

impl Module {
    /// The module for tensors of that type, of which the largest has so many elements.
    pub(crate) fn new(text: Text, dtype: DType, elements: usize) -> Self {
        #[cfg(test)]
        let elements = if FORCE_WIDE.get() { WIDE } else { elements };
        Self { text, dtype, wide_index: elements >= WIDE }
    }

    /// A name of its own.
    pub(crate) fn name(&self) -> String {
        let index = if self.wide_index { "_wide" } else { "" };
        format!("ocellus_{}_{}{index}", self.text.name(), self.dtype.as_str())
    }

    /// The text to compile.
    pub(crate) fn source(&self) -> Result<String> {
        Ok(format!("{}{PRELUDE}{}", self.definitions()?, self.text.as_str()))
    }

    fn definitions(&self) -> Result<String> {
        let real = match self.dtype {
            DType::F32 => "REAL_F32",
            DType::F64 => "REAL_F64",
            DType::F16 => "REAL_F16",
            DType::BF16 => "REAL_BF16",
            other => bail!("a kernel for {other:?}: convert with to_dtype"),
        };
        let index = if self.wide_index { "#define WIDE_INDEX\n" } else { "" };
        Ok(format!("#define {real}\n{index}"))
    }

    /// The text to compile for the processor.
    #[cfg(test)]
    pub(crate) fn emulated_source(&self) -> Result<String> {
        let (before, after) =
            (include_str!("kernels/emulation.h"), include_str!("kernels/emulation_end.h"));
        Ok(format!("{before}{}{PRELUDE}{after}{}", self.definitions()?, self.text.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_tensors_get_wide_indices() {
        let text = Text::Family(Family::Elementwise);
        let module = |elements| Module::new(text.clone(), DType::F32, elements);
        assert!(!module(WIDE - 1).wide_index && module(WIDE).wide_index);
        assert_ne!(module(0).name(), module(WIDE).name());
        assert!(module(WIDE).source().unwrap().contains("#define WIDE_INDEX"));
    }

    #[test]
    fn other_types_are_refused_by_name() {
        let module = Module::new(Text::Family(Family::Elementwise), DType::U8, 1);
        assert!(module.source().unwrap_err().to_string().contains("U8"));
    }
}
