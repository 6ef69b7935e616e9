mod areas;
mod pixel_curve;
mod pixel_scores;

pub use pixel_curve::{OverlapCurve, PixelCurve};
pub use pixel_scores::PixelScores;
