//! What both convolutions must do, in both implementations.

use candle_core::{Result, Tensor};
use ocellus_testing::{relative_error, with_threads};

mod errors;
mod fused;
mod golden;
mod gradients;
mod graph;
mod large;
mod naive;
mod packed;
mod phases;
mod transposed;
mod vector_gradients;
mod vectors;
mod winograd;

const BOTH: [crate::Implementation; 2] =
    [crate::Implementation::Kernel, crate::Implementation::Composed];

/// That an operation's f32 results are close to those expected, and the same bits at any number of
/// threads.
#[track_caller]
fn check_threads(
    expected: &[Tensor],
    tol: f64,
    run: impl Fn() -> Result<Vec<Tensor>> + Sync,
) -> Result<()> {
    let one = with_threads(1, &run)?;
    for (n, (actual, expected)) in one.iter().zip(expected).enumerate() {
        let error = relative_error(actual, expected)?;
        assert!(error < tol, "tensor {n}: {error}");
    }
    for threads in [2, 3] {
        for (a, b) in with_threads(threads, &run)?.iter().zip(&one) {
            assert_eq!(bits(a)?, bits(b)?, "other bits on {threads} threads than on one");
        }
    }
    Ok(())
}

fn bits(x: &Tensor) -> Result<Vec<u32>> {
    Ok(x.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect())
}
