/// What is done with each value of the output on its way to memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epilogue<'a, T> {
    /// Added, per channel.
    pub(super) bias: Option<&'a [T]>,
    /// Added, as large as the output.
    pub(super) residual: Option<&'a [T]>,
    /// Whether negative values become zero, after that.
    pub(super) relu: bool,
}

impl<'a, T> Epilogue<'a, T> {
    /// A bias, or nothing.
    pub(super) fn of(bias: Option<&'a [T]>) -> Self {
        Self { bias, residual: None, relu: false }
    }
}
