use super::block::CrfBlock;
use crate::{Error, Result};

/// How far the sum of a pixel's probabilities may be from 1: half-precision networks need that much.
const SUM_TOLERANCE: f32 = 0.01;

/// The number of classes of `(classes, height, width)`, once every valid pixel holds a distribution.
pub(super) fn check(probabilities: &[f32], block: &CrfBlock) -> Result<usize> {
    let pixels = block.pixels();
    let classes = probabilities.len() / pixels;
    if classes * pixels != probabilities.len() {
        return Err(Error::Shape(format!(
            "{} probabilities are no multiple of the image's {}×{} pixels: expected (classes, height, width)",
            probabilities.len(),
            block.height(),
            block.width()
        )));
    }
    if classes < 2 {
        return Err(Error::Shape(format!(
            "{classes} classes: give a plane for each class, two or more (for one foreground p, 1 − p and p)"
        )));
    }
    let is_wrong = |p: f32| !(0. ..=1. + SUM_TOLERANCE).contains(&p); // True for a NaN.
    for (at, &p) in probabilities.iter().enumerate() {
        if is_wrong(p) && block.is_valid(at % pixels) {
            return Err(Error::Value(format!(
                "probabilities{} (class, row, column) is {p}, outside 0 to 1: give probabilities, not logits",
                block.place(at)
            )));
        }
    }
    for pixel in (0..pixels).filter(|&pixel| block.is_valid(pixel)) {
        let sum: f32 = probabilities[pixel..].iter().step_by(pixels).sum();
        if (sum - 1.).abs() > SUM_TOLERANCE {
            return Err(Error::Value(format!(
                "the probabilities at row {}, column {} sum to {sum}, not 1: give a softmax over the classes",
                pixel / block.width(),
                pixel % block.width()
            )));
        }
    }
    Ok(classes)
}
