use crate::{Error, Result};

/// Two clusters become one.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Merge {
    /// The first cluster: a sample where it is less than the number of samples n, else merge
    /// `left − n`.
    pub left: usize,
    /// The second.
    pub right: usize,
    /// Their distance.
    pub height: f64,
    /// How many samples they hold together.
    pub size: usize,
}

impl Merge {
    /// A merge of that height.
    #[must_use]
    pub fn new(left: usize, right: usize, height: f64, size: usize) -> Self {
        Self { left, right, height, size }
    }
}

/// The tree of an agglomerative clustering: the rows of SciPy's linkage matrix.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{Agglomerative, Fit, Linkage};
///
/// let x = array![[0.], [10.], [1.], [12.]];
/// let tree = Agglomerative::new(Linkage::Single).fit(x.view())?;
/// assert_eq!(tree.merges().iter().map(|m| m.height).collect::<Vec<_>>(), [1., 2., 9.]);
/// assert_eq!(tree.cut(2)?, [0, 1, 0, 1]);
/// assert_eq!(tree.cut_at_height(1.5)?, [0, 1, 0, 2]);
/// assert_eq!(tree.leaf_order(), [0, 2, 1, 3]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<Merge>", into = "Vec<Merge>"))]
pub struct Dendrogram {
    merges: Vec<Merge>,
}

impl Dendrogram {
    /// The tree of those merges, one less than there are samples.
    ///
    /// # Errors
    ///
    /// If a merge names a cluster that does not exist yet or was merged before, its size is not the
    /// sum of their sizes, or its height is negative or not finite.
    pub fn new(merges: Vec<Merge>) -> Result<Self> {
        let samples = merges.len() + 1;
        let mut used = vec![false; samples + merges.len()];
        for (i, merge) in merges.iter().enumerate() {
            let size = |cluster: usize| match cluster.checked_sub(samples) {
                None => Some(1),
                Some(before) => (before < i).then(|| merges[before].size),
            };
            let sizes = size(merge.left).zip(size(merge.right));
            let free = sizes.is_some() && !used[merge.left] && !used[merge.right];
            let sum = sizes.and_then(|(left, right)| left.checked_add(right));
            let sound = sum == Some(merge.size) && merge.height >= 0. && merge.height.is_finite();
            if !free || !sound || merge.left == merge.right {
                let remedy =
                    "merge two clusters that are there, once each, at a height of 0 or more";
                return Err(Error::setting("a merge", format!("{merge:?} at {i}"), remedy));
            }
            used[merge.left] = true;
            used[merge.right] = true;
        }
        Ok(Self { merges })
    }

    /// How many samples there are.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.merges.len() + 1
    }

    /// The merges, in their order.
    #[must_use]
    pub fn merges(&self) -> &[Merge] {
        &self.merges
    }

    /// The cluster of each sample where that many are left. Clusters are numbered by their first
    /// samples.
    ///
    /// # Errors
    ///
    /// If `clusters` is 0, or more than there are samples.
    pub fn cut(&self, clusters: usize) -> Result<Vec<usize>> {
        if clusters == 0 {
            return Err(Error::setting("clusters", clusters, "give 1 or more"));
        }
        let Some(merged) = self.samples().checked_sub(clusters) else {
            let remedy = format!("cut into {} clusters or fewer", self.samples());
            let (found, needed) = (self.samples(), clusters);
            return Err(Error::TooFew { what: "samples", found, needed, remedy });
        };
        Ok(self.labels(|i| i < merged))
    }

    /// The cluster of each sample where clusters are merged up to that height, inclusive: samples
    /// are together if no merge on the way from one to the other is higher. Clusters are numbered by
    /// their first samples.
    ///
    /// # Errors
    ///
    /// If `height` is NaN.
    pub fn cut_at_height(&self, height: f64) -> Result<Vec<usize>> {
        if height.is_nan() {
            return Err(Error::setting("height", height, "give a number"));
        }
        let mut highest: Vec<f64> = Vec::with_capacity(self.merges.len());
        for merge in &self.merges {
            let below = [merge.left, merge.right].map(|cluster| {
                cluster.checked_sub(self.samples()).map_or(0., |before| highest[before])
            });
            highest.push(below.into_iter().fold(merge.height, f64::max));
        }
        Ok(self.labels(|i| highest[i] <= height))
    }

    /// The samples from left to right, where the tree is drawn without crossings.
    #[must_use]
    pub fn leaf_order(&self) -> Vec<usize> {
        let samples = self.samples();
        let mut order = Vec::with_capacity(samples);
        let mut open = vec![samples + self.merges.len() - 1];
        while let Some(cluster) = open.pop() {
            match cluster.checked_sub(samples) {
                None => order.push(cluster),
                Some(i) => open.extend([self.merges[i].right, self.merges[i].left]),
            }
        }
        order
    }

    /// The labels where only some merges are done.
    fn labels(&self, done: impl Fn(usize) -> bool) -> Vec<usize> {
        let samples = self.samples();
        // From the root down: each cluster's parent has its label before.
        let mut top: Vec<usize> = (0..samples + self.merges.len()).collect();
        for (i, merge) in self.merges.iter().enumerate().rev().filter(|(i, _)| done(*i)) {
            top[merge.left] = top[samples + i];
            top[merge.right] = top[samples + i];
        }
        let mut names = vec![None; top.len()];
        let mut count = 0;
        let name = |sample: usize| {
            *names[top[sample]].get_or_insert_with(|| {
                count += 1;
                count - 1
            })
        };
        (0..samples).map(name).collect()
    }
}

