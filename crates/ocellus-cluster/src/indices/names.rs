use ndarray::Array2;

use super::assignment::assignment;
use crate::{Error, Result, check};

/// What the clusters of a clustering are called: a class index each.
///
/// A clustering numbers its clusters in no meaningful order. Names come from true labels, which is an
/// **oracle**: a figure obtained so tells how separable the classes are, not how well an unlabeled
/// image would be graded; or from a score known for each sample, **label-free**. Which is which is in
/// the name of the constructor.
///
/// # Examples
///
/// ```
/// use ocellus_cluster::ClusterNames;
///
/// let clusters = [1, 1, 0, 0, 0];
/// // The anomaly scores of cluster 0 are the higher ones: it is class 1.
/// let names = ClusterNames::label_free_by_mean_score(&clusters, &[0.1, 0.2, 0.8, 0.3, 0.9])?;
/// assert_eq!(names.apply(&clusters)?, [0, 0, 1, 1, 1]);
///
/// let names = ClusterNames::oracle_by_matching(&clusters, &[1, 1, 0, 0, 1])?;
/// assert_eq!(names.apply(&clusters)?, [1, 1, 0, 0, 0]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ClusterNames {
    names: Vec<usize>,
}

impl ClusterNames {
    /// Label-free: clusters are numbered by their mean score, the lowest first. With anomaly scores
    /// and two clusters, 0 is normal (gradable) and 1 anomalous (ungradable).
    ///
    /// # Errors
    ///
    /// If the slices are empty or differ in length, a score is not finite, or a cluster below the
    /// highest has no sample.
    pub fn label_free_by_mean_score(clusters: &[usize], scores: &[f64]) -> Result<Self> {
        check::paired(("clusters", clusters), ("scores", scores))?;
        if let Some(row) = scores.iter().position(|score| !score.is_finite()) {
            return Err(Error::NotFinite { row, column: 0, value: scores[row] });
        }
        let counts = counts(clusters)?;
        let mut means = vec![0.; counts.len()];
        for (&cluster, score) in clusters.iter().zip(scores) {
            means[cluster] += score / counts[cluster] as f64;
        }
        let mut order: Vec<usize> = (0..means.len()).collect();
        order.sort_by(|&a, &b| means[a].total_cmp(&means[b]));
        let mut names = vec![0; order.len()];
        for (name, cluster) in order.into_iter().enumerate() {
            names[cluster] = name;
        }
        Ok(Self { names })
    }

    /// Oracle: the one-to-one matching of clusters to true labels on which most samples agree
    /// ([`assignment`]).
    ///
    /// # Errors
    ///
    /// If the slices are empty or differ in length, a cluster below the highest has no sample, or
    /// there are more clusters than classes (0 to the highest label): see
    /// [`ClusterNames::oracle_by_majority`].
    pub fn oracle_by_matching(clusters: &[usize], labels: &[usize]) -> Result<Self> {
        let table = table(clusters, labels)?;
        let (found, needed) = (table.ncols(), table.nrows());
        let names: Option<Vec<usize>> =
            assignment(table.mapv(|count| -count).view())?.into_iter().collect();
        let names = names.ok_or_else(|| {
            let remedy = "cut into fewer clusters, or name them by majority".to_owned();
            Error::TooFew { what: "classes", found, needed, remedy }
        })?;
        Ok(Self { names })
    }

