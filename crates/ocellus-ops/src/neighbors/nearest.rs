use candle_core::{DType, Result, Tensor, bail};

use super::{composed, cpu};
use crate::cpu::dispatch;
use crate::cuda;
use crate::implementation::{Code, code};
use crate::run::require_float;

const NAME: &str = "nearest_neighbors";

/// What [`nearest_neighbors`] finds: for each query so many rows, the nearest first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Neighbors {
    /// The numbers of the rows, `(queries, count)` of u32.
    pub indices: Tensor,
    /// ‖query − row‖, `(queries, count)`.
    pub distances: Tensor,
    /// ‖query − row‖², `(queries, count)`: not the squares of the distances that were rounded.
    pub squared_distances: Tensor,
}

/// The rows of a bank that are nearest to each query, exactly.
///
/// ```text
/// ‖q − b‖² = ‖q‖² + ‖b‖² − 2 q·b
/// ```
///
/// On CUDA, products find the rows that may be nearest, more than are asked for; their distances are
/// computed anew as Σ (q − b)² in double precision, and put in order. Where the bound of the errors of
/// the formula leaves open whether a row that was not looked at is nearer, so many of them being near
/// each other or far from the origin, the distances of all rows are computed for that query. So what is
/// found depends neither on the rounding of the products nor on the other queries, and is the same bits
/// that [`Implementation::Kernel`](crate::Implementation) gives on the CPU.
///
/// Of rows that are equally far, the first comes first. A distance that is not a number counts, and is
/// given, as infinite. There is no gradient: what is found is detached.
///
/// # Shapes
///
/// - `queries`: `(queries, features)`, `bank`: `(rows, features)`, of one type
/// - output: `(queries, count)` each
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::nearest_neighbors;
///
/// let bank = Tensor::new(&[[0f32, 0.], [3., 4.], [0., 1.], [1., 0.]], &Device::Cpu)?;
/// let found = nearest_neighbors(&bank.narrow(0, 0, 1)?, &bank, 4)?;
/// assert_eq!(found.indices.to_vec2::<u32>()?, [[0, 2, 3, 1]]);
/// assert_eq!(found.distances.to_vec2::<f32>()?, [[0., 1., 1., 5.]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the tensors are no matrices of one type, on one device and of one number of features, or one is
/// empty; if `count` is 0 or more than there are rows; or there are 2³² − 1 rows.
///
/// # Complexity
///
/// 2 · queries · rows · features operations. On CUDA, 2,048 queries are multiplied with 8,192 rows at
/// once: 64 MiB in f32, beside a copy of what is not contiguous. Where candle multiplies by TF32, the
/// bound leaves most queries open, which is slow. More than 24 neighbors are found by a composition,
/// which measures in the tensors' own type. On the CPU every distance is computed: the
/// search of `ocellus-cluster`, which this crate does not know, finds the same sooner.
pub fn nearest_neighbors(queries: &Tensor, bank: &Tensor, count: usize) -> Result<Neighbors> {
    check(queries, bank, count)?;
    let (queries, bank) = (queries.detach(), bank.detach());
    if matches!(queries.dtype(), DType::F16 | DType::BF16) {
        let wide = |x: &Tensor| x.to_dtype(DType::F32);
        let found = nearest(&wide(&queries)?, &wide(&bank)?, count)?;
        return Ok(Neighbors {
            distances: found.distances.to_dtype(queries.dtype())?,
            squared_distances: found.squared_distances.to_dtype(queries.dtype())?,
            ..found
        });
    }
    nearest(&queries, &bank, count)
}

fn check(queries: &Tensor, bank: &Tensor, count: usize) -> Result<()> {
    require_float(NAME, queries)?;
    let (dims, rows) = match (queries.dims(), bank.dims()) {
        (&[n, size], &[rows, other]) if size == other && n * size * rows > 0 => (n, rows),
        (queries, bank) => bail!(
            "{NAME}: queries {queries:?} and a bank {bank:?} must be (queries, features) and (rows, \
             features) with the same features, none of them 0"
        ),
    };
    if bank.dtype() != queries.dtype() {
        bail!(
            "{NAME}: queries of {:?}, but a bank of {:?}: convert with to_dtype",
            queries.dtype(),
            bank.dtype()
        )
    }
    if !bank.device().same_device(queries.device()) {
        bail!(
            "{NAME}: queries on {:?}, but a bank on {:?}: move it with to_device",
            queries.device().location(),
            bank.device().location()
        )
    }
    if count == 0 || count > rows {
        bail!(
            "{NAME}: {count} of {rows} rows for each of {dims} queries: ask for 1 at least, and for no \
             more than there are"
        )
    }
    if rows >= u32::MAX as usize {
        bail!("{NAME}: {rows} rows are more than 2³² − 2: search parts of them")
    }
    Ok(())
}

fn nearest(queries: &Tensor, bank: &Tensor, count: usize) -> Result<Neighbors> {
    match code(NAME, queries)? {
        Code::Processor => {
            dispatch!(queries.dtype(), NAME, T => cpu::nearest_neighbors::<T>(queries, bank, count))
        }
        Code::Gpu(machine) if count <= cuda::MOST_NEIGHBORS => {
            cuda::nearest_neighbors(&machine, queries, bank, count)
        }
        Code::Gpu(_) | Code::Composed => composed::nearest_neighbors(queries, bank, count),
    }
}

impl Neighbors {
    /// Those of several parts of the queries.
    pub(crate) fn cat(parts: &[Self]) -> Result<Self> {
        let cat = |part: fn(&Self) -> &Tensor| {
            Tensor::cat(&parts.iter().map(part).collect::<Vec<_>>(), 0)
        };
        Ok(Self {
            indices: cat(|part| &part.indices)?,
            distances: cat(|part| &part.distances)?,
            squared_distances: cat(|part| &part.squared_distances)?,
        })
    }
}
