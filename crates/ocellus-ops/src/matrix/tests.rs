use ocellus_testing::with_threads;

use super::*;
use crate::conv::Epilogue;

/// Numbers of many sizes, either sign.
fn values(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let number = |n: u32| (n as f32 / u32::MAX as f32 - 0.5) * f32::from(n as u8 % 7);
    (0..count).map(|_| number(next())).collect()
}

fn value(f: &Factor, image: usize, line: usize, term: usize) -> f64 {
    f64::from(f.values[image * f.image_step + line * f.steps.0 + term * f.steps.1])
}

/// The largest error of the product divided by the sum of the terms' sizes; none without a unit.
fn error_of(a: &Factor, b: &Factor, epilogue: Epilogue<f32>) -> f64 {
    let Some(y) = product(a, b, epilogue.into()) else { return 0. };
    let summed = b.stack == Images::AlongDepth;
    let mut worst = 0f64;
    for (n, &y) in y.iter().enumerate() {
        let (image, row, column) = (n / b.lines / a.lines, n / b.lines % a.lines, n % b.lines);
        let images = if summed { 0..b.images } else { image..image + 1 };
        let (mut sum, mut size) = (0., f64::MIN_POSITIVE);
        for image in images {
            for term in 0..b.depth {
                let left = value(a, if summed { image } else { 0 }, row, term);
                let right = value(b, image, column, term);
                sum += left * right;
                size += (left * right).abs();
            }
        }
        sum += epilogue.bias.map_or(0., |bias| f64::from(bias[row]));
        sum += epilogue.residual.map_or(0., |residual| f64::from(residual[n]));
        let expected = if epilogue.relu { sum.max(0.) } else { sum };
        worst = worst.max((f64::from(y) - expected).abs() / size);
    }
    worst
}

const SIZES: [(usize, usize, usize, usize); 6] = [
    (1, 1, 1, 1),
    (32, 32, 32, 2),
    (33, 65, 31, 3),
    (17, 47, 200, 1),
    (300, 270, 129, 1),
    (5, 40, 4200, 1),
];

#[test]
fn products_equal_sums_in_f64_whatever_lies_side_by_side() {
    for (rows, columns, depth, images) in SIZES {
        let (left, right) = (values(rows * depth, 1), values(images * columns * depth, 2));
        for across in [(false, false), (false, true), (true, false), (true, true)] {
            let a = Factor::matrix(&left, rows, depth, across.0);
            let b = Factor {
                images,
                image_step: columns * depth,
                ..Factor::matrix(&right, columns, depth, across.1)
            };
            let error = error_of(&a, &b, Epilogue::of(None));
            assert!(error < 3e-7, "{rows} × {columns} × {depth} {across:?}: {error}");
        }
    }
}

#[test]
fn images_along_the_depth_are_added_up() {
    for (rows, columns, depth, images) in SIZES {
        let (left, right) = (values(images * rows * depth, 3), values(images * columns * depth, 4));
        let stacked = |values, lines| Factor {
            images,
            image_step: lines * depth,
            stack: Images::AlongDepth,
            ..Factor::matrix(values, lines, depth, false)
        };
        let error = error_of(&stacked(&left, rows), &stacked(&right, columns), Epilogue::of(None));
        assert!(error < 3e-7, "{rows} × {columns} × {depth} × {images}: {error}");
    }
}

#[test]
fn bias_residual_and_relu_come_last() {
    for (rows, columns, depth, images) in SIZES {
        let (left, right) = (values(rows * depth, 5), values(images * columns * depth, 6));
        let (bias, residual) = (values(rows, 7), values(images * rows * columns, 8));
        let a = Factor::matrix(&left, rows, depth, false);
        let image_step = columns * depth;
        let b = Factor { images, image_step, ..Factor::matrix(&right, columns, depth, true) };
        let (bias, residual) = (Some(&bias[..]), Some(&residual[..]));
        let error = error_of(&a, &b, Epilogue { bias, residual, relu: true });
        assert!(error < 1e-6, "{rows} × {columns} × {depth}: {error}");
    }
}

#[test]
fn a_product_has_the_same_bits_at_any_number_of_threads_and_beside_any_other() {
    let (rows, columns, depth, images) = (300, 290, 150, 3);
    let (left, right) = (values(rows * depth, 9), values(images * columns * depth, 10));
    let a = Factor::matrix(&left, rows, depth, false);
    let image_step = columns * depth;
    let b = Factor { images, image_step, ..Factor::matrix(&right, columns, depth, true) };
    let run = |b: &Factor| -> Vec<u32> {
        let y = product(&a, b, Epilogue::of(None).into()).unwrap_or_default();
        y.into_iter().map(f32::to_bits).collect()
    };
    let one = with_threads(1, || run(&b));
    assert!(with_threads(2, || run(&b)) == one && with_threads(5, || run(&b)) == one);
    let last = Factor { values: &right[2 * image_step..], images: 1, ..b };
    assert!(one.ends_with(&run(&last)));
}

#[test]
fn extremes_stay_in_their_row() {
    let (lines, depth) = (40, 70);
    let mut left = vec![1f32; lines * depth];
    left[3 * depth + 5] = f32::NAN;
    left[7 * depth + 69] = f32::INFINITY;
    left[9 * depth] = f32::MAX;
    let right = vec![1f32; lines * depth];
    for across in [false, true] {
        let b = Factor::matrix(&right, lines, depth, across);
        let a = Factor::matrix(&left, lines, depth, false);
        let Some(y) = product(&a, &b, Epilogue::of(None).into()) else { return };
        for (n, &y) in y.iter().enumerate() {
            match n / lines {
                3 => assert!(y.is_nan()),
                7 => assert!(!y.is_finite()),
                9 => assert_eq!(y, f32::MAX),
                _ => assert_eq!(y, depth as f32),
            }
        }
    }
}

#[test]
fn sums_are_added_to_the_first_lines_of_images_and_gated() {
    let (rows, columns, depth, images) = (37, 70, 4200, 2);
    let (left, right) = (values(rows * depth, 11), values(images * columns * depth, 12));
    let a = Factor::matrix(&left, rows, depth, true);
    let image_step = columns * depth;
    let b = Factor { images, image_step, ..Factor::matrix(&right, columns, depth, true) };
    let Some(plain) = product(&a, &b, Epilogue::of(None).into()) else { return };
    let planes = rows + 2;
    let before = values(images * planes * columns, 13);
    let mut after = before.clone();
    assert!(add_product(&a, &b, &mut after, planes * columns));
    for (n, (after, before)) in after.iter().zip(&before).enumerate() {
        let (image, row, column) = (n / columns / planes, n / columns % planes, n % columns);
        if row < rows {
            let expected = before + plain[(image * rows + row) * columns + column];
            assert!((after - expected).abs() < 1e-3, "{after} {expected}");
        } else {
            assert_eq!(after, before);
        }
    }
    let gate = values(plain.len(), 14);
    let ending = Ending { epilogue: Epilogue::of(None), gate: Some(&gate) };
    let gated = product(&a, &b, ending).unwrap_or_default();
    for ((gated, &plain), &gate) in gated.iter().zip(&plain).zip(&gate) {
        assert_eq!(*gated, if gate > 0. { plain } else { 0. });
    }
}
