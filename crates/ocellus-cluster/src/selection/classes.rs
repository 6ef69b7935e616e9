use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

use crate::{Error, Float, Result, check};

/// Columns of a task.
const COLUMNS: usize = 64;

/// The classes of samples, numbered from 0.
pub(super) struct Classes {
    of: Vec<usize>,
    sizes: Vec<usize>,
}

impl Classes {
    /// Checks the samples and their labels, which may be any numbers.
    pub(super) fn new<T: Float>(x: ArrayView2<'_, T>, y: &[usize]) -> Result<Self> {
        check::samples(x)?;
        check::one_label_each(x, y)?;
        let mut labels = y.to_vec();
        labels.sort_unstable();
        labels.dedup();
        if labels.len() < 2 {
            let remedy =
                "give samples of another class: one class has nothing to be told from".into();
            return Err(Error::TooFew { what: "classes", found: labels.len(), needed: 2, remedy });
        }
        let mut sizes = vec![0; labels.len()];
        let number = |label| {
            let class = labels.partition_point(|other| other < label);
            sizes[class] += 1;
            class
        };
        let of = y.iter().map(number).collect();
        Ok(Self { of, sizes })
    }

    /// Errs if no class has two samples.
    pub(super) fn check_any_has_two(&self) -> Result<()> {
        let (found, classes) = (self.of.len(), self.sizes.len());
        if found > classes {
            return Ok(());
        }
        let remedy = "give at least one of the classes two samples".into();
        Err(Error::TooFew { what: "samples", found, needed: classes + 1, remedy })
    }

    /// The class of each sample.
    pub(super) fn of(&self) -> &[usize] {
        &self.of
    }

    /// How many samples each class has: one at least.
    pub(super) fn sizes(&self) -> &[usize] {
        &self.sizes
    }
}

/// Computes something for each column, blocks of columns side by side.
pub(super) fn by_columns<T: Float, R: Send>(
    x: ArrayView2<'_, T>,
    compute: impl Fn(ArrayView2<'_, T>) -> Vec<R> + Send + Sync,
) -> Vec<R> {
    let blocks: Vec<_> = x.axis_chunks_iter(Axis(1), COLUMNS).collect();
    let computed: Vec<Vec<R>> = blocks.into_par_iter().map(compute).collect();
    computed.into_iter().flatten().collect()
}

/// Errs at the first column whose score is no number.
pub(super) fn check_scores(scores: &[f64]) -> Result<()> {
    match scores.iter().position(|score| !score.is_finite()) {
        Some(column) => Err(Error::Overflow { column }),
        None => Ok(()),
    }
}
