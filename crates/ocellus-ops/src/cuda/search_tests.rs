//! Operations without a gradient, which find or measure: the emulated kernels beside the processor's,
//! to the bit where both say so.

use candle_core::{DType, Device, Result, Tensor};
use ocellus_testing::fill;

use super::{FORCED_BLOCKS, emulator, source};
use crate::scoped::scoped;
use crate::*;

const ALL: [&str; 3] = ["nearest_neighbors", "farthest_points", "whiten_packed"];

type Operation = Box<dyn Fn(&[Tensor]) -> Result<Vec<Tensor>>>;

/// An operation, its arguments, and how far its results may be from the processor's.
struct Case(&'static str, Vec<Tensor>, f64, Operation);

fn nearest(queries: usize, bank: Tensor, count: usize) -> Result<Case> {
    let queries = fill((queries, bank.dim(1)?), 0.6, bank.dtype())?;
    Ok(Case(
        "nearest_neighbors",
        vec![queries, bank],
        0.,
        Box::new(move |x| {
            let found = nearest_neighbors(&x[0], &x[1], count)?;
            Ok(vec![found.indices, found.distances, found.squared_distances])
        }),
    ))
}

fn farthest(points: Tensor, count: usize) -> Result<Case> {
    let bounds = (fill(points.dim(0)?, 0.4, points.dtype())?.abs()? * 50.)?;
    Ok(Case(
        "farthest_points",
        vec![points, bounds],
        0.,
        Box::new(move |x| {
            let all = farthest_points(&x[0], None, 3, count)?;
            let bounded = farthest_points(&x[0], Some(&x[1]), 1, count)?;
            Ok(vec![all.indices, all.squared_distances, bounded.indices, bounded.squared_distances])
        }),
    ))
}

fn whitening(shape: (usize, usize, usize), dtype: DType) -> Result<Case> {
    let (batch, places, size) = shape;
    let packed = size * (size + 1) / 2;
    // Diagonals of about 3, all else small.
    let ends: Vec<f64> = (0..packed)
        .map(|at| if (1..=size).any(|i| i * (i + 1) / 2 == at + 1) { 3. } else { 0. })
        .collect();
    let ends = Tensor::new(ends, &Device::Cpu)?.to_dtype(dtype)?;
    let factors = (fill((places, packed), 0.2, dtype)? * 0.3)?.broadcast_add(&ends)?;
    let inputs =
        vec![fill((batch, places, size), 0.1, dtype)?, fill((places, size), 0.8, dtype)?, factors];
    let tolerance = if dtype == DType::F64 { 1e-13 } else { 3e-6 };
    Ok(Case(
        "whiten_packed",
        inputs,
        tolerance,
        Box::new(|x| {
            let white = whiten_packed(&x[0], &x[1], &x[2])?;
            Ok(vec![white.residuals, white.squared_distances])
        }),
    ))
}

fn cases(dtype: DType) -> Result<Vec<Case>> {
    Ok(vec![
        nearest(11, fill((263, 19), 0.1, dtype)?, 1)?,
        nearest(5, fill((263, 19), 0.1, dtype)?, 9)?,
        // What products leave open: the origin is far.
        nearest(3, (fill((90, 5), 0.1, dtype)? + 3e3)?, 3)?,
        farthest(fill((261, 35), 0.3, dtype)?, 17)?,
        whitening((3, 13, 21), dtype)?,
        whitening((1, 9, 66), dtype)?,
    ])
}

fn results(Case(_, _, _, f): &Case, inputs: &[Tensor]) -> Result<Vec<Vec<f64>>> {
    let values =
        |x: &Tensor| x.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1();
    f(inputs)?.iter().map(values).collect()
}

fn compare(case: &Case, found: &[Vec<f64>], expected: &[Vec<f64>]) {
    for (n, (found, expected)) in found.iter().zip(expected).enumerate() {
        let largest = expected.iter().fold(0f64, |most, x| most.max(x.abs()));
        for (a, b) in found.iter().zip(expected) {
            let near = a == b || (a - b).abs() <= case.2 * largest;
            assert!(near, "{}, {:?}, result {n}: {a}, {b}", case.0, case.1[0].dtype());
        }
    }
}

fn check(dtype: DType, names: &[&str]) -> Result<()> {
    if !emulator::is_available() {
        return Ok(());
    }
    for case in cases(dtype)?.into_iter().filter(|case| names.contains(&case.0)) {
        let run = |implementation| with_implementation(implementation, || results(&case, &case.1));
        let emulated = run(Implementation::Emulated)?;
        compare(&case, &emulated, &run(Implementation::Kernel)?);
        assert_eq!(emulated, run(Implementation::Emulated)?, "{}: other bits", case.0);
    }
    Ok(())
}

#[test]
fn f32_finds_what_the_processor_finds() -> Result<()> {
    check(DType::F32, &ALL)
}

#[test]
fn f64_finds_what_the_processor_finds() -> Result<()> {
    check(DType::F64, &ALL)
}

#[test]
fn wide_indices_find_what_the_processor_finds() -> Result<()> {
    scoped(&source::FORCE_WIDE, true, || check(DType::F32, &ALL))
}

#[test]
fn several_blocks_find_what_the_processor_finds() -> Result<()> {
    for blocks in [(4, 16), (3, 100), (64, 7)] {
        scoped(&FORCED_BLOCKS, Some(blocks), || check(DType::F32, &["nearest_neighbors"]))?;
    }
    Ok(())
}

#[test]
#[cfg(feature = "cuda")]
fn a_gpu_gives_what_the_processor_finds() -> Result<()> {
    let Ok(device) = cuda_device(0) else {
        eprintln!("no GPU: skipped");
        return Ok(());
    };
    for dtype in [DType::F32, DType::F64] {
        let large = [
            nearest(700, fill((9000, 96), 0.1, dtype)?, 9)?,
            farthest(fill((20_000, 35), 0.3, dtype)?, 40)?,
            whitening((7, 301, 100), dtype)?,
        ];
        for case in cases(dtype)?.iter().chain(&large) {
            let there = case.1.iter().map(|x| x.to_device(&device)).collect::<Result<Vec<_>>>()?;
            let found = results(case, &there)?;
            compare(case, &found, &results(case, &case.1)?);
            assert_eq!(found, results(case, &there)?, "{}: other bits", case.0);
        }
    }
    Ok(())
}
