use rayon::prelude::*;

use crate::{
    Error, Image, Result,
    raster::Window,
    synthetic::scene::{
        area::Area,
        cover::{Labels, LandCover},
        expose::{expose, halo},
        layout::Layout,
        light::Acquisition,
        render::{Frame, Truth, render},
        sensor::Sensor,
    },
};

/// Side of the pieces that threads render.
const PIECE: u32 = 256;

/// A simulated satellite scene in blue, green, red and near infrared, with its truth.
///
/// Districts of houses, dense cores, apartment slabs and halls stand along bent streets among
/// fields, meadows and forest; highways and rivers cross them. Buildings have rectangular, L- and
/// T-shaped outlines, flat, gabled and hipped roofs of many materials; they lean away from the
/// satellite and cast shadows, also on each other. Roofs share their colors with soil, asphalt and
/// concrete; lots, yards, terraces and cars are as straight as they: a pixel alone does not tell
/// what it is.
///
/// The world is endless and in meters; a scene is what a [`Sensor`] sees of it at an
/// [`Acquisition`]. Of one seed and [`Area`] all sensors see the same world, so that the effect of a
/// sensor can be told from that of a place.
///
/// A pixel is a pure function of the settings and its position: any window gives the same bits, on
/// any number of threads, and a scene of any size is rendered in bounded memory
/// ([`Landscape::bands`]).
///
/// For trying programs and for tests; figures obtained here say nothing about real cities.
///
/// # Examples
///
/// ```
/// use ocellus_data::{raster::Window, synthetic::{Area, Landscape, Sensor}};
///
/// let scene = Landscape::new(8700, 6600, 7)
///     .with_area(Area::old_town())
///     .with_sensor(Sensor::unseen());
/// let piece = scene.render(Window::new(4000, 3000, 64, 48))?;
/// assert_eq!(piece.image()?.dims(), (4, 48, 64));
/// assert_eq!(piece.numbers.len(), 4 * 48 * 64);
/// assert_eq!(piece.cover.len(), 48 * 64);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// # Complexity
///
/// Linear in the pixels. The lower the sun and the more oblique the view, the farther around a window
/// things are looked for that may reach into it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Landscape {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// What the world is drawn from.
    pub seed: u64,
    /// What stands there.
    pub area: Area,
    /// What looks at it.
    pub sensor: Sensor,
    /// From where, and where the sun stands.
    pub acquisition: Acquisition,
    /// Which outlines the mask shows.
    pub truth: Truth,
    /// Which classes its labels have.
    pub labels: Labels,
}

/// A rendered window of a [`Landscape`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Rendered {
    /// Where it lies in the scene.
    pub window: Window,
    /// Digital numbers in the order (band, row, column); bands are blue, green, red, near infrared.
    pub numbers: Vec<u16>,
    /// What each pixel shows, in the order (row, column).
    pub cover: Vec<LandCover>,
    /// The greatest number that the sensor gives.
    pub greatest: u16,
}

impl Rendered {
    /// The four bands from 0 to 1: numbers by the greatest of them.
    ///
    /// # Errors
    ///
    /// Never, of a window that was rendered.
    pub fn image(&self) -> Result<Image> {
        let scale = f32::from(self.greatest);
        let values = self.numbers.iter().map(|&n| f32::from(n) / scale).collect();
        Image::new(4, self.window.height as usize, self.window.width as usize, values)
    }

    /// Buildings 1, all else 0.
    ///
    /// # Errors
    ///
    /// Never, of a window that was rendered.
    pub fn mask(&self) -> Result<Image> {
        self.plane(|cover| f32::from(cover == LandCover::Building))
    }

    /// The number of each pixel's [`LandCover`].
    ///
    /// # Errors
    ///
    /// Never, of a window that was rendered.
    pub fn classes(&self) -> Result<Image> {
        self.plane(|cover| f32::from(cover as u8))
    }

    fn plane(&self, value: impl Fn(LandCover) -> f32) -> Result<Image> {
        let values = self.cover.iter().map(|&cover| value(cover)).collect();
        Image::new(1, self.window.height as usize, self.window.width as usize, values)
    }
}

impl Landscape {
    /// A temperate town seen by the first training sensor.
    #[must_use]
    pub fn new(width: u32, height: u32, seed: u64) -> Self {
        Self {
            width,
            height,
            seed,
            area: Area::default(),
            sensor: Sensor::default(),
            acquisition: Acquisition::default(),
            truth: Truth::default(),
            labels: Labels::default(),
        }
    }

    /// Sets what stands there.
    #[must_use]
    pub fn with_area(mut self, area: Area) -> Self {
        self.area = area;
        self
    }

    /// Sets what looks at it.
    #[must_use]
    pub fn with_sensor(mut self, sensor: Sensor) -> Self {
        self.sensor = sensor;
        self
    }

