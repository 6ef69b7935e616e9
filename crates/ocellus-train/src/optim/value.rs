use std::sync::Arc;

use candle_core::{CpuStorage, Error, Result, Tensor, WithDType};
use ocellus_ops::Recorded;

/// What an update rule computes with: an entry (`f32`, `f64`) or a whole tensor.
///
/// A rule is written once on this trait. The CPU runs it entry by entry in one pass over memory; it
/// is recorded and compiled for CUDA, which then does likewise; other devices run it as a
/// composition of tensor operations.
pub(crate) trait Value: Clone {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn over(self, other: Self) -> Self;
    fn scale(self, factor: f64) -> Self;
    fn shift(self, summand: f64) -> Self;
    fn root(self) -> Self;
    fn larger(self, other: Self) -> Self;

    fn square(self) -> Self {
        self.clone().times(self)
    }

    /// `self + weight · (end − self)`, in the form that PyTorch's `lerp` chooses.
    fn toward(self, end: Self, weight: f64) -> Self {
        let way = end.clone().minus(self.clone());
        if weight < 0.5 { self.plus(way.scale(weight)) } else { end.minus(way.scale(1. - weight)) }
    }
}

/// A number that the CPU moves entry by entry.
pub(crate) trait Entry: WithDType + Value {
    /// The entries of a storage of this type.
    fn entries(storage: &mut CpuStorage) -> Option<&mut [Self]>;
}

macro_rules! entry {
    ($float:ty, $dtype:ident) => {
        impl Entry for $float {
            fn entries(storage: &mut CpuStorage) -> Option<&mut [Self]> {
                match storage {
                    CpuStorage::$dtype(entries) => Some(entries),
                    _ => None,
                }
            }
        }

        impl Value for $float {
            fn plus(self, other: Self) -> Self {
                self + other
            }
            fn minus(self, other: Self) -> Self {
                self - other
            }
            fn times(self, other: Self) -> Self {
                self * other
            }
            fn over(self, other: Self) -> Self {
                self / other
            }
            fn scale(self, factor: f64) -> Self {
                self * factor as $float
            }
            fn shift(self, summand: f64) -> Self {
                self + summand as $float
            }
            fn root(self) -> Self {
                self.sqrt()
            }
            fn larger(self, other: Self) -> Self {
                // A NaN stays, as in PyTorch's `maximum`.
                if other > self || other.is_nan() { other } else { self }
            }
        }
    };
}

entry!(f32, F32);
entry!(f64, F64);

/// An entry whose arithmetic is recorded, for devices that compile it to one pass over memory.
impl Value for Recorded {
    fn plus(self, other: Self) -> Self {
        Self::plus(&self, &other)
    }
    fn minus(self, other: Self) -> Self {
        Self::minus(&self, &other)
    }
    fn times(self, other: Self) -> Self {
        Self::times(&self, &other)
    }
    fn over(self, other: Self) -> Self {
        Self::over(&self, &other)
    }
    fn scale(self, factor: f64) -> Self {
        Self::scale(&self, factor)
    }
    fn shift(self, summand: f64) -> Self {
        Self::shift(&self, summand)
    }
    fn root(self) -> Self {
        Self::root(&self)
    }
    fn larger(self, other: Self) -> Self {
        Self::larger(&self, &other)
    }
}

/// A tensor, or the error of the first operation that failed on the way to it.
#[derive(Clone)]
pub(crate) struct Composed(std::result::Result<Tensor, Arc<Error>>);

impl Composed {
    pub(crate) fn new(tensor: Tensor) -> Self {
        Self(Ok(tensor))
    }

    pub(crate) fn into_tensor(self) -> Result<Tensor> {
        self.0.map_err(Error::wrap)
    }

    fn unary(self, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Self {
        Self(self.0.and_then(|x| f(&x).map_err(Arc::new)))
    }

    fn binary(self, other: Self, f: impl FnOnce(&Tensor, &Tensor) -> Result<Tensor>) -> Self {
        let pair = self.0.and_then(|x| other.0.map(|y| (x, y)));
        Self(pair.and_then(|(x, y)| f(&x, &y).map_err(Arc::new)))
    }
}

impl Value for Composed {
    fn plus(self, other: Self) -> Self {
        self.binary(other, |x, y| x + y)
    }
    fn minus(self, other: Self) -> Self {
        self.binary(other, |x, y| x - y)
    }
    fn times(self, other: Self) -> Self {
        self.binary(other, |x, y| x * y)
    }
    fn over(self, other: Self) -> Self {
        self.binary(other, |x, y| x / y)
    }
    fn scale(self, factor: f64) -> Self {
        if factor == 1. { self } else { self.unary(|x| x.affine(factor, 0.)) }
    }
    fn shift(self, summand: f64) -> Self {
        if summand == 0. { self } else { self.unary(|x| x.affine(1., summand)) }
    }
    fn root(self) -> Self {
        self.unary(Tensor::sqrt)
    }
    fn larger(self, other: Self) -> Self {
        self.binary(other, |x, y| x.maximum(y))
    }
}
