mod layer;
mod scene_viewer;

pub use layer::ViewerLayer;
pub use scene_viewer::SceneViewer;
