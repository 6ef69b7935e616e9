use candle_core::{D, DType, Device, Result, Tensor};
use ocellus_testing::{fill, with_threads};

use super::nearest_neighbors;
use crate::testing::with_both;
use crate::{Implementation, with_implementation};

/// Squared distance and number of each row, the nearest first.
fn naive(query: &[f64], bank: &[Vec<f64>], count: usize) -> Vec<(f64, u32)> {
    let distance =
        |row: &Vec<f64>| row.iter().zip(query).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let mut all: Vec<(f64, u32)> = bank.iter().map(distance).zip(0..).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.truncate(count);
    all
}

fn check_naive(queries: &Tensor, bank: &Tensor, count: usize, tolerance: f64) -> Result<()> {
    let found = nearest_neighbors(queries, bank, count)?;
    assert_eq!(found.indices.dims(), [queries.dim(0)?, count]);
    let rows = |x: &Tensor| x.to_dtype(DType::F64)?.to_vec2::<f64>();
    let (distances, squared) = (rows(&found.distances)?, rows(&found.squared_distances)?);
    let (indices, bank) = (found.indices.to_vec2::<u32>()?, rows(bank)?);
    for (i, query) in rows(queries)?.iter().enumerate() {
        for (j, (expected, row)) in naive(query, &bank, count).into_iter().enumerate() {
            assert_eq!(indices[i][j], row, "query {i}, neighbor {j}");
            assert!((squared[i][j] - expected).abs() <= tolerance * expected, "{i} {j}");
            let expected = expected.sqrt();
            assert!((distances[i][j] - expected).abs() <= tolerance * expected, "{i} {j}");
        }
    }
    Ok(())
}

#[test]
fn finds_what_brute_force_finds() -> Result<()> {
    with_both(|| {
        for (queries, rows, size, count) in
            [(1, 1, 1, 1), (3, 5, 2, 5), (4, 70, 13, 3), (9, 130, 24, 9), (2, 40, 7, 24)]
        {
            for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-12)] {
                let bank = fill((rows, size), 0.2, dtype)?;
                check_naive(&fill((queries, size), 0.9, dtype)?, &bank, count, tolerance)?;
            }
        }
        Ok(())
    })
}

#[test]
fn distances_are_those_of_double_precision() -> Result<()> {
    let (bank, queries) = (fill((90, 37), 0.2, DType::F32)?, fill((5, 37), 0.9, DType::F32)?);
    check_naive(&queries, &bank, 4, 6e-8)?;
    // The bank's own rows are at 0, however long they are.
    let bank = (bank + 1e3)?;
    let found = nearest_neighbors(&bank, &bank, 1)?;
    assert_eq!(found.distances.sum_all()?.to_scalar::<f32>()?, 0.);
    let expected: Vec<u32> = (0..90).collect();
    assert_eq!(found.indices.flatten_all()?.to_vec1::<u32>()?, expected);
    Ok(())
}

#[test]
fn views_give_what_their_copies_give() -> Result<()> {
    with_both(|| {
        let bank = fill((6, 50), 0.3, DType::F32)?.t()?.narrow(0, 3, 44)?;
        let queries = fill((6, 4, 2), 0.8, DType::F32)?.get_on_dim(D::Minus1, 1)?.t()?;
        assert!(!bank.is_contiguous() && !queries.is_contiguous());
        check_naive(&queries, &bank, 3, 1e-5)?;
        let copies = nearest_neighbors(&queries.copy()?, &bank.copy()?, 3)?;
        let views = nearest_neighbors(&queries, &bank, 3)?;
        assert_eq!(views.distances.to_vec2::<f32>()?, copies.distances.to_vec2::<f32>()?);
        Ok(())
    })
}

#[test]
fn equal_rows_come_in_their_order() -> Result<()> {
    with_both(|| {
        // More than there are candidates; and two rows at the same distance on both sides.
        let equal = Tensor::full(0.1f32, (70, 2), &Device::Cpu)?;
        let found = nearest_neighbors(&equal.narrow(0, 9, 1)?, &equal, 4)?;
        assert_eq!(found.indices.to_vec2::<u32>()?, [[0, 1, 2, 3]]);
        let bank = Tensor::new(&[[5f32], [3.], [1.], [3.], [0.]], &Device::Cpu)?;
        let found = nearest_neighbors(&Tensor::new(&[[2f32]], &Device::Cpu)?, &bank, 5)?;
        assert_eq!(found.indices.to_vec2::<u32>()?, [[1, 2, 3, 4, 0]]);
        assert_eq!(found.squared_distances.to_vec2::<f32>()?, [[1., 1., 1., 4., 9.]]);
        Ok(())
    })
}

#[test]
fn close_rows_far_from_the_origin_are_told_apart() -> Result<()> {
    with_both(|| {
        // Squares of 1e8, differences of 1e-3: by the formula alone all distances are 0.
        let bank = Tensor::arange(0f32, 50., &Device::Cpu)?.affine(1. / 1024., 1e4)?;
        let bank = bank.reshape((50, 1))?.broadcast_as((50, 3))?;
        check_naive(&bank.narrow(0, 7, 3)?, &bank, 3, 1e-6)
    })
}

