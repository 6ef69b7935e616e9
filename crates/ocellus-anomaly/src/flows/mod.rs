//! Detectors by normalizing flows: CFLOW-AD and FastFlow.

mod cflow;
mod cflow_model;
mod fastflow;
mod fastflow_model;
mod start;
mod training;
mod weights;

pub use cflow::CflowAd;
pub use cflow_model::CflowAdModel;
pub use fastflow::FastFlow;
pub use fastflow_model::FastFlowModel;
pub use start::FlowStart;
