use candle_core::Tensor;

use crate::{
    Error, Result,
    communicator::check_root,
    raw::{Form, require_float},
};

/// An operation that all ranks must be at: its kind and the forms of its tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) kind: Kind,
    pub(crate) forms: Vec<Form>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sum,
    Broadcast { root: usize },
    Barrier,
}

impl Call {
    pub(crate) fn sum(tensors: &[Tensor]) -> Result<Self> {
        tensors.iter().try_for_each(|x| require_float(x.dtype()))?;
        Ok(Self { kind: Kind::Sum, forms: tensors.iter().map(Form::of).collect() })
    }

    pub(crate) fn broadcast(tensors: &[Tensor], root: usize, size: usize) -> Result<Self> {
        check_root(root, size)?;
        let forms = tensors.iter().map(Form::of).collect();
        Ok(Self { kind: Kind::Broadcast { root }, forms })
    }

    pub(crate) fn barrier() -> Self {
        Self { kind: Kind::Barrier, forms: Vec::new() }
    }

    /// One line that tells calls apart; equal for equal calls alone.
    pub(crate) fn describe(&self) -> String {
        let forms: Vec<String> = self.forms.iter().map(Form::describe).collect();
        let of = forms.join(", ");
        match self.kind {
            Kind::Sum => format!("sum of {of}"),
            Kind::Broadcast { root } => format!("broadcast from rank {root} of {of}"),
            Kind::Barrier => "barrier".to_owned(),
        }
    }

    /// The error of two ranks whose calls, as described, differ.
    pub(crate) fn differ(one: (usize, &str), other: (usize, &str)) -> Error {
        // Hundreds of parameters: what is the same at the start says nothing.
        let same = one.1.chars().zip(other.1.chars()).take_while(|(a, b)| a == b).count();
        let show = |text: &str| {
            let skipped = same.saturating_sub(40);
            let shown: String = text.chars().skip(skipped).take(160).collect();
            if skipped > 0 { format!("… {shown}") } else { shown }
        };
        let (a, b) = (show(one.1), show(other.1));
        Error::Order(format!("rank {} is at `{a}`, rank {} at `{b}`", one.0, other.0))
    }
}
