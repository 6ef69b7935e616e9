//! Components of a matrix that does not fit into memory.
//!
//! ```sh
//! cargo test --release -p ocellus-cluster --test out_of_core -- --ignored --nocapture
//! ```

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::ops::Range;

use ndarray::{Array2, Axis};
use ocellus_cluster::{Pca, Result, RowSource};

/// Strengths of the hidden directions.
const STRENGTHS: [f32; 4] = [8., 6., 4., 2.];

/// Σ s·u·vᵀ of cosines, which are orthogonal and have mean 0, and noise of ±0.5: computed where it is
/// asked for.
struct Latents {
    left: Array2<f32>,
    right: Array2<f32>,
}

/// √2·cos(π·r·(i + ½)/size), r = 1, 2, …, of mean square 1.
fn cosines(size: usize) -> Array2<f32> {
    Array2::from_shape_fn((size, STRENGTHS.len()), |(i, r)| {
        let angle = std::f64::consts::PI * (r + 1) as f64 * (i as f64 + 0.5) / size as f64;
        (std::f64::consts::SQRT_2 * angle.cos()) as f32
    })
}

impl Latents {
    fn new(rows: usize, columns: usize) -> Self {
        let mut left = cosines(rows);
        for (mut column, strength) in left.axis_iter_mut(Axis(1)).zip(STRENGTHS) {
            column *= strength;
        }
        Self { left, right: cosines(columns) }
    }

    fn entry(&self, row: usize, column: usize) -> f32 {
        let products = self.left.row(row).into_iter().zip(self.right.row(column));
        let mut bits = (row as u32).wrapping_mul(0x9E37_79B9) ^ column as u32;
        bits = (bits ^ (bits >> 16)).wrapping_mul(0x85EB_CA6B);
        bits = (bits ^ (bits >> 13)).wrapping_mul(0xC2B2_AE35);
        let noise = ((bits ^ (bits >> 16)) >> 8) as f32 / (1 << 24) as f32 - 0.5;
        products.map(|(left, right)| left * right).sum::<f32>() + noise + 3.
    }
}

impl RowSource for Latents {
    fn size(&self) -> (usize, usize) {
        (self.left.nrows(), self.right.nrows())
    }

    fn read_part(&self, start: usize, columns: Range<usize>, out: &mut [f32]) -> Result<()> {
        for (row, values) in (start..).zip(out.chunks_exact_mut(columns.len())) {
            for (value, column) in values.iter_mut().zip(columns.clone()) {
                *value = self.entry(row, column);
            }
        }
        Ok(())
    }
}

/// Fits and compares with what is known: variances s²·d·n/(n − 1), directions the cosines, and the
/// noise, d/12, shared by the other directions.
fn check(rows: usize, columns: usize, block: usize) {
    let source = Latents::new(rows, columns);
    let model = Pca::new(32).fit_source(&source, block).unwrap();
    assert!(model.converged());
    for (r, strength) in STRENGTHS.iter().enumerate() {
        let expected = strength * strength * columns as f32 * rows as f32 / (rows as f32 - 1.);
        let found = model.explained_variance()[r];
        assert!(
            (found - expected).abs() < 0.01 * expected,
            "variance {found}, expected {expected}"
        );
        let direction = source.right.column(r);
        let cosine = model.components().row(r).dot(&direction) / (columns as f32).sqrt();
        assert!(cosine.abs() > 0.999, "cosine {cosine}");
    }
    let noise = model.noise_variance() * rows.min(columns) as f32 / columns as f32;
    assert!((noise * 12. - 1.).abs() < 0.1, "noise {noise}");
    assert!((model.mean().sum() / columns as f32 - 3.).abs() < 0.01);
}

#[test]
fn a_small_matrix_is_decomposed_in_parts() {
    check(600, 20_000, 3000);
    check(2500, 700, 400);
}

/// 2,553 latents of the quality-grading paper's size, 13.6 GiB, twice generated.
#[test]
#[ignore = "takes minutes"]
fn latents_of_13_gib_stay_under_4_gib() {
    check(2553, 1_433_600, 8192);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    if let Some(peak) = peak {
        println!("peak memory {}", peak.trim());
        let kibibytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kibibytes < 4 << 20, "{kibibytes} KiB");
    }
}
