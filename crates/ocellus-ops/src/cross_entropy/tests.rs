use candle_core::{DType, Device, Result, Tensor, Var};
use ocellus_testing::{Golden, assert_close, fill};
use proptest::prelude::*;

use super::{CrossEntropyConfig, cross_entropy};
use crate::testing::{check_both, check_golden, with_both};
use crate::{Reduction, with_implementation};

const REDUCTIONS: [(&str, Reduction); 3] =
    [("mean", Reduction::Mean), ("sum", Reduction::Sum), ("none", Reduction::None)];

fn config() -> CrossEntropyConfig {
    CrossEntropyConfig::default()
}

#[test]
fn indices_pass_the_suite_along_any_axis() -> Result<()> {
    let x = (fill((3, 4, 5), 0.3, DType::F64)? * 3.)?;
    let weights = Tensor::new(&[0.5, 2., 1., 3., 0.1], &Device::Cpu)?;
    for dim in 0..3 {
        let mut shape = x.dims().to_vec();
        let classes = shape.remove(dim);
        let count: usize = shape.iter().product();
        let indices: Vec<i64> = (0..count).map(|i| (i * 7 % (classes + 1)) as i64 - 1).collect();
        let target = Tensor::from_vec(indices, shape, &Device::Cpu)?;
        for (_, reduction) in REDUCTIONS {
            for smoothing in [0., 0.3] {
                let config = config()
                    .with_dim(dim)
                    .with_reduction(reduction)
                    .with_label_smoothing(smoothing)
                    .with_ignore_index(-1)
                    .with_class_weights(weights.narrow(0, 0, classes)?);
                check_both(|x| cross_entropy(&x[0], &target, &config), std::slice::from_ref(&x))?;
            }
        }
    }
    Ok(())
}

#[test]
fn probabilities_and_weights_get_gradients_too() -> Result<()> {
    let x = (fill((3, 4, 2), 0.3, DType::F64)? * 3.)?;
    let target = crate::softmax(&fill((3, 4, 2), 0.7, DType::F64)?, 1)?;
    let weights = fill(4, 0.2, DType::F64)?.affine(0.5, 1.)?;
    for (_, reduction) in REDUCTIONS {
        let config = config().with_reduction(reduction).with_label_smoothing(0.2);
        let fixed = config.clone().with_class_weights(weights.clone());
        check_both(|x| cross_entropy(&x[0], &target, &fixed), std::slice::from_ref(&x))?;
        check_both(
            |x| {
                let config = config.clone().with_class_weights(x[2].clone());
                cross_entropy(&x[0], &x[1], &config)
            },
            &[x.clone(), target.clone(), weights.clone()],
        )?;
    }
    // The weights are part of the divisor of the weighted mean.
    let indices = Tensor::new(&[[0u32, 1], [3, 3], [2, 0]], &Device::Cpu)?;
    check_both(
        |x| cross_entropy(&x[0], &indices, &config().with_class_weights(x[1].clone())),
        &[x, weights],
    )
}

#[test]
fn matches_pytorch() -> Result<()> {
    let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "cross_entropy")?;
    for at in ["flat", "image"] {
        let index = golden.get(&format!("param.index_{at}"))?;
        for (reduction_name, reduction) in REDUCTIONS {
            if at == "image" && reduction == Reduction::Sum {
                continue;
            }
            for case in 0..4 {
                let (weighted, smoothed) = (case / 2, case % 2);
                let name = format!("{at}_{reduction_name}_{weighted}_{smoothed}");
                let mut config = config()
                    .with_reduction(reduction)
                    .with_label_smoothing(0.2 * f64::from(smoothed));
                if weighted == 1 {
                    config = config.with_class_weights(golden.get("param.class_weights")?.clone());
                }
                check_golden(&golden, &format!("soft_{name}"), &["x", "p"], 1e-6, |x| {
                    cross_entropy(&x[0], &x[1], &config)
                })?;
                let p = golden.get(&format!("input.soft_{name}.p"))?;
                check_golden(&golden, &format!("soft_{name}"), &["x"], 1e-6, |x| {
                    cross_entropy(&x[0], p, &config)
                })?;
                let config = config.with_ignore_index(3);
                check_golden(&golden, &format!("index_{name}"), &["x"], 1e-6, |x| {
                    cross_entropy(&x[0], index, &config)
                })?;
            }
        }
    }
    Ok(())
}

#[test]
fn every_integer_type_is_an_index() -> Result<()> {
    let x = fill((4, 3), 0.3, DType::F32)?;
    let target = Tensor::new(&[2u8, 0, 1, 2], &Device::Cpu)?;
    let expected = cross_entropy(&x, &target, &config())?;
    for dtype in [DType::U32, DType::I64] {
        assert_close(&cross_entropy(&x, &target.to_dtype(dtype)?, &config())?, &expected, 0.)?;
    }
    let half = cross_entropy(&x.to_dtype(DType::F16)?, &target, &config())?;
    assert_eq!(half.dtype(), DType::F16);
    assert_close(&half, &expected, 1e-3)
}

#[test]
fn an_ignored_position_has_no_gradient_whatever_its_logits() -> Result<()> {
    let x = Var::new(&[[0f32, 1.], [f32::NAN, f32::INFINITY]], &Device::Cpu)?;
    let target = Tensor::new(&[1u8, 255], &Device::Cpu)?;
    let loss = cross_entropy(&x, &target, &config().with_ignore_index(255))?;
    let dx = loss.backward()?.get(&x).unwrap().to_vec2::<f32>()?;
    assert!(loss.to_scalar::<f32>()?.is_finite());
    assert_eq!(dx[1], [0., 0.]);
    Ok(())
}

