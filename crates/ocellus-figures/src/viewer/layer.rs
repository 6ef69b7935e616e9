use image::{ImageEncoder, codecs::png};

use crate::{Color, Colormap, Result, check, picture::check_size};

/// Something to be laid over a scene: classes or a map.
///
/// # Examples
///
/// ```
/// use ocellus_figures::{Color, Colormap, ViewerLayer};
///
/// let styles = [("ground", None), ("building", Some(Color::VERMILLION))];
/// let classes = ViewerLayer::classes("classes", 2, 1, &[0, 1], &styles)?;
/// let map = ViewerLayer::map("probability of building", 2, 1, &[0.1, 0.9], Colormap::Inferno)?;
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ViewerLayer {
    pub(super) name: String,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) png: Vec<u8>,
    pub(super) legend: Legend,
}

#[derive(Clone, Debug)]
pub(super) enum Legend {
    /// Name and color of each class that is shown.
    Classes(Vec<(String, Color)>),
    /// Colors from 0 to 1.
    Scale(Vec<Color>),
}

impl ViewerLayer {
    /// The class of each pixel, row by row; `styles` holds name and color of each class, those
    /// without a color are not painted. Values beyond the styles are no data and stay clear.
    ///
    /// # Errors
    ///
    /// If a side is 0 or beyond 16,384, or there are not `width · height` classes.
    pub fn classes(
        name: impl Into<String>,
        width: usize,
        height: usize,
        classes: &[u8],
        styles: &[(&str, Option<Color>)],
    ) -> Result<Self> {
        check_size(width, height)?;
        check::same_length("the classes", classes.len(), width * height)?;
        let color = |class: &u8| styles.get(usize::from(*class)).and_then(|(_, color)| *color);
        let shown = styles.iter().filter_map(|(name, color)| Some(((*name).to_owned(), (*color)?)));
        Ok(Self {
            name: name.into(),
            width,
            height,
            png: to_png(width, height, classes.iter().map(color))?,
            legend: Legend::Classes(shown.collect()),
        })
    }

    /// A value between 0 and 1 for each pixel, row by row; NaN is no data and stays clear.
    ///
    /// # Errors
    ///
    /// If a side is 0 or beyond 16,384, or there are not `width · height` values.
    pub fn map(
        name: impl Into<String>,
        width: usize,
        height: usize,
        values: &[f32],
        colors: Colormap,
    ) -> Result<Self> {
        check_size(width, height)?;
        check::same_length("the map", values.len(), width * height)?;
        let color = |value: &f32| (!value.is_nan()).then(|| colors.at(f64::from(*value)));
        let scale = (0..=10).map(|n| colors.at(f64::from(n) / 10.)).collect();
        Ok(Self {
            name: name.into(),
            width,
            height,
            png: to_png(width, height, values.iter().map(color))?,
            legend: Legend::Scale(scale),
        })
    }
}

fn to_png(
    width: usize,
    height: usize,
    colors: impl Iterator<Item = Option<Color>>,
) -> Result<Vec<u8>> {
    let rgba = |color: Option<Color>| color.map_or([0; 4], |c| [c.red, c.green, c.blue, 255]);
    let pixels: Vec<u8> = colors.flat_map(rgba).collect();
    let mut bytes = Vec::new();
    let (compression, filter) = (png::CompressionType::Default, png::FilterType::Adaptive);
    png::PngEncoder::new_with_quality(&mut bytes, compression, filter).write_image(
        &pixels,
        width as u32,
        height as u32,
        image::ExtendedColorType::Rgba8,
    )?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_color_is_clear() {
        let styles = [("ground", None), ("building", Some(Color::BLUE))];
        let layer = ViewerLayer::classes("classes", 3, 1, &[0, 1, 255], &styles).unwrap();
        let pixels = image::load_from_memory(&layer.png).unwrap().into_rgba8().into_raw();
        assert_eq!(pixels, [0, 0, 0, 0, 0, 114, 178, 255, 0, 0, 0, 0]);
        let map = ViewerLayer::map("map", 2, 1, &[f32::NAN, 1.], Colormap::Gray).unwrap();
        let pixels = image::load_from_memory(&map.png).unwrap().into_rgba8().into_raw();
        assert_eq!(pixels, [0, 0, 0, 0, 255, 255, 255, 255]);
    }

    #[test]
    fn rejects_other_lengths() {
        assert!(ViewerLayer::classes("classes", 3, 1, &[0], &[]).is_err());
        assert!(ViewerLayer::map("map", 3, 0, &[], Colormap::Gray).is_err());
    }
}
