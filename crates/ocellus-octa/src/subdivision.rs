use ndarray::{Array2, ArrayView2};
use ocellus_cluster::{ClusterNames, Dendrogram};
use ocellus_data::synthetic::OctaGrade;

use crate::clustering::Assigner;
use crate::reduction::Reducer;
use crate::{Clustering, Reduction, Represented, Result, Scales};

/// What clusters are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Naming {
    /// Without labels: the cluster whose images are the stranger on average is ungradable.
    #[default]
    MeanScore,
    /// By true grades, one for each image: whichever naming agrees best with them (Hungarian matching;
    /// an outstanding image counts as a gradable one). An oracle: it tells how good the clusters are,
    /// not how good the grades of a user would be.
    OracleMatching(Vec<OctaGrade>),
}

/// The settings that divide what is not outstanding into gradable and ungradable.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_data::synthetic::OctaGrade;
/// use ocellus_octa::{Clustering, Naming, Reduction, Represented, Scales, Subdivision};
///
/// // Two images with few likely places, two with many: the former are the stranger.
/// let features = array![[0.1f32, 0.2], [0.2, 0.1], [0.8, 0.9], [0.9, 0.7]];
/// let images = Represented::new(vec![9., 8., 3., 2.], features, vec![2])?;
/// let settings = Subdivision::new(Reduction::pca(1), Clustering::hierarchical());
/// let model = settings.fit(&images, &Naming::MeanScore)?;
/// use OctaGrade::{Gradable, Ungradable};
/// assert_eq!(model.grades(), [Ungradable, Ungradable, Gradable, Gradable]);
///
/// let new = Represented::new(vec![5.], array![[0.85f32, 0.8]], vec![2])?;
/// assert_eq!(model.model().predict(&new)?, [Gradable]);
/// # Ok::<(), ocellus_octa::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Subdivision {
    /// Which scales.
    pub scales: Scales,
    /// How their features become few.
    pub reduction: Reduction,
    /// How these are clustered.
    pub clustering: Clustering,
}

impl Subdivision {
    /// Of all scales.
    #[must_use]
    pub const fn new(reduction: Reduction, clustering: Clustering) -> Self {
        Self { scales: Scales::All, reduction, clustering }
    }

    /// Sets the scales.
    #[must_use]
    pub const fn with_scales(mut self, scales: Scales) -> Self {
        self.scales = scales;
        self
    }

    /// Sets how features become few.
    #[must_use]
    pub fn with_reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    /// Divides images that are not outstanding.
    ///
    /// # Errors
    ///
    /// If the images are too few for the settings, a feature is not finite, or grades are not as many as
    /// images.
    pub fn fit(&self, images: &Represented, naming: &Naming) -> Result<Subdivided> {
        let (reducer, reduced) = self.reduction.fit(images.features(self.scales)?)?;
        let found = self.clustering.fit(reduced.view())?;
        let names = match naming {
            Naming::MeanScore => {
                ClusterNames::label_free_by_mean_score(&found.clusters, images.scores())?
            }
            Naming::OracleMatching(grades) => {
                let ungradable = |&grade: &OctaGrade| usize::from(grade == OctaGrade::Ungradable);
                let labels: Vec<usize> = grades.iter().map(ungradable).collect();
                ClusterNames::oracle_by_matching(&found.clusters, &labels)?
            }
        };
        let model =
            SubdivisionModel { scales: self.scales, reducer, assigner: found.assigner, names };
        let grades = model.named(&found.clusters)?;
        Ok(Subdivided { model, reduced, grades, dendrogram: found.dendrogram })
    }
}

/// Images that were divided, and the model that can divide others.
#[derive(Debug)]
pub struct Subdivided {
    model: SubdivisionModel,
    reduced: Array2<f32>,
    grades: Vec<OctaGrade>,
    dendrogram: Option<Dendrogram>,
}

impl Subdivided {
    /// The model.
    #[must_use]
    pub const fn model(&self) -> &SubdivisionModel {
        &self.model
    }

    /// The model alone.
    #[must_use]
    pub fn into_model(self) -> SubdivisionModel {
        self.model
    }