    /// Oracle: each cluster is called what most of its samples are, the least label of several. Two
    /// may have the same name.
    ///
    /// # Errors
    ///
    /// If the slices are empty or differ in length, or a cluster below the highest has no sample.
    pub fn oracle_by_majority(clusters: &[usize], labels: &[usize]) -> Result<Self> {
        let most = |counts: ndarray::ArrayView1<'_, f64>| {
            let first = (0, f64::NEG_INFINITY);
            let better = |best: (usize, f64), (label, &count): (usize, &f64)| {
                if count > best.1 { (label, count) } else { best }
            };
            counts.iter().enumerate().fold(first, better).0
        };
        Ok(Self { names: table(clusters, labels)?.outer_iter().map(most).collect() })
    }

    /// The class of each cluster.
    #[must_use]
    pub fn names(&self) -> &[usize] {
        &self.names
    }

    /// The class of each sample, by its cluster.
    ///
    /// # Errors
    ///
    /// If a cluster has no name.
    pub fn apply(&self, clusters: &[usize]) -> Result<Vec<usize>> {
        let name = |&cluster: &usize| {
            self.names.get(cluster).copied().ok_or_else(|| {
                let remedy = "name the clusters of the same model";
                Error::setting("a cluster", cluster, remedy)
            })
        };
        clusters.iter().map(name).collect()
    }
}

/// How many samples each cluster has.
fn counts(clusters: &[usize]) -> Result<Vec<usize>> {
    let highest = clusters.iter().copied().max().unwrap_or(0);
    if highest >= clusters.len() {
        let remedy = "number the clusters from 0, each with a sample";
        return Err(Error::setting("a cluster", highest, remedy));
    }
    let mut counts = vec![0; highest + 1];
    for &cluster in clusters {
        counts[cluster] += 1;
    }
    match counts.iter().position(|&count| count == 0) {
        None => Ok(counts),
        Some(cluster) => {
            let remedy = "it has no sample: number the clusters from 0, each with a sample";
            Err(Error::setting("a cluster", cluster, remedy))
        }
    }
}

/// (clusters, labels): how many samples are both.
fn table(clusters: &[usize], labels: &[usize]) -> Result<Array2<f64>> {
    check::paired(("clusters", clusters), ("labels", labels))?;
    let counts = counts(clusters)?;
    let classes = labels.iter().copied().max().unwrap_or(0).saturating_add(1);
    if classes > labels.len().saturating_mul(2) + 64 {
        let remedy = "number the classes from 0";
        return Err(Error::setting("a label", classes - 1, remedy));
    }
    let mut table = Array2::zeros((counts.len(), classes));
    for (&cluster, &label) in clusters.iter().zip(labels) {
        table[[cluster, label]] += 1.;
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_matching_is_not_the_greedy_one() {
        // Cluster 0 agrees best with label 0, but giving it away gains more.
        let clusters = [0, 0, 0, 0, 0, 1, 1, 1, 1];
        let labels = [0, 0, 0, 1, 1, 0, 0, 0, 0];
        let names = ClusterNames::oracle_by_matching(&clusters, &labels).unwrap();
        assert_eq!(names.names(), [1, 0]);
        let names = ClusterNames::oracle_by_majority(&clusters, &labels).unwrap();
        assert_eq!(names.names(), [0, 0]);
    }

    #[test]
    fn clusters_without_samples_or_names_are_errors() {
        let message = |result: Result<ClusterNames>| result.unwrap_err().to_string();
        let by_score = ClusterNames::label_free_by_mean_score;
        assert!(message(by_score(&[0, 2, 2], &[1., 2., 3.])).contains("a cluster is 1"));
        assert!(message(by_score(&[0, 9], &[1., 2.])).contains("a cluster is 9"));
        assert!(message(by_score(&[0, 1], &[1., f64::NAN])).contains("NaN"));
        assert!(message(by_score(&[], &[])).contains("empty"));
        let matched = ClusterNames::oracle_by_matching(&[0, 1, 2], &[0, 1, 1]);
        assert!(message(matched).contains("by majority"));
        assert!(message(ClusterNames::oracle_by_majority(&[0], &[usize::MAX])).contains("a label"));
        let names = by_score(&[0, 1], &[1., 2.]).unwrap();
        assert!(names.apply(&[0, 2]).unwrap_err().to_string().contains("a cluster is 2"));
    }

    #[test]
    fn more_classes_than_clusters_leave_some_without() {
        let names = ClusterNames::oracle_by_matching(&[0, 0, 1], &[2, 2, 1]).unwrap();
        assert_eq!(names.names(), [2, 1]);
    }
}
