//! Laws that the segmentation losses obey with every setting: gradients equal finite differences,
//! finite anywhere, nothing depends on the kind of integer, on views or on threads.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use candle_core::{DType, Device, Result, Tensor, Var};
use ocellus_losses::{
    AbsentClasses, CrossEntropy, Dice, Focal, Jaccard, Loss, LovaszHinge, LovaszSoftmax, Tversky,
};
use ocellus_ops::{Implementation, with_implementation};
use ocellus_testing::{assert_close, check_gradients, fill, with_threads};
use proptest::prelude::*;

type Boxed = Box<dyn Loss + Send + Sync>;

const VOID: i64 = 255;

fn weights() -> Tensor {
    Tensor::new(&[0.5f64, 2., 1.], &Device::Cpu).unwrap()
}

/// Losses of logits of three classes.
fn of_classes() -> Vec<(&'static str, Boxed)> {
    let dice = || Dice::softmax().with_ignore_index(VOID);
    let tversky = || Tversky::softmax().with_ignore_index(VOID).with_alpha(0.3).with_beta(0.7);
    let lovasz = || LovaszSoftmax::default().with_ignore_index(VOID);
    let focal = || Focal::softmax().with_ignore_index(VOID);
    let ce = || CrossEntropy::default().with_ignore_index(VOID);
    vec![
        ("dice", Box::new(dice())),
        ("dice, smooth", Box::new(dice().with_smooth(1.).with_eps(1e-3))),
        ("dice, images", Box::new(dice().per_image().with_class_weights(weights()))),
        ("dice, log", Box::new(dice().with_log().with_absent_classes(AbsentClasses::LeftOut))),
        ("dice, counted", Box::new(dice().with_absent_classes(AbsentClasses::Counted))),
        (
            "dice, log, counted",
            Box::new(
                dice()
                    .with_log()
                    .per_image()
                    .with_smooth(0.1)
                    .with_absent_classes(AbsentClasses::Counted),
            ),
        ),
        ("dice, sigmoid", Box::new(Dice::sigmoid().with_ignore_index(VOID).per_image())),
        ("jaccard", Box::new(Jaccard::softmax().with_ignore_index(VOID))),
        ("jaccard, sigmoid", Box::new(Jaccard::sigmoid().with_ignore_index(VOID).with_log())),
        ("tversky", Box::new(tversky())),
        ("focal tversky", Box::new(tversky().with_gamma(0.75).per_image())),
        ("steep tversky", Box::new(tversky().with_gamma(2.).with_class_weights(weights()))),
        ("focal", Box::new(focal())),
        ("focal, weights", Box::new(focal().with_gamma(0.5).with_class_weights(weights()))),
        ("focal, sigmoid", Box::new(Focal::sigmoid().with_ignore_index(VOID).with_alpha(0.25))),
        (
            "focal, sigmoid, weights",
            Box::new(
                Focal::sigmoid()
                    .with_gamma(3.5)
                    .with_ignore_index(VOID)
                    .with_class_weights(weights()),
            ),
        ),
        ("lovász", Box::new(lovasz())),
        ("lovász, images", Box::new(lovasz().per_image().with_class_weights(weights()))),
        ("lovász, all", Box::new(lovasz().with_absent_classes(AbsentClasses::Counted))),
        ("lovász, free", Box::new(lovasz().per_image().with_absent_classes(AbsentClasses::Free))),
        ("ce, weights", Box::new(ce().with_class_weights(weights()))),
        ("ce + dice", Box::new((ce().weighted(0.5), dice().weighted(0.5)))),
    ]
}

