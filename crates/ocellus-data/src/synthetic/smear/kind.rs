/// A nucleated cell of a simulated smear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SmearCell {
    /// Of acute lymphoblastic leukemia: a round nucleus of fine chromatin, often with nucleoli or a
    /// cleft, and a scant rim of cytoplasm.
    Lymphoblast,
    /// Of multiple myeloma: an eccentric nucleus of clumped chromatin, ample blue cytoplasm, paler
    /// beside the nucleus.
    PlasmaCell,
    /// A normal small lymphocyte: a dense, smooth nucleus, a thin pale rim.
    Lymphocyte,
}

impl SmearCell {
    /// All kinds, by label.
    pub const ALL: [Self; 3] = [Self::Lymphoblast, Self::PlasmaCell, Self::Lymphocyte];

    /// Lymphoblast 0, plasma cell 1, lymphocyte 2.
    #[must_use]
    pub const fn label(self) -> usize {
        self as usize
    }

    /// The kind of that label.
    #[must_use]
    pub fn of_label(label: usize) -> Option<Self> {
        Self::ALL.get(label).copied()
    }

    /// `lymphoblast`, `plasma cell` or `lymphocyte`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lymphoblast => "lymphoblast",
            Self::PlasmaCell => "plasma cell",
            Self::Lymphocyte => "lymphocyte",
        }
    }
}
