use crate::{
    Error, Image, Result,
    image::{components::components, sobel::gradient},
};

/// Canny's edges \[1\]: 1 on lines one pixel wide, 0 elsewhere. Color is made gray.
///
/// The image is smoothed by a Gaussian; its gradient is taken by Sobel's filters; a pixel stays where
/// the gradient is greatest across the edge (between neighbors, by linear interpolation) and reaches
/// `low`; and of the connected lines of these, those stay that reach `high` somewhere. As
/// scikit-image's `feature.canny`: gradients are of the unscaled filters, the image fades out of view
/// rather than going on beyond its border, and the outermost pixels are never edges.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Canny, Image};
///
/// let step = Image::new(1, 9, 12, (0..108).map(|at| f32::from(at % 12 > 5)).collect())?;
/// let edges = Canny::default().apply(&step)?;
/// let edge = (0..12).filter(|&x| edges.get(0, 4, x) == 1.).collect::<Vec<_>>();
/// assert!(edge == [5] || edge == [6]); // The step lies between two pixels.
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// # References
///
/// 1. J. Canny. *A computational approach to edge detection.* IEEE Trans. Pattern Anal. Mach.
///    Intell. 8(6), 1986. <https://doi.org/10.1109/TPAMI.1986.4767851>
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Canny {
    /// Deviation of the Gaussian in pixels. 1 by default.
    pub sigma: f64,
    /// The least gradient of an edge's pixels. 0.1 by default.
    pub low: f64,
    /// The gradient that an edge reaches somewhere. 0.2 by default.
    pub high: f64,
}

impl Default for Canny {
    fn default() -> Self {
        Self { sigma: 1., low: 0.1, high: 0.2 }
    }
}

impl Canny {
    /// Sets the deviation of the Gaussian in pixels.
    #[must_use]
    pub fn with_sigma(mut self, sigma: f64) -> Self {
        self.sigma = sigma;
        self
    }

    /// Sets both thresholds.
    #[must_use]
    pub fn with_thresholds(mut self, low: f64, high: f64) -> Self {
        (self.low, self.high) = (low, high);
        self
    }

    /// Checks that every field is in its range.
    ///
    /// # Errors
    ///
    /// If the deviation is not above 0 and at most 100, or not 0 ≤ low ≤ high.
    pub fn check(&self) -> Result<()> {
        let fine = self.sigma > 0. && self.sigma <= 100. && self.low >= 0. && self.low <= self.high;
        match fine && self.high.is_finite() {
            true => Ok(()),
            false => Err(Error::Setting(format!(
                "Canny's edges: sigma {}, low {}, high {}: give a sigma above 0 to 100 and \
                 0 ≤ low ≤ high",
                self.sigma, self.low, self.high
            ))),
        }
    }

    /// The edges, one plane of 0 and 1.
    ///
    /// # Errors
    ///
    /// If a setting is out of its range, or the image has neither one nor three channels.
    pub fn apply(&self, image: &Image) -> Result<Image> {
        self.check()?;
        let gray = image.to_gray()?;
        let (height, width) = (gray.height(), gray.width());
        let plane: Vec<f64> = gray.data().iter().map(|&value| f64::from(value)).collect();
        let smooth = smoothed(&plane, (height, width), self.sigma);
        let (down, right) = gradient(&smooth, height, width);
        let steep: Vec<f64> =
            down.iter().zip(&right).map(|(v, h)| (v * v + h * h).sqrt()).collect();
        let crest = |at: usize| {
            let (y, x) = (at / width, at % width);
            let inner = y > 0 && x > 0 && y + 1 < height && x + 1 < width;
            inner && steep[at] >= self.low && is_crest(&steep, width, at, (down[at], right[at]))
        };
        let crests: Vec<bool> = (0..steep.len()).map(crest).collect();
        let mut edges = vec![0.; steep.len()];
        for line in components(&crests, width) {
            if line.iter().any(|&at| steep[at] >= self.high) {
                line.into_iter().for_each(|at| edges[at] = 1.);
            }
        }
        Image::new(1, height, width, edges)
    }
}