#[test]
fn an_excluded_class_costs_nothing() -> Result<()> {
    with_both(|| {
        let x = Tensor::new(&[[0f32, 0., f32::NEG_INFINITY]], &Device::Cpu)?;
        let expected = Tensor::new(2f32.ln(), &Device::Cpu)?;
        let index = Tensor::new(&[1u32], &Device::Cpu)?;
        assert_close(&cross_entropy(&x, &index, &config())?, &expected, 1e-6)?;
        let soft = Tensor::new(&[[0.25f32, 0.75, 0.]], &Device::Cpu)?;
        assert_close(&cross_entropy(&x, &soft, &config())?, &expected, 1e-6)
    })
}

#[test]
fn rejects_what_does_not_fit() -> Result<()> {
    let device = &Device::Cpu;
    let x = Tensor::zeros((2, 3), DType::F32, device)?;
    let good = Tensor::new(&[0u32, 2], device)?;
    let cases = [
        (&x, Tensor::new(&[0u32, 3], device)?, config(), "target 3 at position 1 is no class"),
        (&x, Tensor::new(&[-1i64, 0], device)?, config(), "target -1 at position 0 is no class"),
        (&x, Tensor::new(&[0u32], device)?, config(), "target U32 [1] fits no logits [2, 3]"),
        (&x, x.narrow(1, 0, 2)?, config(), "target F32 [2, 2] fits no logits [2, 3]"),
        (&x, good.clone(), config().with_dim(2), "[2, 3] have no dimension 2"),
        (&x, good.clone(), config().with_label_smoothing(1.5), "1.5 is not within 0 to 1"),
        (
            &x,
            good.clone(),
            config().with_class_weights(Tensor::new(&[1f32, 2.], device)?),
            "class weights [2] for 3 classes",
        ),
        (&x, x.ones_like()?, config().with_ignore_index(0), "ignore_index is for class indices"),
        (
            &x,
            Tensor::new(&[1u32, 1], device)?,
            config().with_ignore_index(1),
            "no target is left for a mean",
        ),
        (&x.to_dtype(DType::U8)?, good, config(), "cross_entropy takes f32"),
    ];
    for (x, target, config, expected) in cases {
        let message = cross_entropy(x, &target, &config).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    Ok(())
}

#[test]
fn large_tensors_give_the_same_bits_at_any_thread_count() -> Result<()> {
    for (shape, positions) in [(&[1, 3, 150, 151][..], &[1, 150, 151][..]), (&[9999, 7], &[9999])] {
        let x = fill(shape, 0.3, DType::F32)?;
        let count = positions.iter().product::<usize>() as u32;
        let target = (0..count).map(|i| i % 3).collect::<Vec<_>>();
        let target = Tensor::from_vec(target, positions, x.device())?;
        let run = |threads| {
            ocellus_testing::with_threads(threads, || {
                let x = Var::from_tensor(&x)?;
                let loss = cross_entropy(&x, &target, &config())?;
                let dx = loss.backward()?.get(&x).unwrap().flatten_all()?.to_vec1::<f32>()?;
                Ok::<_, candle_core::Error>((loss.to_scalar::<f32>()?, dx))
            })
        };
        let (one, two) = (run(1)?, run(2)?);
        assert_eq!(one, two);
        let composed = with_implementation(crate::Implementation::Composed, || run(1))?.0;
        assert!((one.0 - composed).abs() < 1e-5, "{} {composed}", one.0);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn is_finite_and_not_negative(x in prop::collection::vec(-1e4f32..1e4, 3), t in 0u32..3, e in 0f64..=1.) {
        with_both(|| {
            let x = Var::from_tensor(&Tensor::new(x.as_slice(), &Device::Cpu)?.unsqueeze(0)?)?;
            let target = Tensor::new(&[t], &Device::Cpu)?;
            let loss = cross_entropy(&x, &target, &config().with_label_smoothing(e))?;
            let value = loss.to_scalar::<f32>()?;
            assert!((0. ..=2e4).contains(&value), "{value}");
            let dx = loss.backward()?.get(&x).unwrap().flatten_all()?.to_vec1::<f32>()?;
            assert!(dx.iter().all(|g| g.is_finite()), "{dx:?}");
            Ok(())
        }).unwrap();
    }

    #[test]
    fn an_index_is_a_one_hot_distribution(x in prop::collection::vec(-9f64..9., 12), e in 0f64..=1.) {
        let x = Tensor::new(x.as_slice(), &Device::Cpu).unwrap().reshape((4, 3)).unwrap();
        let index = Tensor::new(&[2u32, 0, 1, 0], &Device::Cpu).unwrap();
        let soft = Tensor::new(&[[0., 0., 1.], [1., 0., 0.], [0., 1., 0.], [1., 0., 0.]], &Device::Cpu);
        let config = config().with_label_smoothing(e).with_reduction(Reduction::None);
        let expected = cross_entropy(&x, &soft.unwrap(), &config).unwrap();
        assert_close(&cross_entropy(&x, &index, &config).unwrap(), &expected, 1e-12).unwrap();
    }
}
