use ndarray::{Array2, ArrayView2, Axis};
use ocellus_cluster::{Error, Float, Result};
use rayon::prelude::*;

use crate::simd::{exp, vectorized};

/// A kernel k(a, b) of two samples.
///
/// # Examples
///
/// ```
/// use ocellus_classical::{Gamma, Kernel};
///
/// assert_eq!(Kernel::default(), Kernel::Rbf { gamma: Gamma::Scale });
/// assert_eq!(Kernel::rbf(0.5), Kernel::Rbf { gamma: Gamma::Value(0.5) });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Kernel {
    /// a·b
    Linear,
    /// (γ a·b + c)ᵈ
    Polynomial {
        /// d
        degree: u32,
        /// γ
        gamma: Gamma,
        /// c
        constant: f64,
    },
    /// exp(−γ ‖a − b‖²)
    Rbf {
        /// γ
        gamma: Gamma,
    },
    /// tanh(γ a·b + c)
    Sigmoid {
        /// γ
        gamma: Gamma,
        /// c
        constant: f64,
    },
}

impl Default for Kernel {
    /// RBF with γ from the scale of the data.
    fn default() -> Self {
        Self::Rbf { gamma: Gamma::Scale }
    }
}

impl Kernel {
    /// RBF with a given γ.
    #[must_use]
    pub const fn rbf(gamma: f64) -> Self {
        Self::Rbf { gamma: Gamma::Value(gamma) }
    }

    /// A polynomial of that degree, γ from the scale of the data, and constant 0.
    #[must_use]
    pub const fn polynomial(degree: u32) -> Self {
        Self::Polynomial { degree, gamma: Gamma::Scale, constant: 0. }
    }

    /// A sigmoid with γ from the scale of the data, and constant 0.
    #[must_use]
    pub const fn sigmoid() -> Self {
        Self::Sigmoid { gamma: Gamma::Scale, constant: 0. }
    }

    /// The kernel with numbers for γ.
    pub(super) fn resolve<T: Float>(self, x: ArrayView2<'_, T>) -> Result<Function> {
        let finite = |name, value: f64| {
            if value.is_finite() {
                return Ok(value);
            }
            let remedy = "give a finite number";
            Err(Error::InvalidSetting { name, value: value.to_string(), remedy })
        };
        Ok(match self {
            Self::Linear => Function::Linear,
            Self::Polynomial { degree, gamma, constant } => {
                if i32::try_from(degree).is_err() {
                    let (name, remedy) = ("the degree", "give a smaller one");
                    return Err(Error::InvalidSetting { name, value: degree.to_string(), remedy });
                }
                let constant = finite("the kernel's constant", constant)?;
                Function::Polynomial { degree, gamma: gamma.resolve(x)?, constant }
            }
            Self::Rbf { gamma } => Function::Rbf { gamma: gamma.resolve(x)? },
            Self::Sigmoid { gamma, constant } => {
                let constant = finite("the kernel's constant", constant)?;
                Function::Sigmoid { gamma: gamma.resolve(x)?, constant }
            }
        })
    }
}

/// The width γ of a kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Gamma {
    /// 1 / (features · variance of all values), 1 where that is 0.
    #[default]
    Scale,
    /// 1 / features.
    Auto,
    /// This, above 0.
    Value(f64),
}

impl Gamma {
    fn resolve<T: Float>(self, x: ArrayView2<'_, T>) -> Result<f64> {
        match self {
            Self::Scale => {
                let count = x.len() as f64;
                let mean = x.iter().map(|v| v.widen()).sum::<f64>() / count;
                let squares = x.iter().map(|v| (v.widen() - mean).powi(2)).sum::<f64>();
                let scale = x.ncols() as f64 * (squares / count);
                Ok(if scale > 0. && (1. / scale).is_finite() { 1. / scale } else { 1. })
            }
            Self::Auto => Ok(1. / x.ncols() as f64),
            Self::Value(gamma) if gamma > 0. && gamma.is_finite() => Ok(gamma),
            Self::Value(gamma) => Err(Error::InvalidSetting {
                name: "gamma",
                value: gamma.to_string(),
                remedy: "give a finite number above 0, or `Scale` or `Auto`",
            }),
        }
    }
}

/// A kernel whose γ is a number.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) enum Function {
    Linear,
    Polynomial { degree: u32, gamma: f64, constant: f64 },
    Rbf { gamma: f64 },
    Sigmoid { gamma: f64, constant: f64 },
}

