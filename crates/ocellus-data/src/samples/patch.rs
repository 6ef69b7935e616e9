use crate::{Error, Image, Result, random::Random};

const PLACE: u64 = 0x61;
const LIGHT: u64 = 0x62;

/// Which angles tiles are turned by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Turn {
    /// Any, evenly from 0 to 360 degrees.
    #[default]
    Any,
    /// Multiples of this many degrees.
    Steps(f32),
}

/// How the values between pixels are found when an image is turned. Masks always take the nearest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sampler {
    /// From the four pixels around.
    #[default]
    Bilinear,
    /// The nearest pixel's.
    Nearest,
}

/// Random changes of a patch's light, for values of mean 0 and deviation 1:
///
/// ```text
/// xᵦ ← (1 + c + kᵦ) xᵦ + l + sᵦ
/// ```
///
/// with c from ±`contrast`, l from ±`brightness`, and kᵦ, sᵦ from ±`color` for each band of its own.
/// The default is to change nothing; the paper found marginal gains only.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Jitter {
    /// Greatest change of all bands, in standard deviations.
    pub brightness: f32,
    /// Greatest change of the spread of all bands.
    pub contrast: f32,
    /// Greatest change of single bands, of both kinds.
    pub color: f32,
}

impl Jitter {
    /// These greatest changes.
    #[must_use]
    pub const fn new(brightness: f32, contrast: f32, color: f32) -> Self {
        Self { brightness, contrast, color }
    }
}

/// Draws training samples from tiles: cut out anywhere, or turned and cut from the middle; then
/// mirrored \[1, III-B\].
///
/// With probability `crop` a window of `size` is cut out anywhere. Otherwise the tile is turned about
/// its middle by an angle θ (counterclockwise: the pixel that lies (dy, dx) from the middle is taken
/// from (dy cos θ + dx sin θ, dx cos θ − dy sin θ)) and the window is cut from the middle. A window
/// that might see beyond the tile is an error: the paper's tiles of 364 suffice for 256 √2 = 362.04.
/// Image and mask move exactly alike. A draw depends on `(seed, epoch, sample)` alone.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Image, PatchDraw};
///
/// let tile = Image::new(1, 20, 20, (0..400).map(|v| v as f32).collect())?;
/// let draw = PatchDraw::paper().with_size(12);
/// let (patch, mask) = draw.apply(&tile, Some(&tile), [1, 0, 0])?;
/// assert_eq!(patch.dims(), (1, 12, 12));
/// assert_eq!(mask.map(|mask| mask.dims()), Some((1, 12, 12)));
/// assert!(draw.with_size(15).apply(&tile, None, [1, 0, 0]).is_err()); // 14 √2 > 19
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// # Deviations
///
/// The authors' later code turns by multiples of 30 degrees and takes the nearest pixel:
/// [`PatchDraw::authors`].
///
/// # References
///
/// 1. S. Ghassemi et al. *Satellite image segmentation with deep residual architectures for
///    time-critical applications.* EUSIPCO 2018.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PatchDraw {
    /// Height and width of a sample.
    pub size: usize,
    /// Probability of cutting out anywhere; 1 never turns.
    pub crop: f32,
    /// Which angles tiles are turned by.
    pub turn: Turn,
    /// How a turned image is sampled.
    pub sampler: Sampler,
    /// Probability of mirroring left and right.
    pub flip_horizontal: f32,
    /// Probability of mirroring top and bottom.
    pub flip_vertical: f32,
    /// Changes of light.
    pub jitter: Jitter,
}

impl Default for PatchDraw {
    fn default() -> Self {
        Self::paper()
    }
}

impl PatchDraw {
    /// The paper's: 256 pixels, cut out or turned by any angle half the time each, mirrored both
    /// ways half the time.
    #[must_use]
    pub const fn paper() -> Self {
        Self {
            size: 256,
            crop: 0.5,
            turn: Turn::Any,
            sampler: Sampler::Bilinear,
            flip_horizontal: 0.5,
            flip_vertical: 0.5,
            jitter: Jitter::new(0., 0., 0.),
        }
    }

    /// As the authors' later code draws: multiples of 30 degrees, the nearest pixel.
    #[must_use]
    pub const fn authors() -> Self {
        Self { turn: Turn::Steps(30.), sampler: Sampler::Nearest, ..Self::paper() }
    }

    /// Sets height and width of a sample.
    #[must_use]
    pub const fn with_size(mut self, size: usize) -> Self {
        self.size = size;
        self
    }

    /// Sets the probability of cutting out anywhere.
    #[must_use]
    pub const fn with_crop(mut self, probability: f32) -> Self {
        self.crop = probability;
        self
    }

