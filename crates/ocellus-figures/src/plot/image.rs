use super::heat::{BAR, Contour, Heat};
use crate::{
    Color, Colormap, Error, Figure, Picture, Result,
    canvas::{Canvas, Label, Stroke},
    chart::{Legend, Mark},
    figure::MARGIN,
    style::font,
};

/// One image: as it is, or with a map laid over it, and with outlines.
///
/// The map may be coarser than the image; it is stretched bilinearly to its size. The color covers
/// the image the more, the higher the value. Several such figures side by side compare maps, see
/// [`Panels`](crate::Panels).
///
/// # Examples
///
/// ```
/// use ocellus_figures::{ImagePlot, Picture};
///
/// let scan = Picture::from_gray(8, 8, &[90; 64])?;
/// let evidence = [0.0, 0.1, 0.2, 0.9]; // 2 × 2.
/// let figure = ImagePlot::new(&scan)
///     .with_map(2, 2, &evidence)
///     .with_title("What speaks for malignant")
///     .with_ends("nothing", "most")
///     .with_level(0.5, "half of the most, or more")
///     .draw()?;
/// assert!(figure.to_svg()?.contains("half of the most, or more"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImagePlot {
    picture: Picture,
    heat: Option<Heat>,
    title: String,
    caption: String,
    level: Option<(f64, String)>,
    contour: Option<Contour>,
}

/// The longer side of the image.
const SIDE: f64 = 250.0;

impl ImagePlot {
    /// The image as it is.
    #[must_use]
    pub fn new(picture: &Picture) -> Self {
        Self {
            picture: picture.clone(),
            heat: None,
            title: String::new(),
            caption: String::new(),
            level: None,
            contour: None,
        }
    }

