mod config;
mod labeler;
mod matcher;
mod overlaps;
mod scores;

pub use config::{Connectivity, ObjectConfig};
pub(crate) use labeler::{Labeler, Run};
pub use matcher::ObjectMatcher;
pub use scores::ObjectScores;