impl TryFrom<Vec<Merge>> for Dendrogram {
    type Error = Error;

    fn try_from(merges: Vec<Merge>) -> Result<Self> {
        Self::new(merges)
    }
}

impl From<Dendrogram> for Vec<Merge> {
    fn from(tree: Dendrogram) -> Self {
        tree.merges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Dendrogram {
        // The last merge is lower than the one before, as of centroids.
        Dendrogram::new(vec![
            Merge::new(0, 2, 1., 2),
            Merge::new(3, 4, 3., 3),
            Merge::new(1, 5, 2., 4),
        ])
        .unwrap()
    }

    #[test]
    fn a_low_merge_of_a_high_one_is_high() {
        let tree = tree();
        assert_eq!(tree.cut_at_height(2.5).unwrap(), [0, 1, 0, 2]);
        assert_eq!(tree.cut_at_height(3.).unwrap(), [0; 4]);
        assert_eq!(tree.cut_at_height(-1.).unwrap(), [0, 1, 2, 3]);
        assert_eq!(tree.cut(2).unwrap(), [0, 1, 0, 0]);
    }

    #[test]
    fn rejects_cuts_that_are_not_there() {
        let message = |clusters| tree().cut(clusters).unwrap_err().to_string();
        assert!(message(0).contains("clusters is 0"));
        assert!(message(5).contains("4 samples, but 5 are needed"));
        assert!(tree().cut_at_height(f64::NAN).is_err());
    }

    #[test]
    fn rejects_merges_that_are_no_tree() {
        for merges in [
            vec![Merge::new(0, 0, 1., 2)],
            vec![Merge::new(0, 2, 1., 2)],
            vec![Merge::new(0, 9, 1., 2)],
            vec![Merge::new(0, 1, -1., 2)],
            vec![Merge::new(0, 1, f64::NAN, 2)],
            vec![Merge::new(0, 1, 1., 3)],
            vec![Merge::new(0, 1, 1., 2), Merge::new(0, 2, 1., 2)],
            vec![Merge::new(0, 3, 1., 2), Merge::new(1, 2, 1., 2)],
        ] {
            let error = Dendrogram::new(merges).unwrap_err().to_string();
            assert!(error.starts_with("a merge is"), "{error}");
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn a_damaged_file_is_an_error() {
        let stored = serde_json::to_string(&tree()).unwrap();
        assert_eq!(serde_json::from_str::<Dendrogram>(&stored).unwrap(), tree());
        let damaged = stored.replace("\"left\":3", "\"left\":77");
        assert!(serde_json::from_str::<Dendrogram>(&damaged).is_err());
    }
}
