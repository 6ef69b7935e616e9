//! Arithmetic that was recorded: see [`update_recorded`](crate::update_recorded).

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CudaStorage, InplaceOp1, Layout, Result, Tensor, Var, bail};

use super::launch::Grid;
use super::machine::{Argument, Changed, Kernel, Machine, Memory, settled};

/// Runs the kernel `program` of that text on the variable, what it reads beside, and new tensors.
pub(crate) fn update(
    machine: &Machine,
    text: &str,
    numbers: &[f64],
    (var, read): (&Var, &[&Tensor]),
    outputs: usize,
) -> Result<Vec<Tensor>> {
    let (dtype, count) = (var.dtype(), var.elem_count());
    let read = read.iter().map(|x| settled(x)).collect::<Result<Vec<_>>>()?;
    let mut written =
        (0..outputs).map(|_| machine.output(var.shape(), dtype)).collect::<Result<Vec<_>>>()?;
    let run = |memory: Memory<'_>, first: usize| {
        let changed = Changed { memory, first, count };
        let mut arguments = vec![Argument::Changed(changed)];
        arguments.extend(read.iter().map(Argument::from));
        arguments.extend(written.iter_mut().map(Argument::from));
        arguments.push(count.into());
        arguments.extend(numbers.iter().map(|&number| Argument::from(number)));
        let kernel = Kernel::program(text, "program");
        machine.launch(kernel, dtype, Grid::elements(count), &mut arguments)
    };
    var.inplace_op1(&Run(Mutex::new(Some(run))))?;
    Ok(written.into_iter().map(super::machine::Output::tensor).collect())
}

/// Runs a function once on the memory of a contiguous tensor.
struct Run<F>(Mutex<Option<F>>);

impl<F: FnOnce(Memory<'_>, usize) -> Result<()>> Run<F> {
    fn run(&self, memory: Memory<'_>, layout: &Layout) -> Result<()> {
        let run = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (run, layout.contiguous_offsets()) {
            (Some(run), Some((first, _))) => run(memory, first),
            _ => bail!("update_recorded: the variable is not contiguous"),
        }
    }
}

impl<F: FnOnce(Memory<'_>, usize) -> Result<()>> InplaceOp1 for Run<F> {
    fn name(&self) -> &'static str {
        "update_recorded"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        self.run(Memory::Cpu(storage), layout)
    }

    fn cuda_fwd(&self, storage: &mut CudaStorage, layout: &Layout) -> Result<()> {
        self.run(Memory::Cuda(storage), layout)
    }
}