#[test]
fn extreme_but_finite_rows_are_found() -> Result<()> {
    for implementation in crate::testing::all() {
        if implementation == Implementation::Composed {
            continue; // In single precision the squares are infinite.
        }
        with_implementation(implementation, || -> Result<()> {
            let bank = Tensor::new(&[[3e38f32, 0.], [1., 1.], [-3e38, 0.]], &Device::Cpu)?;
            let found = nearest_neighbors(&Tensor::new(&[[2e38f32, 0.]], &Device::Cpu)?, &bank, 3)?;
            assert_eq!(found.indices.to_vec2::<u32>()?, [[0, 1, 2]]);
            let distances = found.distances.to_vec2::<f32>()?;
            assert!((distances[0][0] / 1e38 - 1.).abs() < 1e-6, "{distances:?}");
            let bank = (fill((40, 3), 0.2, DType::F32)? * 1e-30)?;
            check_naive(&bank.narrow(0, 7, 2)?, &bank, 3, 1.)
        })?;
    }
    Ok(())
}

#[test]
fn what_is_not_a_number_is_infinitely_far() -> Result<()> {
    with_both(|| {
        let nan = f32::NAN;
        let bank = Tensor::new(&[[nan, 0.], [1., 0.], [0., 3.], [nan, 1.]], &Device::Cpu)?;
        let queries = Tensor::new(&[[0f32, 0.], [nan, 0.]], &Device::Cpu)?;
        let found = nearest_neighbors(&queries, &bank, 4)?;
        assert_eq!(found.indices.to_vec2::<u32>()?, [[1, 2, 0, 3], [0, 1, 2, 3]]);
        let far = f32::INFINITY;
        assert_eq!(found.distances.to_vec2::<f32>()?, [[1., 3., far, far], [far; 4]]);
        Ok(())
    })
}

#[test]
fn more_neighbors_than_the_kernels_find_are_found() -> Result<()> {
    with_both(|| {
        let bank = fill((60, 5), 0.2, DType::F64)?;
        check_naive(&bank.narrow(0, 3, 2)?, &bank, 60, 1e-12)
    })
}

#[test]
fn half_types_are_measured_in_single_precision() -> Result<()> {
    with_both(|| {
        for dtype in [DType::F16, DType::BF16] {
            let (bank, queries) = (fill((50, 9), 0.2, dtype)?, fill((4, 9), 0.6, dtype)?);
            let found = nearest_neighbors(&queries, &bank, 3)?;
            let (bank, queries) = (bank.to_dtype(DType::F32)?, queries.to_dtype(DType::F32)?);
            let expected = nearest_neighbors(&queries, &bank, 3)?;
            assert_eq!(found.indices.to_vec2::<u32>()?, expected.indices.to_vec2::<u32>()?);
            assert_eq!(found.distances.dtype(), dtype);
        }
        Ok(())
    })
}

#[test]
fn a_query_alone_gives_its_bits_at_any_number_of_threads() -> Result<()> {
    with_both(|| {
        let (bank, queries) = (fill((90, 21), 0.2, DType::F32)?, fill((7, 21), 0.4, DType::F32)?);
        let all = nearest_neighbors(&queries, &bank, 3)?;
        let alone = nearest_neighbors(&queries.narrow(0, 5, 1)?, &bank, 3)?;
        let row = all.distances.narrow(0, 5, 1)?.to_vec2::<f32>()?;
        assert_eq!(alone.distances.to_vec2::<f32>()?, row);
        Ok(())
    })?;
    let (bank, queries) = (fill((90, 21), 0.2, DType::F32)?, fill((7, 21), 0.4, DType::F32)?);
    let find = |threads| {
        with_threads(threads, || nearest_neighbors(&queries, &bank, 3)?.distances.to_vec2::<f32>())
    };
    assert_eq!(find(1)?, find(3)?);
    Ok(())
}

#[test]
fn what_is_found_has_no_graph() -> Result<()> {
    with_both(|| {
        let bank = candle_core::Var::from_tensor(&fill((9, 2), 0.2, DType::F32)?)?;
        let found = nearest_neighbors(&bank, &bank, 2)?;
        assert!(!found.distances.track_op() && !found.squared_distances.track_op());
        Ok(())
    })
}

#[test]
fn says_what_cannot_be_found() -> Result<()> {
    let bank = fill((5, 3), 0., DType::F32)?;
    let message =
        |queries: &Tensor, count| nearest_neighbors(queries, &bank, count).unwrap_err().to_string();
    for count in [0, 6] {
        assert!(message(&bank, count).contains(&format!("{count} of 5 rows")));
    }
    assert!(message(&bank.narrow(1, 0, 2)?, 1).contains("queries [5, 2] and a bank [5, 3]"));
    assert!(message(&bank.narrow(0, 0, 0)?, 1).contains("none of them 0"));
    assert!(message(&bank.get(0)?, 1).contains("[3]"));
    assert!(message(&bank.to_dtype(DType::F64)?, 1).contains("queries of F64, but a bank of F32"));
    assert!(message(&bank.to_dtype(DType::U32)?, 1).contains("U32"));
    Ok(())
}
