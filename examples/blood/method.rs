//! What is compared.

use clap::ValueEnum;
use ocellus::blood::{PublishedRow, TABLE_2};
use serde::{Deserialize, Serialize};

/// A row of the paper's Table 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Method {
    /// A support vector machine on histograms and Fourier magnitudes.
    Svm,
    /// Gaussian naive Bayes on the same features.
    NaiveBayes,
    /// A decision tree on the same features.
    Tree,
    /// A random forest on the same features.
    Forest,
    /// VGG16 with weights learned on other images.
    Vgg,
    /// The paper's small network.
    Dcnn,
}

impl Method {
    /// In the order of a table: the proposed method last.
    pub(crate) const ALL: [Self; 6] =
        [Self::Svm, Self::NaiveBayes, Self::Tree, Self::Forest, Self::Vgg, Self::Dcnn];

    /// Whether it is trained in epochs.
    pub(crate) fn is_network(self) -> bool {
        matches!(self, Self::Vgg | Self::Dcnn)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Svm => "SVM",
            Self::NaiveBayes => "Naive Bayes",
            Self::Tree => "Decision tree",
            Self::Forest => "Random forest",
            Self::Vgg => "VGG transfer",
            Self::Dcnn => "DCNN",
        }
    }

    /// A name for files: `naive-bayes`.
    pub(crate) fn slug(self) -> String {
        self.name().to_lowercase().replace(' ', "-")
    }

    /// What the paper says of it, if its text gives a figure.
    pub(crate) fn published(self) -> Option<PublishedRow> {
        TABLE_2.into_iter().find(|row| row.name == self.name())
    }
}
