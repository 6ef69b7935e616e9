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