    /// Sets which angles tiles are turned by, and how they are sampled.
    #[must_use]
    pub const fn with_turn(mut self, turn: Turn, sampler: Sampler) -> Self {
        (self.turn, self.sampler) = (turn, sampler);
        self
    }

    /// Sets the probabilities of mirroring left and right, and top and bottom.
    #[must_use]
    pub const fn with_flips(mut self, horizontal: f32, vertical: f32) -> Self {
        (self.flip_horizontal, self.flip_vertical) = (horizontal, vertical);
        self
    }

    /// Sets the changes of light.
    #[must_use]
    pub const fn with_jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Draws a sample from a tile and its mask; `key` is `[seed, epoch, sample]`.
    ///
    /// # Errors
    ///
    /// If a setting is out of its range, the tile is too small, or tile and mask differ in size.
    pub fn apply(
        &self,
        tile: &Image,
        mask: Option<&Image>,
        [seed, epoch, sample]: [u64; 3],
    ) -> Result<(Image, Option<Image>)> {
        self.check()?;
        self.require_room(tile)?;
        if let Some(mask) = mask
            && (mask.height(), mask.width()) != (tile.height(), tile.width())
        {
            return Err(Error::Shape(format!("the mask is {mask:?}, its tile {tile:?}")));
        }
        // Always as many draws, so that no setting shifts the draws of another.
        let mut random = Random::keyed(seed, epoch, sample, PLACE);
        let crops = random.chance(self.crop);
        let top = random.below(tile.height() - self.size + 1);
        let left = random.below(tile.width() - self.size + 1);
        let share = f64::from(random.unit());
        let mirrored = (random.chance(self.flip_horizontal), random.chance(self.flip_vertical));
        let degrees = match self.turn {
            Turn::Any => 360. * share,
            Turn::Steps(step) => {
                let count = (360. / f64::from(step)).round().max(1.);
                f64::from(step) * (share * count).floor()
            }
        };
        let cut = |image: &Image, sampler: Sampler| match crops {
            true => window(image, (top, left), self.size),
            false => turned(image, degrees, self.size, sampler),
        };
        let mirror = |mut image: Image| {
            flip(&mut image, mirrored);
            image
        };
        let mut patch = mirror(cut(tile, self.sampler));
        self.light(&mut patch, [seed, epoch, sample]);
        Ok((patch, mask.map(|mask| mirror(cut(mask, Sampler::Nearest)))))
    }

    fn light(&self, patch: &mut Image, [seed, epoch, sample]: [u64; 3]) {
        let Jitter { brightness, contrast, color } = self.jitter;
        if (brightness, contrast, color) == (0., 0., 0.) {
            return;
        }
        let mut random = Random::keyed(seed, epoch, sample, LIGHT);
        let shift = brightness * random.symmetric();
        let gain = 1. + contrast * random.symmetric();
        for plane in patch.planes_mut() {
            let gain = gain + color * random.symmetric();
            let shift = shift + color * random.symmetric();
            plane.iter_mut().for_each(|value| *value = gain * *value + shift);
        }
    }

    /// Fails unless no sample can see beyond the tile.
    fn require_room(&self, tile: &Image) -> Result<()> {
        let (height, width) = (tile.height(), tile.width());
        let least = height.min(width);
        // Twice the distance of a turned sample's corner from the middle, which the tile must hold.
        let reach = (self.size as f64 - 1.) * std::f64::consts::SQRT_2;
        let needed = if self.crop < 1. { reach.ceil() as usize + 1 } else { self.size };
        let fits = least >= self.size && (self.crop == 1. || reach <= least as f64 - 1.);
        match fits {
            true => Ok(()),
            false => Err(Error::Shape(format!(
                "a tile of {height}×{width} is too small for samples of {}: it needs {needed} pixels \
                 both ways, so that a turned one sees nothing beyond it (`crop` 1 never turns)",
                self.size
            ))),
        }
    }

    /// Checks that every setting is in its range.
    ///
    /// # Errors
    ///
    /// Naming the first that is not.
    pub fn check(&self) -> Result<()> {
        let fail = |field: &str, value: &dyn std::fmt::Debug, range: &str| {
            Err(Error::Setting(format!("patches: `{field}` is {value:?}, give {range}")))
        };
        if self.size == 0 {
            return fail("size", &self.size, "at least 1");
        }
        for (field, value) in [
            ("crop", self.crop),
            ("flip_horizontal", self.flip_horizontal),
            ("flip_vertical", self.flip_vertical),
        ] {
            if !(0. ..=1.).contains(&value) {
                return fail(field, &value, "0 to 1");
            }
        }
        if let Turn::Steps(step) = self.turn
            && !(0.01..=360.).contains(&step)
        {
            return fail("turn", &step, "steps of 0.01 to 360 degrees");
        }
        let Jitter { brightness, contrast, color } = self.jitter;
        for (field, value) in [("brightness", brightness), ("contrast", contrast), ("color", color)]
        {
            if !(0. ..=10.).contains(&value) {
                return fail(field, &value, "0 to 10");
            }
        }
        Ok(())
    }
}

