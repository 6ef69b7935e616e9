//! Resampling of planes to any size, by the nearest element or bilinearly.

mod bilinear;
mod nearest;
mod taps;

#[cfg(any(feature = "cuda", all(test, target_os = "linux")))]
pub(crate) use {bilinear::Bilinear, nearest::Nearest};

pub use bilinear::upsample_bilinear2d;
pub use nearest::upsample_nearest2d;
pub use taps::Alignment;

/// The golden cases: input and output size as in their names, and the output size.
#[cfg(test)]
const CASES: [(&str, (usize, usize)); 6] = [
    ("4x3_8x6", (8, 6)),
    ("5x7_3x4", (3, 4)),
    ("4x5_7x13", (7, 13)),
    ("1x3_4x1", (4, 1)),
    ("6x1_1x5", (1, 5)),
    ("3x4_3x4", (3, 4)),
];
