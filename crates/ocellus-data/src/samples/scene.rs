use crate::{Error, Image, Result, raster::Window, synthetic::Landscape};

/// The class of pixels that count for nothing: those without data, or that nobody labeled. Give it
/// to the loss as the class to ignore.
pub const IGNORED: u32 = 255;

/// A scene with a class for every pixel, read by windows, from several threads at once.
///
/// # Examples
///
/// ```
/// use ocellus_data::{LabeledScene, raster::Window, synthetic::Landscape};
///
/// let scene = Landscape::new(2000, 1500, 4);
/// let (image, mask) = scene.read(Window::new(100, 200, 64, 32))?;
/// assert_eq!((image.dims(), mask.dims()), ((4, 32, 64), (1, 32, 64)));
/// # Ok::<(), ocellus_data::Error>(())
/// ```
pub trait LabeledScene: Send + Sync {
    /// What a person calls the scene.
    fn name(&self) -> String;

    /// Width and height.
    fn size(&self) -> (u32, u32);

    /// The number of bands.
    fn bands(&self) -> usize;

    /// The pixels of a window in the scene's own numbers (0 to 255 of 8 bits, say), and their
    /// classes in one plane: 0, 1, …, or [`IGNORED`].
    ///
    /// # Errors
    ///
    /// If the window is not within the scene, or the scene cannot be read there.
    fn read(&self, window: Window) -> Result<(Image, Image)>;

    /// The classes alone.
    ///
    /// # Errors
    ///
    /// As [`LabeledScene::read`].
    fn read_mask(&self, window: Window) -> Result<Image> {
        Ok(self.read(window)?.1)
    }
}

/// Digital numbers, and the classes that [`Labels`](crate::synthetic::Labels) says.
impl LabeledScene for Landscape {
    fn name(&self) -> String {
        format!("{} {} by {}", self.area.name, self.seed, self.sensor.name)
    }

    fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    fn bands(&self) -> usize {
        4
    }

    fn read(&self, window: Window) -> Result<(Image, Image)> {
        let rendered = self.render(window)?;
        let numbers = rendered.numbers.iter().map(|&n| f32::from(n)).collect();
        let dims = (window.height as usize, window.width as usize);
        let classes = self.numbers_of(&rendered).into_iter().map(f32::from).collect();
        Ok((Image::new(4, dims.0, dims.1, numbers)?, Image::new(1, dims.0, dims.1, classes)?))
    }
}

/// An image in memory with its classes.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Image, LabeledImage, LabeledScene, raster::Window};
///
/// let image = Image::filled(3, 10, 20, 7.)?;
/// let scene = LabeledImage::new("a", image, &Image::filled(1, 10, 20, 1.)?)?;
/// assert_eq!(scene.read_mask(Window::new(5, 5, 2, 2))?.data(), [1.; 4]);
/// assert!(LabeledImage::new("b", Image::filled(3, 9, 9, 0.)?, &Image::filled(1, 8, 9, 0.)?).is_err());
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LabeledImage {
    name: String,
    image: Image,
    classes: Vec<u8>,
}

impl LabeledImage {
    /// The image with these classes: one plane of its size, whole numbers from 0 to 255.
    ///
    /// # Errors
    ///
    /// If the sizes differ, there are several planes, or a value is no class.
    pub fn new(name: impl Into<String>, image: Image, mask: &Image) -> Result<Self> {
        let name = name.into();
        if (1, image.height(), image.width()) != mask.dims() {
            return Err(Error::Shape(format!(
                "{name}: the image is {image:?}, its mask {mask:?} (channels×height×width): they \
                 must be of one size, the mask of one channel"
            )));
        }
        let class = |(at, &value): (usize, &f32)| match value.fract() == 0. && value <= 255. {
            true if value >= 0. => Ok(value as u8),
            _ => Err(Error::Shape(format!(
                "{name}: the mask is {value} at row {}, column {}: classes are whole numbers from \
                 0 to 255",
                at / mask.width(),
                at % mask.width()
            ))),
        };
        let classes = mask.data().iter().enumerate().map(class).collect::<Result<_>>()?;
        Ok(Self { name, image, classes })
    }

    /// All of a scene, read at once.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn of(scene: &dyn LabeledScene) -> Result<Self> {
        let (width, height) = scene.size();
        let (image, mask) = scene.read(Window::new(0, 0, width, height))?;
        Self::new(scene.name(), image, &mask)
    }
}

impl LabeledScene for LabeledImage {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn size(&self) -> (u32, u32) {
        (self.image.width() as u32, self.image.height() as u32)
    }

    fn bands(&self) -> usize {
        self.image.channels()
    }

    fn read(&self, window: Window) -> Result<(Image, Image)> {
        let mask = self.read_mask(window)?;
        let mut values = Vec::with_capacity(self.bands() * mask.data().len());
        for plane in self.image.planes() {
            values.extend(cut(plane, self.image.width(), window).copied());
        }
        let image = Image::new(self.bands(), mask.height(), mask.width(), values)?;
        Ok((image, mask))
    }

    fn read_mask(&self, window: Window) -> Result<Image> {
        require_within(window, self.size(), &self.name)?;
        let classes = cut(&self.classes, self.image.width(), window).map(|&c| f32::from(c));
        Image::new(1, window.height as usize, window.width as usize, classes.collect())
    }
}

/// The values of a window of a plane.
fn cut<T>(plane: &[T], width: usize, window: Window) -> impl Iterator<Item = &T> {
    let rows = plane.chunks_exact(width).skip(window.y as usize).take(window.height as usize);
    rows.flat_map(move |row| row.iter().skip(window.x as usize).take(window.width as usize))
}

/// Fails unless the window is within a scene of this width and height.
pub(crate) fn require_within(window: Window, size: (u32, u32), name: &str) -> Result<()> {
    let all = Window::new(0, 0, size.0, size.1);
    match window.pixels() > 0 && window.intersection(all) == Some(window) {
        true => Ok(()),
        false => Err(Error::Shape(format!(
            "{name}: the window of {}×{} pixels at ({}, {}) is empty or not within the scene of \
             {}×{}",
            window.width, window.height, window.x, window.y, size.0, size.1
        ))),
    }
}
