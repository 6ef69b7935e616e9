use std::{fmt, path::PathBuf};

use crate::pattern::some_of;

/// What became of the tensors of a file and the weights of a model.
///
/// Printed, it is a summary for people. All lists are sorted by name; names are the model's, but
/// for [`unexpected`](Self::unexpected) and [`ignored`](Self::ignored), which are the file's.
///
/// ```
/// use candle_core::{DType, Device};
/// use ocellus_params::{LoadConfig, ParamStore, WeightFile};
///
/// let params = ParamStore::seeded(0);
/// let vb = params.var_builder(DType::F32, &Device::Cpu);
/// candle_nn::conv2d(3, 4, 3, Default::default(), vb.pp("conv"))?;
///
/// let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/nested.pth");
/// let report = params.load(&WeightFile::open(path)?, &LoadConfig::partial())?;
/// let summary = report.to_string();
/// assert!(summary.contains("loaded 2 of 2 weights\n  not in the model, passed over (6): `head.bias`"));
/// # Ok::<(), ocellus_params::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadReport {
    /// The file.
    pub path: PathBuf,
    /// Weights that have the file's values now.
    pub loaded: Vec<String>,
    /// Weights that the file lacks: they keep their values.
    pub missing: Vec<String>,
    /// Tensors that the model lacks.
    pub unexpected: Vec<String>,
    /// Weights whose shape in the file is another, and what was done. Those that were adapted are
    /// among the loaded ones, too.
    pub reshaped: Vec<Reshaped>,
    /// Tensors left out: by [`LoadConfig::ignore`](crate::LoadConfig::ignore), or counters of
    /// training batches (`num_batches_tracked`), which no model here has.
    pub ignored: Vec<String>,
    /// Weights that wait in the file for the model to be built.
    pub waiting: Vec<String>,
}

/// A weight whose shape in the file is another than in the model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reshaped {
    /// The weight.
    pub name: String,
    /// Its shape in the file.
    pub file: Vec<usize>,
    /// Its shape in the model.
    pub model: Vec<usize>,
    /// What was done.
    pub outcome: ReshapeOutcome,
}

/// What was done with a tensor of another shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReshapeOutcome {
    /// Passed over: the weight keeps its values.
    Skipped,
    /// Fitted to another number of input channels: see [`inflate_stem`](crate::inflate_stem).
    Inflated,
    /// The same values seen as a linear layer's or a convolution's.
    Flattened,
}

impl LoadReport {
    /// The weights that were passed over because their shape in the file is another.
    pub fn skipped(&self) -> impl Iterator<Item = &Reshaped> {
        self.reshaped.iter().filter(|r| r.outcome == ReshapeOutcome::Skipped)
    }

    pub(crate) fn sort(&mut self) {
        for names in [
            &mut self.loaded,
            &mut self.missing,
            &mut self.unexpected,
            &mut self.ignored,
            &mut self.waiting,
        ] {
            names.sort();
        }
        self.reshaped.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

impl fmt::Display for Reshaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, file, model, .. } = self;
        write!(f, "`{name}` is {file:?} in the file, {model:?} in the model")
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.loaded.len() + self.missing.len() + self.skipped().count();
        write!(f, "{}: loaded {} of {all} weights", self.path.display(), self.loaded.len())?;
        for (what, names) in [
            ("waiting for the model", &self.waiting),
            ("not in the file, left as they were", &self.missing),
            ("not in the model, passed over", &self.unexpected),
            ("left out", &self.ignored),
        ] {
            if !names.is_empty() {
                write!(f, "\n  {what} ({}): {}", names.len(), some_of(names, 4))?;
            }
        }
        for reshaped in &self.reshaped {
            let outcome = match reshaped.outcome {
                ReshapeOutcome::Skipped => "passed over",
                ReshapeOutcome::Inflated => "fitted to the input channels",
                ReshapeOutcome::Flattened => "seen in the other shape",
            };
            write!(f, "\n  {reshaped}: {outcome}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_a_summary() {
        let mut report = LoadReport {
            path: "vgg16.pth".into(),
            loaded: vec!["features.0.weight".into()],
            missing: vec!["head.weight".into(), "head.bias".into()],
            unexpected: (0..6).map(|i| format!("classifier.{i}")).collect(),
            reshaped: vec![Reshaped {
                name: "features.0.weight".into(),
                file: vec![64, 3, 3, 3],
                model: vec![64, 1, 3, 3],
                outcome: ReshapeOutcome::Inflated,
            }],
            ..LoadReport::default()
        };
        report.sort();
        let expected = "vgg16.pth: loaded 1 of 3 weights
  not in the file, left as they were (2): `head.bias`, `head.weight`
  not in the model, passed over (6): `classifier.0`, `classifier.1`, `classifier.2`, \
                        `classifier.3` and 2 more
  `features.0.weight` is [64, 3, 3, 3] in the file, [64, 1, 3, 3] in the model: fitted to the \
                        input channels";
        assert_eq!(report.to_string(), expected);
    }
}
