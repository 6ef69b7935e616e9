use ndarray::NdFloat;
use rand_distr::uniform::SampleUniform;

mod sealed {
    pub trait Sealed: faer::traits::RealField + Copy {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `f32` or `f64`. Sealed: nothing else can implement it.
pub trait Float: NdFloat + std::iter::Sum + Default + SampleUniform + sealed::Sealed {
    /// The value in double precision.
    #[must_use]
    fn widen(self) -> f64;

    /// The nearest value of this precision.
    #[must_use]
    fn narrow(value: f64) -> Self;
}

impl Float for f32 {
    fn widen(self) -> f64 {
        f64::from(self)
    }

    fn narrow(value: f64) -> Self {
        value as Self
    }
}

impl Float for f64 {
    fn widen(self) -> f64 {
        self
    }

    fn narrow(value: f64) -> Self {
        value
    }
}
