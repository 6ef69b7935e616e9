//! UNO-QA: quality grades of OCTA images, learned from outstanding images alone, of *UNO-QA: An
//! Unsupervised Anomaly-Aware Framework with Test-Time Clustering for OCTA Image Quality Assessment*
//! (Chen et al., ISBI 2023).
//!
//! ```text
//! image ─ detector ─┬─ score < threshold ─────────────────────────────── outstanding
//!                   └─ multi-scale features ─ reduction ─ clustering ─┬─ gradable
//!                                                                     └─ ungradable
//! ```
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use ocellus_anomaly::{Detector, Encoder, FrozenBackbone, Padim, Threshold};
//! use ocellus_backbones::ResNetConfig;
//! use ocellus_octa::{Clustering, Naming, Reduction, Represented, Representation, Subdivision, UnoQa};
//! use ocellus_params::ParamStore;
//!
//! // A detector that has seen outstanding images only; here with a small network of random weights.
//! let network = ResNetConfig::resnet18().with_channels(8).with_stage_count(2);
//! let backbone = FrozenBackbone::resnet(&network, &ParamStore::seeded(1), &Device::Cpu)?;
//! let outstanding = vec![Tensor::rand(0.4f32, 0.6, (16, 3, 32, 32), &Device::Cpu)?];
//! let detector = Detector::fit(Encoder::new(backbone, &[1, 2])?, &Padim::new(12), &outstanding)?;
//!
//! // Images of unknown quality.
//! let unknown = vec![Tensor::rand(0f32, 1., (6, 3, 32, 32), &Device::Cpu)?];
//! let images = Represented::of(&detector, &unknown, Representation::Distance)?;
//! let threshold = Threshold::normal_quantile(&detector.calibration().images, 0.95)?;
//! let settings = Subdivision::new(Reduction::pca(2), Clustering::hierarchical());
//! let graded = UnoQa::fit(&settings, threshold, &images, &Naming::MeanScore)?;
//! assert_eq!(graded.grades().len(), 6);
//! # use ocellus_anomaly::AnomalyDetector;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`Config`] | every setting: [`Config::paper`], [`Config::practical`] |
//! | [`Represented`], [`Representation`], [`Scales`] | scores and multi-scale features of images |
//! | [`Reduction`] | PCA, NMF or none |
//! | [`Clustering`] | k-means, hierarchical, Gaussian mixture |
//! | [`Subdivision`], [`Subdivided`], [`SubdivisionModel`] | gradable or ungradable |
//! | [`Naming`] | what clusters are called: without labels, or by an oracle |
//! | [`UnoQa`], [`Graded`] | the three grades: of a set (the paper's), or of one new image |
//! | [`Method`], [`TABLE_1`], [`Table1Row`], [`Agreement`] | the paper's comparison, as settings and as printed |
//! | [`TABLE_2`], [`Table2Row`], [`AblationFeatures`] | its ablation |
//! | [`enum@Error`], [`Result`] | what can go wrong |
//!
//! # Notes on the paper
//!
//! - *Equation 1.* The divergence of the features' distribution from the model's is
//!   KL(p ‖ p̂) = E\[log p\] − E\[log p̂\]. The first term does not depend on the model, so the least divergence is
//!   the greatest likelihood of features, which is what the flows of `ocellus-anomaly` are trained for.
//! - *The threshold* of the paper is that of the greatest F1 on the very images that are graded: an oracle, here
//!   [`ThresholdRule::OracleF1`](ocellus_anomaly::ThresholdRule::OracleF1). A quantile of the scores of outstanding images needs no label.
//! - *Clusters* have no names. Here the one of greater mean score is ungradable; [`Naming::OracleMatching`] is the
//!   naming that agrees best with the truth.
//!
//! Research software: no medical device, not for diagnosis.

mod clustering;
mod config;
mod error;
mod reduction;
mod representation;
mod subdivision;
mod table_1;
mod table_2;
mod uno_qa;

pub use clustering::Clustering;
pub use config::Config;
pub use error::{Error, Result};
pub use reduction::Reduction;
pub use representation::{Representation, Represented, Scales};
pub use subdivision::{Naming, Subdivided, Subdivision, SubdivisionModel};
pub use table_1::{Agreement, Method, TABLE_1, Table1Row};
pub use table_2::{AblationFeatures, TABLE_2, Table2Row};
pub use uno_qa::{Graded, UnoQa};
