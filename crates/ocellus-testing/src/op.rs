use candle_core::{DType, Result, Tensor, Var};

use crate::{assert_close, check_gradients, fill};

/// Runs `f` on a rayon pool of that many threads.
pub fn with_threads<T: Send>(threads: usize, f: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("a rayon pool").install(f)
}

/// The suite that every operation must pass at `inputs`:
///
/// 1. gradients equal finite differences in f64 (tolerance 1e-6);
/// 2. inputs that are transposed, narrowed or offset views give what contiguous ones give, and so
///    do their gradients;
/// 3. f32 agrees with f64 to 1e-4;
/// 4. results and gradients are the same bits on one thread and on two.
#[track_caller]
pub fn check_op(
    f: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync,
    inputs: &[Tensor],
) -> Result<()> {
    let inputs =
        inputs.iter().map(|x| x.to_dtype(DType::F64)?.contiguous()).collect::<Result<Vec<_>>>()?;
    check_gradients(&f, &inputs, 1e-6)?;
    let expected = value_and_gradients(&f, &inputs)?;
    for view in [transposed, narrowed] {
        let views = inputs.iter().map(view).collect::<Result<Vec<_>>>()?;
        for (a, e) in value_and_gradients(&f, &views)?.iter().zip(&expected) {
            assert_close(a, e, 1e-12)?;
        }
    }
    let single = inputs.iter().map(|x| x.to_dtype(DType::F32)).collect::<Result<Vec<_>>>()?;
    let one = with_threads(1, || value_and_gradients(&f, &single))?;
    let two = with_threads(2, || value_and_gradients(&f, &single))?;
    for ((a, b), e) in one.iter().zip(&two).zip(&expected) {
        assert_close(a, e, 1e-4)?;
        assert_eq!(bits(a)?, bits(b)?, "one thread and two give different bits");
    }
    Ok(())
}

/// The output, then the gradient of each input of `Σ weights · output`.
fn value_and_gradients(
    f: &impl Fn(&[Tensor]) -> Result<Tensor>,
    inputs: &[Tensor],
) -> Result<Vec<Tensor>> {
    let vars = inputs.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
    // A view of the variable, laid out as the input was: `x · 1` would make it contiguous.
    let tracked = vars
        .iter()
        .zip(inputs)
        .map(|(var, x)| relayout(var.as_tensor(), x))
        .collect::<Result<Vec<_>>>()?;
    let y = f(&tracked)?;
    let weights = fill(y.shape().clone(), 0.5, y.dtype())?;
    let grads = (&y * weights)?.sum_all()?.backward()?;
    let mut all = vec![y];
    for var in &vars {
        all.push(grads.get(var.as_tensor()).expect("a gradient").contiguous()?);
    }
    Ok(all)
}

/// `x` with the memory order of `like`: candle's `Var` is always contiguous.
fn relayout(x: &Tensor, like: &Tensor) -> Result<Tensor> {
    if like.is_contiguous() {
        return Ok(x.clone());
    }
    if like.layout().start_offset() == 0 { transposed(x) } else { narrowed(x) }
}

/// The same values, stored with the last two dimensions swapped.
fn transposed(x: &Tensor) -> Result<Tensor> {
    if x.rank() < 2 {
        return narrowed(x);
    }
    let (a, b) = (x.rank() - 2, x.rank() - 1);
    x.transpose(a, b)?.contiguous()?.transpose(a, b)
}

/// The same values as a window of a larger tensor: offset, with gaps.
fn narrowed(x: &Tensor) -> Result<Tensor> {
    let mut y = x.clone();
    for dim in 0..x.rank() {
        y = y.pad_with_zeros(dim, 1, 2)?;
    }
    for (dim, &size) in x.dims().iter().enumerate() {
        y = y.narrow(dim, 1, size)?;
    }
    Ok(y)
}

fn bits(x: &Tensor) -> Result<Vec<u32>> {
    Ok(x.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect())
}
