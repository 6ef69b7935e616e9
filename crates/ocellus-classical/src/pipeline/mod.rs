mod config;
mod model;
mod step;

pub use config::Pipeline;
pub use model::PipelineModel;
pub use step::Step;
