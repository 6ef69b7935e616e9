//! Transposed convolutions, and so gradients by the input at a stride, with the vectors of every
//! instruction set and type.

use candle_core::{DType, Result, Tensor};
use ocellus_testing::{fill, relative_error};
use proptest::prelude::*;

use super::check_threads;
use crate::simd::with_each_isa;
use crate::{
    ConvTranspose2dConfig, Implementation, Padding, conv_transpose2d, with_implementation,
};

/// Batch, groups, channels of a group of y and of x; then per side the size, kernel, stride,
/// dilation, both paddings and the output padding.
type Case = ([usize; 4], [[usize; 7]; 2]);

fn cases() -> impl Strategy<Value = Case> {
    let side = (1..40usize, 1..6usize, 1..5usize, 1..4usize, 0..4usize, 0..4usize, 0..3usize)
        .prop_map(|(a, b, c, d, e, f, g)| [a, b, c, d, e, f, g]);
    let channels = (1..4usize, 1..3usize, 1..40usize, 1..20usize);
    (channels.prop_map(|(a, b, c, d)| [a, b, c, d]), [side.clone(), side])
}

fn config(&([_, groups, ..], [v, h]): &Case) -> ConvTranspose2dConfig {
    ConvTranspose2dConfig::default()
        .with_stride((v[2], h[2]))
        .with_dilation((v[3], h[3]))
        .with_padding(Padding::new(v[4], v[5], h[4], h[5]))
        .with_output_padding((v[6], h[6]))
        .with_groups(groups)
}

fn fits(side: [usize; 7]) -> bool {
    let [size, kernel, stride, dilation, before, after, extra] = side;
    let full = (size - 1) * stride + (kernel - 1) * dilation + 1 + extra;
    extra < stride.max(dilation) && full > before + after
}

fn run(case: &Case, dtype: DType) -> Result<Tensor> {
    let &([batch, groups, co, ci], [v, h]) = case;
    let y = fill((batch, groups * co, v[0], h[0]), 0.1, dtype)?;
    let weight = fill((groups * co, ci, v[1], h[1]), 0.2, dtype)?;
    let bias = fill(groups * ci, 0.3, dtype)?;
    conv_transpose2d(&y, &weight, Some(&bias), &config(case))
}

fn compare(case: &Case) -> Result<()> {
    let expected = with_implementation(Implementation::Composed, || run(case, DType::F64))?;
    for (dtype, tol) in [(DType::F64, 1e-14), (DType::F32, 1e-5)] {
        with_each_isa(|isa| {
            let error = relative_error(&run(case, dtype).unwrap(), &expected).unwrap();
            assert!(error < tol, "{case:?} {isa:?} {dtype:?}: {error}");
        });
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_instruction_set_equals_the_composition(case in cases()) {
        prop_assume!(case.1.into_iter().all(fits));
        compare(&case).unwrap();
    }
}

#[test]
fn usual_layers_are_exact() -> Result<()> {
    let side = |size, kernel, stride, padding| [size, kernel, stride, 1, padding, padding, 0];
    for (channels, side) in [
        ([3, 1, 70, 40], side(8, 4, 2, 1)), // Rows shorter than a vector.
        ([2, 1, 300, 20], side(16, 4, 2, 1)),
        ([1, 2, 20, 9], side(37, 3, 2, 1)),
        ([2, 1, 20, 9], side(32, 1, 2, 0)), // A phase without taps.
        ([2, 1, 20, 3], side(20, 7, 2, 3)),
        ([1, 1, 9, 17], side(20, 2, 4, 0)), // A stride beyond the kernel.
        ([2, 1, 5, 6], side(20, 1, 3, 5)),  // Padding that cuts off what there is.
        ([5, 1, 3, 2], side(1, 3, 3, 0)),
    ] {
        compare(&(channels, [side, side]))?;
    }
    Ok(())
}

#[test]
fn dilation_with_a_stride_is_exact() -> Result<()> {
    for (stride, dilation) in [(2, 2), (2, 3), (3, 2), (4, 6), (1, 2)] {
        let side = [11, 3, stride, dilation, 2, 1, 1];
        compare(&([2, 2, 5, 3], [side, side]))?;
    }
    Ok(())
}

#[test]
fn views_are_read_as_they_are() -> Result<()> {
    let y = fill((3, 9, 8, 10), 0.1, DType::F32)?;
    let weight = fill((4, 4, 3, 5), 0.2, DType::F32)?.transpose(2, 3)?;
    let views = [
        y.narrow(1, 2, 4)?,
        y.narrow(3, 1, 4)?.transpose(1, 3)?,
        y.narrow(0, 2, 1)?.narrow(1, 5, 4)?,
    ];
    let config = ConvTranspose2dConfig::default().with_stride((2, 2)).with_padding(1);
    for y in views {
        let expected = conv_transpose2d(&y.copy()?, &weight.contiguous()?, None, &config)?;
        let actual = conv_transpose2d(&y, &weight, None, &config)?;
        assert_eq!(relative_error(&actual, &expected)?, 0.);
    }
    Ok(())
}

#[test]
fn any_number_of_threads_gives_the_same_bits() -> Result<()> {
    for (batch, size) in [(2, 8), (3, 40)] {
        let side = [size, 4, 2, 1, 1, 1, 0];
        let case = ([batch, 1, 90, 70], [side, side]);
        let expected = with_implementation(Implementation::Composed, || run(&case, DType::F64))?;
        check_threads(&[expected], 1e-5, || Ok(vec![run(&case, DType::F32)?]))?;
    }
    Ok(())
}