/// Losses of single logits.
fn of_one() -> Vec<(&'static str, Boxed)> {
    let dice = || Dice::sigmoid().with_ignore_index(VOID);
    let tversky = || Tversky::sigmoid().with_ignore_index(VOID).with_alpha(0.3).with_beta(0.7);
    let hinge = || LovaszHinge::default().with_ignore_index(VOID);
    vec![
        ("dice", Box::new(dice())),
        ("dice, images", Box::new(dice().per_image().with_smooth(1.))),
        ("jaccard", Box::new(Jaccard::sigmoid().with_ignore_index(VOID).with_log())),
        ("focal tversky", Box::new(tversky().with_gamma(0.75))),
        ("focal", Box::new(Focal::sigmoid().with_ignore_index(VOID).with_alpha(0.25))),
        ("hinge", Box::new(hinge())),
        ("hinge, images", Box::new(hinge().per_image())),
    ]
}

/// Logits `(batch, classes, height, width)` and class indices without the classes.
fn case(classes: usize) -> Result<(Tensor, Tensor)> {
    let logits = (fill((2, classes, 2, 3), 0.2, DType::F64)? * 2.)?;
    // Class 2 is missing in the first image.
    let target =
        Tensor::new(&[[[1u32, 0, 255], [0, 1, 1]], [[2, 0, 1], [255, 2, 1]]], &Device::Cpu)?;
    if classes == 1 {
        let yes = target.eq(2u32)?.where_cond(&target.ones_like()?, &target)?;
        return Ok((logits, yes));
    }
    Ok((logits, target))
}

fn both() -> Result<Vec<(&'static str, Boxed, Tensor, Tensor)>> {
    let with = |losses: Vec<(&'static str, Boxed)>, classes| -> Result<Vec<_>> {
        let (logits, target) = case(classes)?;
        Ok(losses.into_iter().map(|(n, l)| (n, l, logits.clone(), target.clone())).collect())
    };
    let mut all = with(of_classes(), 3)?;
    all.extend(with(of_one(), 1)?);
    Ok(all)
}

