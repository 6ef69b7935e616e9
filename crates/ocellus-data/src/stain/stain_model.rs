use serde::{Deserialize, Serialize};

use super::{macenko::MacenkoModel, reinhard::ReinhardModel};
use crate::{Image, Result};

/// A stain normalization that is ready to be applied, by either method: as a step of
/// [`Preprocess`](crate::Preprocess), or kept beside a trained model, whose images get it too.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Preprocess, Reinhard, ReinhardModel, StainModel, synthetic::Smear};
///
/// let stain = StainModel::from(ReinhardModel::smear());
/// let cell = Smear::new(64).example(3)?.image;
/// let preprocess = Preprocess::new(32, 32).with_stain(stain);
/// assert_eq!(preprocess.apply(cell.clone())?.dims(), (3, 32, 32));
/// let seen = Reinhard::default().fit(&[stain.apply(&cell)?])?;
/// assert!((seen.mean[0] - ReinhardModel::smear().mean[0]).abs() < 0.05);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StainModel {
    /// By [`Reinhard`](crate::Reinhard)'s method.
    Reinhard(ReinhardModel),
    /// By [`Macenko`](crate::Macenko)'s method.
    Macenko(MacenkoModel),
}

impl StainModel {
    /// The image with the stain of the reference.
    ///
    /// # Errors
    ///
    /// As [`ReinhardModel::apply`] and [`MacenkoModel::apply`].
    pub fn apply(&self, image: &Image) -> Result<Image> {
        match self {
            Self::Reinhard(model) => model.apply(image),
            Self::Macenko(model) => model.apply(image),
        }
    }
}

impl From<ReinhardModel> for StainModel {
    fn from(model: ReinhardModel) -> Self {
        Self::Reinhard(model)
    }
}

impl From<MacenkoModel> for StainModel {
    fn from(model: MacenkoModel) -> Self {
        Self::Macenko(model)
    }
}