    /// Sets where sun and satellite stand.
    #[must_use]
    pub fn with_acquisition(mut self, acquisition: Acquisition) -> Self {
        self.acquisition = acquisition;
        self
    }

    /// Sets which outlines the mask shows.
    #[must_use]
    pub fn with_truth(mut self, truth: Truth) -> Self {
        self.truth = truth;
        self
    }

    /// Sets which classes its labels have.
    #[must_use]
    pub fn with_labels(mut self, labels: Labels) -> Self {
        self.labels = labels;
        self
    }

    /// Renders a window.
    ///
    /// # Errors
    ///
    /// If a setting is out of its range, or the window is empty or not within the scene.
    pub fn render(&self, window: Window) -> Result<Rendered> {
        self.check()?;
        let all = Window::new(0, 0, self.width, self.height);
        if window.pixels() == 0 || window.intersection(all) != Some(window) {
            return Err(Error::Shape(format!(
                "the window of {}×{} pixels at ({}, {}) is empty or not within the scene of {}×{}: \
                 cut it by `Window::intersection`",
                window.width, window.height, window.x, window.y, self.width, self.height
            )));
        }
        let layout = Layout::new(self.seed, self.area.clone());
        let pieces = pieces(window);
        let parts: Vec<Part> = pieces.par_iter().map(|&piece| self.piece(&layout, piece)).collect();
        let (height, width) = (window.height as usize, window.width as usize);
        let mut numbers = vec![0; 4 * height * width];
        let mut cover = vec![LandCover::Ground; height * width];
        for (piece, part) in pieces.iter().zip(&parts) {
            let (rows, columns) = (piece.height as usize, piece.width as usize);
            let (top, left) = ((piece.y - window.y) as usize, (piece.x - window.x) as usize);
            for row in 0..rows {
                let to = (top + row) * width + left;
                cover[to..to + columns].copy_from_slice(&part.1[row * columns..][..columns]);
                for band in 0..4 {
                    let from = &part.0[(band * rows + row) * columns..][..columns];
                    numbers[band * height * width + to..][..columns].copy_from_slice(from);
                }
            }
        }
        Ok(Rendered { window, numbers, cover, greatest: self.sensor.greatest() })
    }

    /// The scene from top to bottom in bands of so many rows, the last as many as are left; each is
    /// rendered when it is asked for.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::synthetic::Landscape;
    ///
    /// let mut rows = 0;
    /// for band in Landscape::new(50, 90, 1).bands(40) {
    ///     rows += band?.window.height;
    /// }
    /// assert_eq!(rows, 90);
    /// # Ok::<(), ocellus_data::Error>(())
    /// ```
    pub fn bands(&self, rows: u32) -> impl Iterator<Item = Result<Rendered>> + '_ {
        let rows = rows.max(1);
        (0..self.height.div_ceil(rows)).map(move |band| {
            let y = band * rows;
            self.render(Window::new(0, y, self.width, rows.min(self.height - y)))
        })
    }

    /// Checks that every setting is in its range.
    ///
    /// # Errors
    ///
    /// Naming the first that is not.
    pub fn check(&self) -> Result<()> {
        if self.width == 0 || self.height == 0 {
            return Err(Error::Setting(format!(
                "a landscape of {}×{} pixels: give at least one each way",
                self.width, self.height
            )));
        }
        self.area.check()?;
        self.sensor.check()?;
        self.acquisition.check()
    }

    fn piece(&self, layout: &Layout, window: Window) -> Part {
        let halo = halo(&self.sensor);
        let frame = Frame {
            y: i64::from(window.y) - halo as i64,
            x: i64::from(window.x) - halo as i64,
            height: window.height as usize + 2 * halo,
            width: window.width as usize + 2 * halo,
            resolution: self.sensor.resolution,
        };
        let picture = render(layout, &frame, &self.acquisition.rays(), self.truth);
        let inner = |row: &[LandCover]| row[halo..frame.width - halo].to_vec();
        let rows = picture.cover.chunks_exact(frame.width).skip(halo).take(window.height as usize);
        let cover = rows.flat_map(inner).collect();
        (expose(&self.sensor, layout.seed, &frame, &picture), cover)
    }
}

/// Digital numbers and classes of a piece.
type Part = (Vec<u16>, Vec<LandCover>);

/// The window cut into pieces for the threads.
fn pieces(window: Window) -> Vec<Window> {
    let (columns, rows) = (window.width.div_ceil(PIECE), window.height.div_ceil(PIECE));
    let piece = |n: u32| {
        let (x, y) = (n % columns * PIECE, n / columns * PIECE);
        let (width, height) = (PIECE.min(window.width - x), PIECE.min(window.height - y));
        Window::new(window.x + x, window.y + y, width, height)
    };
    (0..columns * rows).map(piece).collect()
}