impl Function {
    /// k(a, b) for each b, from the products a·b, ‖a‖² and each ‖b‖².
    pub(super) fn of_products<T: Float, U: Float>(
        self,
        products: &[T],
        norm: f64,
        norms: &[f64],
        values: &mut [U],
    ) {
        let pairs = values.iter_mut().zip(products);
        match self {
            Self::Linear => pairs.for_each(|(value, dot)| *value = U::narrow(dot.widen())),
            Self::Polynomial { degree, gamma, constant } => pairs.for_each(|(value, dot)| {
                *value = U::narrow((gamma * dot.widen() + constant).powi(degree as i32));
            }),
            Self::Sigmoid { gamma, constant } => pairs.for_each(|(value, dot)| {
                *value = U::narrow((gamma * dot.widen() + constant).tanh());
            }),
            Self::Rbf { gamma } => vectorized(
                #[inline(always)]
                || {
                    for ((value, dot), other) in pairs.zip(norms) {
                        let squared = norm + other - 2. * dot.widen();
                        *value = U::narrow(exp(-gamma * squared.max(0.)));
                    }
                },
            ),
        }
    }

    /// k(a, a), from ‖a‖².
    pub(super) fn of_itself(self, norm: f64) -> f64 {
        match self {
            Self::Linear => norm,
            Self::Polynomial { degree, gamma, constant } => {
                (gamma * norm + constant).powi(degree as i32)
            }
            Self::Sigmoid { gamma, constant } => (gamma * norm + constant).tanh(),
            Self::Rbf { .. } => 1.,
        }
    }

    /// What may be subtracted from all samples: the kernel depends on differences alone.
    pub(super) fn origin<T: Float>(self, x: ArrayView2<'_, T>) -> Option<Vec<T>> {
        let Self::Rbf { .. } = self else { return None };
        let rows = x.nrows() as f64;
        let mean =
            |column: ndarray::ArrayView1<'_, T>| column.iter().map(|v| v.widen()).sum::<f64>();
        Some(x.axis_iter(Axis(1)).map(|column| T::narrow(mean(column) / rows)).collect())
    }
}

/// A copy of `x` by rows, less `origin`.
pub(super) fn centered<T: Float>(x: ArrayView2<'_, T>, origin: Option<&[T]>) -> Array2<T> {
    let mut copy = x.as_standard_layout().into_owned();
    if let Some(origin) = origin {
        for mut row in copy.outer_iter_mut() {
            row.iter_mut().zip(origin).for_each(|(value, &origin)| *value -= origin);
        }
    }
    copy
}

/// ‖x‖² of each row.
pub(super) fn squared_norms<T: Float>(x: ArrayView2<'_, T>) -> Vec<f64> {
    let rows: Vec<_> = x.outer_iter().collect();
    rows.into_par_iter().map(|row| row.iter().map(|v| v.widen().powi(2)).sum()).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn values_are_those_of_the_formulas() {
        let (a, b) = ([1., 2.], [3., -1.]);
        let (dot, aa, bb) = (1., 5., 10.);
        let x = array![a, b];
        let value = |kernel: Kernel| {
            let mut value = [0f64];
            kernel.resolve(x.view()).unwrap().of_products(&[dot], aa, &[bb], &mut value);
            value[0]
        };
        let gamma = Gamma::Value(0.5);
        assert_eq!(value(Kernel::Linear), 1.);
        assert_eq!(value(Kernel::Polynomial { degree: 3, gamma, constant: 2. }), 2.5f64.powi(3));
        assert_eq!(value(Kernel::Sigmoid { gamma, constant: 2. }), 2.5f64.tanh());
        assert!((value(Kernel::rbf(0.5)) - (-6.5f64).exp()).abs() < 1e-18);
    }

    #[test]
    fn gamma_is_that_of_the_data() {
        let x = array![[1., 2.], [3., -1.]];
        let variance = x.var(0.);
        assert!((Gamma::Scale.resolve(x.view()).unwrap() - 1. / (2. * variance)).abs() < 1e-15);
        assert_eq!(Gamma::Auto.resolve(x.view()).unwrap(), 0.5);
        assert_eq!(Gamma::Scale.resolve(Array2::<f32>::ones((3, 3)).view()).unwrap(), 1.);
        for bad in [0., -1., f64::NAN, f64::INFINITY] {
            let message = Gamma::Value(bad).resolve(x.view()).unwrap_err().to_string();
            assert!(message.contains(&format!("gamma is {bad}")), "{message}");
        }
    }
}
