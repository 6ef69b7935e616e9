mod adaptive;
mod model;
mod patches;
mod search;
mod settings;

pub use model::PatchCoreModel;
pub use patches::PatchPooling;
pub use settings::{ImageScore, PatchCore};
