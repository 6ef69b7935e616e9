//! The table of all that is timed: sizes of the four papers.

mod anomaly;
mod conv;
mod elementwise;
mod estimator;
mod neighbors;
mod network;
mod resampling;

use crate::{Case, Module, Pass};

pub use anomaly::anomaly_cases;
pub use conv::conv_cases;
pub use elementwise::{activation_cases, loss_cases, norm_cases};
pub use estimator::estimator_cases;
pub use neighbors::neighbor_cases;
pub use network::{flow_cases, gpu_cases, network_cases, optimizer_cases};
pub use resampling::{pool_cases, upsample_cases};

/// All cases, networks first.
#[must_use]
pub fn all_cases() -> Vec<Case> {
    let tables = [
        network_cases,
        flow_cases,
        conv_cases,
        norm_cases,
        pool_cases,
        upsample_cases,
        activation_cases,
        loss_cases,
        optimizer_cases,
        anomaly_cases,
        estimator_cases,
        neighbor_cases,
    ];
    tables.into_iter().flat_map(|table| table()).collect()
}

/// Every module at every size in every pass.
fn table(modules: &[Module], sizes: &[(&'static str, [usize; 4])], passes: &[Pass]) -> Vec<Case> {
    let mut cases = Vec::new();
    for &module in modules {
        for &(size, input) in sizes {
            cases.extend(passes.iter().map(|&pass| Case::new(size, module, pass, input)));
        }
    }
    cases
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ocellus::candle::{Result, Tensor};

    use super::*;
    use crate::{Library, Prepared};

    #[test]
    fn names_are_unique() {
        let cases = all_cases();
        let names: BTreeSet<String> = cases.iter().map(Case::name).collect();
        assert_eq!(names.len(), cases.len());
    }

    #[test]
    fn every_small_case_runs_again_and_again() -> Result<()> {
        for mut case in all_cases() {
            let [_, channels, height, width] = case.input;
            if channels > 100 || matches!(case.module.name(), "network") {
                continue;
            }
            case.input = [2, channels, height.min(32), width.min(32)];
            let mut prepared = Prepared::new(&case, Library::Ocellus)?;
            prepared.run()?;
            prepared.run()?;
            let results = prepared.results()?;
            assert!(!results.is_empty(), "{case} gives nothing");
            for (name, tensor) in results {
                let sum = tensor.abs()?.sum_all()?.to_scalar::<f32>()?;
                assert!(sum.is_finite() && sum > 0., "{case}: {name} sums to {sum}");
            }
        }
        Ok(())
    }

    #[test]
    fn candle_gives_the_same_convolution() -> Result<()> {
        let find = |name: &str| all_cases().into_iter().find(|case| case.name() == name);
        for name in ["conv_forward/blood_1", "deconv_forward/decoder_4"] {
            let mut case = find(name).expect("a case");
            case.input[0] = 1;
            let sum = |library| -> Result<Tensor> {
                Ok(Prepared::new(&case, library)?.results()?["output.0"].clone())
            };
            let difference = (sum(Library::Ocellus)? - sum(Library::Candle)?)?;
            assert!(difference.abs()?.max_all()?.to_scalar::<f32>()? < 1e-4, "{name}");
        }
        Ok(())
    }
}
