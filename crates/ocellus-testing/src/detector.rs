use std::path::Path;

use candle_core::{Result, Tensor};

/// The suite that every anomaly detector must pass, on at least three images
/// `(batch, channels, height, width)` that are not all the same:
///
/// 1. scores, maps and whatever else `score` gives of an image are the same bits alone, in any batch
///    and in any order;
/// 2. they are finite, and tell two of the images apart;
/// 3. a detector that is saved and loaded gives the same bits, and saving it again the same bytes.
///
/// `score` gives tensors whose first dimension is the batch. `reload` writes the detector to a file
/// that does not exist yet, and reads it.
#[track_caller]
pub fn check_detector<D>(
    detector: &D,
    score: impl Fn(&D, &Tensor) -> Result<Vec<Tensor>>,
    reload: impl Fn(&D, &Path) -> Result<D>,
    images: &Tensor,
) -> Result<()> {
    let count = images.dim(0)?;
    assert!(count > 2, "a detector must be checked with three images at least");
    let all = rows(&score(detector, images)?, count)?;
    assert!(
        all.iter().flatten().all(|bits| f64::from_bits(*bits).is_finite()),
        "a score is not finite"
    );
    assert!(all.iter().any(|row| *row != all[0]), "all images have the same scores");
    for (first, expected) in all.iter().enumerate() {
        let alone = score(detector, &images.narrow(0, first, 1)?)?;
        assert_eq!(rows(&alone, 1)?[0], *expected, "image {first} has other scores alone");
    }
    for size in 2..count {
        for (part, expected) in all.chunks(size).enumerate() {
            let batch = images.narrow(0, part * size, expected.len())?;
            let batched = rows(&score(detector, &batch)?, expected.len())?;
            assert_eq!(batched, expected, "batches of {size} have other scores");
        }
    }
    let backwards: Vec<Tensor> =
        (0..count).rev().map(|i| images.narrow(0, i, 1)).collect::<Result<_>>()?;
    let mut reversed = rows(&score(detector, &Tensor::cat(&backwards, 0)?)?, count)?;
    reversed.reverse();
    assert_eq!(reversed, all, "another order has other scores");

    let folder = std::env::temp_dir();
    let path = |copy| folder.join(format!("ocellus-detector-{}-{copy}.safetensors", stamp()));
    let (first, second) = (path(0), path(1));
    let loaded = reload(detector, &first)?;
    assert_eq!(rows(&score(&loaded, images)?, count)?, all, "a loaded detector has other scores");
    drop(reload(&loaded, &second)?);
    let (bytes, again) = (std::fs::read(&first)?, std::fs::read(&second)?);
    std::fs::remove_file(&first)?;
    std::fs::remove_file(&second)?;
    assert!(bytes == again, "a loaded detector is saved with other bytes");
    Ok(())
}

/// A number that no other test of this or another process has.
fn stamp() -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The bits of all that is said of each image.
#[track_caller]
fn rows(scores: &[Tensor], count: usize) -> Result<Vec<Vec<u64>>> {
    let mut rows = vec![Vec::new(); count];
    for scores in scores {
        assert_eq!(scores.dim(0)?, count, "scores {:?} of {count} images", scores.dims());
        let values = scores.to_dtype(candle_core::DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
        for (row, values) in rows.iter_mut().zip(values.chunks(values.len() / count)) {
            row.extend(values.iter().map(|value| value.to_bits()));
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::fill;

    type Score = fn(&Tensor, &Tensor) -> Result<Vec<Tensor>>;

    fn check(score: Score) -> Result<()> {
        let images = fill((4, 1, 3, 3), 0.2, DType::F32)?;
        let detector = Tensor::new(2f32, &Device::Cpu)?;
        let reload = |detector: &Tensor, path: &Path| {
            detector.save_safetensors("weight", path)?;
            Ok(candle_core::safetensors::load(path, &Device::Cpu)?
                .remove("weight")
                .expect("a weight"))
        };
        check_detector(&detector, score, reload, &images)
    }

    #[test]
    fn a_mean_times_a_weight_passes() -> Result<()> {
        check(|weight, x| Ok(vec![x.flatten_from(1)?.mean(1)?.broadcast_mul(weight)?]))
    }

    #[test]
    #[should_panic(expected = "has other scores alone")]
    fn a_maximum_of_the_batch_is_found() {
        check(|_, x| {
            Ok(vec![(x.flatten_from(1)?.mean(1)? / f64::from(x.max_all()?.to_scalar::<f32>()?))?])
        })
        .unwrap();
    }

    #[test]
    #[should_panic(expected = "all images have the same scores")]
    fn a_constant_is_found() {
        check(|_, x| Tensor::ones(x.dim(0)?, DType::F32, &Device::Cpu).map(|x| vec![x])).unwrap();
    }
}
