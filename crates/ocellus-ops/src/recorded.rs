use std::cell::RefCell;
use std::fmt::Write;
use std::rc::Rc;

use candle_core::{Result, Tensor, Var, bail};

use crate::cuda::{self, Machine};

/// A number of an arithmetic that is recorded, to be run on all entries of tensors in one pass: see
/// [`update_recorded`].
#[derive(Clone, Debug)]
pub struct Recorded {
    program: Rc<RefCell<Program>>,
    value: usize,
}

/// Statements in the language of the kernels, and the numbers that they take: constants are no part
/// of the text, so that it stays the same from step to step.
#[derive(Debug, Default)]
struct Program {
    statements: String,
    values: usize,
    numbers: Vec<f64>,
}

impl Program {
    fn add(&mut self, expression: &str) -> usize {
        let value = self.values;
        self.values += 1;
        // Writing to a string never fails.
        let _ = writeln!(self.statements, "        const acc v{value} = {expression};");
        value
    }
}

impl Recorded {
    fn new(program: &Rc<RefCell<Program>>, expression: &str) -> Self {
        let value = program.borrow_mut().add(expression);
        Self { program: program.clone(), value }
    }

    fn binary(&self, other: &Self, operator: char) -> Self {
        Self::new(&self.program, &format!("v{} {operator} v{}", self.value, other.value))
    }

    fn with_number(&self, operator: char, number: f64) -> Self {
        let at = self.program.borrow().numbers.len();
        self.program.borrow_mut().numbers.push(number);
        Self::new(&self.program, &format!("v{} {operator} c{at}", self.value))
    }

    /// The sum of two numbers.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.binary(other, '+')
    }

    /// The difference of two numbers.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.binary(other, '-')
    }

    /// The product of two numbers.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        self.binary(other, '*')
    }

    /// The quotient of two numbers.
    #[must_use]
    pub fn over(&self, other: &Self) -> Self {
        self.binary(other, '/')
    }

    /// The product with a constant.
    #[must_use]
    pub fn scale(&self, factor: f64) -> Self {
        self.with_number('*', factor)
    }

    /// The sum with a constant.
    #[must_use]
    pub fn shift(&self, summand: f64) -> Self {
        self.with_number('+', summand)
    }

    /// The square root.
    #[must_use]
    pub fn root(&self) -> Self {
        Self::new(&self.program, &format!("SQRT(v{})", self.value))
    }

    /// The larger one of two numbers; NaN if one is.
    #[must_use]
    pub fn larger(&self, other: &Self) -> Self {
        let (a, b) = (self.value, other.value);
        Self::new(&self.program, &format!("v{b} > v{a} || v{b} != v{b} ? v{b} : v{a}"))
    }
}

/// Replaces the entries of a variable by what an arithmetic makes of them and of the entries of other
/// tensors, in one pass over memory; and gives what else it makes. An optimizer's step is such an
/// arithmetic.
///
/// `f` is called once, with a number that stands for an entry of the variable, those of the other
/// tensors, and 0; it returns the variable's new entry and others. Its operations are recorded, and
/// compiled when they are new; constants may change from call to call.
///
/// On a device without kernels (all but CUDA) nothing is done, and the result is none.
///
/// # Shapes
///
/// - `read`: as the variable, and of its type
/// - output: a tensor of that shape for each other number that `f` returns
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor, Var};
/// use ocellus_ops::update_recorded;
///
/// let p = Var::ones(3, DType::F32, &Device::Cpu)?;
/// let gradient = Tensor::ones(3, DType::F32, &Device::Cpu)?;
/// let done = update_recorded(&p, &[&gradient], |p, read, _| (p.plus(&read[0].scale(-0.1)), vec![]))?;
/// assert!(done.is_none()); // A CPU has no such kernels: it is up to the caller.
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
///
/// If the tensors differ in shape, type or device, or there are too many tensors and constants: 31
/// in all.
pub fn update_recorded(
    var: &Var,
    read: &[&Tensor],
    f: impl FnOnce(Recorded, Vec<Recorded>, Recorded) -> (Recorded, Vec<Recorded>),
) -> Result<Option<Vec<Tensor>>> {
    match gpu(var) {
        None => Ok(None),
        Some(machine) => {
            for x in read {
                if x.dims() != var.dims()
                    || x.dtype() != var.dtype()
                    || !x.device().same_device(var.device())
                {
                    bail!(
                        "update_recorded: a tensor {:?} of {:?} beside a variable {:?} of {:?}",
                        x.dims(),
                        x.dtype(),
                        var.dims(),
                        var.dtype()
                    )
                }
            }
            let (text, numbers, outputs) = record(read.len(), f);
            cuda::update(&machine, &text, &numbers, (var, read), outputs).map(Some)
        }
    }
}