    /// Sets the title.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Sets the sentence below the image.
    #[must_use]
    pub fn with_caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }

    /// Lays a map of `height` rows of `width` values over the image, from its lowest value to its
    /// highest in [`Colormap::Inferno`].
    #[must_use]
    pub fn with_map(mut self, width: usize, height: usize, map: &[f32]) -> Self {
        self.heat = Some(Heat::new(width, height, map));
        self
    }

    /// Sets the colors of the map, if there is one.
    #[must_use]
    pub fn with_colormap(self, colormap: Colormap) -> Self {
        self.change(|heat| heat.colormap = colormap)
    }

    /// Sets how much of the image the highest value covers, 0 to 1; 0.75 otherwise.
    #[must_use]
    pub fn with_alpha(self, alpha: f64) -> Self {
        self.change(|heat| heat.alpha = alpha)
    }

    /// Sets the values of the first and the last color. Give it to compare images.
    #[must_use]
    pub fn with_range(self, low: f64, high: f64) -> Self {
        self.change(|heat| heat.range = Some((low, high)))
    }

    /// Puts words at the ends of the bar of the colors, instead of numbers.
    #[must_use]
    pub fn with_ends(self, low: impl Into<String>, high: impl Into<String>) -> Self {
        let words = Some([low.into(), high.into()]);
        self.change(|heat| heat.words = words)
    }

    fn change(mut self, change: impl FnOnce(&mut Heat)) -> Self {
        if let Some(heat) = &mut self.heat {
            change(heat);
        }
        self
    }

    /// Draws a white line around the places where the map reaches that share of its range, and
    /// names it in the legend.
    #[must_use]
    pub fn with_level(mut self, share: f64, name: impl Into<String>) -> Self {
        self.level = Some((share, name.into()));
        self
    }

    /// Draws the outline of a mask (`height` rows of `width` bytes, 0 = outside).
    #[must_use]
    pub fn with_contour(
        mut self,
        width: usize,
        height: usize,
        mask: &[u8],
        name: impl Into<String>,
    ) -> Self {
        self.contour = Some(Contour::new(width, height, mask, name));
        self
    }

    /// Draws the image.
    ///
    /// # Errors
    ///
    /// If map or mask have another length than their sides say or a side of 0, a value of the map
    /// is NaN or infinite, `alpha` or the share of the level is not between 0 and 1, or the range
    /// is empty.
    pub fn draw(&self) -> Result<Figure> {
        let heat = match &self.heat {
            Some(heat) => Some((heat, heat.check()?)),
            None => None,
        };
        let contours = self.contours(heat)?;
        let picture = match heat {
            Some((heat, range)) => heat.paint(&self.picture, range).1,
            None => self.picture.clone(),
        };
        let scale = SIDE / self.picture.width().max(self.picture.height()) as f64;
        let size = (
            (self.picture.width() as f64 * scale).max(24.0),
            (self.picture.height() as f64 * scale).max(24.0),
        );
        let column = size.0.max(150.0);
        let width = 2.0 * MARGIN + column + if heat.is_some() { BAR } else { 0.0 };
        let room = width - 2.0 * MARGIN;
        let mut legend = Legend::default();
        for contour in &contours {
            legend.push(Mark::Seamed(contour.stroke), contour.name.as_str());
        }
        let lines = match self.caption.as_str() {
            "" => Vec::new(),
            caption => font::wrap(caption, 12.5, false, room),
        };
        let mut y = MARGIN + size.1 + 10.0;
        let height = y + legend.height(room) + lines.len() as f64 * 17.0 + 3.0 + MARGIN;

        let mut canvas = Canvas::new(width, height);
        canvas.image((MARGIN, MARGIN), size, &picture);
        for contour in &contours {
            contour.draw(&mut canvas, (MARGIN, MARGIN), size);
        }
        if let Some((heat, range)) = heat {
            heat.draw_bar(&mut canvas, (MARGIN + column + 14.0, MARGIN), size.1, range);
        }
        legend.draw(&mut canvas, (MARGIN, y), room);
        y += legend.height(room) + 3.0;
        for (i, line) in lines.into_iter().enumerate() {
            let label = Label::new(line, 12.5).color(Color::MUTED);
            canvas.text(MARGIN, y + 13.0 + i as f64 * 17.0, label);
        }
        Ok(Figure::new(canvas, &self.title, format!("An image. {}", self.caption)))
    }

    /// The outlines to draw: of the map's level, of the mask.
    fn contours(&self, heat: Option<(&Heat, (f64, f64))>) -> Result<Vec<Contour>> {
        let mut contours = Vec::new();
        if let (Some((share, name)), Some((heat, range))) = (&self.level, heat) {
            if !(0.0..=1.0).contains(share) {
                let (what, value) = ("the level of the map", share.to_string());
                return Err(Error::Setting { what, value, remedy: "give a share of 0 to 1" });
            }
            let (width, height) = (self.picture.width(), self.picture.height());
            let mask: Vec<u8> =
                heat.shares(&self.picture, range).map(|s| u8::from(s >= *share)).collect();
            let stroke = Stroke::new(Color::WHITE, 1.5).dashed(5.0, 3.0);
            contours.push(Contour { stroke, ..Contour::new(width, height, &mask, name) });
        }
        if let Some(contour) = &self.contour {
            contour.check()?;
            contours.push(contour.clone());
        }
        Ok(contours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan() -> Picture {
        Picture::from_gray(4, 4, &[100; 16]).unwrap()
    }

    #[test]
    fn an_image_alone_has_no_bar() {
        let plain = ImagePlot::new(&scan()).draw().unwrap();
        let mapped = ImagePlot::new(&scan()).with_map(1, 1, &[0.5]).draw().unwrap();
        assert_eq!(mapped.width() - plain.width(), BAR);
    }

    #[test]
    fn the_level_surrounds_what_reaches_it() {
        let plot = ImagePlot::new(&scan())
            .with_map(4, 4, &std::array::from_fn::<f32, 16, _>(|i| f32::from(i == 5)))
            .with_range(0.0, 1.0)
            .with_level(0.5, "half");
        let heat = plot.heat.as_ref().unwrap();
        let contours = plot.contours(Some((heat, heat.check().unwrap()))).unwrap();
        assert_eq!(contours[0].mask.iter().position(|&m| m == 1), Some(5));
        assert_eq!(contours[0].mask.iter().filter(|&&m| m == 1).count(), 1);
    }

    #[test]
    fn rejects_wrong_maps_masks_and_settings() {
        let plot = |map: &[f32]| ImagePlot::new(&scan()).with_map(2, 1, map);
        assert!(plot(&[0.0]).draw().is_err());
        assert!(plot(&[0.0, f32::NAN]).draw().is_err());
        assert!(plot(&[0.0, 1.0]).with_alpha(2.0).draw().is_err());
        assert!(plot(&[0.0, 1.0]).with_range(1.0, 1.0).draw().is_err());
        assert!(plot(&[0.0, 1.0]).with_level(f64::NAN, "l").draw().is_err());
        assert!(ImagePlot::new(&scan()).with_contour(2, 2, &[1], "m").draw().is_err());
        assert!(plot(&[0.5, 0.5]).with_level(0.5, "l").draw().is_ok(), "a constant map");
    }
}
