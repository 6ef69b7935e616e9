mod classified;
mod record;
mod segmenter;

#[cfg(test)]
mod tests;

pub use classified::{Classified, NO_DATA};
pub use record::Record;
pub use segmenter::{PieceSink, ScenePiece, SegmentConfig, Segmenter};
