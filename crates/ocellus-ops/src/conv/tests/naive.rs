use candle_core::{DType, Device, Result, Tensor};
use ocellus_testing::{assert_close, fill};
use proptest::prelude::*;

use crate::testing::all;
use crate::{
    Conv2dConfig, ConvTranspose2dConfig, Padding, conv_transpose2d, conv2d, with_implementation,
};

/// The sizes of a random case: batch, groups, channels of a group in and out, then per side the
/// size, kernel, stride, dilation and both paddings.
type Sizes = ((usize, usize, usize, usize), [[usize; 6]; 2]);

fn sizes() -> impl Strategy<Value = Sizes> {
    let side = (1..9usize, 1..4usize, 1..4usize, 1..3usize, 0..4usize, 0..4usize)
        .prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f]);
    ((1..3usize, 1..3usize, 1..4usize, 1..4usize), [side.clone(), side])
}

fn flat(x: &Tensor) -> Result<Vec<f64>> {
    x.flatten_all()?.to_vec1()
}

/// Calls `term(y index, x index, weight index)` for each product of the definition of a convolution
/// of x (h × w) to y (oh × ow).
fn each_term(
    ((batch, groups, ci, co), [v, h]): Sizes,
    output: (usize, usize),
    mut term: impl FnMut(usize, usize, usize),
) {
    let place = |[size, _, stride, dilation, before, _]: [usize; 6], i: usize, tap: usize| {
        (i * stride + tap * dilation).checked_sub(before).filter(|&p| p < size)
    };
    let (oh, ow) = output;
    for (b, i, j) in iter3(batch, oh, ow) {
        for (g, o, c) in iter3(groups, co, ci) {
            for (ky, kx, _) in iter3(v[1], h[1], 1) {
                let Some((y, x)) = place(v, i, ky).zip(place(h, j, kx)) else { continue };
                let at_y = (((b * groups + g) * co + o) * oh + i) * ow + j;
                let at_x = (((b * groups + g) * ci + c) * v[0] + y) * h[0] + x;
                let at_w = (((g * co + o) * ci + c) * v[1] + ky) * h[1] + kx;
                term(at_y, at_x, at_w);
            }
        }
    }
}

fn iter3(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a * b * c).map(move |i| (i / (b * c), i / c % b, i % c))
}

fn compare_conv(sizes: Sizes) -> Result<()> {
    let ((batch, groups, ci, co), [v, h]) = sizes;
    let x = fill((batch, groups * ci, v[0], h[0]), 0.1, DType::F64)?;
    let weight = fill((groups * co, ci, v[1], h[1]), 0.2, DType::F64)?;
    let config = Conv2dConfig::default()
        .with_stride((v[2], h[2]))
        .with_dilation((v[3], h[3]))
        .with_padding(Padding::new(v[4], v[5], h[4], h[5]))
        .with_groups(groups);
    let reach = |s: [usize; 6]| (s[1] - 1) * s[3] + 1;
    let fits = |s: [usize; 6]| reach(s) <= s[0] + s[4] + s[5];
    if !fits(v) || !fits(h) {
        assert!(conv2d(&x, &weight, None, &config).is_err());
        return Ok(());
    }
    let out = |s: [usize; 6]| (s[0] + s[4] + s[5] - reach(s)) / s[2] + 1;
    let shape = (batch, groups * co, out(v), out(h));
    let (xs, ws, mut ys) =
        (flat(&x)?, flat(&weight)?, vec![0.; batch * groups * co * shape.2 * shape.3]);
    each_term(sizes, (shape.2, shape.3), |at_y, at_x, at_w| ys[at_y] += xs[at_x] * ws[at_w]);
    let expected = Tensor::from_vec(ys, shape, &Device::Cpu)?;
    for which in all() {
        let y = with_implementation(which, || conv2d(&x, &weight, None, &config))?;
        assert_close(&y, &expected, 1e-12)?;
    }
    Ok(())
}

fn compare_transpose(sizes: Sizes, extra: (usize, usize)) -> Result<()> {
    let ((batch, groups, ci, co), [v, h]) = sizes;
    let y = fill((batch, groups * co, v[0], h[0]), 0.1, DType::F64)?;
    let weight = fill((groups * co, ci, v[1], h[1]), 0.2, DType::F64)?;
    let config = ConvTranspose2dConfig::default()
        .with_stride((v[2], h[2]))
        .with_dilation((v[3], h[3]))
        .with_padding(Padding::new(v[4], v[5], h[4], h[5]))
        .with_output_padding(extra)
        .with_groups(groups);
    let full = |s: [usize; 6], extra: usize| (s[0] - 1) * s[2] + (s[1] - 1) * s[3] + 1 + extra;
    let (full, cut) = ((full(v, extra.0), full(h, extra.1)), (v[4] + v[5], h[4] + h[5]));
    let fits = extra.0 < v[2].max(v[3]) && extra.1 < h[2].max(h[3]);
    if !fits || full.0 <= cut.0 || full.1 <= cut.1 {
        assert!(conv_transpose2d(&y, &weight, None, &config).is_err());
        return Ok(());
    }
    let (output, side) = ((v[0], h[0]), (full.0 - cut.0, full.1 - cut.1));
    let mut of_conv = sizes;
    (of_conv.1[0][0], of_conv.1[1][0]) = side;
    let (ys, ws) = (flat(&y)?, flat(&weight)?);
    let mut xs = vec![0.; batch * groups * ci * side.0 * side.1];
    each_term(of_conv, output, |at_y, at_x, at_w| xs[at_x] += ys[at_y] * ws[at_w]);
    let expected = Tensor::from_vec(xs, (batch, groups * ci, side.0, side.1), &Device::Cpu)?;
    for which in all() {
        let x = with_implementation(which, || conv_transpose2d(&y, &weight, None, &config))?;
        assert_close(&x, &expected, 1e-12)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn convolution_equals_its_definition(sizes in sizes()) {
        compare_conv(sizes).unwrap();
    }

    #[test]
    fn transposed_convolution_equals_its_definition(
        sizes in sizes(), extra in (0..3usize, 0..3usize)
    ) {
        compare_transpose(sizes, extra).unwrap();
    }
}
