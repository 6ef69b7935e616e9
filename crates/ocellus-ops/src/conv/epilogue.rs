/// What is done with each value of the output on its way to memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epilogue<'a, T> {
    /// Added, per channel.
    pub(crate) bias: Option<&'a [T]>,
    /// Added, as large as the output.
    pub(crate) residual: Option<&'a [T]>,
    /// Whether negative values become zero, after that.
    pub(crate) relu: bool,
}

impl<'a, T> Epilogue<'a, T> {
    /// A bias, or nothing.
    pub(crate) fn of(bias: Option<&'a [T]>) -> Self {
        Self { bias, residual: None, relu: false }
    }
}
