use crate::{Error, Image, Result, raster::Window};

/// What becomes of the pixels outside of a mask.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Outside {
    /// They stay.
    #[default]
    Keep,
    /// They get this value in every channel: 0 is black, as in the cells of C-NMC.
    Fill(f32),
}

/// Cuts a cell out of an image by its mask: the mask's bounding box, with a margin.
///
/// # Examples
///
/// ```
/// use ocellus_data::{CellCrop, Image, Outside};
///
/// let image = Image::filled(3, 20, 30, 0.5)?;
/// let mut mask = Image::filled(1, 20, 30, 0.)?;
/// for y in 5..10 {
///     mask.data_mut()[y * 30 + 12..y * 30 + 20].fill(1.);
/// }
/// let crop = CellCrop::default().with_margin(0.).with_outside(Outside::Fill(0.));
/// let (cell, mask) = crop.apply(&image, &mask)?;
/// assert_eq!((cell.dims(), mask.dims()), ((3, 8, 8), (1, 8, 8))); // A square around 5×8.
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct CellCrop {
    /// What is added to the box on each side, as a share of its longer side. 0.1 by default.
    pub margin: f32,
    /// Whether the box becomes a square of its longer side, so that resizing keeps the cell's shape.
    /// On by default.
    pub square: bool,
    /// What becomes of the pixels outside of the mask. They stay by default.
    pub outside: Outside,
}

impl Default for CellCrop {
    fn default() -> Self {
        Self { margin: 0.1, square: true, outside: Outside::Keep }
    }
}

impl CellCrop {
    /// Sets the margin.
    #[must_use]
    pub fn with_margin(mut self, margin: f32) -> Self {
        self.margin = margin;
        self
    }

    /// Sets whether the box becomes a square.
    #[must_use]
    pub fn with_square(mut self, square: bool) -> Self {
        self.square = square;
        self
    }

    /// Sets what becomes of the pixels outside of the mask.
    #[must_use]
    pub fn with_outside(mut self, outside: Outside) -> Self {
        self.outside = outside;
        self
    }

    /// The part of the image that the mask marks, and that of the mask.
    ///
    /// The box is moved, and where it is larger than the image cut, to lie within the image.
    ///
    /// # Errors
    ///
    /// If the mask has another size than the image or more than one plane, marks nothing, or a
    /// setting is out of its range.
    pub fn apply(&self, image: &Image, mask: &Image) -> Result<(Image, Image)> {
        if mask.dims() != (1, image.height(), image.width()) {
            return Err(Error::Shape(format!(
                "the mask is {}×{}×{}, its image {}×{} (channels, height, width): give one plane of \
                 the image's size",
                mask.channels(),
                mask.height(),
                mask.width(),
                image.height(),
                image.width()
            )));
        }
        let marked = mask.data().iter().enumerate().filter(|(_, value)| **value >= 0.5);
        let window = self.window(marked.map(|(at, _)| at), (image.height(), image.width()))?;
        let (mut cell, mask) = (image.window(window)?, mask.window(window)?);
        if let Outside::Fill(value) = self.outside {
            for plane in cell.planes_mut() {
                for (pixel, _) in plane.iter_mut().zip(mask.data()).filter(|(_, m)| **m < 0.5) {
                    *pixel = value;
                }
            }
        }
        Ok((cell, mask))
    }

    /// The window around these places of a plane.
    pub(crate) fn window(
        &self,
        places: impl Iterator<Item = usize>,
        (height, width): (usize, usize),
    ) -> Result<Window> {
        if !(0. ..=10.).contains(&self.margin) {
            let message = format!("the margin around a cell is {}: give 0 to 10", self.margin);
            return Err(Error::Setting(message));
        }
        let (mut rows, mut columns) = ((usize::MAX, 0), (usize::MAX, 0));
        for at in places {
            let (y, x) = (at / width, at % width);
            rows = (rows.0.min(y), rows.1.max(y));
            columns = (columns.0.min(x), columns.1.max(x));
        }
        if rows.0 == usize::MAX {
            return Err(Error::Shape(
                "the mask marks nothing: there is no cell to cut out".to_owned(),
            ));
        }
        let longer = (rows.1 - rows.0).max(columns.1 - columns.0) + 1;
        let margin = (self.margin * longer as f32).round() as usize;
        let span = |(low, high): (usize, usize), side: usize| {
            let wanted = if self.square { longer } else { high - low + 1 } + 2 * margin;
            let length = wanted.min(side);
            let begin = ((low + high + 1).saturating_sub(length) / 2).min(side - length);
            (begin as u32, length as u32)
        };
        let ((y, height), (x, width)) = (span(rows, height), span(columns, width));
        Ok(Window::new(x, y, width, height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 12×16 pixels, of which those at rows 2 to 4 and columns 9 to 14 are marked.
    fn example() -> (Image, Image) {
        let data: Vec<f32> = (0..192).map(|v| v as f32 / 192.).collect();
        let marked = |at: usize| (2..5).contains(&(at / 16)) && (9..15).contains(&(at % 16));
        let mask = (0..192).map(|at| f32::from(marked(at))).collect();
        (Image::new(1, 12, 16, data).unwrap(), Image::new(1, 12, 16, mask).unwrap())
    }

    #[test]
    fn the_box_is_a_square_within_the_image() {
        let (image, mask) = example();
        let tight = CellCrop::default().with_margin(0.);
        let (cell, part) = tight.with_square(false).apply(&image, &mask).unwrap();
        assert_eq!((cell.dims(), cell.get(0, 0, 0)), ((1, 3, 6), image.get(0, 2, 9)));
        assert!(part.data().iter().all(|&v| v == 1.));
        let (cell, _) = tight.apply(&image, &mask).unwrap();
        assert_eq!((cell.dims(), cell.get(0, 0, 0)), ((1, 6, 6), image.get(0, 0, 9)));
        // Two columns more on each side, of which one is beyond the border: the box moves.
        let (cell, _) = tight.with_margin(0.34).apply(&image, &mask).unwrap();
        assert_eq!((cell.dims(), cell.get(0, 0, 9)), ((1, 10, 10), image.get(0, 0, 15)));
        let (whole, _) = tight.with_margin(9.).apply(&image, &mask).unwrap();
        assert_eq!(whole, image);
    }

    #[test]
    fn what_is_outside_is_filled_or_kept() {
        let (image, mask) = example();
        let crop = CellCrop::default().with_margin(0.2).with_outside(Outside::Fill(0.25));
        let (cell, part) = crop.apply(&image, &mask).unwrap();
        let pairs = || cell.data().iter().zip(part.data());
        assert!(pairs().all(|(&v, &m)| (m == 1.) != (v == 0.25)));
        assert_eq!(pairs().filter(|(_, m)| **m == 1.).count(), 18);
    }

    #[test]
    fn a_mask_of_another_size_or_without_a_cell_is_an_error() {
        let (image, mask) = example();
        let message =
            |mask: &Image| CellCrop::default().apply(&image, mask).unwrap_err().to_string();
        assert!(
            message(&Image::filled(1, 12, 15, 1.).unwrap()).contains("1×12×15, its image 12×16")
        );
        assert!(message(&Image::filled(1, 12, 16, 0.).unwrap()).contains("marks nothing"));
        assert!(CellCrop::default().with_margin(f32::NAN).apply(&image, &mask).is_err());
    }
}
