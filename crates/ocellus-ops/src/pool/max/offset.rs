/// Where in its window a maximum was found, as it is kept for the backward pass: the row times the
/// columns of a full window, plus the column.
pub(super) trait Offset: Copy + Send + Sync {
    fn new(offset: usize) -> Self;
    fn get(self) -> usize;
}

/// Kept where windows have so few elements: almost always.
impl Offset for u8 {
    #[inline(always)]
    fn new(offset: usize) -> Self {
        offset as u8
    }

    #[inline(always)]
    fn get(self) -> usize {
        self.into()
    }
}

impl Offset for u32 {
    #[inline(always)]
    fn new(offset: usize) -> Self {
        offset as u32
    }

    #[inline(always)]
    fn get(self) -> usize {
        self as usize
    }
}

/// Nothing is kept where no gradient is asked for.
impl Offset for () {
    #[inline(always)]
    fn new(_: usize) {}

    #[inline(always)]
    fn get(self) -> usize {
        0
    }
}
