use std::path::PathBuf;

use crate::{DecodeConfig, Error, Image, Result, raster::Window};

/// One image of a data set: where it lies and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// The image file.
    pub path: PathBuf,
    /// Its class, an index into [`SampleSet::classes`](crate::SampleSet::classes).
    pub label: usize,
    /// What it must not be separated from: a patient, a specimen, near duplicates.
    pub group: Option<String>,
    /// Mask files of the same size. Several are merged by OR; none: there is no mask.
    pub masks: Vec<PathBuf>,
    /// The part of the image, and of its masks, that is the sample: one cell of a field, say. The
    /// whole image if not set.
    pub window: Option<Window>,
}

impl Sample {
    /// A whole image without group and mask.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, label: usize) -> Self {
        Self { path: path.into(), label, group: None, masks: Vec::new(), window: None }
    }

    /// The image, or the part of it that is the sample.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or the part is not within the image.
    pub fn read(&self, config: &DecodeConfig) -> Result<Image> {
        self.cut(Image::open_with(&self.path, config)?)
    }

    /// As [`read`](Self::read), with the mask of that part, if there is any.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read) and [`read_mask`](Self::read_mask), or if the mask has another size
    /// than the image.
    pub fn read_with_mask(&self, config: &DecodeConfig) -> Result<(Image, Option<Image>)> {
        let image = Image::open_with(&self.path, config)?;
        let mask = self.read_mask(config)?;
        if let Some(mask) = &mask
            && (mask.height(), mask.width()) != (image.height(), image.width())
        {
            return Err(Error::decode(
                &self.path,
                format!(
                    "the image is {}×{} (height×width), its mask {}×{}: they must be of one size; \
                     see {}",
                    image.height(),
                    image.width(),
                    mask.height(),
                    mask.width(),
                    self.masks.first().unwrap_or(&self.path).display()
                ),
            ));
        }
        Ok((self.cut(image)?, mask.map(|mask| self.cut(mask)).transpose()?))
    }

    fn cut(&self, image: Image) -> Result<Image> {
        let Some(window) = self.window else { return Ok(image) };
        image.window(window).map_err(|error| Error::decode(&self.path, error))
    }

    /// The union of the whole mask files, one plane of 0 and 1; nothing if there is none.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or two differ in size.
    pub fn read_mask(&self, config: &DecodeConfig) -> Result<Option<Image>> {
        let mut merged: Option<Image> = None;
        for path in &self.masks {
            let mask = Image::open_with(path, config)?.to_gray()?;
            let union = match merged.take() {
                None => Image::filled(1, mask.height(), mask.width(), 0.)?,
                Some(union) => union,
            };
            if union.dims() != mask.dims() {
                let reason = format!(
                    "the mask is {}×{} (height×width), another of this image, {}, {}×{}: they must \
                     be of one size",
                    mask.height(),
                    mask.width(),
                    self.masks[0].display(),
                    union.height(),
                    union.width()
                );
                return Err(Error::decode(path, reason));
            }
            let union = merged.insert(union);
            for (value, &m) in union.data_mut().iter_mut().zip(mask.data()) {
                *value = value.max(f32::from(m >= 0.5));
            }
        }
        Ok(merged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_part_that_is_the_sample() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mask) = (folder.path().join("a.png"), folder.path().join("m.png"));
        let ramp = Image::new(1, 2, 3, (0..6).map(|v| v as f32 / 255.).collect()).unwrap();
        ramp.save_png(&path).unwrap();
        Image::new(1, 2, 3, vec![0., 0., 1., 0., 0., 1.]).unwrap().save_png(&mask).unwrap();
        let window = Some(Window::new(1, 0, 2, 1));
        let mut sample = Sample { masks: vec![mask], window, ..Sample::new(&path, 0) };
        let config = DecodeConfig::default();
        let (image, mask) = sample.read_with_mask(&config).unwrap();
        assert_eq!(image, Image::new(1, 1, 2, vec![1. / 255., 2. / 255.]).unwrap());
        assert_eq!(mask.unwrap().data(), [0., 1.]);
        sample.window = Some(Window::new(2, 0, 2, 1));
        let error = sample.read(&config).unwrap_err().to_string();
        assert!(error.contains("a.png") && error.contains("2×1 pixels at (2, 0)"), "{error}");
    }
}
