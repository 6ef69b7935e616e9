use crate::{Error, Result};

/// A simulated sensor of four bands: blue, green, red, near infrared.
///
/// A reflectance ρ becomes a digital number by
///
/// ```text
/// haze       ρ₁ = (1 − h aᵦ) ρ + h pᵦ              a, p: of the atmosphere, most in blue
/// optics     ρ₂ = ρ₁ ∗ Gaussian(blur)
/// electronics  D = offsetᵦ + gainᵦ · ρ₂^gamma + n,  n ~ N(0, read² + shot · D)
/// number     round(D), from 0 to 2^bits − 1
/// ```
///
/// The presets differ in all of these as real ones do, so that what a network learned on some is
/// tested on another: [`Sensor::training`] and [`Sensor::unseen`].
///
/// # Examples
///
/// ```
/// use ocellus_data::synthetic::Sensor;
///
/// assert_eq!(Sensor::training().len(), 3);
/// let sharp = Sensor::unseen().with_blur(0.4).with_resolution(0.5);
/// assert_eq!(sharp.greatest(), 2047);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sensor {
    /// What it is called in names and reports.
    pub name: String,
    /// Side of a pixel on the ground, in meters.
    pub resolution: f64,
    /// Numbers per unit of (gamma-corrected) reflectance, by band.
    pub gain: [f32; 4],
    /// The number of a black pixel, by band.
    pub offset: [f32; 4],
    /// Exponent of the reflectance; 1 is a linear sensor.
    pub gamma: f32,
    /// Deviation of the point-spread function, in pixels.
    pub blur: f32,
    /// Deviation of the noise of a black pixel, in numbers.
    pub read_noise: f32,
    /// Variance of the noise by number: what photons add.
    pub shot_noise: f32,
    /// Haze, from 0 (clear) to 1.
    pub haze: f32,
    /// Bits of a number, from 1 to 16.
    pub bits: u32,
}

impl Default for Sensor {
    /// The first of the training sensors.
    fn default() -> Self {
        Self {
            name: "alpha".to_owned(),
            resolution: 0.5,
            gain: [2400., 2200., 2000., 1700.],
            offset: [60., 45., 30., 20.],
            gamma: 1.,
            blur: 0.55,
            read_noise: 3.,
            shot_noise: 0.12,
            haze: 0.12,
            bits: 11,
        }
    }
}

impl Sensor {
    /// Three sensors to learn on: half a meter, about alike in color, unlike in contrast.
    #[must_use]
    pub fn training() -> [Self; 3] {
        let beta = Self {
            name: "beta".to_owned(),
            gain: [1900., 1950., 2000., 2100.],
            offset: [110., 70., 40., 25.],
            blur: 0.7,
            read_noise: 5.,
            haze: 0.25,
            ..Self::default()
        };
        let gamma = Self {
            name: "gamma".to_owned(),
            resolution: 0.6,
            gain: [1500., 1450., 1400., 1250.],
            offset: [40., 30., 25., 15.],
            gamma: 0.85,
            blur: 0.6,
            read_noise: 4.,
            shot_noise: 0.2,
            haze: 0.05,
            ..Self::default()
        };
        [Self::default(), beta, gamma]
    }

    /// A sensor that none of the training sensors is like: coarser, softer, hazier, of another
    /// color balance.
    #[must_use]
    pub fn unseen() -> Self {
        Self {
            name: "omega".to_owned(),
            resolution: 0.8,
            gain: [1250., 1600., 2300., 1150.],
            offset: [170., 120., 60., 70.],
            gamma: 0.75,
            blur: 0.85,
            read_noise: 7.,
            shot_noise: 0.3,
            haze: 0.45,
            ..Self::default()
        }
    }

    /// Sets the name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the side of a pixel on the ground, in meters.
    #[must_use]
    pub fn with_resolution(mut self, meters: f64) -> Self {
        self.resolution = meters;
        self
    }

    /// Sets gain and offset of the bands.
    #[must_use]
    pub fn with_radiometry(mut self, gain: [f32; 4], offset: [f32; 4]) -> Self {
        (self.gain, self.offset) = (gain, offset);
        self
    }

    /// Sets the exponent of the reflectance.
    #[must_use]
    pub fn with_gamma(mut self, gamma: f32) -> Self {
        self.gamma = gamma;
        self
    }

    /// Sets the deviation of the point-spread function, in pixels.
    #[must_use]
    pub fn with_blur(mut self, pixels: f32) -> Self {
        self.blur = pixels;
        self
    }

    /// Sets the noise: its deviation in black, and its variance by number.
    #[must_use]
    pub fn with_noise(mut self, read: f32, shot: f32) -> Self {
        (self.read_noise, self.shot_noise) = (read, shot);
        self
    }

    /// Sets the haze.
    #[must_use]
    pub fn with_haze(mut self, haze: f32) -> Self {
        self.haze = haze;
        self
    }

    /// Sets the bits of a number.
    #[must_use]
    pub fn with_bits(mut self, bits: u32) -> Self {
        self.bits = bits;
        self
    }

    /// The greatest number: `2^bits − 1`.
    #[must_use]
    pub fn greatest(&self) -> u16 {
        ((1u32 << self.bits.clamp(1, 16)) - 1) as u16
    }

    pub(crate) fn check(&self) -> Result<()> {
        let fail = |field: &str, value: &dyn std::fmt::Debug, range: &str| {
            Err(Error::Setting(format!("sensor: `{field}` is {value:?}, give {range}")))
        };
        if !(0.1..=10.).contains(&self.resolution) {
            return fail("resolution", &self.resolution, "0.1 to 10 meters");
        }
        for (field, values, range) in
            [("gain", self.gain, 0. ..=65_535.), ("offset", self.offset, -65_535. ..=65_535.)]
        {
            if let Some(value) = values.iter().find(|v| !range.contains(*v)) {
                return fail(field, value, &format!("{} to {}", range.start(), range.end()));
            }
        }
        for (field, value, range) in [
            ("gamma", self.gamma, 0.1..=10.),
            ("blur", self.blur, 0. ..=5.),
            ("read_noise", self.read_noise, 0. ..=10_000.),
            ("shot_noise", self.shot_noise, 0. ..=10_000.),
            ("haze", self.haze, 0. ..=1.),
        ] {
            if !range.contains(&value) {
                return fail(field, &value, &format!("{} to {}", range.start(), range.end()));
            }
        }
        if !(1..=16).contains(&self.bits) {
            return fail("bits", &self.bits, "1 to 16");
        }
        Ok(())
    }
}
