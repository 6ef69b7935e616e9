use crate::Image;

impl Image {
    /// The image turned counterclockwise by that many quarters, exactly: NumPy's `rot90`.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::Image;
    ///
    /// let image = Image::new(1, 2, 3, vec![0., 1., 2., 3., 4., 5.])?;
    /// let turned = image.rotated(1);
    /// assert_eq!((turned.dims(), turned.data()), ((1, 3, 2), &[2., 5., 1., 4., 0., 3.][..]));
    /// # Ok::<(), ocellus_data::Error>(())
    /// ```
    #[must_use]
    pub fn rotated(&self, quarters: usize) -> Self {
        let (channels, height, width) = self.dims();
        let (rows, columns) =
            if quarters.is_multiple_of(2) { (height, width) } else { (width, height) };
        let source = |y: usize, x: usize| match quarters % 4 {
            0 => (y, x),
            1 => (x, width - 1 - y),
            2 => (height - 1 - y, width - 1 - x),
            _ => (height - 1 - x, y),
        };
        let mut data = Vec::with_capacity(self.data().len());
        for plane in self.planes() {
            for y in 0..rows {
                data.extend((0..columns).map(|x| {
                    let (row, column) = source(y, x);
                    plane[row * width + column]
                }));
            }
        }
        Self::from_parts((channels, rows, columns), data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_quarters_are_a_whole() {
        let image = Image::new(2, 3, 5, (0..30).map(|v| v as f32).collect()).unwrap();
        let once = image.rotated(1);
        assert_eq!(once.get(1, 0, 0), image.get(1, 0, 4));
        assert_eq!(once.rotated(1), image.rotated(2));
        assert_eq!(once.rotated(2), image.rotated(3));
        assert_eq!(once.rotated(3), image);
        assert_eq!((image.rotated(0), image.rotated(4)), (image.clone(), image));
    }
}
