use ocellus_anomaly::Threshold;
use ocellus_data::synthetic::OctaGrade;

use crate::{Error, Naming, Represented, Result, Subdivided, Subdivision, SubdivisionModel};

/// Grades images by their [`Represented`] scores and features: below the threshold outstanding, the rest
/// as the clusters say.
///
/// It is the paper's whole decision behind the detector, so it is fitted on images of mixed quality of
/// which no grade is known.
///
/// ```text
/// score < threshold           outstanding
/// else  cluster(reduce(F_H))  gradable | ungradable
/// ```
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_anomaly::Threshold;
/// use ocellus_data::synthetic::OctaGrade::{Gradable, Outstanding, Ungradable};
/// use ocellus_octa::{Clustering, Naming, Reduction, Represented, Subdivision, UnoQa};
///
/// let features = array![[1f32], [0.8], [0.7], [0.1], [0.2]];
/// let images = Represented::new(vec![1., 4., 5., 8., 9.], features, vec![1])?;
/// let settings = Subdivision::new(Reduction::None, Clustering::k_means());
/// let graded = UnoQa::fit(&settings, Threshold::given(3.), &images, &Naming::MeanScore)?;
/// assert_eq!(graded.grades(), [Outstanding, Gradable, Gradable, Ungradable, Ungradable]);
///
/// // The clusters are a model: a single new image needs no other.
/// let model = graded.into_model();
/// let new = Represented::new(vec![7.], array![[0.3f32]], vec![1])?;
/// assert_eq!(model.grade(&new)?, [Ungradable]);
/// # Ok::<(), ocellus_octa::Error>(())
/// ```
///
/// # References
///
/// 1. J. Chen, L. Lin, P. Cheng, Y. Huang, X. Tang. *UNO-QA: An Unsupervised Anomaly-Aware Framework
///    with Test-Time Clustering for OCTA Image Quality Assessment.* ISBI 2023, sections 2.3 to 2.5.
#[derive(Clone, Debug, PartialEq)]
pub struct UnoQa {
    threshold: Threshold,
    subdivision: SubdivisionModel,
}

impl UnoQa {
    /// From its parts: the threshold that a detector's file holds, and what divides the rest.
    #[must_use]
    pub const fn new(threshold: Threshold, subdivision: SubdivisionModel) -> Self {
        Self { threshold, subdivision }
    }

    /// Grades a set of images and keeps the clusters as a model. This is the paper's transductive mode:
    /// the clusters are of the very images that they grade.
    ///
    /// # Errors
    ///
    /// If too few images reach the threshold for the settings, or as [`Subdivision::fit`]. Grades of an
    /// oracle's [`Naming`] are of all images, outstanding ones too.
    pub fn fit(
        settings: &Subdivision,
        threshold: Threshold,
        images: &Represented,
        naming: &Naming,
    ) -> Result<Graded> {
        let rest = not_outstanding(threshold, images);
        if rest.is_empty() {
            return Err(Error::Value(format!(
                "none of {} images has a score of {} or more, so nothing is left to cluster: lower the threshold",
                images.len(),
                threshold.value
            )));
        }
        let subdivided = settings.fit(&images.select(&rest)?, &of_rest(naming, &rest, images)?)?;
        let grades = merged(images.len(), &rest, subdivided.grades());
        Ok(Graded { threshold, rest, grades, subdivided })
    }

    /// The grade of each image, which depends on no other image.
    ///
    /// An image of the fit gets the grade that it got there, but for hierarchical clustering: between two
    /// clusters, the nearest centroid may be another than that of the tree's.
    ///
    /// # Errors
    ///
    /// If the features are not those of the fit.
    pub fn grade(&self, images: &Represented) -> Result<Vec<OctaGrade>> {
        let rest = not_outstanding(self.threshold, images);
        if rest.is_empty() {
            return Ok(vec![OctaGrade::Outstanding; images.len()]);
        }
        let grades = self.subdivision.predict(&images.select(&rest)?)?;
        Ok(merged(images.len(), &rest, &grades))
    }

    /// From which score on an image is not outstanding.
    #[must_use]
    pub const fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// What divides the rest.
    #[must_use]
    pub const fn subdivision(&self) -> &SubdivisionModel {
        &self.subdivision
    }
}

