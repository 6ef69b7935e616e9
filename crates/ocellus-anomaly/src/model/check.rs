use candle_core::{DType, Tensor};

use crate::{Error, Result};

/// Checks features `(batch, channelsₖ, heightₖ, widthₖ)` of several scales against what a detector
/// was fitted on, `(channels, height, width)` a scale (anything where that is empty), and that all
/// values are finite. Gives the size of the batch.
pub(crate) fn check_features(
    features: &[Tensor],
    fitted: &[(usize, usize, usize)],
) -> Result<usize> {
    let dims = features.iter().map(Tensor::dims).collect::<Vec<_>>();
    if !fitted.is_empty() && fitted.len() != features.len() {
        return Err(Error::Shape(format!(
            "features of {} scales, but the detector was fitted on {}: tap the same stages",
            features.len(),
            fitted.len()
        )));
    }
    let Some(&batch) = dims.first().and_then(|dims| dims.first()) else {
        return Err(Error::Shape("features of no scale: tap a stage at least".to_owned()));
    };
    for (scale, dims) in dims.iter().enumerate() {
        let &[images, channels, height, width] = *dims else {
            return Err(Error::Shape(format!(
                "features {dims:?} of scale {scale}: give (batch, channels, height, width)"
            )));
        };
        if images != batch || dims.contains(&0) {
            return Err(Error::Shape(format!(
                "features {dims:?} of scale {scale}: every scale needs the same {batch} images, 1 at least"
            )));
        }
        if let Some(&expected) = fitted.get(scale)
            && expected != (channels, height, width)
        {
            return Err(Error::Shape(format!(
                "features of scale {scale} are {channels}×{height}×{width}, but the detector was fitted on \
                 {}×{}×{}: give images of the same size, through the same backbone",
                expected.0, expected.1, expected.2
            )));
        }
    }
    for (scale, features) in features.iter().enumerate() {
        check_finite(scale, features)?;
    }
    Ok(batch)
}

fn check_finite(scale: usize, features: &Tensor) -> Result<()> {
    // A finite sum of absolute values has finite terms; an infinite one may be an overflow.
    if features.to_dtype(DType::F32)?.abs()?.sum_all()?.to_scalar::<f32>()?.is_finite() {
        return Ok(());
    }
    let values = features.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let Some(place) = values.iter().position(|value| !value.is_finite()) else { return Ok(()) };
    let image = place / (values.len() / features.dim(0)?);
    Err(Error::Value(format!(
        "image {image} has a feature that is {} at scale {scale}: its pixels or the weights of the \
         backbone are not finite, or too large",
        values[place]
    )))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use ocellus_testing::fill;

    use super::*;

    fn message(features: &[Tensor], fitted: &[(usize, usize, usize)]) -> String {
        check_features(features, fitted).unwrap_err().to_string()
    }

    #[test]
    fn says_what_does_not_fit() -> Result<()> {
        let x = fill((2, 3, 4, 5), 0., DType::F32)?;
        assert_eq!(check_features(std::slice::from_ref(&x), &[(3, 4, 5)])?, 2);
        assert!(message(&[], &[]).contains("no scale"));
        assert!(
            message(std::slice::from_ref(&x), &[(3, 4, 5); 2])
                .contains("1 scales, but the detector was fitted on 2")
        );
        assert!(
            message(std::slice::from_ref(&x), &[(4, 4, 5)])
                .contains("are 3×4×5, but the detector was fitted on 4×4×5")
        );
        assert!(message(&[x.get(0)?], &[]).contains("[3, 4, 5]"));
        assert!(message(&[x.clone(), x.narrow(0, 0, 1)?], &[]).contains("the same 2 images"));
        Ok(())
    }

    #[test]
    fn names_the_image_that_has_no_number() -> Result<()> {
        let mut values = vec![3e38f32; 24]; // Finite, but their sum is not.
        let x = Tensor::from_slice(&values, (2, 3, 2, 2), &Device::Cpu)?;
        check_features(&[x], &[])?;
        values[13] = f32::NAN;
        let x = Tensor::from_vec(values, (2, 3, 2, 2), &Device::Cpu)?;
        assert!(message(&[x], &[]).starts_with("image 1 has a feature that is NaN at scale 0"));
        Ok(())
    }
}
