/// What a pixel of a simulated scene shows; its number is the class in a multi-class mask.
///
/// # Examples
///
/// ```
/// use ocellus_data::synthetic::LandCover;
///
/// assert_eq!(LandCover::Building as u8, 1);
/// assert_eq!(LandCover::NAMES[LandCover::Water as usize], "water");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LandCover {
    /// Soil, paved yards, parking lots, walls.
    #[default]
    Ground = 0,
    /// Buildings.
    Building = 1,
    /// Streets, roads and highways with their walks.
    Road = 2,
    /// Trees, lawns, crops.
    Vegetation = 3,
    /// Rivers and ponds.
    Water = 4,
}

impl LandCover {
    /// The names of the classes, by number.
    pub const NAMES: [&'static str; 5] = ["ground", "building", "road", "vegetation", "water"];
}

/// Which classes the truth of a simulated scene has.
///
/// # Examples
///
/// ```
/// use ocellus_data::{LabeledScene, raster::Window, synthetic::{Labels, Landscape}};
///
/// let scene = Landscape::new(400, 400, 2).with_labels(Labels::LandCover);
/// let mask = scene.read_mask(Window::new(0, 0, 400, 400))?;
/// assert!(mask.data().iter().any(|&class| class > 1.));
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Labels {
    /// Buildings 1, all else 0: the paper's task.
    #[default]
    Buildings,
    /// The five numbers of [`LandCover`].
    LandCover,
}

impl Labels {
    pub(crate) fn class(self, cover: LandCover) -> u8 {
        match self {
            Self::Buildings => u8::from(cover == LandCover::Building),
            Self::LandCover => cover as u8,
        }
    }
}
