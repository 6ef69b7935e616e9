/// WGS84's half axis in meters, and its flattening.
const AXIS: f64 = 6_378_137.;
const FLATTENING: f64 = 1. / 298.257_223_563;
/// Scale on the central meridian.
const SCALE: f64 = 0.9996;
/// Where the central meridian lies east, and the equator north in the southern half.
const FALSE_EAST: f64 = 500_000.;
const FALSE_NORTH: f64 = 10_000_000.;

/// A zone of the universal transverse Mercator projection, by Krüger's series in the third
/// flattening to the sixth power: exact to nanometers within 3,000 km of the central meridian.
///
/// # References
///
/// C. F. F. Karney, "Transverse Mercator with an accuracy of a few nanometers", Journal of Geodesy 85
/// (2011), Eqs. 7-9, 11, 14, 19, 35, 36.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Utm {
    meridian: f64,
    false_north: f64,
}

impl Utm {
    pub(crate) fn new(zone: u8, south: bool) -> Self {
        let meridian = (6. * f64::from(zone) - 183.).to_radians();
        Self { meridian, false_north: if south { FALSE_NORTH } else { 0. } }
    }

    /// East and north of a longitude and latitude in degrees.
    pub(crate) fn forward(self, longitude: f64, latitude: f64) -> (f64, f64) {
        let (sin, cos) = (longitude.to_radians() - self.meridian).sin_cos();
        let tau = conformal(latitude.to_radians().tan());
        let (xi, eta) = (tau.atan2(cos), (sin / tau.hypot(cos)).asinh());
        let (dxi, deta) = series(&forward_series(), xi, eta);
        let unit = SCALE * rectifying_radius();
        (FALSE_EAST + unit * (eta + deta), self.false_north + unit * (xi + dxi))
    }

    /// Longitude and latitude in degrees of an east and north.
    pub(crate) fn inverse(self, east: f64, north: f64) -> (f64, f64) {
        let unit = SCALE * rectifying_radius();
        let (xi, eta) = ((north - self.false_north) / unit, (east - FALSE_EAST) / unit);
        let (dxi, deta) = series(&inverse_series(), xi, eta);
        let (xi, eta) = (xi - dxi, eta - deta);
        let (sin, cos) = xi.sin_cos();
        let tau = geographic(sin / eta.sinh().hypot(cos));
        let longitude = self.meridian + eta.sinh().atan2(cos);
        (longitude.to_degrees(), tau.atan().to_degrees())
    }
}

fn third_flattening() -> f64 {
    FLATTENING / (2. - FLATTENING)
}

fn rectifying_radius() -> f64 {
    let n = third_flattening();
    let square = n * n;
    AXIS / (1. + n) * (1. + square / 4. * (1. + square / 16. * (1. + square / 4.)))
}

/// The tangent of the conformal latitude of a latitude's tangent.
fn conformal(tau: f64) -> f64 {
    let eccentricity = (FLATTENING * (2. - FLATTENING)).sqrt();
    let secant = 1f64.hypot(tau);
    let sigma = (eccentricity * (eccentricity * (tau / secant)).atanh()).sinh();
    tau * 1f64.hypot(sigma) - sigma * secant
}

/// The tangent of the latitude of a conformal latitude's tangent, by Newton's method.
fn geographic(conformal_tau: f64) -> f64 {
    let rest = 1. - FLATTENING * (2. - FLATTENING);
    let mut tau = conformal_tau / rest;
    for _ in 0..6 {
        let now = conformal(tau);
        let slope = rest * 1f64.hypot(tau) / (1. + rest * tau * tau);
        let step = (conformal_tau - now) / 1f64.hypot(now) / slope;
        tau += step;
        if step.abs() < 1e-15 * 1f64.hypot(tau) {
            break;
        }
    }
    tau
}

/// Σ cⱼ sin 2jξ cosh 2jη and Σ cⱼ cos 2jξ sinh 2jη.
fn series(coefficients: &[f64; 6], xi: f64, eta: f64) -> (f64, f64) {
    let mut sums = (0., 0.);
    for (index, c) in coefficients.iter().enumerate().rev() {
        let j = 2. * (index + 1) as f64;
        sums.0 += c * (j * xi).sin() * (j * eta).cosh();
        sums.1 += c * (j * xi).cos() * (j * eta).sinh();
    }
    sums
}

/// Karney's α, Eq. 35.
fn forward_series() -> [f64; 6] {
    let n = third_flattening();
    [
        polynomial(n, &[0.5, -2. / 3., 5. / 16., 41. / 180., -127. / 288., 7891. / 37800.], 1),
        polynomial(n, &[13. / 48., -0.6, 557. / 1440., 281. / 630., -1_983_433. / 1_935_360.], 2),
        polynomial(n, &[61. / 240., -103. / 140., 15_061. / 26_880., 167_603. / 181_440.], 3),
        polynomial(n, &[49_561. / 161_280., -179. / 168., 6_601_661. / 7_257_600.], 4),
        polynomial(n, &[34_729. / 80_640., -3_418_889. / 1_995_840.], 5),
        polynomial(n, &[212_378_941. / 319_334_400.], 6),
    ]
}

/// Karney's β, Eq. 36.
fn inverse_series() -> [f64; 6] {
    let n = third_flattening();
    [
        polynomial(n, &[0.5, -2. / 3., 37. / 96., -1. / 360., -81. / 512., 96_199. / 604_800.], 1),
        polynomial(
            n,
            &[1. / 48., 1. / 15., -437. / 1440., 46. / 105., -1_118_711. / 3_870_720.],
            2,
        ),
        polynomial(n, &[17. / 480., -37. / 840., -209. / 4480., 5569. / 90_720.], 3),
        polynomial(n, &[4397. / 161_280., -11. / 504., -830_251. / 7_257_600.], 4),
        polynomial(n, &[4583. / 161_280., -108_847. / 3_991_680.], 5),
        polynomial(n, &[20_648_693. / 638_668_800.], 6),
    ]
}

/// (c₀ + c₁ n + c₂ n² + …) nᵖ
fn polynomial(n: f64, coefficients: &[f64], power: i32) -> f64 {
    coefficients.iter().rev().fold(0., |sum, c| sum * n + c) * n.powi(power)
}
