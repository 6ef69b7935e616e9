use crate::{Canny, Color, Error, Example, Result};

/// What is derived from an image, with nothing drawn at random.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Canny, Example, Image, Variant};
///
/// let image = Image::new(3, 2, 2, (0..12).map(|v| v as f32 / 12.).collect())?;
/// let example = Example::new(image.clone(), 1);
/// let turned = Variant::Rotated(1).apply(example.clone())?;
/// assert_eq!((turned.image, turned.label), (image.rotated(1), 1));
/// let edges = Variant::Canny(Canny::default()).apply(example)?;
/// assert_eq!(edges.image.dims(), (3, 2, 2)); // As many channels as before.
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Variant {
    /// The image itself.
    Original,
    /// Turned counterclockwise by one to three quarters.
    Rotated(u8),
    /// Its edges by Canny's method, in as many equal channels as the image has.
    Canny(Canny),
    /// How steep it is by Sobel's filters, in as many equal channels.
    Sobel,
}

impl Variant {
    /// The image itself, turned by 90° counterclockwise, and its edges by Canny's method: the
    /// augmentation of the blood-cancer paper.
    pub const PAPER: [Self; 3] =
        [Self::Original, Self::Rotated(1), Self::Canny(Canny { sigma: 1., low: 0.1, high: 0.2 })];

    /// What is derived from an image; its mask is turned with it.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), or if edges are asked of an image of neither one nor three channels.
    pub fn apply(&self, mut example: Example) -> Result<Example> {
        self.check()?;
        let edges = match self {
            Self::Original => return Ok(example),
            Self::Rotated(quarters) => {
                example.image = example.image.rotated((*quarters).into());
                example.mask = example.mask.map(|mask| mask.rotated((*quarters).into()));
                return Ok(example);
            }
            Self::Canny(canny) => canny.apply(&example.image)?,
            Self::Sobel => example.image.sobel()?,
        };
        let color = if example.image.channels() == 3 { Color::Rgb } else { Color::Keep };
        example.image = color.apply(edges)?;
        Ok(example)
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// If the quarters are not 1 to 3, or one of [`Canny`] is out of its range.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Rotated(quarters) if !(1..=3).contains(quarters) => {
                let message = format!("an image turned by {quarters} quarters: give 1 to 3");
                Err(Error::Setting(message))
            }
            Self::Canny(canny) => canny.check(),
            _ => Ok(()),
        }
    }

    /// What a name says of it; nothing of the original.
    pub(crate) fn suffix(&self) -> String {
        match self {
            Self::Original => String::new(),
            Self::Rotated(quarters) => format!(" (turned {}°)", 90 * u32::from(*quarters)),
            Self::Canny(_) => " (Canny)".to_owned(),
            Self::Sobel => " (Sobel)".to_owned(),
        }
    }
}