#[test]
fn gradients_equal_finite_differences_with_every_setting() -> Result<()> {
    for implementation in [Implementation::Kernel, Implementation::Composed] {
        with_implementation(implementation, || -> Result<()> {
            for (_, loss, logits, target) in both()? {
                check_gradients(|x| loss.forward(&x[0], &target), &[logits], 1e-7)?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn gradients_by_logits_are_right_for_soft_targets_too() -> Result<()> {
    let logits = [(fill((2, 3, 4), 0.2, DType::F64)? * 2.)?];
    let soft = ocellus_ops::softmax(&fill((2, 3, 4), 0.9, DType::F64)?, 1)?;
    let losses: Vec<Boxed> = vec![
        Box::new(Dice::softmax()),
        Box::new(Dice::sigmoid().per_image()),
        Box::new(Jaccard::softmax().with_log()),
        Box::new(Tversky::softmax().with_alpha(0.3).with_gamma(0.75)),
        Box::new(Focal::softmax().with_class_weights(weights())),
        Box::new(Focal::sigmoid().with_alpha(0.25)),
    ];
    for loss in losses {
        check_gradients(|x| loss.forward(&x[0], &soft), &logits, 1e-7)?;
    }
    Ok(())
}

#[test]
fn integers_views_and_half_precision_give_the_same() -> Result<()> {
    for (name, loss, logits, target) in both()? {
        let expected = loss.forward(&logits, &target)?;
        let check = |logits: &Tensor, target: &Tensor, tolerance| -> Result<()> {
            let value = loss.forward(logits, target)?;
            assert_eq!(value.dtype(), logits.dtype(), "{name}");
            assert_close(&value, &expected, tolerance)
        };
        for dtype in [DType::U8, DType::I64] {
            check(&logits, &target.to_dtype(dtype)?, 0.)?;
        }
        let view = logits.transpose(2, 3)?.contiguous()?.transpose(2, 3)?;
        check(&view, &target, 1e-14)?;
        check(&logits.to_dtype(DType::F32)?, &target, 1e-5)?;
        check(&logits.to_dtype(DType::BF16)?, &target, 3e-2)?;
    }
    Ok(())
}

#[test]
fn threads_do_not_change_a_bit() -> Result<()> {
    let logits = fill((2, 3, 120, 90), 0.3, DType::F32)?;
    let target: Vec<u8> = (0..2 * 120 * 90).map(|i| [0, 1, 2, 1, 255][i * 7 % 11 % 5]).collect();
    let target = Tensor::from_vec(target, (2, 120, 90), &Device::Cpu)?;
    for (name, loss) in of_classes() {
        let run = |threads| {
            with_threads(threads, || -> Result<_> {
                let logits = Var::from_tensor(&logits)?;
                let value = loss.forward(&logits, &target)?;
                let gradient = value.backward()?.get(&logits).unwrap().flatten_all()?;
                let bits = gradient.to_vec1::<f32>()?.into_iter().map(f32::to_bits);
                Ok((value.to_scalar::<f32>()?.to_bits(), bits.collect::<Vec<_>>()))
            })
        };
        let one = run(1)?;
        assert!(run(2)? == one && run(5)? == one, "{name} depends on the number of threads");
    }
    Ok(())
}

#[test]
fn nothing_but_ignored_pixels_is_an_error() -> Result<()> {
    for (name, loss, logits, target) in both()? {
        let void = target.ones_like()?.affine(VOID as f64, 0.)?;
        let error = loss.forward(&logits, &void).unwrap_err().to_string();
        assert!(error.contains("skip such a batch"), "{name}: {error}");
    }
    Ok(())
}

#[test]
fn a_perfect_prediction_costs_nothing() -> Result<()> {
    for (name, loss, logits, target) in both()? {
        let classes = logits.dim(1)?;
        let right = |class: u32| -> Result<Tensor> {
            let class = if classes == 1 { 1 } else { class };
            target.eq(class)?.to_dtype(DType::F64)?.affine(2e4, -1e4)?.unsqueeze(1)
        };
        let planes = (0..classes as u32).map(right).collect::<Result<Vec<_>>>()?;
        let logits = Var::from_tensor(&Tensor::cat(&planes, 1)?)?;
        let value = loss.forward(&logits, &target)?;
        // Where an absent class counts, its ratio of nothing to nothing is 0.
        if !name.contains("counted") {
            assert!(value.to_scalar::<f64>()?.abs() < 1e-12, "{name}: {value}");
        }
        let gradient = value.backward()?.get(&logits).unwrap().flatten_all()?;
        assert!(gradient.to_vec1::<f64>()?.iter().all(|g| g.is_finite()), "{name}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn is_finite_and_never_negative(
        logits in prop::collection::vec(-1e4f32..1e4, 36),
        extreme in prop::collection::vec(prop::sample::select(vec![-1e4f32, 0., 1e4]), 36),
        target in prop::collection::vec(prop::sample::select(vec![0u32, 1, 2, 255]), 11),
    ) {
        for values in [logits, extreme] {
            for (losses, classes) in [(of_classes(), 3), (of_one(), 1)] {
                let values = values[..12 * classes].to_vec();
                let logits = Var::from_vec(values, (2, classes, 2, 3), &Device::Cpu).unwrap();
                // One pixel that is not ignored, at least.
                let small = |&t: &u32| if classes == 1 && t == 2 { 0 } else { t };
                let target = target.iter().map(small).chain([1]).collect::<Vec<_>>();
                let target = Tensor::from_vec(target, (2, 2, 3), &Device::Cpu).unwrap();
                for (name, loss) in losses {
                    let loss = loss.forward(logits.as_tensor(), &target).unwrap();
                    let value = loss.to_scalar::<f32>().unwrap();
                    prop_assert!(value >= -1e-6 && value.is_finite(), "{}: {}", name, value);
                    let grads = loss.backward().unwrap();
                    let gradient = grads.get(logits.as_tensor()).unwrap();
                    let sum = gradient.abs().unwrap().sum_all().unwrap().to_scalar::<f32>();
                    prop_assert!(sum.unwrap().is_finite(), "{name}: gradient {gradient}");
                }
            }
        }
    }
}
