use fast_image_resize as fir;
use fir::{
    FilterType, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::F32,
};

use crate::{Error, Image, Result};

/// How pixels are computed when the size changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Filter {
    /// The nearest pixel.
    Nearest,
    /// Bilinear, widened when shrinking: no aliasing. Pillow's `BILINEAR`, torchvision's
    /// `antialias=True`.
    #[default]
    Bilinear,
    /// Bilinear between four pixels, whatever the factor: PyTorch's
    /// `interpolate(mode="bilinear", align_corners=False)`, which aliases when shrinking.
    Interpolate,
    /// Lanczos with three lobes: the sharpest. Clamped to the range of the input.
    Lanczos,
    /// The mean over the area that a pixel covers. Pillow's `BOX`.
    Area,
}

/// What becomes of the aspect ratio.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Fit {
    /// Height and width are scaled each by its own factor, as the papers do.
    #[default]
    Stretch,
    /// The whole image is kept, centered, the rest filled with a value.
    Pad(f32),
    /// The frame is filled, what juts out is cut off evenly.
    Crop,
}

/// Resizing to a fixed height and width.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Filter, Fit, Image, Resize};
///
/// let wide = Image::filled(1, 100, 300, 1.)?;
/// let square = Resize::new(64, 64).with_filter(Filter::Area).with_fit(Fit::Pad(0.)).apply(&wide)?;
/// assert_eq!(square.dims(), (1, 64, 64));
/// assert_eq!(square.get(0, 0, 32), 0.); // Above the image: padding.
/// assert!((square.get(0, 32, 32) - 1.).abs() < 1e-6);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Resize {
    /// Rows of the result.
    pub height: usize,
    /// Columns of the result.
    pub width: usize,
    /// How pixels are computed.
    pub filter: Filter,
    /// What becomes of the aspect ratio.
    pub fit: Fit,
}

impl Resize {
    /// To this height and width, antialiased bilinear, stretched.
    #[must_use]
    pub fn new(height: usize, width: usize) -> Self {
        Self { height, width, filter: Filter::default(), fit: Fit::default() }
    }

    /// Sets how pixels are computed.
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets what becomes of the aspect ratio.
    #[must_use]
    pub fn with_fit(mut self, fit: Fit) -> Self {
        self.fit = fit;
        self
    }

    /// The resized image. An image that has the size already is returned as it is.
    ///
    /// # Errors
    ///
    /// If a side is 0 or beyond 2³².
    pub fn apply(&self, image: &Image) -> Result<Image> {
        if self.height == 0 || self.width == 0 {
            return Err(Error::Setting(format!(
                "cannot resize to {}×{}: both sides must be at least 1",
                self.height, self.width
            )));
        }
        if (image.height(), image.width()) == (self.height, self.width) {
            return Ok(image.clone());
        }
        let (height, width) = (image.height() as f64, image.width() as f64);
        let whole = Window { top: 0., left: 0., height, width };
        let (down, across) = (self.height as f64 / height, self.width as f64 / width);
        match self.fit {
            Fit::Stretch => self.scale(image, whole, (self.height, self.width)),
            Fit::Crop => {
                let scale = down.max(across);
                let (h, w) = (self.height as f64 / scale, self.width as f64 / scale);
                let (h, w) = (h.min(height), w.min(width));
                let (top, left) = ((height - h) / 2., (width - w) / 2.);
                self.scale(
                    image,
                    Window { top, left, height: h, width: w },
                    (self.height, self.width),
                )
            }
            Fit::Pad(value) => {
                let scale = down.min(across);
                let side = |n: f64, most: usize| ((n * scale).round() as usize).clamp(1, most);
                let size = (side(height, self.height), side(width, self.width));
                pad(&self.scale(image, whole, size)?, (self.height, self.width), value)
            }
        }
    }