/// Whether the gradient is nowhere greater across the edge: on both sides, where its direction leaves
/// the ring of eight neighbors.
fn is_crest(steep: &[f64], width: usize, at: usize, (down, right): (f64, f64)) -> bool {
    let row = if down >= 0. { width as isize } else { -(width as isize) };
    let column = if right >= 0. { 1 } else { -1 };
    let (straight, share) = match down.abs() > right.abs() {
        true => (row, right.abs() / down.abs()),
        false => (column, down.abs() / right.abs()),
    };
    let beside = |sign: isize| {
        let place = |offset: isize| steep[at.wrapping_add_signed(sign * offset)];
        place(row + column) * share + place(straight) * (1. - share)
    };
    beside(1) <= steep[at] && beside(-1) <= steep[at]
}

/// A Gaussian within four deviations; what lies beyond the border has no weight.
fn smoothed(plane: &[f64], (height, width): (usize, usize), sigma: f64) -> Vec<f64> {
    let reach = (4. * sigma + 0.5) as usize;
    let half: Vec<f64> = (0..=reach).map(|i| (-0.5 * (i as f64 / sigma).powi(2)).exp()).collect();
    let sum = half[0] + 2. * half[1..].iter().sum::<f64>();
    let half: Vec<f64> = half.into_iter().map(|weight| weight / sum).collect();
    // The value at a place of a line, from both sides alike, so that a mirrored image has mirrored edges.
    let tap = |line: &dyn Fn(usize) -> f64, length: usize, at: usize| {
        let mut sum = half[0] * line(at);
        for (away, weight) in half.iter().enumerate().skip(1) {
            let left = at.checked_sub(away).map_or(0., line);
            let right = if at + away < length { line(at + away) } else { 0. };
            sum += weight * (left + right);
        }
        sum
    };
    let weight =
        |length: usize| -> Vec<f64> { (0..length).map(|at| tap(&|_| 1., length, at)).collect() };
    let mut across = vec![0.; plane.len()];
    for (at, value) in across.iter_mut().enumerate() {
        let (y, x) = (at / width, at % width);
        *value = tap(&|row| plane[row * width + x], height, y);
    }
    let (rows, columns) = (weight(height), weight(width));
    let value = |at: usize| {
        let (y, x) = (at / width, at % width);
        tap(&|column| across[y * width + column], width, x) / (rows[y] * columns[x] + f64::EPSILON)
    };
    (0..plane.len()).map(value).collect()
}

#[cfg(test)]
mod tests {
    use ocellus_testing::Golden;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn matches_scikit_image() {
        let case = Golden::read(env!("CARGO_MANIFEST_DIR"), "edges").unwrap();
        let settings = [
            ("default", Canny::default()),
            ("wide", Canny::default().with_sigma(2.3).with_thresholds(0.05, 0.3)),
            ("sharp", Canny::default().with_sigma(0.6).with_thresholds(0.4, 0.9)),
        ];
        for image in ["noise", "cell", "thin"] {
            let input = Image::from_tensor(case.get(&format!("input.{image}")).unwrap()).unwrap();
            for (name, canny) in settings {
                let expected = case.get(&format!("output.canny_{name}.{image}")).unwrap();
                let expected = Image::from_tensor(expected).unwrap();
                assert_eq!(canny.apply(&input).unwrap().data(), expected.data(), "{image} {name}");
                assert!(image == "thin" || expected.data().contains(&1.), "{image} {name}");
            }
        }
    }

    #[test]
    fn flat_and_tiny_images_have_no_edges() {
        for (height, width) in [(1, 1), (2, 7), (5, 5)] {
            let flat = Image::filled(3, height, width, 0.7).unwrap();
            let edges = Canny::default().apply(&flat).unwrap();
            assert_eq!(edges, Image::filled(1, height, width, 0.).unwrap());
        }
    }

    #[test]
    fn rejects_settings_that_make_no_sense() {
        let image = Image::filled(1, 8, 8, 0.).unwrap();
        for canny in [
            Canny::default().with_sigma(0.),
            Canny::default().with_sigma(f64::NAN),
            Canny::default().with_thresholds(0.3, 0.2),
            Canny::default().with_thresholds(-1., 0.2),
            Canny::default().with_thresholds(0.1, f64::INFINITY),
        ] {
            let error = canny.apply(&image).unwrap_err().to_string();
            assert!(error.contains("0 ≤ low ≤ high"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_turned_image_has_turned_edges(values in prop::collection::vec(0f32..1., 99)) {
            let image = Image::new(1, 9, 11, values).unwrap();
            let canny = Canny::default().with_sigma(0.8);
            let turned = canny.apply(&image.rotated(2)).unwrap();
            prop_assert_eq!(turned, canny.apply(&image).unwrap().rotated(2));
        }
    }
}
