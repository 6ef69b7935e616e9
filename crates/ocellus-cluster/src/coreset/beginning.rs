use ndarray::Array2;

/// What the choice of [`GreedyCoreset`](crate::GreedyCoreset) begins with, for a choice that is made
/// elsewhere, such as on a GPU.
///
/// From there on each next row is the farthest from those before: with bᵢ the smaller of bᵢ₋₁ and the
/// squared distances to the last one chosen, the first row with the greatest bᵢ that is not chosen yet.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CoresetBeginning {
    /// The rows between which distances are measured: projected, if they are to be.
    pub rows: Array2<f32>,
    /// How many are to be chosen.
    pub size: usize,
    /// The first that is chosen.
    pub first: usize,
    /// Squared distances that bound those to the chosen rows, of an approximate start.
    pub bounds: Option<Vec<f32>>,
}
