use candle_core::{DType, Device, Result, Tensor};
use ocellus_testing::{Golden, assert_close, fill, ramp};

use super::max_pool2d;
use crate::simd::with_each_isa;
use crate::testing::{check_both, check_golden, gradients, with_both};
use crate::{Implementation, MaxPool2dConfig, with_implementation};

fn ones(x: &Tensor, config: &MaxPool2dConfig) -> Result<(Vec<f32>, Vec<f32>)> {
    let shape = max_pool2d(x, config)?.shape().clone();
    let weights = Tensor::ones(shape, DType::F32, &Device::Cpu)?;
    let (y, dx) = gradients(|x| max_pool2d(&x[0], config), &[x], &weights)?;
    Ok((y.flatten_all()?.to_vec1()?, dx[0].flatten_all()?.to_vec1()?))
}

#[test]
fn passes_the_suite() -> Result<()> {
    let new = MaxPool2dConfig::new;
    let cases = [
        (new(2), (2, 3, 6, 4)),
        (new(2), (1, 2, 5, 7)),
        (new(2).with_ceil_mode(true), (1, 2, 5, 7)),
        (new(3).with_stride((2, 2)).with_padding((1, 1)), (2, 2, 7, 8)),
        (new(3).with_stride((2, 1)).with_padding((1, 0)).with_ceil_mode(true), (1, 2, 8, 5)),
        (new(3).with_stride((1, 1)).with_dilation((2, 3)).with_padding((1, 1)), (1, 1, 7, 9)),
        (new(2).with_kernel((1, 4)).with_stride((3, 2)), (1, 2, 4, 9)),
    ];
    for (config, shape) in cases {
        check_both(|x| max_pool2d(&x[0], &config), &[fill(shape, 0.1, DType::F64)?])?;
    }
    Ok(())
}

#[test]
fn matches_pytorch() -> Result<()> {
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "pool")?;
    let new = MaxPool2dConfig::new;
    let cases = [
        ("max_2", new(2)),
        ("max_2_ceil", new(2).with_ceil_mode(true)),
        ("max_resnet", new(3).with_stride((2, 2)).with_padding((1, 1))),
        ("max_ceil_pad", new(2).with_stride((3, 2)).with_padding((1, 1)).with_ceil_mode(true)),
        ("max_dilated", new(3).with_stride((2, 1)).with_dilation((2, 3)).with_padding((1, 1))),
        ("max_ties", new(3).with_stride((1, 1)).with_padding((1, 1))),
    ];
    for (case, config) in cases {
        check_golden(&golden, case, &["x"], 1e-6, |x| max_pool2d(&x[0], &config))?;
    }
    Ok(())
}

#[test]
fn a_unique_maximum_gets_gradient_one() -> Result<()> {
    with_both(|| {
        let x = ramp((1, 1, 4, 6), 0., 1., DType::F32)?;
        let (_, dx) = ones(&x, &MaxPool2dConfig::new(2))?;
        let hits: Vec<usize> = (0..24).filter(|&i| dx[i] != 0.).collect();
        assert_eq!(hits, [7, 9, 11, 19, 21, 23]);
        assert!(hits.iter().all(|&i| dx[i] == 1.), "{dx:?}");
        Ok(())
    })
}

#[test]
fn the_maximum_of_overlapping_windows_gets_their_sum() -> Result<()> {
    with_both(|| {
        let mut values = [0f32; 25];
        values[12] = 1.;
        let x = Tensor::new(&values, &Device::Cpu)?.reshape((1, 1, 5, 5))?;
        let (y, dx) = ones(&x, &MaxPool2dConfig::new(3).with_stride((1, 1)))?;
        assert_eq!(y, [1f32; 9]);
        assert_eq!(dx, values.map(|v| 9. * v));
        Ok(())
    })
}

#[test]
fn the_first_of_equal_maxima_gets_the_gradient() -> Result<()> {
    with_both(|| {
        let x = Tensor::ones((1, 1, 2, 4), DType::F32, &Device::Cpu)?;
        let (_, dx) = ones(&x, &MaxPool2dConfig::new(2))?;
        assert_eq!(dx, [1., 0., 1., 0., 0., 0., 0., 0.]);
        // The maximum 5 stands right of the first row and left of the second.
        let x = Tensor::new(&[0f32, 5., 5., 0.], &Device::Cpu)?.reshape((1, 1, 2, 2))?;
        assert_eq!(ones(&x, &MaxPool2dConfig::new(2))?.1, [0., 1., 0., 0.]);
        let x = Tensor::full(f32::NEG_INFINITY, (1, 1, 2, 2), &Device::Cpu)?;
        let config = MaxPool2dConfig::new(2).with_padding((1, 1));
        assert_eq!(ones(&x, &config)?.1, [1.; 4]);
        Ok(())
    })
}

