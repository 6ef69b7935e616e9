use crate::{Image, Result};

/// The derivatives down and to the right, each `[−1, 0, 1]` smoothed by `[1, 2, 1]` across; the edge
/// is mirrored with its pixels repeated.
pub(super) fn gradient(plane: &[f64], height: usize, width: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut down, mut right) = (vec![0.; plane.len()], vec![0.; plane.len()]);
    for y in 0..height {
        let (above, below) = (y.saturating_sub(1) * width, (y + 1).min(height - 1) * width);
        for x in 0..width {
            let (before, after) = (x.saturating_sub(1), (x + 1).min(width - 1));
            let steep = |column: usize| plane[below + column] - plane[above + column];
            let level = |row: usize| plane[row + after] - plane[row + before];
            down[y * width + x] = 2. * steep(x) + (steep(before) + steep(after));
            right[y * width + x] = 2. * level(y * width) + (level(above) + level(below));
        }
    }
    (down, right)
}

impl Image {
    /// How steep a gray image is, by Sobel's filters: one plane, 0 where it is flat. Color is made gray.
    ///
    /// ```text
    /// √((h² + v²) / 2),   h, v = Σ of [1, 2, 1]/4 across and [−1, 0, 1] along
    /// ```
    ///
    /// as scikit-image's `filters.sobel` has it. Beyond the border the image is mirrored.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::Image;
    ///
    /// let step = Image::new(1, 3, 4, [0., 0., 1., 1.].repeat(3))?;
    /// let edges = step.sobel()?;
    /// assert!((edges.get(0, 1, 1) - 0.5f32.sqrt()).abs() < 1e-6);
    /// assert_eq!(edges.get(0, 1, 0), 0.);
    /// # Ok::<(), ocellus_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the image has neither one nor three channels.
    ///
    /// # References
    ///
    /// 1. I. Sobel and G. Feldman. *A 3×3 isotropic gradient operator for image processing*, 1968.
    pub fn sobel(&self) -> Result<Self> {
        let gray = self.to_gray()?;
        let plane: Vec<f64> = gray.data().iter().map(|&value| f64::from(value)).collect();
        let (down, right) = gradient(&plane, self.height(), self.width());
        let steep = down.iter().zip(&right).map(|(v, h)| ((v * v + h * h) / 32.).sqrt() as f32);
        Self::new(1, self.height(), self.width(), steep.collect())
    }
}

#[cfg(test)]
mod tests {
    use ocellus_testing::{Golden, assert_close};

    use super::*;

    #[test]
    fn matches_scikit_image() {
        let case = Golden::read(env!("CARGO_MANIFEST_DIR"), "edges").unwrap();
        for name in ["noise", "cell", "thin"] {
            let image = Image::from_tensor(case.get(&format!("input.{name}")).unwrap()).unwrap();
            let actual = image.sobel().unwrap().to_tensor(&candle_core::Device::Cpu).unwrap();
            let expected = case.get(&format!("output.sobel.{name}")).unwrap();
            assert_close(&actual.squeeze(0).unwrap(), expected, 1e-6).unwrap();
        }
    }

    #[test]
    fn flat_and_tiny_images_have_no_edges() {
        for (height, width) in [(1, 1), (1, 5), (4, 1), (3, 3)] {
            let flat = Image::filled(3, height, width, 0.7).unwrap();
            assert!(flat.sobel().unwrap().data().iter().all(|&v| v == 0.));
        }
        assert!(Image::filled(2, 3, 3, 0.).unwrap().sobel().is_err());
    }
}
