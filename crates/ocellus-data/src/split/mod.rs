mod assign;
mod holdout;
mod joined;
mod leaky;
mod record;
mod splitter;

pub use holdout::{Fractions, Holdout};
pub(crate) use joined::Joined;
pub use leaky::LeakySplit;
pub use record::{named_folds, read_split, write_split};
pub use splitter::{Fold, Splitter};
