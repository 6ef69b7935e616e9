//! Coreset, neighbors and projection against anomalib and scikit-learn; see testdata/patchcore.py.

use ndarray::{Array2, s};
use ocellus_cluster::{
    CoresetSize, CoresetStart, Fit, GreedyCoreset, NearestNeighbors, RandomProjectionModel, Result,
    Transform, johnson_lindenstrauss_dims,
};
use serde_json::Value;

fn golden(part: &str) -> Value {
    let text = include_str!("../testdata/patchcore.json");
    serde_json::from_str::<Value>(text).unwrap_or_default()[part].take()
}

fn samples(rows: usize, columns: usize, phase: f64) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        let (i, j) = (i as f64, j as f64);
        ((phase + 1.3 * i + 0.7 * j).sin() + (0.11 * i * j).cos()) as f32
    })
}

fn len(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}

fn matrix(value: &Value) -> Array2<f64> {
    Array2::from_shape_fn((len(value), len(&value[0])), |(i, j)| number(&value[i][j]))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn numbers(value: &Value) -> Vec<usize> {
    (0..len(value)).map(|i| number(&value[i]) as usize).collect()
}

#[test]
fn chooses_the_rows_that_anomalib_chooses() -> Result<()> {
    let golden = golden("coreset");
    let size = golden["size"].as_f64().unwrap() as f32;
    let signs: Vec<&[u8]> = golden["signs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row.as_str().unwrap().as_bytes())
        .collect();
    let weights = Array2::from_shape_fn((signs.len(), 30), |(i, j)| match signs[i][j] {
        b'+' => size,
        b'-' => -size,
        _ => 0.,
    });
    assert_eq!(johnson_lindenstrauss_dims(400, 0.9)?, golden["dims"].as_u64().unwrap() as usize);
    let projected =
        RandomProjectionModel::from_weights(weights)?.transform(samples(400, 30, 0.).view())?;
    let expected = numbers(&golden["indices"]);
    let coreset = GreedyCoreset::new(CoresetSize::Ratio(0.2))
        .with_start(CoresetStart::Row(expected[0]))
        .select(&projected)?;
    assert_eq!(coreset.indices, expected);
    let radius = golden["radius"].as_f64().unwrap();
    assert!((f64::from(coreset.radius) / radius - 1.).abs() < 1e-5, "{} {radius}", coreset.radius);
    Ok(())
}

#[test]
fn finds_the_neighbors_that_scikit_learn_finds() -> Result<()> {
    let golden = golden("neighbors");
    let model = NearestNeighbors::new().fit(samples(300, 17, 0.).view())?;
    let found = model.find(samples(25, 17, 2.).view(), 7)?;
    let distances = matrix(&golden["distances"]);
    for ((place, &distance), expected) in found.distances.indexed_iter().zip(&distances) {
        assert!(
            (f64::from(distance) / expected - 1.).abs() < 1e-7,
            "{place:?}: {distance} {expected}"
        );
    }
    assert_eq!(found.indices.mapv(|i| i as f64), matrix(&golden["indices"]));
    Ok(())
}

#[test]
fn projects_as_scikit_learn_with_its_weights() -> Result<()> {
    let golden = golden("projection");
    let model = RandomProjectionModel::from_weights(matrix(&golden["weights"]).mapv(|w| w as f32))?;
    let output = model.transform(samples(12, 50, 1.).view())?;
    for (value, expected) in output.iter().zip(&matrix(&golden["output"])) {
        assert!((f64::from(*value) - expected).abs() < 1e-5);
    }
    // What is drawn has the same density and the same weights.
    let density = golden["density"].as_f64().unwrap();
    assert!((density - 1. / 50f64.sqrt()).abs() < 1e-12);
    let drawn = ocellus_cluster::RandomProjection::gaussian(20)
        .with_weights(ocellus_cluster::ProjectionWeights::Sparse { density: None })
        .draw(12, 50)?;
    let largest = drawn.weights().iter().fold(0f32, |a, w| a.max(w.abs()));
    assert!((f64::from(largest) - golden["largest"].as_f64().unwrap()).abs() < 1e-6);
    let dims = matrix(&golden["dims"]);
    assert_eq!(dims.dim(), (12, 3));
    for row in dims.rows() {
        let [samples, epsilon, dims] = row.slice(s![..]).to_vec()[..] else { unreachable!() };
        assert_eq!(johnson_lindenstrauss_dims(samples as usize, epsilon)?, dims as usize);
    }
    Ok(())
}
