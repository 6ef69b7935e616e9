mod gaussians;
mod model;
mod places;
mod selection;
mod settings;

pub use model::PadimModel;
pub use selection::ChannelSelection;
pub use settings::Padim;