/// The square that begins at a row and a column.
pub(crate) fn window(image: &Image, corner: (usize, usize), size: usize) -> Image {
    image.part(corner, (size, size))
}

/// The square in the middle of the image turned about its middle.
fn turned(image: &Image, degrees: f64, size: usize, sampler: Sampler) -> Image {
    let (channels, height, width) = image.dims();
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (middle_y, middle_x) = ((height - 1) as f64 / 2., (width - 1) as f64 / 2.);
    let half = (size as f64 - 1.) / 2.;
    let mut data = vec![0.; channels * size * size];
    for at in 0..size * size {
        let dy = (at / size) as f64 - half;
        let dx = (at % size) as f64 - half;
        let y = (middle_y + dy * cos + dx * sin).clamp(0., (height - 1) as f64);
        let x = (middle_x + dx * cos - dy * sin).clamp(0., (width - 1) as f64);
        let values = data.iter_mut().skip(at).step_by(size * size);
        match sampler {
            Sampler::Nearest => {
                let from = (y + 0.5).floor() as usize * width + (x + 0.5).floor() as usize;
                values.zip(image.planes()).for_each(|(value, plane)| *value = plane[from]);
            }
            Sampler::Bilinear => {
                let (row, column) = (y as usize, x as usize);
                let (below, beside) = ((row + 1).min(height - 1), (column + 1).min(width - 1));
                let (down, right) = ((y - row as f64) as f32, (x - column as f64) as f32);
                for (value, plane) in values.zip(image.planes()) {
                    let line = |row: usize| {
                        let (a, b) = (plane[row * width + column], plane[row * width + beside]);
                        a + right * (b - a)
                    };
                    let (a, b) = (line(row), line(below));
                    *value = a + down * (b - a);
                }
            }
        }
    }
    Image::from_parts((channels, size, size), data)
}

/// Mirrors left and right, top and bottom.
fn flip(image: &mut Image, (horizontal, vertical): (bool, bool)) {
    let width = image.width();
    for plane in image.planes_mut() {
        if horizontal {
            plane.chunks_exact_mut(width).for_each(<[f32]>::reverse);
        }
        if vertical {
            // All reversed, and each row back.
            plane.reverse();
            plane.chunks_exact_mut(width).for_each(<[f32]>::reverse);
        }
    }
}

#[cfg(test)]
mod tests {
    use ocellus_testing::{Golden, assert_close};

    use super::*;

    #[test]
    fn turning_matches_scipy() {
        let case = Golden::read(env!("CARGO_MANIFEST_DIR"), "turn").unwrap();
        for side in [31, 44] {
            let input = case.get(&format!("input.tile_{side}")).unwrap();
            let tile = Image::from_tensor(input).unwrap();
            let size = [21, 30][usize::from(side == 44)];
            for degrees in [0, 17, 90, 133, 180, 301] {
                for (sampler, name) in
                    [(Sampler::Bilinear, "bilinear"), (Sampler::Nearest, "nearest")]
                {
                    let actual = turned(&tile, f64::from(degrees), size, sampler);
                    let actual = actual.to_tensor(&candle_core::Device::Cpu).unwrap();
                    let expected = case.get(&format!("output.{name}_{side}_{degrees}")).unwrap();
                    assert_close(&actual, expected, 1e-6).unwrap();
                }
            }
        }
    }

    #[test]
    fn the_papers_tile_suffices_and_one_pixel_less_does_not() {
        let paper = PatchDraw::paper();
        let room = |side| paper.require_room(&Image::filled(1, side, side, 0.).unwrap());
        assert!(room(364).is_ok() && room(362).is_ok() && room(361).is_err());
        let message = room(360).unwrap_err().to_string();
        assert!(message.contains("360×360") && message.contains("362 pixels"), "{message}");
        assert!(paper.with_crop(1.).require_room(&Image::filled(1, 256, 300, 0.).unwrap()).is_ok());
    }

    #[test]
    fn mirroring_twice_is_nothing() {
        let image = Image::new(2, 3, 3, (0..18).map(|v| v as f32).collect()).unwrap();
        let mut mirrored = image.clone();
        flip(&mut mirrored, (true, false));
        assert_eq!(mirrored.data()[..3], [2., 1., 0.]);
        flip(&mut mirrored, (true, true));
        assert_eq!(mirrored.data()[..3], [6., 7., 8.]);
        flip(&mut mirrored, (false, true));
        assert_eq!(mirrored, image);
    }
}
