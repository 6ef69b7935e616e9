//! The emulated kernels beside those of the processor: for half types, which the suites of the
//! operations leave out, with wide indices, and at sizes of several blocks.

use candle_core::{DType, Device, Result, Tensor, Var};
use ocellus_testing::fill;

use super::{emulator, source};
use crate::*;

type Operation = Box<dyn Fn(&[Tensor]) -> Result<Tensor>>;

/// An operation, and the shapes of its arguments.
struct Case(&'static str, Vec<Vec<usize>>, Operation);

fn case(
    name: &'static str,
    shapes: &[&[usize]],
    f: impl Fn(&[Tensor]) -> Result<Tensor> + 'static,
) -> Case {
    Case(name, shapes.iter().map(|shape| shape.to_vec()).collect(), Box::new(f))
}

/// Every third position has no class.
fn classes(shape: &[usize], count: usize, device: &Device) -> Result<Tensor> {
    let values = (0..shape.iter().product::<usize>()).map(|i| (i % (count + 1)) as i64 - 1);
    Tensor::from_vec(values.collect::<Vec<_>>(), shape, device)
}

fn elementwise() -> Vec<Case> {
    let x: &[usize] = &[3, 5, 401];
    vec![
        case("relu", &[x], |x| relu(&x[0])),
        case("sigmoid", &[x], |x| sigmoid(&x[0])),
        case("dropout", &[x], |x| dropout(&x[0], 0.3, 5)),
        case("log_cosh", &[x], |x| log_cosh(&x[0])),
        case("focal", &[x], |x| focal(&x[0].abs()?, 1.5)),
        case("concat", &[x, &[3, 2, 401]], |x| concat(&x[0], &x[1], 1)),
        case("leading_channels", &[x, &[1, 2, 401]], |x| leading_channels(&x[0], 2, Some(&x[1]))),
    ]
}

fn images() -> Vec<Case> {
    let x: &[usize] = &[2, 3, 37, 29];
    let pooling = MaxPool2dConfig::new(3).with_stride((2, 2)).with_padding((1, 1));
    let large = MaxPool2dConfig::new(17).with_stride((2, 3));
    vec![
        case("max_pool2d", &[x], move |x| max_pool2d(&x[0], &pooling)),
        case("max_pool2d of many", &[x], move |x| max_pool2d(&x[0], &large)),
        case("avg_pool2d", &[x], |x| avg_pool2d(&x[0], &AvgPool2dConfig::new(3))),
        case("avg_pool2d of many", &[x], |x| avg_pool2d(&x[0], &AvgPool2dConfig::new(18))),
        case("adaptive_max_pool2d", &[x], |x| adaptive_max_pool2d(&x[0], (5, 7))),
        case("global_avg_pool2d", &[x], |x| global_avg_pool2d(&x[0])),
        case("bilinear up", &[x], |x| upsample_bilinear2d(&x[0], (74, 60), Alignment::HalfPixel)),
        case("bilinear down", &[x], |x| upsample_bilinear2d(&x[0], (9, 8), Alignment::Corners)),
        case("nearest", &[x], |x| upsample_nearest2d(&x[0], (50, 90))),
    ]
}

/// In f32 what is of half precision.
fn single(x: &Tensor) -> Result<Tensor> {
    let is_half = matches!(x.dtype(), DType::F16 | DType::BF16);
    x.to_dtype(if is_half { DType::F32 } else { x.dtype() })
}

fn norms() -> Vec<Case> {
    let (x, c): (&[usize], &[usize]) = (&[2, 3, 67, 71], &[3]);
    let stack = |y: (Tensor, BatchStatistics)| -> Result<Tensor> { Ok(y.0) };
    vec![
        case("batch_norm", &[x, c, c], move |x| {
            stack(batch_norm(&x[0], Some(&x[1]), Some(&x[2]), 1e-5)?)
        }),
        case("batch_norm_relu", &[x, x, c, c], move |x| {
            stack(batch_norm_relu(&x[0], Some(&x[1]), Some(&x[2]), Some(&x[3]), 1e-5)?)
        }),
        case("batch_norm_relu, f32 of half precision", &[x, x, c, c], move |x| {
            let (weight, bias) = (single(&x[2])?, single(&x[3])?);
            stack(batch_norm_relu(&x[0], Some(&x[1]), Some(&weight), Some(&bias), 1e-5)?)
        }),
        case("batch_norm_inference_relu", &[x, c, c], |x| {
            let (mean, var) = (x[1].detach(), x[2].detach().sqr()?);
            batch_norm_inference_relu(&x[0], None, &mean, &var, Some(&x[1]), Some(&x[2]), 1e-5)
        }),
    ]
}

fn convolutions() -> Vec<Case> {
    let config = Conv2dConfig::default().with_padding(Padding::new(0, 2, 1, 0)).with_groups(2);
    let transposed = ConvTranspose2dConfig::default().with_stride((2, 2)).with_padding(1);
    vec![
        case("conv2d_relu", &[&[2, 4, 9, 8], &[6, 2, 3, 3], &[6]], move |x| {
            conv2d_relu(&x[0], &x[1], Some(&x[2]), &config)
        }),
        case("conv_transpose2d", &[&[2, 4, 5, 6], &[4, 3, 4, 4]], move |x| {
            conv_transpose2d(&x[0], &x[1], None, &transposed)
        }),
    ]
}

fn losses() -> Vec<Case> {
    let config = CrossEntropyConfig::default;
    let long: &[usize] = &[3, 6001];
    let mut cases = vec![
        case("linear", &[&[37, 129], &[70, 129], &[70]], |x| linear(&x[0], &x[1], Some(&x[2]))),
        case("softmax", &[&[7, 300]], |x| softmax(&x[0], 1)),
        case("log_softmax", &[&[2, 5, 401]], |x| log_softmax(&x[0], 1)),
        case("binary_cross_entropy", &[long], |x| {
            let target = x[0].detach().abs()?;
            binary_cross_entropy(&x[0], &target, None, Reduction::Mean)
        }),
        case("soft_overlap", &[long], |x| {
            let target = (x[0].detach() * 2.)?.round()?;
            soft_overlap(&x[0], &target)?.shared.sum_all()
        }),
        case("lovasz", &[long], |x| {
            let place = Tensor::arange(0u32, 3 * 6001, x[0].device())?.reshape((3, 6001))?;
            // No two errors are equal in any type: their order would be another.
            let spread = place.to_dtype(DType::F64)?.affine(1e-4, 0.)?.sin()?;
            let truth = spread.ge(&spread.zeros_like()?)?.to_dtype(x[0].dtype())?;
            lovasz(&x[0], &truth)
        }),
    ];
    for (name, shape, smoothing) in
        [("cross_entropy", vec![2, 5, 401], 0.), ("cross_entropy, many classes", vec![7, 300], 0.1)]
    {
        cases.push(case(name, &[&shape.clone()], move |x| {
            let place = [&shape[..1], &shape[2..]].concat();
            let config = config().with_ignore_index(-1).with_label_smoothing(smoothing);
            cross_entropy(&x[0], &classes(&place, shape[1], x[0].device())?, &config)
        }));
    }
    cases
}

fn flows() -> Vec<Case> {
    vec![
        case("coupling", &[&[2, 6, 2500], &[2, 4, 2500], &[2, 5]], |x| {
            let config = CouplingConfig::new(1.9).with_permutation(vec![3, 0, 4, 1, 2]);
            coupling(&x[0], &x[1], &(x[2].abs()? + 0.5)?, &config)
        }),
        case("normal_log_density", &[&[2, 21, 300]], |x| normal_log_density(&x[0])),
    ]
}

/// The output, and the gradients of its products with some weights, in f64, on the processor.
fn results(Case(_, _, f): &Case, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let vars = inputs.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
    let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let y = f(&tensors)?;
    let weights = fill(y.shape().clone(), 0.5, y.dtype())?.to_device(y.device())?;
    let gradients = (&y * weights)?.to_dtype(DType::F64)?.sum_all()?.backward()?;
    let mut all = vec![y];
    all.extend(vars.iter().map(|var| gradients.get(var).expect("a gradient").clone()));
    all.iter().map(|x| x.to_device(&Device::Cpu)?.to_dtype(DType::F64)).collect()
}

/// The largest distance, relative to the largest value.
fn distance(a: &Tensor, b: &Tensor) -> Result<f64> {
    let largest = |x: &Tensor| x.abs()?.flatten_all()?.max(0)?.to_scalar::<f64>();
    Ok(largest(&(a - b)?)? / largest(b)?.max(1e-3))
}

fn inputs(case: &Case, dtype: DType) -> Result<Vec<Tensor>> {
    let shapes = case.1.iter().enumerate();
    shapes.map(|(n, shape)| fill(shape.as_slice(), 0.1 + n as f64, dtype)).collect()
}

fn check(dtype: DType, tolerance: f64) -> Result<()> {
    if !emulator::is_available() {
        return Ok(());
    }
    let all = [elementwise(), images(), norms(), convolutions(), losses(), flows()];
    for case in all.iter().flatten() {
        let inputs = inputs(case, dtype)?;
        let run = |implementation| with_implementation(implementation, || results(case, &inputs));
        let emulated = run(Implementation::Emulated)?;
        for x in &emulated {
            let values = x.flatten_all()?.to_vec1::<f64>()?;
            assert!(values.iter().all(|v| v.is_finite()), "{}, {dtype:?}: not written", case.0);
        }
        for (n, (a, b)) in emulated.iter().zip(&run(Implementation::Kernel)?).enumerate() {
            let distance = distance(a, b)?;
            assert!(distance <= tolerance, "{}, {dtype:?}, result {n}: {distance:e}", case.0);
        }
        for (a, b) in emulated.iter().zip(&run(Implementation::Emulated)?) {
            assert_eq!(distance(a, b)?, 0., "{}: a second run gives other bits", case.0);
        }
    }
    Ok(())
}

#[test]
fn f64_gives_what_the_processor_gives() -> Result<()> {
    check(DType::F64, 1e-12)
}

#[test]
fn f32_gives_what_the_processor_gives() -> Result<()> {
    check(DType::F32, 3e-5)
}

#[test]
fn f16_gives_what_the_processor_gives() -> Result<()> {
    check(DType::F16, 3e-3)
}

#[test]
fn bf16_gives_what_the_processor_gives() -> Result<()> {
    check(DType::BF16, 2e-2)
}

#[test]
fn wide_indices_give_what_the_processor_gives() -> Result<()> {
    scoped::scoped(&source::FORCE_WIDE, true, || check(DType::F64, 1e-12))
}

#[test]
#[cfg(feature = "cuda")]
fn a_gpu_gives_what_the_processor_gives() -> Result<()> {
    let Ok(device) = cuda_device(0) else {
        eprintln!("no GPU: skipped");
        return Ok(());
    };
    let all = [elementwise(), images(), norms(), convolutions(), losses(), flows()];
    let types = [(DType::F64, 1e-12), (DType::F32, 3e-5), (DType::F16, 3e-3), (DType::BF16, 2e-2)];
    for (case, (dtype, tolerance)) in
        all.iter().flatten().flat_map(|case| types.map(|accuracy| (case, accuracy)))
    {
        let inputs = inputs(case, dtype)?;
        let there = inputs.iter().map(|x| x.to_device(&device)).collect::<Result<Vec<_>>>()?;
        let found = results(case, &there)?;
        for (n, (a, b)) in found.iter().zip(&results(case, &inputs)?).enumerate() {
            let distance = distance(a, b)?;
            assert!(distance <= tolerance, "{}, {dtype:?}, result {n}: {distance:e}", case.0);
        }
        for (a, b) in found.iter().zip(&results(case, &there)?) {
            assert_eq!(distance(a, b)?, 0., "{}: a second run gives other bits", case.0);
        }
    }
    Ok(())
}
