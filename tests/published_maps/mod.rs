//! The result maps that the authors of paper 4 published, counted at full size: where they are, in
//! `OCELLUS_DATA` or in `../shared/data` beside the workspace.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use ocellus::metrics::{
    BinaryCounts, BoundaryConfig, BoundaryCounts, BoundaryMatcher, ConfusionMatrix, ObjectConfig,
    ObjectMatcher, ObjectScores, Pixels,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const BUILDING: u32 = 1;

fn folder() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let root =
        std::env::var_os("OCELLUS_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let folder = root.join("eusipco2018_maps");
    if !folder.is_dir() {
        eprintln!("skipped: no {}; set OCELLUS_DATA", folder.display());
        return None;
    }
    Some(folder)
}

/// Whether each pixel is a building, by the truth and by the prediction; and the width.
fn masks(folder: &Path, area: &str) -> Result<([Vec<bool>; 2], usize)> {
    let read = |kind: &str| -> Result<(Vec<bool>, usize)> {
        let image = image::open(folder.join(format!("{area}_{kind}.png")))?.into_luma8();
        let width = image.width() as usize;
        Ok((image.into_raw().into_iter().map(|v| v > 0).collect(), width))
    };
    let ((truth, width), (predicted, _)) = (read("truth")?, read("pred")?);
    Ok(([truth, predicted], width))
}

#[test]
fn give_the_counts_that_were_published_with_them() -> Result<()> {
    let Some(folder) = folder() else { return Ok(()) };
    let all: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("counts.json"))?)?;
    let rounded = [("D12", 66.83, 94.38), ("D19", 66.05, 93.62), ("D22", 72.91, 98.01)];
    for (area, f1, accuracy) in rounded {
        let expected = &all[area];
        let ([truth, predicted], width) = masks(&folder, area)?;
        assert_eq!(Some(width as u64), expected["w"].as_u64());
        assert_eq!(Some((truth.len() / width) as u64), expected["h"].as_u64());
        // In bands of 1000 rows, as a scene comes.
        let mut matrix = ConfusionMatrix::new(2)?;
        for (truth, predicted) in truth.chunks(1000 * width).zip(predicted.chunks(1000 * width)) {
            matrix.add_pixels(&Pixels::new(truth, predicted)?)?;
        }
        let counts = matrix.binary(1)?;
        let BinaryCounts { tp, fp, fn_, tn } = counts;
        for (key, count) in [("tp", tp), ("fp", fp), ("fn", fn_), ("tn", tn)] {
            assert_eq!(Some(count), expected[key].as_u64(), "{key} of {area}");
        }
        let metrics = [
            ("precision", counts.precision()),
            ("recall", counts.recall()),
            ("f1", counts.f1()),
            ("accuracy", matrix.accuracy()),
        ];
        for (key, value) in metrics {
            let difference = value.unwrap() - expected[key].as_f64().unwrap();
            assert!(difference.abs() < 1e-12, "{key} of {area}: {value:?}");
        }
        let percent = |value: Option<f64>| (1e4 * value.unwrap()).round() / 1e2;
        assert_eq!((percent(counts.f1()), percent(matrix.accuracy())), (f1, accuracy), "{area}");
    }
    Ok(())
}

#[test]
fn have_the_same_buildings_and_boundaries_in_bands_as_at_once() -> Result<()> {
    let Some(folder) = folder() else { return Ok(()) };
    let ([truth, predicted], width) = masks(&folder, "D19")?;
    let whole = Pixels::new(&truth, &predicted)?;
    let objects = ObjectConfig::new(BUILDING).with_thresholds([0.25, 0.5, 0.75]);
    let boundaries = BoundaryConfig::relative(BUILDING, width, truth.len() / width);
    let mut object_matcher = ObjectMatcher::new(width, &objects)?;
    let mut boundary_matcher = BoundaryMatcher::new(width, &boundaries)?;
    for (truth, predicted) in truth.chunks(217 * width).zip(predicted.chunks(217 * width)) {
        let band = Pixels::new(truth, predicted)?;
        object_matcher.add_rows(&band)?;
        boundary_matcher.add_rows(&band)?;
    }
    let scores = object_matcher.finish();
    assert_eq!(scores, ObjectScores::of_image(&whole, width, &objects)?);
    // What SciPy's `label` and `distance_transform_edt` give.
    assert_eq!((scores.truth, scores.predicted), (1427, 1426));
    assert_eq!([1, 2].map(|i| scores.counts(i).unwrap().tp), [464, 73]);
    assert!((scores.mean_iou(1).unwrap() - 0.648_795_731_297_997_8).abs() < 1e-12);
    let counts = boundary_matcher.finish();
    assert_eq!(counts, BoundaryCounts::of_image(&whole, width, &boundaries)?);
    let found = [counts.truth, counts.found, counts.predicted, counts.right];
    assert_eq!(found, [120_464, 117_274, 95_774, 94_418]);
    Ok(())
}