    /// The reduced features of the images: (images, components).
    #[must_use]
    pub fn reduced(&self) -> ArrayView2<'_, f32> {
        self.reduced.view()
    }

    /// The grade of each: gradable or ungradable.
    #[must_use]
    pub fn grades(&self) -> &[OctaGrade] {
        &self.grades
    }

    /// The tree of a hierarchical clustering.
    #[must_use]
    pub const fn dendrogram(&self) -> Option<&Dendrogram> {
        self.dendrogram.as_ref()
    }
}

/// Divides images that are not outstanding, one by one.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SubdivisionModel {
    scales: Scales,
    reducer: Reducer,
    assigner: Assigner,
    names: ClusterNames,
}

impl SubdivisionModel {
    /// The grade of each image, which depends on no other: gradable or ungradable.
    ///
    /// # Errors
    ///
    /// If the features are not those of the fit.
    pub fn predict(&self, images: &Represented) -> Result<Vec<OctaGrade>> {
        self.named(&self.assigner.predict(self.reduce(images)?.view())?)
    }

    /// The reduced features: (images, components).
    ///
    /// # Errors
    ///
    /// As [`predict`](Self::predict).
    pub fn reduce(&self, images: &Represented) -> Result<Array2<f32>> {
        self.reducer.transform(images.features(self.scales)?)
    }

    /// Whether all iterations ended by tolerance.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.reducer.converged() && self.assigner.converged()
    }

    fn named(&self, clusters: &[usize]) -> Result<Vec<OctaGrade>> {
        // A third cluster and any further one is stranger still.
        let grade =
            |name: usize| if name == 0 { OctaGrade::Gradable } else { OctaGrade::Ungradable };
        Ok(self.names.apply(clusters)?.into_iter().map(grade).collect())
    }
}

#[cfg(test)]
mod tests {
    use OctaGrade::{Gradable, Ungradable};
    use ndarray::array;

    use super::*;

    fn images() -> Represented {
        let features = array![[0.1f32, 0.2], [0.2, 0.1], [0.8, 0.9], [0.9, 0.7]];
        Represented::new(vec![2., 3., 8., 9.], features, vec![1, 1]).unwrap()
    }

    #[test]
    fn the_stranger_cluster_is_ungradable() {
        let settings = Subdivision::new(Reduction::None, Clustering::k_means());
        let found = settings.fit(&images(), &Naming::MeanScore).unwrap();
        assert_eq!(found.grades(), [Gradable, Gradable, Ungradable, Ungradable]);
        assert!(found.model().converged());
    }

    #[test]
    fn an_oracle_names_by_the_labels() {
        let settings = Subdivision::new(Reduction::pca(1), Clustering::mixture());
        let naming = |grades: [OctaGrade; 4]| Naming::OracleMatching(grades.to_vec());
        let naming = naming([Ungradable, Ungradable, OctaGrade::Outstanding, Ungradable]);
        let found = settings.fit(&images(), &naming).unwrap();
        assert_eq!(found.grades(), [Ungradable, Ungradable, Gradable, Gradable]);
        let naming = Naming::OracleMatching(vec![Gradable; 3]);
        assert!(settings.fit(&images(), &naming).is_err());
    }

    #[test]
    fn the_model_grades_the_images_of_the_fit_as_the_fit_did_alone_and_from_its_file() {
        for reduction in [Reduction::None, Reduction::pca(1), Reduction::nmf(1)] {
            for clustering in
                [Clustering::k_means(), Clustering::hierarchical(), Clustering::mixture()]
            {
                let settings = Subdivision::new(reduction.clone(), clustering);
                let found = settings.fit(&images(), &Naming::MeanScore).unwrap();
                let json = serde_json::to_string(found.model()).unwrap();
                let model: SubdivisionModel = serde_json::from_str(&json).unwrap();
                assert_eq!(&model, found.model());
                for image in 0..4 {
                    let grade = model.predict(&images().select(&[image]).unwrap()).unwrap();
                    assert_eq!(grade, found.grades()[image..=image], "{settings:?}");
                }
            }
        }
    }

    #[test]
    fn one_scale_may_stand_for_all() {
        let settings = Subdivision::new(Reduction::None, Clustering::k_means());
        let settings = settings.with_scales(Scales::One(1));
        let found = settings.fit(&images(), &Naming::MeanScore).unwrap();
        assert_eq!(found.reduced(), array![[0.2f32], [0.1], [0.9], [0.7]]);
        let settings = settings.with_scales(Scales::One(2));
        assert!(settings.fit(&images(), &Naming::MeanScore).is_err());
    }
}
