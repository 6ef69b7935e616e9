//! Gradients with the vectors of every instruction set and type.

use candle_core::{DType, Result, Tensor};
use ocellus_testing::{fill, relative_error};
use proptest::prelude::*;

use crate::simd::with_each_isa;
use crate::testing::gradients;
use crate::{Conv2dConfig, ConvAlgorithm, Implementation, Padding, conv2d, with_implementation};

/// Batch, groups, channels of a group of x and of y; then per side the size, kernel, stride,
/// dilation and both paddings.
type Case = ([usize; 4], [[usize; 6]; 2]);

fn cases() -> impl Strategy<Value = Case> {
    let side = (1..40usize, 1..6usize, 1..5usize, 1..4usize, 0..4usize, 0..4usize)
        .prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f]);
    let channels = (1..4usize, 1..3usize, 1..20usize, 1..40usize);
    (channels.prop_map(|(a, b, c, d)| [a, b, c, d]), [side.clone(), side])
}

/// The side of y, if the kernel fits.
fn output([size, kernel, stride, dilation, before, after]: [usize; 6]) -> Option<usize> {
    let rest = (size + before + after).checked_sub((kernel - 1) * dilation + 1)?;
    Some(rest / stride + 1)
}

/// The gradients by input, weight and bias.
fn run(&([batch, groups, ci, co], [v, h]): &Case, dtype: DType) -> Result<Vec<Tensor>> {
    let config = Conv2dConfig::default()
        .with_stride((v[2], h[2]))
        .with_dilation((v[3], h[3]))
        .with_padding(Padding::new(v[4], v[5], h[4], h[5]))
        .with_groups(groups)
        .with_algorithm(ConvAlgorithm::Direct);
    let inputs = [
        fill((batch, groups * ci, v[0], h[0]), 0.1, dtype)?,
        fill((groups * co, ci, v[1], h[1]), 0.2, dtype)?,
        fill(groups * co, 0.3, dtype)?,
    ];
    let sides = output(v).zip(output(h)).expect("a kernel that fits");
    let upstream = fill((batch, groups * co, sides.0, sides.1), 0.4, dtype)?;
    let conv = |t: &[Tensor]| conv2d(&t[0], &t[1], Some(&t[2]), &config);
    Ok(gradients(conv, &inputs.each_ref(), &upstream)?.1)
}

fn compare(case: &Case) -> Result<()> {
    let expected = with_implementation(Implementation::Composed, || run(case, DType::F64))?;
    for (dtype, tol) in [(DType::F64, 1e-14), (DType::F32, 1e-5)] {
        with_each_isa(|isa| {
            let actual = run(case, dtype).unwrap();
            for (n, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
                let error = relative_error(actual, expected).unwrap();
                assert!(error < tol, "{case:?} {isa:?} {dtype:?} gradient {n}: {error}");
            }
        });
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_instruction_set_gives_the_gradients_of_the_composition(case in cases()) {
        prop_assume!(case.1.into_iter().all(|side| output(side).is_some()));
        compare(&case).unwrap();
    }
}

#[test]
fn usual_layers_have_exact_gradients() -> Result<()> {
    let side = |size, kernel, stride, padding| [size, kernel, stride, 1, padding, padding];
    for (channels, side) in [
        ([2, 1, 64, 3], side(20, 1, 1, 0)), // So few filters that pixels are taken as vectors.
        ([3, 2, 20, 2], side(5, 3, 2, 1)),
        ([2, 1, 9, 1], side(37, 3, 1, 1)),
        ([2, 1, 30, 70], side(17, 1, 2, 0)),
        ([2, 1, 3, 40], side(30, 7, 2, 3)),
        ([1, 1, 70, 20], side(38, 3, 2, 1)), // Two parts of channels.
        ([9, 1, 5, 33], side(6, 4, 2, 1)),
        ([1, 4, 1, 1], side(12, 3, 1, 1)),
        ([2, 1, 3, 5], side(1, 3, 1, 1)),
        ([1, 1, 3, 5], side(2, 2, 3, 4)), // Taps that meet nothing.
    ] {
        compare(&(channels, [side, side]))?;
    }
    Ok(())
}
