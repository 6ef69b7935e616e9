use crate::{Clustering, Reduction};

/// The detector of a row of the paper's Table 1, its LRM (low-quality representation module).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// `PaDiM`.
    Padim,
    /// `PatchCore`.
    PatchCore,
    /// `FastFlow`.
    FastFlow,
    /// The paper's own: `CFLOW-AD`.
    Cflow,
}

impl Method {
    /// In the order of Table 1.
    pub const ALL: [Self; 4] = [Self::Padim, Self::PatchCore, Self::FastFlow, Self::Cflow];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Padim => "PaDiM",
            Self::PatchCore => "PatchCore",
            Self::FastFlow => "FastFlow",
            Self::Cflow => "CFLOW-AD",
        }
    }
}

/// Cohen's kappa and accuracy, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Agreement {
    /// Cohen's kappa, unweighted.
    pub kappa: f64,
    /// The share of grades that are right.
    pub accuracy: f64,
}

impl Agreement {
    const fn new(kappa: f64, accuracy: f64) -> Self {
        Self { kappa, accuracy }
    }
}

/// A row of the paper's Table 1: a detector and a reduction.
///
/// # Examples
///
/// ```
/// use ocellus_octa::{Method, TABLE_1};
///
/// let best = TABLE_1.iter().max_by(|a, b| a.test[1].accuracy.total_cmp(&b.test[1].accuracy)).unwrap();
/// assert_eq!((best.method, best.reduction().name()), (Method::Cflow, "PCA"));
/// assert_eq!(best.test[1].accuracy, 72.61);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Table1Row {
    /// The detector.
    pub method: Method,
    /// Whether features are reduced by NMF; else by PCA.
    pub nmf: bool,
    /// On the 2,965 test images, one for each of [`clusterings`](Self::clusterings).
    pub test: [Agreement; 3],
    /// On the 300 images of other sources.
    pub external: [Agreement; 3],
}

impl Table1Row {
    /// How many components are kept where nothing else is said: the paper does not tell.
    pub const COMPONENTS: usize = 32;

    /// The reduction, to [`COMPONENTS`](Self::COMPONENTS).
    #[must_use]
    pub fn reduction(&self) -> Reduction {
        if self.nmf { Reduction::nmf(Self::COMPONENTS) } else { Reduction::pca(Self::COMPONENTS) }
    }

    /// The three columns: k-means, hierarchical, Gaussian mixture.
    #[must_use]
    pub fn clusterings() -> [Clustering; 3] {
        [Clustering::k_means(), Clustering::hierarchical(), Clustering::mixture()]
    }
}

const fn row(method: Method, nmf: bool, figures: [f64; 12]) -> Table1Row {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = figures;
    Table1Row {
        method,
        nmf,
        test: [Agreement::new(a, b), Agreement::new(c, d), Agreement::new(e, f)],
        external: [Agreement::new(g, h), Agreement::new(i, j), Agreement::new(k, l)],
    }
}

/// Table 1 as printed, in percent.
#[rustfmt::skip]
pub const TABLE_1: [Table1Row; 8] = [
    row(Method::Padim, false, [13.74, 49.27, 13.69, 49.31, 14.11, 49.17, 19.50, 46.33, 18.50, 45.67, 18.00, 45.33]),
    row(Method::Padim, true, [14.79, 50.22, 14.04, 50.15, 15.08, 49.98, 20.50, 47.00, 18.50, 45.67, 19.00, 46.00]),
    row(Method::PatchCore, false, [33.94, 60.34, 17.28, 49.24, 23.26, 53.39, 46.00, 64.00, 45.00, 63.33, 35.00, 56.67]),
    row(Method::PatchCore, true, [11.33, 46.88, 15.68, 49.17, 13.93, 47.96, 24.00, 49.33, 26.50, 51.00, 32.00, 54.67]),
    row(Method::FastFlow, false, [42.21, 66.98, 43.78, 67.45, 43.41, 67.59, 44.00, 62.67, 31.50, 54.33, 47.00, 64.67]),
    row(Method::FastFlow, true, [23.72, 56.46, 22.00, 56.42, 43.18, 67.42, 38.50, 59.00, 47.00, 64.67, 42.50, 61.67]),
    row(Method::Cflow, false, [46.32, 68.06, 53.29, 72.61, 43.98, 66.54, 44.00, 62.67, 44.50, 63.00, 45.00, 63.33]),
    row(Method::Cflow, true, [52.47, 71.97, 50.51, 70.69, 47.90, 69.27, 45.50, 63.67, 48.50, 65.67, 45.50, 63.67]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_external_figure_is_a_count_of_300_and_the_kappa_of_equal_classes() {
        for agreement in TABLE_1.iter().flat_map(|row| row.external) {
            let right = (agreement.accuracy * 3.).round();
            assert!((right / 3. - agreement.accuracy).abs() < 0.005, "{agreement:?}");
            // With as many images of each of three grades, κ = (3 a − 1) / 2.
            let kappa = 1.5 * right / 3. - 50.;
            assert!((kappa - agreement.kappa).abs() < 0.005, "{agreement:?}");
        }
    }

    #[test]
    fn every_test_accuracy_is_a_count_of_2965() {
        for agreement in TABLE_1.iter().flat_map(|row| row.test) {
            let right = (agreement.accuracy * 29.65).round();
            assert!((right / 29.65 - agreement.accuracy).abs() < 0.0051, "{agreement:?}");
        }
    }
}
