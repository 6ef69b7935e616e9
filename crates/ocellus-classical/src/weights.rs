use ocellus_cluster::{Error, Result};

/// How much the samples of each class count.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum ClassWeights {
    /// All the same.
    #[default]
    Equal,
    /// n / (k · nc) for a class of nc samples: all classes count the same.
    Balanced,
    /// One for each class.
    Given(Vec<f64>),
}

impl ClassWeights {
    /// The weight of each class, of which there are as many samples as `counts` says.
    pub(crate) fn resolve(&self, counts: &[usize]) -> Result<Vec<f64>> {
        let total: usize = counts.iter().sum();
        let share = total as f64 / counts.len() as f64;
        match self {
            Self::Equal => Ok(vec![1.; counts.len()]),
            Self::Balanced => Ok(counts.iter().map(|&n| share / n as f64).collect()),
            Self::Given(weights) if weights.len() != counts.len() => Err(Error::LengthMismatch {
                left: "class weights",
                left_len: weights.len(),
                right: "the classes",
                right_len: counts.len(),
            }),
            Self::Given(weights) => {
                match weights.iter().position(|w| !(w.is_finite() && *w > 0.)) {
                    None => Ok(weights.clone()),
                    Some(class) => Err(Error::InvalidSetting {
                        name: "a class weight",
                        value: format!("{} (class {class})", weights[class]),
                        remedy: "give a finite number above 0",
                    }),
                }
            }
        }
    }
}

/// How many samples each class has.
pub(crate) fn counts(y: &[usize], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    y.iter().for_each(|&class| counts[class] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_classes_weigh_the_same() {
        let weights = ClassWeights::Balanced.resolve(&[1, 3]).unwrap();
        assert_eq!(weights, [2., 2. / 3.]);
    }

    #[test]
    fn says_what_is_wrong() {
        for (weights, part) in [
            (vec![1., 1., 1.], "class weights has 3 entries, the classes has 2"),
            (vec![1., 0.], "0 (class 1)"),
            (vec![f64::NAN, 1.], "NaN (class 0)"),
        ] {
            let message = ClassWeights::Given(weights).resolve(&[1, 2]).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
