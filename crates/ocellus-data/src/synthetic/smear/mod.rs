mod canvas;
mod cell;
mod erythrocyte;
mod exposure;
mod generator;
mod kind;
mod layout;
mod outline;
mod platelet;
mod scene;
mod slide;

pub use generator::{Smear, SmearDataset};
pub use kind::SmearCell;
pub use scene::{LocatedCell, SmearScene};
