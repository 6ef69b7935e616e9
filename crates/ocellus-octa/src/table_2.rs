use crate::{Reduction, Representation, Scales, Table1Row};

/// A row of the paper's Table 2, the ablation: hierarchical clustering of ever more.
///
/// # Examples
///
/// ```
/// use ocellus_octa::{Representation, TABLE_2};
///
/// let [score, .., proposed] = TABLE_2;
/// assert_eq!(score.representation(), Representation::Score);
/// assert!(proposed.kappa - score.kappa > 45.);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Table2Row {
    /// As printed.
    pub name: &'static str,
    /// The features.
    pub features: AblationFeatures,
    /// Whether they are reduced, by PCA.
    pub reduced: bool,
    /// Cohen's kappa in percent.
    pub kappa: f64,
    /// Accuracy in percent.
    pub accuracy: f64,
}

/// The features of a row of Table 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AblationFeatures {
    /// The image's score.
    Score,
    /// Those of the one scale that agrees best with the grades: an oracle's choice, in the paper too.
    OracleSingleScale,
    /// Those of all scales.
    MultiScale,
}

impl Table2Row {
    /// What stands for an image.
    #[must_use]
    pub fn representation(&self) -> Representation {
        match self.features {
            AblationFeatures::Score => Representation::Score,
            AblationFeatures::OracleSingleScale | AblationFeatures::MultiScale => {
                Representation::Probability
            }
        }
    }

    /// The scales to try, of so many.
    #[must_use]
    pub fn scales(&self, count: usize) -> Vec<Scales> {
        match self.features {
            AblationFeatures::OracleSingleScale => (0..count).map(Scales::One).collect(),
            AblationFeatures::Score | AblationFeatures::MultiScale => vec![Scales::All],
        }
    }

    /// The reduction.
    #[must_use]
    pub fn reduction(&self) -> Reduction {
        if self.reduced { Reduction::pca(Table1Row::COMPONENTS) } else { Reduction::None }
    }
}

const fn row(
    name: &'static str,
    features: AblationFeatures,
    reduced: bool,
    [kappa, accuracy]: [f64; 2],
) -> Table2Row {
    Table2Row { name, features, reduced, kappa, accuracy }
}

/// Table 2 as printed, in percent.
pub const TABLE_2: [Table2Row; 5] = [
    row("F_QS", AblationFeatures::Score, false, [8.05, 46.78]),
    row("F_single", AblationFeatures::OracleSingleScale, false, [10.34, 47.72]),
    row("F_single + FDR", AblationFeatures::OracleSingleScale, true, [11.18, 48.06]),
    row("F_multi", AblationFeatures::MultiScale, false, [50.04, 70.66]),
    row("F_multi + FDR", AblationFeatures::MultiScale, true, [53.29, 72.61]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clustering, Method, TABLE_1};

    #[test]
    fn the_proposed_row_is_that_of_table_1() {
        let ours = TABLE_1.iter().find(|row| row.method == Method::Cflow && !row.nmf).unwrap();
        assert_eq!(Table1Row::clusterings()[1], Clustering::hierarchical());
        assert_eq!(ours.test[1].kappa, TABLE_2[4].kappa);
        assert_eq!(ours.test[1].accuracy, TABLE_2[4].accuracy);
        assert_eq!(TABLE_2[4].reduction(), ours.reduction());
    }

    #[test]
    fn a_single_scale_is_tried_at_every_scale() {
        assert_eq!(TABLE_2[1].scales(2), [Scales::One(0), Scales::One(1)]);
        assert_eq!(TABLE_2[3].scales(2), [Scales::All]);
        assert_eq!(TABLE_2[3].reduction(), Reduction::None);
    }
}
