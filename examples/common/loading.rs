//! The images of a run, all of them in memory: read from files, or drawn.

use anyhow::{Result, bail};
use ocellus::data::{Dataset, Error, Example};
use rayon::prelude::*;

use crate::common::progress;

/// The images that could be read.
pub(crate) struct Loaded {
    /// Their places in the data set, ascending.
    pub(crate) kept: Vec<usize>,
    pub(crate) examples: Vec<Example>,
    /// Why the others could not be read.
    pub(crate) skipped: Vec<Error>,
}

/// Reads a data set on all threads.
pub(crate) fn load(files: &dyn Dataset) -> Loaded {
    let bar = progress::bar(files.len() as u64, "reading images");
    let one = |index| {
        let example = files.load(index);
        bar.inc(1);
        example
    };
    let all: Vec<_> = (0..files.len()).into_par_iter().map(one).collect();
    bar.finish_and_clear();
    let mut loaded = Loaded { kept: Vec::new(), examples: Vec::new(), skipped: Vec::new() };
    for (index, example) in all.into_iter().enumerate() {
        match example {
            Ok(example) => {
                loaded.kept.push(index);
                loaded.examples.push(example);
            }
            Err(error) => loaded.skipped.push(error),
        }
    }
    loaded
}

/// So many images of a generator, drawn on all threads.
pub(crate) fn draw(
    count: usize,
    what: &str,
    image: impl Fn(usize) -> ocellus::data::Result<Example> + Sync,
) -> Result<Vec<Example>> {
    let bar = progress::bar(count as u64, what);
    let one = |index| {
        let example = image(index);
        bar.inc(1);
        example
    };
    let examples = (0..count).into_par_iter().map(one).collect::<ocellus::data::Result<_>>()?;
    bar.finish_and_clear();
    Ok(examples)
}

/// "66 healthy, 130 leukemic"
pub(crate) fn counts(classes: &[String], labels: &[usize]) -> String {
    let count = |class| labels.iter().filter(|&&label| label == class).count();
    let parts = classes.iter().enumerate().map(|(class, name)| format!("{} {name}", count(class)));
    parts.collect::<Vec<_>>().join(", ")
}

/// Names what was skipped; fails where a class has nothing left.
pub(crate) fn report_skipped(
    name: &str,
    classes: &[String],
    labels: &[usize],
    skipped: &[String],
) -> Result<()> {
    skipped.iter().for_each(|reason| eprintln!("skipped: {reason}"));
    match classes.iter().enumerate().find(|(class, _)| !labels.contains(class)) {
        None => Ok(()),
        Some((_, class)) => {
            bail!(
                "no readable image of class {class} is left in {name}: {} were skipped",
                skipped.len()
            )
        }
    }
}
