use ndarray::ArrayView2;
use rand::Rng;
use rand::seq::index;
use rayon::prelude::*;

use super::config::KMeansInit;
use super::data::Data;
use super::model::KMeansModel;
use super::seeding::{generator, plus_plus, random_rows};
use crate::table::{Table, nearest};
use crate::{Error, Fit, Float, Result, check};

/// K-means on small random batches: each center is the mean of all samples that it was given so far.
///
/// Of `n_init` starts that with the least inertia on a drawn part of the samples is taken. Steps end
/// after `max_epochs` times the samples, or when the smoothed inertia of the batches has not improved
/// for `patience` steps. Centers with less than `reassignment_ratio` times the samples of the largest
/// start again at random ones.
///
/// # Examples
///
/// ```
/// use ndarray::Array2;
/// use ocellus_cluster::{Fit, MiniBatchKMeans};
///
/// let x = Array2::from_shape_fn((900, 2), |(i, j)| ((i % 3) * 10 + (i * (j + 3)) % 5) as f32);
/// let model = MiniBatchKMeans::new(3).with_batch(100).fit(x.view())?;
/// assert!(model.inertia() < 9000.);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # References
///
/// 1. D. Sculley. *Web-scale k-means clustering.* WWW 2010.
/// 2. <https://scikit-learn.org/stable/modules/generated/sklearn.cluster.MiniBatchKMeans.html>
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MiniBatchKMeans {
    /// How many clusters.
    pub clusters: usize,
    /// Where the centers start; k-means++ by default.
    pub init: KMeansInit,
    /// Starts that are compared; 3 by default.
    pub n_init: usize,
    /// Samples of a batch; 1024 by default.
    pub batch: usize,
    /// The most times that as many samples are drawn as there are; 100 by default.
    pub max_epochs: usize,
    /// Steps without improvement after which it ends; 10 by default.
    pub patience: usize,
    /// Which centers start again, see above; 0.01 by default.
    pub reassignment_ratio: f64,
    /// The seed of the draws; 0 by default.
    pub seed: u64,
}

impl MiniBatchKMeans {
    /// That many clusters, from batches of 1024.
    #[must_use]
    pub fn new(clusters: usize) -> Self {
        Self {
            clusters,
            init: KMeansInit::default(),
            n_init: 3,
            batch: 1024,
            max_epochs: 100,
            patience: 10,
            reassignment_ratio: 0.01,
            seed: 0,
        }
    }

    /// Sets where the centers start.
    #[must_use]
    pub fn with_init(mut self, init: KMeansInit) -> Self {
        self.init = init;
        self
    }

    /// Sets how many starts are compared.
    #[must_use]
    pub fn with_n_init(mut self, n_init: usize) -> Self {
        self.n_init = n_init;
        self
    }

    /// Sets the samples of a batch.
    #[must_use]
    pub fn with_batch(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }

    /// Sets how often as many samples are drawn as there are.
    #[must_use]
    pub fn with_max_epochs(mut self, max_epochs: usize) -> Self {
        self.max_epochs = max_epochs;
        self
    }

    /// Sets after how many steps without improvement it ends.
    #[must_use]
    pub fn with_patience(mut self, patience: usize) -> Self {
        self.patience = patience;
        self
    }

    /// Sets which centers start again; 0 for none.
    #[must_use]
    pub fn with_reassignment_ratio(mut self, reassignment_ratio: f64) -> Self {
        self.reassignment_ratio = reassignment_ratio;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    fn check<T: Float>(&self, x: ArrayView2<'_, T>) -> Result<()> {
        check::samples(x)?;
        check::clusters(x.nrows(), self.clusters)?;
        check::positive("n_init", self.n_init)?;
        check::positive("batch", self.batch)?;
        check::positive("max_epochs", self.max_epochs)?;
        check::positive("patience", self.patience)?;
        if !(0. ..=1.).contains(&self.reassignment_ratio) {
            let remedy = "give a part of the largest cluster, 0 to 1";
            return Err(Error::setting("reassignment_ratio", self.reassignment_ratio, remedy));
        }
        let KMeansInit::Centers(centers) = &self.init else { return Ok(()) };
        check::samples(centers.view())?;
        if centers.nrows() != self.clusters {
            let remedy = "give as many initial centers as clusters";
            return Err(Error::setting("clusters", self.clusters, remedy));
        }
        check::features(centers.view(), x.ncols())
    }

    /// The best of some starts on a part of the samples.
    fn start<T: Float>(&self, x: &Table<T>, rng: &mut impl Rng) -> Result<Table<f64>> {
        if let KMeansInit::Centers(centers) = &self.init {
            return Ok(Table::new(centers.view()));
        }
        let size = (3 * self.batch).max(3 * self.clusters).min(x.len());
        let part = |rng: &mut _| x.select(&index::sample(rng, x.len(), size).into_vec());
        let trial = part(rng);
        let mut best: Option<(f64, Table<f64>)> = None;
        for _ in 0..self.n_init {
            let data = Data::new(part(rng).view())?;
            let rows = match self.init {
                KMeansInit::Random => random_rows(size, self.clusters, rng),
                _ => plus_plus(&data, self.clusters, &mut [|| rng.random::<f64>()])?.swap_remove(0),
            };
            let back: Vec<f64> = data.mean.iter().map(|mean| -mean).collect();
            let centers = Table::centered(data.rows.select(&rows).view(), &back);
            let inertia = total(&assign(&trial, &centers));
            if best.as_ref().is_none_or(|(least, _)| inertia < *least) {
                best = Some((inertia, centers));
            }
        }
        best.map(|(_, centers)| centers).ok_or(Error::setting("n_init", 0, "give one or more"))
    }
}

impl<T: Float> Fit<T> for MiniBatchKMeans {
    type Model = KMeansModel<T>;