#[test]
fn a_nan_wins() -> Result<()> {
    with_both(|| {
        let x = Tensor::new(&[3f32, f32::NAN, 7., 1., 2., 9., 4., 5.], &Device::Cpu)?;
        let (y, dx) = ones(&x.reshape((1, 1, 2, 4))?, &MaxPool2dConfig::new(2))?;
        assert!(y[0].is_nan() && y[1] == 7., "{y:?}");
        assert_eq!(dx, [0., 1., 1., 0., 0., 0., 0., 0.]);
        Ok(())
    })
}

#[test]
fn untracked_and_tracked_inputs_give_the_same() -> Result<()> {
    let x = fill((2, 3, 9, 11), 0.7, DType::F32)?;
    let config = MaxPool2dConfig::new(3).with_stride((2, 2)).with_padding((1, 1));
    let tracked = max_pool2d(candle_core::Var::from_tensor(&x)?.as_tensor(), &config)?;
    assert_close(&max_pool2d(&x, &config)?, &tracked, 0.)
}

#[test]
fn rejects_what_makes_no_output() -> Result<()> {
    let x = Tensor::zeros((1, 1, 4, 4), DType::F32, &Device::Cpu)?;
    let new = MaxPool2dConfig::new;
    let cases = [
        (&x.squeeze(0)?, new(2), "takes (batch, channels, height, width)"),
        (&x, new(5), "height 4 with padding 0 is too small for a window of 5"),
        (&x, new(2).with_padding((0, 2)), "padding 2 of the width is more than half"),
        (&x, new(0), "none may be 0"),
        (&x.to_dtype(DType::U8)?, new(2), "max_pool2d takes f32"),
    ];
    for (x, config, expected) in cases {
        let message = max_pool2d(x, &config).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let empty = Tensor::zeros((0, 3, 4, 4), DType::F32, &Device::Cpu)?;
    assert_eq!(max_pool2d(&empty, &new(2))?.dims(), [0, 3, 2, 2]);
    Ok(())
}

/// Small integers, so that many are equal, and a few NaN.
fn ties((height, width): (usize, usize)) -> Result<Tensor> {
    let value = |i: usize| if i * i % 37 == 9 { f32::NAN } else { (i * i * 7 % 11) as f32 };
    let values: Vec<f32> = (0..2 * height * width).map(value).collect();
    Tensor::from_vec(values, (1, 2, height, width), &Device::Cpu)
}

#[test]
fn vectors_find_what_the_composition_finds() -> Result<()> {
    let bits = |x: Vec<f32>| x.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    let new = MaxPool2dConfig::new;
    let stride = |kernel| new(kernel).with_stride((2, 2));
    let configs = [
        new(2),
        stride(2).with_padding((1, 1)).with_ceil_mode(true),
        stride(3),
        stride(3).with_padding((1, 1)),
        stride(3).with_padding((1, 1)).with_ceil_mode(true),
        new(3).with_kernel((2, 3)).with_stride((1, 2)),
        stride(3).with_dilation((2, 1)),
    ];
    for size in [(5, 5), (6, 6), (7, 33), (8, 71), (9, 136)] {
        let x = ties(size)?;
        for config in &configs {
            let (y, dx) = with_implementation(Implementation::Composed, || ones(&x, config))?;
            with_each_isa(|isa| {
                let (found_y, found_dx) = ones(&x, config).unwrap();
                assert_eq!(bits(found_y), bits(y.clone()), "{isa:?}, {config:?} of {size:?}");
                assert_eq!(found_dx, dx, "{isa:?}, {config:?} of {size:?}");
            });
        }
    }
    Ok(())
}

#[test]
fn windows_of_more_elements_than_a_byte_counts() -> Result<()> {
    with_both(|| {
        let mut values = vec![0f32; 2 * 20 * 30];
        (values[577], values[600 + 13]) = (1., 2.);
        let x = Tensor::from_vec(values.clone(), (1, 2, 20, 30), &Device::Cpu)?;
        let (y, dx) = ones(&x, &MaxPool2dConfig::new(20).with_kernel((20, 30)))?;
        assert_eq!(y, [1., 2.]);
        assert_eq!(dx, values.iter().map(|v| v.min(1.)).collect::<Vec<_>>());
        Ok(())
    })
}