    /// The mask at the new size: resized with the same fit, then cut at one half, so that it holds
    /// 0 and 1 alone. Padding is 0.
    ///
    /// # Errors
    ///
    /// As [`Resize::apply`].
    pub fn apply_mask(&self, mask: &Image) -> Result<Image> {
        let fit = if let Fit::Pad(_) = self.fit { Fit::Pad(0.) } else { self.fit };
        let filter =
            if self.filter == Filter::Nearest { Filter::Nearest } else { Filter::Bilinear };
        let mut resized = self.with_fit(fit).with_filter(filter).apply(mask)?;
        for value in resized.data_mut() {
            *value = f32::from(*value >= 0.5);
        }
        Ok(resized)
    }

    fn scale(&self, image: &Image, window: Window, size: (usize, usize)) -> Result<Image> {
        let algorithm = match self.filter {
            Filter::Interpolate => return Ok(interpolate(image, window, size)),
            Filter::Nearest => ResizeAlg::Nearest,
            Filter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
            Filter::Lanczos => ResizeAlg::Convolution(FilterType::Lanczos3),
            Filter::Area => ResizeAlg::Convolution(FilterType::Box),
        };
        let mut scaled = convolve(image, window, size, algorithm)?;
        if self.filter == Filter::Lanczos {
            let (low, high) = range(image.data());
            scaled.data_mut().iter_mut().for_each(|v| *v = v.clamp(low, high));
        }
        Ok(scaled)
    }
}

/// A part of an image, in pixels.
#[derive(Clone, Copy)]
struct Window {
    top: f64,
    left: f64,
    height: f64,
    width: f64,
}

/// The least and the greatest value (NaN aside).
pub(crate) fn range(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)))
}

fn convolve(image: &Image, window: Window, size: (usize, usize), alg: ResizeAlg) -> Result<Image> {
    let side = |side: usize| {
        u32::try_from(side).map_err(|_| Error::Setting(format!("a side of {side} is too long")))
    };
    let failed = |error: String| {
        let (height, width) = size;
        Error::Setting(format!("{image:?} cannot be resized to {height}×{width}: {error}"))
    };
    let options = ResizeOptions::new().resize_alg(alg).crop(
        window.left,
        window.top,
        window.width,
        window.height,
    );
    let (source_height, source_width) = (side(image.height())?, side(image.width())?);
    let (height, width) = (side(size.0)?, side(size.1)?);
    let mut resizer = Resizer::new();
    let mut data = Vec::with_capacity(image.channels() * size.0 * size.1);
    for plane in image.planes() {
        let pixels: Vec<F32> = plane.iter().map(|&value| F32::new(value)).collect();
        let source = TypedImageRef::new(source_width, source_height, &pixels)
            .map_err(|error| failed(error.to_string()))?;
        let mut target = TypedImage::<F32>::new(width, height);
        resizer
            .resize_typed(&source, &mut target, &options)
            .map_err(|error| failed(error.to_string()))?;
        data.extend(target.pixels().iter().map(|pixel| pixel.0));
    }
    Image::new(image.channels(), size.0, size.1, data)
}

/// The two neighbors of a target pixel and the weight of the second, PyTorch's `align_corners=False`.
fn taps(target: usize, start: f64, length: f64, count: usize, sides: usize) -> (usize, usize, f32) {
    let source = start + (target as f64 + 0.5) * (length / count as f64) - 0.5;
    let source = source.clamp(0., (sides - 1) as f64);
    let low = source as usize;
    (low, (low + 1).min(sides - 1), (source - low as f64) as f32)
}

fn interpolate(image: &Image, window: Window, (height, width): (usize, usize)) -> Image {
    let columns: Vec<_> =
        (0..width).map(|x| taps(x, window.left, window.width, width, image.width())).collect();
    let mut data = Vec::with_capacity(image.channels() * height * width);
    for plane in image.planes() {
        let row = |y: usize| &plane[y * image.width()..(y + 1) * image.width()];
        for y in 0..height {
            let (above, below, down) = taps(y, window.top, window.height, height, image.height());
            let (above, below) = (row(above), row(below));
            data.extend(columns.iter().map(|&(left, right, across)| {
                let top = (1. - across) * above[left] + across * above[right];
                let bottom = (1. - across) * below[left] + across * below[right];
                (1. - down) * top + down * bottom
            }));
        }
    }
    Image::from_parts((image.channels(), height, width), data)
}