/// Images that were graded, and the model that can grade others.
#[derive(Debug)]
pub struct Graded {
    threshold: Threshold,
    rest: Vec<usize>,
    grades: Vec<OctaGrade>,
    subdivided: Subdivided,
}

impl Graded {
    /// The grade of each image.
    #[must_use]
    pub fn grades(&self) -> &[OctaGrade] {
        &self.grades
    }

    /// The places of those images that are not outstanding.
    #[must_use]
    pub fn rest(&self) -> &[usize] {
        &self.rest
    }

    /// How these were divided; its rows are those of [`rest`](Self::rest).
    #[must_use]
    pub const fn subdivided(&self) -> &Subdivided {
        &self.subdivided
    }

    /// The model.
    #[must_use]
    pub fn into_model(self) -> UnoQa {
        UnoQa::new(self.threshold, self.subdivided.into_model())
    }
}

fn not_outstanding(threshold: Threshold, images: &Represented) -> Vec<usize> {
    let strange = |&image: &usize| threshold.is_anomalous(images.scores()[image]);
    (0..images.len()).filter(strange).collect()
}

fn of_rest(naming: &Naming, rest: &[usize], images: &Represented) -> Result<Naming> {
    let Naming::OracleMatching(grades) = naming else { return Ok(naming.clone()) };
    if grades.len() != images.len() {
        return Err(Error::Setting(format!(
            "{} grades for {} images: an oracle needs one each",
            grades.len(),
            images.len()
        )));
    }
    Ok(Naming::OracleMatching(rest.iter().map(|&image| grades[image]).collect()))
}

fn merged(count: usize, rest: &[usize], grades: &[OctaGrade]) -> Vec<OctaGrade> {
    let mut merged = vec![OctaGrade::Outstanding; count];
    for (&image, &grade) in rest.iter().zip(grades) {
        merged[image] = grade;
    }
    merged
}

#[cfg(test)]
mod tests {
    use OctaGrade::{Gradable, Outstanding, Ungradable};
    use ndarray::array;

    use super::*;
    use crate::{Clustering, Reduction};

    fn images() -> Represented {
        let features = array![[0.8f32], [1.], [0.7], [0.1], [0.2]];
        Represented::new(vec![4., 1., 5., 8., 9.], features, vec![1]).unwrap()
    }

    fn settings() -> Subdivision {
        Subdivision::new(Reduction::None, Clustering::hierarchical())
    }

    #[test]
    fn the_model_grades_one_image_as_the_set_was_graded() {
        let graded =
            UnoQa::fit(&settings(), Threshold::given(3.), &images(), &Naming::MeanScore).unwrap();
        assert_eq!(graded.grades(), [Gradable, Outstanding, Gradable, Ungradable, Ungradable]);
        assert_eq!(graded.rest(), [0, 2, 3, 4]);
        assert_eq!(graded.subdivided().reduced().dim(), (4, 1));
        let expected = graded.grades().to_vec();
        let model = graded.into_model();
        for (image, grade) in expected.iter().enumerate() {
            assert_eq!(model.grade(&images().select(&[image]).unwrap()).unwrap(), [*grade]);
        }
    }

    #[test]
    fn an_oracle_gives_names_by_the_grades_of_all() {
        let grades = vec![Ungradable, Outstanding, Ungradable, Gradable, Gradable];
        let naming = Naming::OracleMatching(grades.clone());
        let graded = UnoQa::fit(&settings(), Threshold::given(3.), &images(), &naming).unwrap();
        assert_eq!(graded.grades(), grades);
        let naming = Naming::OracleMatching(grades[..4].to_vec());
        let error = UnoQa::fit(&settings(), Threshold::given(3.), &images(), &naming).unwrap_err();
        assert!(error.to_string().contains("4 grades for 5 images"), "{error}");
    }

    #[test]
    fn a_threshold_above_all_scores_leaves_nothing_to_cluster() {
        let threshold = Threshold::given(99.);
        let error = UnoQa::fit(&settings(), threshold, &images(), &Naming::MeanScore).unwrap_err();
        assert!(error.to_string().contains("none of 5 images"), "{error}");
    }
}