    fn fit(&self, x: ArrayView2<'_, T>) -> Result<KMeansModel<T>> {
        self.check(x)?;
        let x = Table::new(x);
        let mut rng = generator(self.seed, 0);
        let mut means = RunningMeans::new(self.start(&x, &mut rng)?);
        let batch = self.batch.min(x.len());
        let steps = (self.max_epochs * x.len()).div_ceil(batch);
        let mut progress = Progress::new(batch, x.len());
        let (mut done, mut converged, mut since_reassigned) = (0, false, 0);
        while done < steps && !converged {
            let rows: Vec<usize> = (0..batch).map(|_| rng.random_range(0..x.len())).collect();
            let rows = x.select(&rows);
            let inertia = means.step(&rows);
            since_reassigned += batch;
            if since_reassigned >= 10 * self.clusters || means.counts.contains(&0.) {
                since_reassigned = 0;
                means.reassign(&rows, self.reassignment_ratio, &mut rng);
            }
            done += 1;
            // The inertia of the first step is that of the start.
            converged = done > 1 && progress.stalled(inertia / batch as f64) >= self.patience;
        }
        let centers = Table::new(means.centers.view().mapv(T::narrow).view());
        let nearest = assign(&x, &centers);
        let labels = nearest.iter().map(|(label, _)| *label).collect();
        Ok(KMeansModel::new(centers, labels, total(&nearest), done, converged))
    }
}

/// Centers, and how many samples each has been given.
struct RunningMeans {
    centers: Table<f64>,
    counts: Vec<f64>,
}

impl RunningMeans {
    fn new(centers: Table<f64>) -> Self {
        let counts = vec![0.; centers.len()];
        Self { centers, counts }
    }

    /// Takes a batch in. Returns its inertia before.
    fn step<T: Float>(&mut self, batch: &Table<T>) -> f64 {
        let columns = self.centers.columns();
        let nearest = assign(batch, &self.centers);
        let mut given = vec![0.; self.counts.len()];
        for &(label, _) in &nearest {
            given[label] += 1.;
        }
        let centers = self.centers.as_slice_mut();
        for ((center, count), given) in centers.chunks_mut(columns).zip(&self.counts).zip(&given) {
            if *given > 0. {
                center.iter_mut().for_each(|c| *c *= count);
            }
        }
        for (i, &(label, _)) in nearest.iter().enumerate() {
            let center = &mut centers[label * columns..][..columns];
            for (c, value) in center.iter_mut().zip(batch.row(i)) {
                *c += value.widen();
            }
        }
        let counts = self.counts.iter_mut().zip(given);
        for (center, (count, given)) in centers.chunks_mut(columns).zip(counts) {
            *count += given;
            if given > 0. {
                center.iter_mut().for_each(|c| *c /= *count);
            }
        }
        total(&nearest)
    }

    /// Moves centers of few samples to random ones of the batch, half of it at most.
    fn reassign<T: Float>(&mut self, batch: &Table<T>, ratio: f64, rng: &mut impl Rng) {
        let largest = self.counts.iter().copied().fold(0., f64::max);
        let few = |&i: &usize| self.counts[i] < ratio * largest;
        let mut moved: Vec<usize> = (0..self.counts.len()).filter(few).collect();
        moved.sort_by(|&a, &b| self.counts[a].total_cmp(&self.counts[b]).then(a.cmp(&b)));
        moved.truncate(batch.len() / 2);
        let rows = index::sample(rng, batch.len(), moved.len());
        let kept = (0..self.counts.len()).filter(|i| !moved.contains(i));
        let least = kept.map(|i| self.counts[i]).fold(f64::INFINITY, f64::min);
        let columns = self.centers.columns();
        for (&center, row) in moved.iter().zip(rows) {
            let to = &mut self.centers.as_slice_mut()[center * columns..][..columns];
            for (to, from) in to.iter_mut().zip(batch.row(row)) {
                *to = from.widen();
            }
            self.counts[center] = least;
        }
    }
}

/// The exponentially smoothed inertia of the batches.
struct Progress {
    weight: f64,
    smoothed: Option<f64>,
    least: f64,
    stalled: usize,
}

impl Progress {
    fn new(batch: usize, samples: usize) -> Self {
        let weight = (2. * batch as f64 / (samples as f64 + 1.)).min(1.);
        Self { weight, smoothed: None, least: f64::INFINITY, stalled: 0 }
    }

