mod class_mean;
mod dice;
mod focal;
mod jaccard;
mod lovasz_hinge;
mod lovasz_softmax;
mod overlap_loss;
mod planes;
mod settings;
mod tversky;

pub use dice::{Dice, DiceIndex};
pub use focal::Focal;
pub use jaccard::{Jaccard, JaccardIndex};
pub use lovasz_hinge::LovaszHinge;
pub use lovasz_softmax::LovaszSoftmax;
pub use overlap_loss::{OverlapIndex, OverlapLoss};
pub use settings::{AbsentClasses, Aggregation};
pub use tversky::{Tversky, TverskyIndex};
