use super::OctaGrade;
use crate::{
    Dataset, Error, Example, Result,
    synthetic::shares::{check_shares, spread},
};

/// Images of good quality, such as real ones without grades, spoiled to three grades.
///
/// The label of an example is that of its [`OctaGrade`]; its mask is dropped, since motion and
/// decentering move what it marks. The shares hold in every run of consecutive indices, within one
/// or two. The grades are those of controlled degradations, not of a reader.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Dataset, synthetic::{Graded, Octa, OctaField}};
///
/// let outstanding = Octa::new(OctaField::ThreeMm).with_side(48).with_shares([1., 0., 0.]);
/// let graded = Graded::new(outstanding.dataset(6), 1)?;
/// assert_eq!((graded.len(), graded.classes()[2].as_str()), (6, "ungradable"));
/// let first = graded.load(0)?;
/// assert_eq!(first.label, graded.grade(0).label());
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Graded<D> {
    images: D,
    seed: u64,
    shares: [f32; 3],
}

impl<D: Dataset> Graded<D> {
    /// A third of each grade.
    ///
    /// # Errors
    ///
    /// If there are no images.
    pub fn new(images: D, seed: u64) -> Result<Self> {
        if images.len() == 0 {
            return Err(Error::Setting("no images to be graded: give at least one".to_owned()));
        }
        Ok(Self { images, seed, shares: [1.; 3] })
    }

    /// Sets the shares of outstanding, gradable and ungradable images; they need not sum to 1.
    ///
    /// # Errors
    ///
    /// If a share is negative or not finite, or all are 0.
    pub fn with_shares(mut self, shares: [f32; 3]) -> Result<Self> {
        check_shares(&shares, "grades")?;
        self.shares = shares;
        Ok(self)
    }

    /// The classes' names, by label.
    #[must_use]
    pub fn classes(&self) -> Vec<String> {
        OctaGrade::ALL.iter().map(|grade| grade.name().to_owned()).collect()
    }

    /// The grade of an image.
    #[must_use]
    pub fn grade(&self, index: usize) -> OctaGrade {
        OctaGrade::ALL[spread(&self.shares, index)]
    }

    /// The label of each image.
    #[must_use]
    pub fn labels(&self) -> Vec<usize> {
        (0..self.images.len()).map(|index| self.grade(index).label()).collect()
    }

    /// The images before they are spoiled.
    #[must_use]
    pub fn images(&self) -> &D {
        &self.images
    }
}

impl<D: Dataset> Dataset for Graded<D> {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn label(&self, index: usize) -> usize {
        self.grade(index).label()
    }

    fn name(&self, index: usize) -> String {
        format!("{} ({})", self.images.name(index), self.grade(index).name())
    }

    fn load(&self, index: usize) -> Result<Example> {
        let grade = self.grade(index);
        let example = self.images.load(index)?;
        let image = grade.draw(self.seed, index).apply(&example.image, self.seed, index)?;
        Ok(Example::new(image, grade.label()))
    }
}
