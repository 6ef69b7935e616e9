use candle_core::Tensor;
use ocellus_data::IGNORED;
use ocellus_losses::{CrossEntropy, Dice, Focal, Jaccard, Loss, LovaszSoftmax, Tversky};
use serde::{Deserialize, Serialize};

/// What training minimizes: the paper's cross-entropy, or one of the losses that favor a rare class.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_satellite::Objective;
///
/// // One sure pixel and one that nobody labeled.
/// let logits = Tensor::new(&[[[[-9f32, 3.]], [[9., 3.]]]], &Device::Cpu)?;
/// let truth = Tensor::new(&[[[1u32, 255]]], &Device::Cpu)?;
/// for objective in Objective::ALL {
///     let loss = objective.loss(None).forward(&logits, &truth)?.to_scalar::<f32>()?;
///     assert!(loss < 1e-6, "{objective:?}");
///     assert_eq!(Objective::named(objective.slug()), Some(objective));
/// }
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Objective {
    /// Cross-entropy \[1, Eq. 1\].
    #[default]
    CrossEntropy,
    /// 1 less the Dice index.
    Dice,
    /// Half cross-entropy, half Dice.
    CrossEntropyDice,
    /// Cross-entropy in which pixels that are right already count less.
    Focal,
    /// 1 less the Tversky index, which weighs false alarms against misses.
    Tversky,
    /// 1 less the Jaccard index.
    Jaccard,
    /// The Lovász extension of the Jaccard index.
    Lovasz,
}

impl Objective {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::CrossEntropy,
        Self::Dice,
        Self::CrossEntropyDice,
        Self::Focal,
        Self::Tversky,
        Self::Jaccard,
        Self::Lovasz,
    ];

    /// A short name: `ce`, `dice`, `ce-dice`, `focal`, `tversky`, `jaccard`, `lovasz`.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            Self::CrossEntropy => "ce",
            Self::Dice => "dice",
            Self::CrossEntropyDice => "ce-dice",
            Self::Focal => "focal",
            Self::Tversky => "tversky",
            Self::Jaccard => "jaccard",
            Self::Lovasz => "lovasz",
        }
    }

    /// The objective of that short name.
    #[must_use]
    pub fn named(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|objective| objective.slug() == slug)
    }

    /// The loss, of logits `(batch, classes, height, width)` and classes `(batch, height, width)` of
    /// which [`IGNORED`] counts for nothing; `class_weights` are one a class.
    #[must_use]
    pub fn loss(self, class_weights: Option<&Tensor>) -> Box<dyn Loss> {
        macro_rules! weighted {
            ($loss:expr) => {{
                let loss = $loss.with_ignore_index(i64::from(IGNORED));
                match class_weights {
                    Some(weights) => loss.with_class_weights(weights.clone()),
                    None => loss,
                }
            }};
        }
        match self {
            Self::CrossEntropy => Box::new(weighted!(CrossEntropy::default())),
            Self::Dice => Box::new(weighted!(Dice::softmax())),
            Self::CrossEntropyDice => Box::new((
                weighted!(CrossEntropy::default()).weighted(0.5),
                weighted!(Dice::softmax()).weighted(0.5),
            )),
            Self::Focal => Box::new(weighted!(Focal::softmax())),
            Self::Tversky => Box::new(weighted!(Tversky::softmax())),
            Self::Jaccard => Box::new(weighted!(Jaccard::softmax())),
            Self::Lovasz => Box::new(weighted!(LovaszSoftmax::default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Result};

    use super::*;

    #[test]
    fn a_weight_on_a_class_makes_its_errors_dearer() -> Result<()> {
        // The ground is right, the building is not.
        let logits = Tensor::new(&[[[[2f32, 1.]], [[-2., -1.]]]], &Device::Cpu)?;
        let truth = Tensor::new(&[[[0u32, 1]]], &Device::Cpu)?;
        let weights = Tensor::new(&[1f32, 5.], &Device::Cpu)?;
        for objective in Objective::ALL {
            let of = |weights| -> Result<f32> {
                objective.loss(weights).forward(&logits, &truth)?.to_scalar()
            };
            assert!(of(Some(&weights))? > of(None)? + 1e-3, "{objective:?}");
        }
        assert!(Objective::named("mse").is_none());
        Ok(())
    }
}
