//! Laws that every loss obeys: finite anywhere, never negative, gradients equal finite differences.

use candle_core::{DType, Device, Result, Tensor, Var};
use ocellus_losses::{BinaryCrossEntropy, CrossEntropy, LogCosh, Loss, MeanSquared, ce_log_cosh};
use ocellus_testing::{check_gradients, fill};
use proptest::prelude::*;

fn all() -> Vec<(&'static str, Box<dyn Loss>)> {
    vec![
        ("cross-entropy", Box::new(CrossEntropy::default())),
        ("smoothed", Box::new(CrossEntropy::default().with_label_smoothing(0.1))),
        ("binary cross-entropy", Box::new(BinaryCrossEntropy::default())),
        ("log-cosh softmax", Box::new(LogCosh::softmax())),
        ("log-cosh softmax sum", Box::new(LogCosh::softmax().class_sum())),
        ("log-cosh sigmoid", Box::new(LogCosh::sigmoid())),
        ("mean squared softmax", Box::new(MeanSquared::softmax())),
        ("mean squared sigmoid sum", Box::new(MeanSquared::sigmoid().class_sum())),
        ("ensemble", Box::new(ce_log_cosh(0.3, 0.7))),
    ]
}

#[test]
fn gradients_equal_finite_differences() -> Result<()> {
    let indices = Tensor::new(&[2u32, 0, 1], &Device::Cpu)?;
    let logits = [(fill((3, 4), 0.2, DType::F64)? * 3.)?];
    let probabilities = ocellus_ops::softmax(&fill((3, 4), 0.9, DType::F64)?, 1)?;
    for (_, loss) in all() {
        for target in [&indices, &probabilities] {
            check_gradients(|x| loss.forward(&x[0], target), &logits, 1e-7)?;
        }
    }
    let values = [fill((3, 4), 0.2, DType::F64)?];
    for loss in [Box::new(LogCosh::identity()) as Box<dyn Loss>, Box::new(MeanSquared::identity())]
    {
        check_gradients(|x| loss.forward(&x[0], &probabilities), &values, 1e-7)?;
    }
    Ok(())
}

#[test]
fn a_target_of_indices_equals_its_probabilities() -> Result<()> {
    let logits = fill((2, 3), 0.4, DType::F64)?;
    let indices = Tensor::new(&[2u32, 0], &Device::Cpu)?;
    let probabilities = Tensor::new(&[[0f64, 0., 1.], [1., 0., 0.]], &Device::Cpu)?;
    for (name, loss) in all() {
        let a = loss.forward(&logits, &indices)?.to_scalar::<f64>()?;
        let b = loss.forward(&logits, &probabilities)?.to_scalar::<f64>()?;
        assert!((a - b).abs() < 1e-14, "{name}: {a} and {b}");
    }
    Ok(())
}

#[test]
fn softmax_of_two_classes_equals_one_sigmoid() -> Result<()> {
    let difference = (fill((4, 1), 0.7, DType::F64)? * 5.)?;
    let pair = Tensor::cat(&[&difference.zeros_like()?, &difference], 1)?;
    let target = Tensor::new(&[1u32, 0, 0, 1], &Device::Cpu)?;
    let softmax = ce_log_cosh(0.5, 0.5).forward(&pair, &target)?.to_scalar::<f64>()?;
    let sigmoid = (BinaryCrossEntropy::default().weighted(0.5), LogCosh::sigmoid().weighted(0.5));
    let sigmoid = sigmoid.forward(&difference, &target)?.to_scalar::<f64>()?;
    assert!((softmax - sigmoid).abs() < 1e-14, "{softmax} and {sigmoid}");
    Ok(())
}

#[test]
fn rejects_a_softmax_over_one_class() -> Result<()> {
    let logits = fill((2, 1), 0., DType::F32)?;
    let target = Tensor::new(&[0u32, 0], &Device::Cpu)?;
    let error = LogCosh::softmax().forward(&logits, &target).unwrap_err().to_string();
    assert!(error.contains("two or more classes, got [2, 1]"), "{error}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn is_finite_and_never_negative(
        logits in prop::collection::vec(-1e4f32..1e4, 6),
        extreme in prop::collection::vec(prop::sample::select(vec![-1e4f32, 0., 1e4]), 6),
        target in prop::collection::vec(0u32..3, 2),
    ) {
        for values in [logits, extreme] {
            let logits = Var::from_vec(values, (2, 3), &Device::Cpu).unwrap();
            let target = Tensor::from_slice(&target, 2, &Device::Cpu).unwrap();
            for (name, loss) in all() {
                let loss = loss.forward(logits.as_tensor(), &target).unwrap();
                let value = loss.to_scalar::<f32>().unwrap();
                prop_assert!(value >= -1e-6 && value.is_finite(), "{name}: {value}");
                let grads = loss.backward().unwrap();
                let gradient = grads.get(logits.as_tensor()).unwrap();
                let sum = gradient.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
                prop_assert!(sum.is_finite(), "{name}: gradient {gradient}");
            }
        }
    }
}
