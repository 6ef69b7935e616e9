/// The affine map from pixels to the ground.
///
/// ```text
/// x = a·column + b·row + c
/// y = d·column + e·row + f
/// ```
///
/// Column and row are measured from the outer corner of the upper left pixel, whose center is at
/// (0.5, 0.5): the convention of rasterio and of GDAL.
///
/// # Examples
///
/// ```
/// use ocellus_data::geo::Affine;
///
/// let half_meter = Affine::north_up((500_000., 4_600_000.), (0.5, 0.5));
/// assert_eq!(half_meter.apply(100., 10.), (500_050., 4_599_995.));
/// assert_eq!(half_meter.inverse().unwrap().apply(500_050., 4_599_995.), (100., 10.));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs, reason = "six numbers, and never more")]
pub struct Affine {
    /// World x per column.
    pub a: f64,
    /// World x per row.
    pub b: f64,
    /// World x of the outer corner.
    pub c: f64,
    /// World y per column.
    pub d: f64,
    /// World y per row; negative where north is up.
    pub e: f64,
    /// World y of the outer corner.
    pub f: f64,
}

impl Affine {
    /// Every pixel its own unit: column and row.
    pub const IDENTITY: Self = Self { a: 1., b: 0., c: 0., d: 0., e: 1., f: 0. };

    /// North up: the outer corner of the upper left pixel, and width and height of a pixel.
    #[must_use]
    pub const fn north_up((x, y): (f64, f64), (width, height): (f64, f64)) -> Self {
        Self { a: width, b: 0., c: x, d: 0., e: -height, f: y }
    }

    /// The place of a column and row.
    #[must_use]
    pub fn apply(&self, column: f64, row: f64) -> (f64, f64) {
        (self.a * column + self.b * row + self.c, self.d * column + self.e * row + self.f)
    }

    /// The map of a part of the raster that begins at this column and row.
    #[must_use]
    pub fn shifted(&self, column: f64, row: f64) -> Self {
        let (c, f) = self.apply(column, row);
        Self { c, f, ..*self }
    }

    /// World area of a pixel; negative where the map mirrors, as with north up.
    #[must_use]
    pub fn determinant(&self) -> f64 {
        self.a * self.e - self.b * self.d
    }

    /// The map from the ground to pixels, unless all pixels fall onto a line.
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        let det = self.determinant();
        if !det.is_normal() {
            return None;
        }
        let (a, b, d, e) = (self.e / det, -self.b / det, -self.d / det, self.a / det);
        let (c, f) = (-(a * self.c + b * self.f), -(d * self.c + e * self.f));
        Some(Self { a, b, c, d, e, f })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_flat_map_has_no_inverse() {
        assert_eq!(Affine { a: 1., b: 2., c: 0., d: 2., e: 4., f: 0. }.inverse(), None);
        assert_eq!(Affine::north_up((0., 0.), (f64::NAN, 1.)).inverse(), None);
    }

    proptest! {
        #[test]
        fn inverse_and_shift_agree_with_the_map(
            a in 0.1..10., b in -0.05..0.05, d in -0.05..0.05, e in -10.0..-0.1,
            x in 0.0..60_000., y in 0.0..60_000.,
        ) {
            let map = Affine { a, b, c: 4.5e5, d, e, f: 4.6e6 };
            let (east, north) = map.apply(x, y);
            let (column, row) = map.inverse().unwrap().apply(east, north);
            prop_assert!((column - x).abs() < 1e-5 && (row - y).abs() < 1e-5);
            let (shifted_east, shifted_north) = map.shifted(100., 7.).apply(x - 100., y - 7.);
            prop_assert!((shifted_east - east).abs() < 1e-6);
            prop_assert!((shifted_north - north).abs() < 1e-6);
        }
    }
}
