use crate::{Error, Result};

/// Where sun and satellite stand. Angles are in degrees; azimuths from north, clockwise.
///
/// # Examples
///
/// ```
/// use ocellus_data::synthetic::Acquisition;
///
/// let oblique = Acquisition::default().with_sun(200., 35.).with_view(90., 25.);
/// assert_eq!(oblique.off_nadir, 25.);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Acquisition {
    /// From where the sun shines.
    pub sun_azimuth: f32,
    /// Height of the sun above the horizon: shadows are `1 / tan` of it times as long as what casts
    /// them is high.
    pub sun_elevation: f32,
    /// From where the satellite looks.
    pub view_azimuth: f32,
    /// Angle of the view from the vertical: roofs lean away from the satellite by `tan` of it times
    /// their height.
    pub off_nadir: f32,
}

impl Default for Acquisition {
    /// A late morning in the northern hemisphere, seen from slightly aside.
    fn default() -> Self {
        Self { sun_azimuth: 155., sun_elevation: 52., view_azimuth: 250., off_nadir: 12. }
    }
}

impl Acquisition {
    /// Sets azimuth and elevation of the sun.
    #[must_use]
    pub fn with_sun(mut self, azimuth: f32, elevation: f32) -> Self {
        (self.sun_azimuth, self.sun_elevation) = (azimuth, elevation);
        self
    }

    /// Sets azimuth and off-nadir angle of the view.
    #[must_use]
    pub fn with_view(mut self, azimuth: f32, off_nadir: f32) -> Self {
        (self.view_azimuth, self.off_nadir) = (azimuth, off_nadir);
        self
    }

    /// The vectors that geometry needs, x to the east and y to the south.
    pub(crate) fn rays(&self) -> Rays {
        let toward = |azimuth: f32| {
            let (sin, cos) = azimuth.to_radians().sin_cos();
            [sin, -cos]
        };
        let elevation = self.sun_elevation.to_radians();
        let sun = toward(self.sun_azimuth).map(|c| c / elevation.tan());
        let lean = toward(self.view_azimuth).map(|c| -c * self.off_nadir.to_radians().tan());
        Rays { sun, lean }
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (field, value, low, high) in [
            ("sun_azimuth", self.sun_azimuth, -360., 360.),
            ("sun_elevation", self.sun_elevation, 15., 90.),
            ("view_azimuth", self.view_azimuth, -360., 360.),
            ("off_nadir", self.off_nadir, 0., 45.),
        ] {
            if !(low..=high).contains(&value) {
                return Err(Error::Setting(format!(
                    "acquisition: `{field}` is {value}, give {low} to {high} degrees"
                )));
            }
        }
        Ok(())
    }
}

/// Horizontal movement by meter of height.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rays {
    /// Of a ray toward the sun.
    pub(crate) sun: [f32; 2],
    /// Of a point's image: where a high point is seen, from where it stands.
    pub(crate) lean: [f32; 2],
}

impl Rays {
    /// Light on a plane that rises by `slope` by meter, against that on level ground; 0 if it looks
    /// away from the sun.
    ///
    /// With a ray toward the sun `(s, 1)` and a normal `(−g, 1)`: `(1 − g·s) / √(1 + |g|²)`.
    pub(crate) fn on_slope(&self, [gx, gy]: [f32; 2]) -> f32 {
        let facing = 1. - gx * self.sun[0] - gy * self.sun[1];
        (facing / (1. + gx * gx + gy * gy).sqrt()).max(0.)
    }

    /// Light on a wall of this outward normal, against that on level ground.
    pub(crate) fn on_wall(&self, [nx, ny]: [f32; 2]) -> f32 {
        (nx * self.sun[0] + ny * self.sun[1]).max(0.)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shadows_fall_away_from_the_sun_and_roofs_lean_away_from_the_view() {
        let rays = Acquisition::default().with_sun(90., 45.).with_view(180., 45.).rays();
        let close = |a: [f32; 2], b: [f32; 2]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(close(rays.sun, [1., 0.]), "{rays:?}"); // From the east.
        assert!(close(rays.lean, [0., -1.]), "{rays:?}"); // Seen from the south: to the north.
        let nadir = Acquisition::default().with_view(77., 0.).rays();
        assert!(close(nadir.lean, [0., 0.]));
    }

    #[test]
    fn a_plane_square_to_the_sun_is_the_brightest() {
        let rays = Acquisition::default().with_sun(90., 45.).rays();
        assert_eq!(rays.on_slope([0., 0.]), 1.);
        assert!((rays.on_slope([-1., 0.]) - 2f32.sqrt()).abs() < 1e-6);
        assert_eq!(rays.on_slope([2., 0.]), 0.);
        assert_eq!(rays.on_wall([-1., 0.]), 0.);
    }
}
