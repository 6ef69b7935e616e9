use std::{io::Cursor, path::Path};

use image::{ExtendedColorType, ImageFormat};

use crate::{Error, Image, Result, atomic};

impl Image {
    /// The bytes of an 8-bit PNG file; values are clamped to 0..1.
    ///
    /// # Errors
    ///
    /// If the image has neither one nor three channels.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let color = match self.channels() {
            1 => ExtendedColorType::L8,
            3 => ExtendedColorType::Rgb8,
            n => return Err(Error::Shape(format!("{n} channels make no PNG: give 1 or 3"))),
        };
        let plane = self.height() * self.width();
        let mut samples = vec![0; self.data().len()];
        for (channel, values) in self.planes().enumerate() {
            let sink = samples.iter_mut().skip(channel).step_by(self.channels());
            for (sample, &value) in sink.zip(&values[..plane]) {
                *sample = (value.clamp(0., 1.) * 255.).round() as u8;
            }
        }
        let side = |side: usize| {
            u32::try_from(side)
                .map_err(|_| Error::Shape(format!("{side} pixels are no PNG's side")))
        };
        let mut file = Cursor::new(Vec::new());
        let (width, height) = (side(self.width())?, side(self.height())?);
        image::write_buffer_with_format(
            &mut file,
            &samples,
            width,
            height,
            color,
            ImageFormat::Png,
        )
        .map_err(|error| Error::Shape(format!("no PNG of {self:?}: {error}")))?;
        Ok(file.into_inner())
    }

    /// Writes an 8-bit PNG file: whole, or not at all.
    ///
    /// # Errors
    ///
    /// As [`Image::to_png`], or if the file cannot be written.
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<()> {
        atomic::write(path.as_ref(), &self.to_png()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeConfig;

    #[test]
    fn eight_bits_survive_a_round_trip() {
        for channels in [1, 3] {
            let data = (0..channels * 4 * 5).map(|v| (v * 4) as f32 / 255.).collect();
            let image = Image::new(channels, 4, 5, data).unwrap();
            let png = image.to_png().unwrap();
            assert_eq!(Image::decode(&png, "x.png", &DecodeConfig::default()).unwrap(), image);
        }
    }

    #[test]
    fn rejects_two_channels() {
        assert!(Image::filled(2, 1, 1, 0.).unwrap().to_png().is_err());
    }
}
