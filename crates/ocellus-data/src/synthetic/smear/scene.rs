use super::SmearCell;
use crate::{CellPart, Image, Result, raster::Window};

/// A simulated micrograph, with what is known of its cells.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SmearScene {
    /// Red, green and blue, from 0 to 1.
    pub image: Image,
    /// 1 where a nucleus is.
    pub nuclei: Image,
    /// 1 where the cytoplasm of a cell with a nucleus is.
    pub cytoplasm: Image,
    /// The cells with nuclei that are seen, from the top.
    pub cells: Vec<LocatedCell>,
}

/// A cell of a [`SmearScene`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocatedCell {
    /// What it is.
    pub kind: SmearCell,
    /// A box around it, cut at the image's border.
    pub window: Window,
}

impl SmearScene {
    /// The mask of a part of the cells, one plane of 0 and 1.
    ///
    /// # Errors
    ///
    /// Never, for a scene that a generator drew.
    pub fn mask(&self, part: CellPart) -> Result<Image> {
        match part {
            CellPart::Nucleus => Ok(self.nuclei.clone()),
            CellPart::Cytoplasm => Ok(self.cytoplasm.clone()),
            CellPart::Cell => {
                let (_, height, width) = self.nuclei.dims();
                let pairs = self.nuclei.data().iter().zip(self.cytoplasm.data());
                Image::new(1, height, width, pairs.map(|(a, b)| a.max(*b)).collect())
            }
        }
    }
}
