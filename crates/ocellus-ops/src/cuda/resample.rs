//! Maps of planes that treat rows and columns apart: means of windows, and interpolation.

use candle_core::{Result, Tensor};

use super::launch::{Divisor, Grid};
use super::machine::{Kernel, Machine, Output, launch};
use super::source::Family;
use super::table::Table;
use super::unary::OnGpu;
use crate::separable::{Banded, Separable};

/// Inputs of an output along an axis, from which on sums are taken in double precision.
const LARGE: usize = 16;

/// `rows · x · columnsᵀ` of every plane.
fn apply(machine: &Machine, x: &Tensor, rows: &Banded, columns: &Banded) -> Result<Output> {
    let (batch, channels, height, width) = x.dims4()?;
    let mut y = machine.output((batch, channels, rows.len(), columns.len()), x.dtype())?;
    let largest = |matrix: &Banded| matrix.bands.iter().map(|band| band.1.len()).max();
    let name = if largest(rows).max(largest(columns)) > Some(LARGE) {
        "separable_wide"
    } else {
        "separable"
    };
    let tables = |matrix: &Banded| -> Result<_> {
        let weights = matrix.bands.iter().flat_map(|band| band.1.iter().copied());
        // One weight more: memory of no elements has no address.
        let weights = Table::numbers(weights.chain([0.]), x.dtype());
        Ok((Table::Integers(entries(matrix)).beside(x)?, weights.beside(x)?))
    };
    let ((down, down_weights), (right, right_weights)) = (tables(rows)?, tables(columns)?);
    let count = y.shape.elem_count();
    let kernel = Kernel::of(Family::Resample, name);
    launch!(
        machine,
        kernel,
        x.dtype(),
        Grid::elements(count),
        [
            x,
            &down,
            &down_weights,
            &right,
            &right_weights,
            &mut y,
            count,
            height,
            width,
            Divisor(rows.len()),
            Divisor(columns.len()),
        ]
    )?;
    Ok(y)
}

/// Of each output the first input, the first weight among all, and the number of weights.
fn entries(matrix: &Banded) -> Vec<u32> {
    let mut before = 0;
    let entry = |(first, weights): &(usize, Vec<f64>)| {
        let entry = [*first as u32, before, weights.len() as u32];
        before += weights.len() as u32;
        entry
    };
    matrix.bands.iter().flat_map(entry).collect()
}

fn forward(map: &Separable, machine: &Machine, x: &Tensor) -> Result<Output> {
    apply(machine, x, &map.rows, &map.columns)
}

fn backward(map: &Separable, machine: &Machine, gradient: &Tensor) -> Result<Output> {
    apply(machine, gradient, &map.rows.transposed(), &map.columns.transposed())
}

macro_rules! separable {
    ($($kernel:ty),*) => {
        $(impl OnGpu for $kernel {
            const HAS_KERNEL: bool = true;

            fn gpu_forward(&self, machine: &Machine, x: &Tensor) -> Result<Output> {
                forward(&self.0, machine, x)
            }

            fn gpu_backward(&self, machine: &Machine, _: &Tensor, _: &Tensor, g: &Tensor) -> Result<Output> {
                backward(&self.0, machine, g)
            }
        })*
    };
}

separable!(crate::pool::SmallAvgPool, crate::upsample::Bilinear, crate::upsample::Nearest);

impl OnGpu for crate::pool::AvgPool {
    const HAS_KERNEL: bool = true;

    fn gpu_forward(&self, machine: &Machine, x: &Tensor) -> Result<Output> {
        let (_, _, height, width) = x.dims4()?;
        forward(&self.means(height, width), machine, x)
    }

    fn gpu_backward(
        &self,
        machine: &Machine,
        x: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<Output> {
        let (_, _, height, width) = x.dims4()?;
        backward(&self.means(height, width), machine, g)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_say_where_weights_stand() {
        let bands = [(0, vec![1., 2.]), (3, vec![]), (1, vec![4., 5., 6.])];
        assert_eq!(entries(&Banded::new(5, bands.into_iter())), [0, 0, 2, 3, 2, 0, 1, 2, 3]);
    }
}
