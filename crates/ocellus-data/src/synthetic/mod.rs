//! Images that no patient gave and no satellite took: for trying programs, and for tests, with no
//! download.

mod anatomy;
mod blur;
mod bmode;
mod drawn;
mod field;
mod folder;
mod lesion;
mod octa;
mod scene;
mod shares;
mod smear;
mod smoothstep;
mod speckle;

pub use bmode::{BMode, BModeDataset};
pub use folder::write_folder;
pub use octa::{Degradation, Graded, Octa, OctaDataset, OctaField, OctaGrade};
pub use scene::{
    Acquisition, Area, Biome, Labels, LandCover, Landscape, LandscapeSource, Rendered, Sensor,
    Truth,
};
pub use smear::{LocatedCell, Smear, SmearCell, SmearDataset, SmearScene};
