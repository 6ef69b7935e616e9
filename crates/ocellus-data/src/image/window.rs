use crate::{Error, Image, Result, raster::Window};

impl Image {
    /// A part of the image.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::{Image, raster::Window};
    ///
    /// let image = Image::new(1, 2, 3, vec![0., 1., 2., 3., 4., 5.])?;
    /// assert_eq!(image.window(Window::new(1, 0, 2, 2))?.data(), [1., 2., 4., 5.]);
    /// # Ok::<(), ocellus_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the window is empty or not within the image.
    pub fn window(&self, window: Window) -> Result<Self> {
        let inside =
            window.right() <= self.width() as u64 && window.bottom() <= self.height() as u64;
        if window.pixels() == 0 || !inside {
            return Err(Error::Shape(format!(
                "the window of {}×{} pixels at ({}, {}) is empty or not within the image of {}×{}",
                window.width,
                window.height,
                window.x,
                window.y,
                self.width(),
                self.height()
            )));
        }
        let corner = (window.y as usize, window.x as usize);
        Ok(self.part(corner, (window.height as usize, window.width as usize)))
    }

    /// The part of that height and width that begins at a row and a column; it must be within.
    pub(crate) fn part(
        &self,
        (top, left): (usize, usize),
        (height, width): (usize, usize),
    ) -> Self {
        let mut data = Vec::with_capacity(self.channels() * height * width);
        for plane in self.planes() {
            for row in plane.chunks_exact(self.width()).skip(top).take(height) {
                data.extend_from_slice(&row[left..left + width]);
            }
        }
        Self::from_parts((self.channels(), height, width), data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_must_be_within() {
        let image = Image::filled(2, 4, 5, 1.).unwrap();
        assert_eq!(image.window(Window::new(0, 0, 5, 4)).unwrap(), image);
        for window in [(4, 0, 2, 1), (0, 4, 1, 1), (0, 0, 0, 1), (u32::MAX, 0, u32::MAX, 1)] {
            let window = Window::new(window.0, window.1, window.2, window.3);
            assert!(image.window(window).is_err(), "{window:?}");
        }
    }
}