    /// Steps since it last improved.
    fn stalled(&mut self, inertia: f64) -> usize {
        let smoothed = self.smoothed.map_or(inertia, |s| s + self.weight * (inertia - s));
        self.smoothed = Some(smoothed);
        self.stalled = if smoothed < self.least { 0 } else { self.stalled + 1 };
        self.least = self.least.min(smoothed);
        self.stalled
    }
}

/// The nearest center of each row and its squared distance.
fn assign<T: Float, C: Float>(x: &Table<T>, centers: &Table<C>) -> Vec<(usize, f64)> {
    let rows = (0..x.len()).into_par_iter().with_min_len(64);
    rows.map(|i| nearest(x.row(i), centers)).collect()
}

fn total(nearest: &[(usize, f64)]) -> f64 {
    nearest.iter().map(|(_, distance)| distance).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use ocellus_testing::with_threads;

    use super::*;
    use crate::KMeans;
    use crate::golden::{all_close, indices, matrix, read};

    fn blobs() -> Array2<f64> {
        let noise = |i: usize, j: usize| ((i * 7919 + j * 104_729) % 1000) as f64 / 1000.;
        Array2::from_shape_fn((3000, 4), |(i, j)| ((i % 5) * (j + 1)) as f64 * 3. + noise(i, j))
    }

    #[test]
    fn steps_match_scikit_learn() {
        let case = &read("kmeans")["mini_batch"];
        let x = Table::new(matrix(&case["x"]).view());
        let mut means = RunningMeans::new(Table::new(matrix(&case["init"]).view()));
        for step in case["steps"].as_array().unwrap() {
            means.step(&x.select(&indices(&step["rows"])));
            all_close(means.centers.view(), &matrix(&step["centers"]), 1e-12);
        }
    }

    #[test]
    fn separate_clusters_are_found() {
        let x = blobs();
        let model = MiniBatchKMeans::new(5).with_batch(200).with_seed(3).fit(x.view()).unwrap();
        let best = KMeans::new(5).fit(x.view()).unwrap();
        assert!(model.inertia() < 1.05 * best.inertia(), "{}", model.inertia());
        assert!(model.converged());
        let short = MiniBatchKMeans::new(5).with_max_epochs(1).with_patience(1000);
        assert!(!short.fit(x.view()).unwrap().converged());
    }

    #[test]
    fn a_center_without_samples_starts_again() {
        let x = blobs();
        let mut init = Array2::from_elem((5, 4), 1e6);
        init.row_mut(0).assign(&x.row(0));
        let init = KMeansInit::Centers(init);
        let model = MiniBatchKMeans::new(5).with_init(init).fit(x.view()).unwrap();
        assert!(model.centers().iter().all(|&c| c < 1e3));
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let x = blobs().mapv(|value| value as f32);
        let fit =
            |threads| with_threads(threads, || MiniBatchKMeans::new(4).fit(x.view()).unwrap());
        assert_eq!(fit(1), fit(3));
    }

    #[test]
    fn rejects_what_cannot_be_clustered() {
        let x = array![[0., 1.], [2., 3.]];
        let message = |estimator: MiniBatchKMeans| estimator.fit(x.view()).unwrap_err().to_string();
        assert!(message(MiniBatchKMeans::new(3)).contains("2 samples, but 3 are needed"));
        assert!(message(MiniBatchKMeans::new(1).with_batch(0)).contains("batch is 0"));
        assert!(message(MiniBatchKMeans::new(1).with_n_init(0)).contains("n_init is 0"));
        let negative = MiniBatchKMeans::new(1).with_reassignment_ratio(-1.);
        assert!(message(negative).contains("reassignment_ratio is -1"));
        assert!(MiniBatchKMeans::new(1).fit(array![[f64::INFINITY]].view()).is_err());
        let same = Array2::<f64>::ones((9, 2));
        let error = MiniBatchKMeans::new(2).fit(same.view()).unwrap_err().to_string();
        assert!(error.contains("1 distinct rows"), "{error}");
    }
}
