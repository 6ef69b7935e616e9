use ndarray::{Array2, array, s};
use ocellus_testing::with_threads;
use proptest::prelude::*;
use rand::Rng;

use super::*;

/// All distances computed, in the order of the definition.
fn naive(x: &Array2<f32>, size: usize, mut bounds: Vec<f32>, first: Option<usize>) -> Vec<usize> {
    let row = |i: usize| x.row(i).to_slice().unwrap();
    let mut chosen = Vec::new();
    while chosen.len() < size {
        let next = first.filter(|_| chosen.is_empty()).unwrap_or_else(|| {
            (0..x.nrows()).fold(0, |a, b| if bounds[b] > bounds[a] { b } else { a })
        });
        for (i, bound) in bounds.iter_mut().enumerate() {
            *bound = bound.min(squared_distance(row(i), row(next), f32::INFINITY));
        }
        bounds[next] = -1.;
        chosen.push(next);
    }
    chosen
}

fn samples(rows: usize, columns: usize, clusters: usize) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(rows as u64);
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        let center = ((i % clusters) * (j + 1)) as f32;
        center.sin() * 3. + rng.random_range(-1f32..1.)
    })
}

#[test]
fn chooses_what_computing_all_distances_would() -> Result<()> {
    for (rows, columns, clusters) in [(1500, 5, 1), (777, 130, 4), (300, 296, 40), (5, 1, 2)] {
        let x = samples(rows, columns, clusters);
        let size = rows / 3 + 1;
        let coreset = GreedyCoreset::new(CoresetSize::Count(size))
            .with_start(CoresetStart::Row(rows / 2))
            .select(&x)?;
        let bounds = vec![f32::INFINITY; rows];
        assert_eq!(coreset.indices, naive(&x, size, bounds, Some(rows / 2)));
        assert!(coreset.distances.is_sorted_by(|a, b| a >= b));
        assert!(coreset.radius <= coreset.distances[size - 1]);
    }
    Ok(())
}

#[test]
fn an_approximate_start_bounds_by_the_mean() -> Result<()> {
    let x = samples(600, 20, 3);
    let coreset = GreedyCoreset::new(CoresetSize::Ratio(0.2))
        .with_start(CoresetStart::Approximate { rows: 10 })
        .with_seed(4)
        .select(&x)?;
    let starts = index::sample(&mut ChaCha8Rng::seed_from_u64(4), 600, 10).into_vec();
    assert_eq!(coreset.indices, naive(&x, 120, mean_distances(x.view(), &starts), None));
    assert!(GreedyCoreset::official(0.5).select(&samples(4, 3, 1))?.indices.len() == 2);
    Ok(())
}

#[test]
fn threads_and_storage_change_nothing() -> Result<()> {
    let x = samples(3000, 40, 7);
    let coreset = GreedyCoreset::anomalib(0.1).with_seed(3);
    let expected = with_threads(1, || coreset.select(&x))?;
    assert_eq!(expected.indices.len(), 300);
    assert_eq!(with_threads(4, || coreset.select(&x))?, expected);
    let mut store = crate::RowStore::in_folder(&std::env::temp_dir(), 40)?;
    for block in x.axis_chunks_iter(ndarray::Axis(0), 700) {
        store.push(block.as_slice().unwrap())?;
    }
    assert_eq!(coreset.select(&store)?, expected);
    assert_ne!(coreset.with_seed(4).select(&x)?.indices, expected.indices);
    Ok(())
}

#[test]
fn equal_rows_are_chosen_once_each() -> Result<()> {
    let x = Array2::from_elem((300, 2), 1f32);
    let coreset =
        GreedyCoreset::new(CoresetSize::Ratio(1.)).with_start(CoresetStart::Row(2)).select(&x)?;
    let mut expected: Vec<usize> = (0..300).filter(|&row| row != 2).collect();
    expected.insert(0, 2);
    assert_eq!(coreset.indices, expected);
    assert_eq!(coreset.radius, 0.);
    Ok(())
}

#[test]
fn progress_counts_up() -> Result<()> {
    let mut told = Vec::new();
    GreedyCoreset::new(CoresetSize::Count(4))
        .select_with_progress(&samples(9, 2, 1), |done, all| told.push((done, all)))?;
    assert_eq!(told, [(2, 4), (3, 4), (4, 4)]);
    Ok(())
}

#[test]
fn says_what_cannot_be_chosen() {
    let mut x = samples(20, 3, 1);
    let message =
        |coreset: GreedyCoreset, x: &Array2<f32>| coreset.select(x).unwrap_err().to_string();
    let count = |count| GreedyCoreset::new(CoresetSize::Count(count));
    assert!(message(count(0), &x).contains("0 of 20 rows"));
    assert!(message(count(21), &x).starts_with("20 rows, but 21 are needed"));
    assert!(message(GreedyCoreset::anomalib(0.01), &x).contains("0 of 20 rows (Ratio(0.01))"));
    for ratio in [-0.5, 1.5, f64::NAN] {
        assert!(message(GreedyCoreset::anomalib(ratio), &x).contains("ratio"));
    }
    assert!(message(count(2).with_start(CoresetStart::Row(20)), &x).contains("21 are needed"));
    assert!(
        message(count(2).with_start(CoresetStart::Approximate { rows: 0 }), &x).contains("one")
    );
    assert!(message(count(1), &Array2::zeros((0, 3))).contains("empty"));
    assert!(message(count(2), &array![[3e38f32], [-3e38]]).contains("scale the rows down"));
    x[[7, 2]] = f32::INFINITY;
    assert!(message(count(2), &x).starts_with("row 7, column 2 is inf"));
    assert!(message(GreedyCoreset::anomalib(0.2), &x).starts_with("row 7, column 2 is inf"));
}

proptest! {
    #[test]
    fn a_larger_coreset_begins_with_a_smaller_and_covers_better(
        rows in 2usize..400, columns in 1usize..20, seed in 0u64..1000,
    ) {
        let x = samples(rows, columns, 1 + seed as usize % 5);
        let select = |size| GreedyCoreset::new(CoresetSize::Count(size)).with_seed(seed).select(&x);
        let large = select(rows)?;
        let small = select(rows / 2)?;
        prop_assert_eq!(&small.indices[..], &large.indices[..rows / 2]);
        prop_assert!(large.distances.is_sorted_by(|a, b| a >= b));
        prop_assert!(large.radius == 0.);
        // The radius is the distance of the next choice, and no row is farther than it.
        prop_assert_eq!(small.radius, large.distances[rows / 2]);
        let chosen: Vec<_> = small.indices.iter().map(|&i| x.row(i)).collect();
        for row in x.slice(s![.., ..]).rows() {
            let nearest = chosen.iter().map(|c| {
                squared_distance(row.to_slice().unwrap(), c.to_slice().unwrap(), f32::INFINITY)
            });
            prop_assert!(nearest.fold(f32::INFINITY, f32::min).sqrt() <= small.radius);
        }
    }
}
