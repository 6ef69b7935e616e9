/// The part of a cell that masks mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CellPart {
    /// Nucleus and cytoplasm, as far as they are marked.
    #[default]
    Cell,
    /// The nucleus.
    Nucleus,
    /// The cytoplasm.
    Cytoplasm,
}

impl CellPart {
    /// Whether a mask of `part` is among those asked for.
    pub(super) fn wants(self, part: Self) -> bool {
        self == Self::Cell || self == part
    }
}