/// What runs kernels where the variable is.
fn gpu(var: &Var) -> Option<Machine> {
    #[cfg(all(test, target_os = "linux"))]
    if tests::EMULATE.get() {
        return Machine::of(var);
    }
    Machine::of(var).filter(|_| !var.device().is_cpu())
}

/// The text of the kernel, its numbers, and how many outputs it has beside the variable.
fn record(
    read: usize,
    f: impl FnOnce(Recorded, Vec<Recorded>, Recorded) -> (Recorded, Vec<Recorded>),
) -> (String, Vec<f64>, usize) {
    let program = Rc::new(RefCell::new(Program::default()));
    let input = |n: usize| Recorded::new(&program, &format!("load(x{n}[i])"));
    let first = input(0);
    let others = (1..=read).map(input).collect();
    let (changed, kept) = f(first, others, Recorded::new(&program, "0"));
    let Program { statements, numbers, .. } = &*program.borrow();
    let mut text = String::from("\nKERNEL(program) {\n    OUTPUT(real, x0, 0);\n");
    let mut at = 1;
    let mut declare = |what: &str, name: char, n: usize| {
        let _ = writeln!(text, "    {what}{name}{n}, {at});");
        at += 1;
    };
    (1..=read).for_each(|n| declare("INPUT(real, ", 'x', n));
    (0..kept.len()).for_each(|n| declare("OUTPUT(real, ", 'y', n));
    declare("INDEX(", 'n', 0);
    (0..numbers.len()).for_each(|n| declare("NUMBER(", 'c', n));
    let _ = write!(text, "    FOR_EACH(i, n0) {{\n{statements}");
    let _ = writeln!(text, "        x0[i] = store(v{});", changed.value);
    for (n, value) in kept.iter().enumerate() {
        let _ = writeln!(text, "        y{n}[i] = store(v{});", value.value);
    }
    text.push_str("    }\n}\n");
    (text, numbers.clone(), kept.len())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use candle_core::{DType, Device};
    use ocellus_testing::{assert_close, fill};

    use super::*;
    use crate::scoped::scoped;

    thread_local! {
        pub(super) static EMULATE: Cell<bool> = const { Cell::new(false) };
    }

    /// Some arithmetic that uses everything.
    fn arithmetic(p: &Recorded, g: &Recorded, zero: &Recorded) -> (Recorded, Recorded) {
        let square = g.times(g).scale(0.5);
        let larger = square.larger(p).larger(zero);
        (p.minus(&g.over(&larger.root().shift(0.25))).scale(0.75), square.plus(p))
    }

    #[test]
    fn numbers_are_no_part_of_the_text() {
        let text = |factor| record(1, |p, g, _| (p.plus(&g[0].scale(factor)), vec![p])).0;
        assert_eq!(text(0.1), text(0.2));
        assert!(text(0.1).contains("const acc v3 = v1 * c0;"), "{}", text(0.1));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_recorded_arithmetic_runs_on_all_entries() -> Result<()> {
        if !cuda::emulator::is_available() {
            return Ok(());
        }
        for (dtype, tolerance) in
            [(DType::F64, 1e-15), (DType::F32, 1e-6), (DType::BF16, 2e-2), (DType::F16, 2e-3)]
        {
            let (p, g) = (fill((7, 41), 0.1, dtype)?, fill((7, 41), 0.4, dtype)?);
            let var = Var::from_tensor(&p)?;
            let transposed = g.t()?.contiguous()?.t()?; // Any layout.
            let kept = scoped(&EMULATE, true, || {
                update_recorded(&var, &[&transposed], |p, g, zero| {
                    let (p, kept) = arithmetic(&p, &g[0], &zero);
                    (p, vec![kept])
                })
            })?;
            let (p, g) = (p.to_dtype(DType::F64)?, g.to_dtype(DType::F64)?);
            let square = (g.sqr()? * 0.5)?;
            let larger = square.maximum(&p)?.maximum(&p.zeros_like()?)?;
            let expected = ((&p - g.div(&(larger.sqrt()? + 0.25)?)?)? * 0.75)?;
            assert_close(&var.to_dtype(DType::F64)?, &expected, tolerance)?;
            let kept = kept.unwrap()[0].to_dtype(DType::F64)?;
            assert_close(&kept, &(square + p)?, tolerance)?;
        }
        Ok(())
    }

    #[test]
    fn the_processor_leaves_it_to_the_caller() -> Result<()> {
        let var = Var::ones(3, DType::F32, &Device::Cpu)?;
        assert!(update_recorded(&var, &[], |p, _, _| (p, vec![]))?.is_none());
        Ok(())
    }
}
