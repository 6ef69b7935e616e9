//! Who is compared, and at what.

use clap::ValueEnum;
use ocellus_benches::{Case, Pass};
use serde::Serialize;

/// Another way to do the same work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    /// PyTorch, eager, channels first; for flows, anomalib on it.
    Pytorch,
    /// PyTorch, eager, channels last.
    ChannelsLast,
    /// PyTorch's fused optimizers.
    Fused,
    /// PyTorch, compiled by `torch.compile`: networks only; compiling takes minutes.
    Compiled,
    /// ONNX Runtime: inference only.
    Onnxruntime,
    /// OpenVINO in f32: inference only.
    Openvino,
    /// OpenVINO in bf16, another precision than ours: inference only.
    OpenvinoBf16,
    /// anomalib: anomaly detectors.
    Anomalib,
    /// scikit-learn, NumPy for the features of images: estimators only.
    ScikitLearn,
    /// candle's own convolutions.
    Candle,
}

impl Peer {
    /// Its name in tables and commands.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pytorch => "pytorch",
            Self::ChannelsLast => "channels-last",
            Self::Fused => "fused",
            Self::Compiled => "compiled",
            Self::Onnxruntime => "onnxruntime",
            Self::Openvino => "openvino",
            Self::OpenvinoBf16 => "openvino-bf16",
            Self::Anomalib => "anomalib",
            Self::ScikitLearn => "scikit-learn",
            Self::Candle => "candle",
        }
    }

    /// Whether it does that kind of work.
    pub(crate) fn takes(self, case: &Case) -> bool {
        let update = case.pass.is_update();
        let estimator = case.pass == Pass::Fit;
        let network = case.module.name() == "network";
        if case.module.is_estimator() {
            return self == Self::Anomalib;
        }
        match self {
            Self::Pytorch => !estimator,
            Self::ChannelsLast => !estimator && !update && case.module.name() != "flow",
            Self::Fused => update && case.pass != Pass::Rmsprop,
            Self::Compiled => network && !update,
            Self::Onnxruntime | Self::Openvino | Self::OpenvinoBf16 => {
                case.pass == Pass::Forward
                    && !matches!(case.module.name(), "cross_entropy" | "flow")
            }
            Self::Anomalib => false,
            Self::ScikitLearn => estimator,
            Self::Candle => case.module.is_in_candle(),
        }
    }

    /// Whether our own worker runs it.
    pub(crate) fn is_rust(self) -> bool {
        self == Self::Candle
    }

    /// Whether it computes in another precision, so that its results differ and its time does not
    /// count.
    pub(crate) fn is_coarse(self) -> bool {
        self == Self::OpenvinoBf16
    }
}