fn pad(image: &Image, (height, width): (usize, usize), value: f32) -> Result<Image> {
    let mut padded = Image::filled(image.channels(), height, width, value)?;
    let (top, left) = ((height - image.height()) / 2, (width - image.width()) / 2);
    for (target, source) in padded.planes_mut().zip(image.planes()) {
        for (y, row) in source.chunks_exact(image.width()).enumerate() {
            let start = (top + y) * width + left;
            target[start..start + row.len()].copy_from_slice(row);
        }
    }
    Ok(padded)
}

#[cfg(test)]
mod tests {
    use ocellus_testing::{Golden, assert_close};

    use super::*;

    fn golden(filter: Filter, name: &str, tolerance: f64) {
        let case = Golden::read(env!("CARGO_MANIFEST_DIR"), "resize").unwrap();
        let image = Image::from_tensor(case.get("input.image").unwrap()).unwrap();
        for (height, width) in [(5, 7), (16, 9), (31, 40)] {
            let resized = Resize::new(height, width).with_filter(filter).apply(&image).unwrap();
            let expected = case.get(&format!("output.{name}_{height}x{width}")).unwrap();
            let actual = resized.to_tensor(&candle_core::Device::Cpu).unwrap();
            assert_close(&actual, expected, tolerance).unwrap();
        }
    }

    #[test]
    fn interpolation_matches_pytorch() {
        golden(Filter::Interpolate, "interpolate", 1e-6);
    }

    #[test]
    fn antialiased_bilinear_matches_torchvision() {
        golden(Filter::Bilinear, "antialias", 1e-5);
    }

    #[test]
    fn area_and_lanczos_match_pillow() {
        golden(Filter::Area, "box", 1e-5);
        golden(Filter::Lanczos, "lanczos", 1e-5);
    }

    #[test]
    fn every_filter_keeps_a_constant() {
        let image = Image::filled(3, 9, 14, 0.25).unwrap();
        for filter in
            [Filter::Nearest, Filter::Bilinear, Filter::Interpolate, Filter::Lanczos, Filter::Area]
        {
            for fit in [Fit::Stretch, Fit::Pad(0.25), Fit::Crop] {
                let resize = Resize::new(20, 6).with_filter(filter).with_fit(fit);
                let resized = resize.apply(&image).unwrap();
                assert_eq!(resized.dims(), (3, 20, 6));
                assert!(
                    resized.data().iter().all(|v| (v - 0.25).abs() < 1e-6),
                    "{filter:?} {fit:?}"
                );
            }
        }
    }

    #[test]
    fn one_pixel_fills_any_size() {
        let dot = Image::filled(1, 1, 1, 0.7).unwrap();
        for filter in [Filter::Bilinear, Filter::Interpolate, Filter::Lanczos, Filter::Area] {
            let resized = Resize::new(5, 3).with_filter(filter).apply(&dot).unwrap();
            assert!(resized.data().iter().all(|v| (v - 0.7).abs() < 1e-6), "{filter:?}");
        }
    }

    #[test]
    fn cropping_takes_the_middle() {
        let data = (0..4).flat_map(|_| [0f32, 0., 1., 1., 0., 0.]).collect();
        let image = Image::new(1, 4, 6, data).unwrap();
        let cropped = Resize::new(2, 1).with_fit(Fit::Crop).with_filter(Filter::Area);
        assert_eq!(cropped.apply(&image).unwrap().data(), [1., 1.]);
    }

    #[test]
    fn a_mask_stays_zero_and_one() {
        let data = (0..100).map(|i| f32::from(i % 10 > 4)).collect();
        let mask = Image::new(1, 10, 10, data).unwrap();
        let small = Resize::new(7, 7).with_fit(Fit::Pad(1.)).apply_mask(&mask).unwrap();
        assert!(small.data().iter().all(|&v| v == 0. || v == 1.));
        assert!(small.data().contains(&1.));
    }

    #[test]
    fn rejects_a_side_of_zero() {
        let error = Resize::new(0, 4).apply(&Image::filled(1, 2, 2, 0.).unwrap()).unwrap_err();
        assert!(error.to_string().contains("0×4"), "{error}");
    }
}
