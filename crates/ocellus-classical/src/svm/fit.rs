use ndarray::{Array2, ArrayView2, Axis};
use ocellus_cluster::{Float, Result};
use rayon::prelude::*;

use super::{
    PlattScaling, Svm, SvmModel,
    kernel::Function,
    model::{Decisions, pairs},
    platt::cross_validated,
    rows::KernelRows,
    solver::{Settings, Solution, solve},
};
use crate::{Real, weights::counts};

/// Two classes of the samples.
pub(super) struct Pair<T> {
    pub(super) x: Array2<T>,
    /// Whether a sample is of the first class.
    pub(super) positive: Vec<bool>,
    /// The upper bounds.
    pub(super) c: Vec<f64>,
    pub(super) kernel: Function,
    pub(super) settings: Settings,
    pub(super) cache_bytes: usize,
}

impl<T: Float> Pair<T> {
    pub(super) fn solve(&self) -> Result<Solution> {
        let mut rows = KernelRows::new(self.x.view(), self.kernel, self.cache_bytes);
        solve(&mut rows, &self.positive, &self.c, self.settings)
    }

    /// The same of some of the samples.
    pub(super) fn select(&self, samples: &[usize]) -> Self {
        Self {
            x: self.x.select(Axis(0), samples),
            positive: samples.iter().map(|&i| self.positive[i]).collect(),
            c: samples.iter().map(|&i| self.c[i]).collect(),
            ..*self
        }
    }
}

/// What was learned of a pair of classes.
struct Learned {
    solution: Solution,
    platt: Option<PlattScaling>,
}

pub(super) fn fit<T: Real>(
    svm: &Svm,
    x: ArrayView2<'_, T>,
    y: &[usize],
    classes: usize,
) -> Result<SvmModel<T>> {
    let weights = svm.class_weights.resolve(&counts(y, classes))?;
    let kernel = svm.kernel.resolve(x)?;
    let members: Vec<Vec<usize>> =
        (0..classes).map(|class| (0..y.len()).filter(|&i| y[i] == class).collect()).collect();
    let pairs: Vec<(usize, usize)> = pairs(classes).collect();
    let learn = |(number, &(a, b)): (usize, &(usize, usize))| {
        let samples = [&members[a][..], &members[b]].concat();
        let pair = Pair {
            x: x.select(Axis(0), &samples),
            positive: samples.iter().map(|&i| y[i] == a).collect(),
            c: samples.iter().map(|&i| svm.c * weights[y[i]]).collect(),
            kernel,
            settings: Settings {
                tolerance: svm.tolerance,
                shrinking: svm.shrinking,
                max_iterations: svm
                    .max_iterations
                    .unwrap_or_else(|| samples.len().saturating_mul(100).max(10_000_000)),
            },
            cache_bytes: svm.cache_bytes,
        };
        let seed = svm.probability_seed;
        let platt = seed.map(|seed| cross_validated(&pair, seed, number as u64)).transpose()?;
        Ok(Learned { solution: pair.solve()?, platt })
    };
    let learned: Vec<Learned> = pairs.par_iter().enumerate().map(learn).collect::<Result<_>>()?;
    Ok(assemble(svm, x, kernel, &members, &learned))
}

/// One model of all pairs: a sample that supports any of them is a support vector.
fn assemble<T: Real>(
    svm: &Svm,
    x: ArrayView2<'_, T>,
    kernel: Function,
    members: &[Vec<usize>],
    learned: &[Learned],
) -> SvmModel<T> {
    let classes = members.len();
    // Coefficients of each sample against each other class: row b − 1 for a < b, row a for b.
    let mut all = Array2::<f64>::zeros((classes - 1, x.nrows()));
    for ((a, b), learned) in pairs(classes).zip(learned) {
        let (first, second) = learned.solution.coefficients.split_at(members[a].len());
        members[a].iter().zip(first).for_each(|(&i, &value)| all[[b - 1, i]] = value);
        members[b].iter().zip(second).for_each(|(&i, &value)| all[[a, i]] = value);
    }
    let supports = |&i: &usize| all.column(i).iter().any(|&value| value != 0.);
    let by_class: Vec<Vec<usize>> =
        members.iter().map(|m| m.iter().copied().filter(supports).collect()).collect();
    let support = by_class.concat();
    let solutions = || learned.iter().map(|l| &l.solution);
    SvmModel {
        decisions: Decisions {
            kernel,
            origin: kernel.origin(x),
            vectors: x.select(Axis(0), &support),
            support_counts: by_class.iter().map(Vec::len).collect(),
            coefficients: all.select(Axis(1), &support),
            intercepts: solutions().map(|s| s.intercept).collect(),
        },
        support,
        platt: learned.iter().map(|l| l.platt).collect(),
        break_ties: svm.break_ties,
        objectives: solutions().map(|s| s.objective).collect(),
        iterations: solutions().map(|s| s.iterations).collect(),
        converged: solutions().all(|s| s.converged),
    }
}
