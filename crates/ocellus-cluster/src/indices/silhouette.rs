use std::collections::BTreeMap;

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::hierarchy::Euclidean;
use crate::{Error, Float, Result, check};

/// Rows of each task.
const ROWS: usize = 128;

/// The mean silhouette of all samples, between −1 and 1: how much nearer samples are to their own
/// cluster than to the next.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::silhouette;
///
/// let x = array![[0.], [1.], [10.], [11.]];
/// assert!(silhouette(x.view(), &[0, 0, 1, 1])? > 0.89);
/// assert!(silhouette(x.view(), &[0, 1, 0, 1])? < 0.);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Errors
///
/// As [`silhouette_samples`].
pub fn silhouette<T: Float>(x: ArrayView2<'_, T>, labels: &[usize]) -> Result<f64> {
    let all = silhouette_samples(x, labels)?;
    Ok(all.iter().sum::<f64>() / all.len() as f64)
}

/// The silhouette of each sample, by Euclidean distances.
///
/// ```text
/// s = (b − a) / max(a, b)
/// ```
///
/// where a is the mean distance to the other samples of its cluster, and b the least mean distance to
/// the samples of another. 0 for the only sample of a cluster.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::silhouette_samples;
///
/// let s = silhouette_samples(array![[0.], [1.], [5.]].view(), &[0, 0, 1])?;
/// assert!((s[0] - 0.8).abs() < 1e-12 && (s[1] - 0.75).abs() < 1e-12);
/// assert_eq!(s[2], 0.);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Errors
///
/// If the data hold what is not finite, there is not one label for each sample, there is only one
/// cluster, or as many as samples.
///
/// # Complexity
///
/// O(samples² · features); memory O(samples) for each thread.
///
/// # References
///
/// 1. P. J. Rousseeuw. *Silhouettes: a graphical aid to the interpretation and validation of cluster
///    analysis.* Journal of Computational and Applied Mathematics 20, 1987.
pub fn silhouette_samples<T: Float>(x: ArrayView2<'_, T>, labels: &[usize]) -> Result<Vec<f64>> {
    check::samples(x)?;
    check::one_label_each(x, labels)?;
    let mut ranks: BTreeMap<usize, usize> = labels.iter().map(|&label| (label, 0)).collect();
    ranks.values_mut().enumerate().for_each(|(rank, value)| *value = rank);
    let (clusters, samples) = (ranks.len(), labels.len());
    if clusters < 2 || clusters == samples {
        let remedy = "the silhouette needs two clusters or more, and fewer than samples";
        return Err(Error::setting("the number of clusters", clusters, remedy));
    }
    let labels: Vec<usize> = labels.iter().map(|label| ranks[label]).collect();
    let mut counts = vec![0.; clusters];
    for &label in &labels {
        counts[label] += 1.;
    }
    let rows = Euclidean::new(x);
    let starts: Vec<usize> = (0..rows.len()).step_by(ROWS).collect();
    let blocks = starts.into_par_iter().map(|start| -> Result<Vec<f64>> {
        let distances = rows.block(start, rows.len().min(start + ROWS), 0)?;
        let silhouettes = distances.outer_iter().zip(&labels[start..]).map(|(distances, &own)| {
            let mut sums = vec![0.; clusters];
            for (distance, &label) in distances.iter().zip(&labels) {
                sums[label] += distance;
            }
            silhouette_of(own, &sums, &counts)
        });
        Ok(silhouettes.collect())
    });
    let blocks: Vec<Vec<f64>> = blocks.collect::<Result<_>>()?;
    Ok(blocks.concat())
}

fn silhouette_of(own: usize, sums: &[f64], counts: &[f64]) -> f64 {
    if counts[own] == 1. {
        return 0.;
    }
    let within = sums[own] / (counts[own] - 1.);
    let others = (0..sums.len()).filter(|&cluster| cluster != own);
    let next = others.map(|i| sums[i] / counts[i]).fold(f64::INFINITY, f64::min);
    let larger = within.max(next);
    if larger > 0. { (next - within) / larger } else { 0. }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::golden::{all_close, close, indices, matrix, number, numbers, read};

    #[test]
    fn matches_scikit_learn() {
        let golden = read("indices");
        for case in golden["silhouettes"].as_array().unwrap() {
            let (x, labels) = (matrix(&case["x"]), indices(&case["labels"]));
            let found = silhouette_samples(x.view(), &labels).unwrap();
            all_close(&found, &numbers(&case["samples"]), 1e-10);
            close(silhouette(x.view(), &labels).unwrap(), number(&case["mean"]), 1e-10);
            let single = silhouette(x.mapv(|v| v as f32).view(), &labels).unwrap();
            close(single, number(&case["mean"]), 1e-5);
        }
    }

    #[test]
    fn equal_samples_in_two_clusters_have_silhouette_zero() {
        let x = Array2::<f64>::ones((4, 3));
        assert_eq!(silhouette(x.view(), &[0, 0, 1, 1]).unwrap(), 0.);
    }

    #[test]
    fn rejects_what_has_no_silhouette() {
        let x = array![[0.], [1.], [2.]];
        let message = |labels: &[usize]| silhouette(x.view(), labels).unwrap_err().to_string();
        assert!(message(&[1, 1, 1]).contains("clusters is 1"));
        assert!(message(&[0, 1, 2]).contains("clusters is 3"));
        assert!(message(&[0, 1]).contains("labels has 2"), "{}", message(&[0, 1]));
        assert!(silhouette(array![[0.], [f64::NAN], [1.]].view(), &[0, 0, 1]).is_err());
    }
}
