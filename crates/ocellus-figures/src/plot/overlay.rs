use super::heat::{BAR, Contour, Heat};
use crate::{
    Color, Colormap, Figure, Picture, Result,
    canvas::{Canvas, Label},
    chart::{Legend, Mark},
    figure::MARGIN,
    style::font,
};

/// An image, a map over it, and both laid together, side by side with a bar of the colors.
///
/// The map may be coarser than the image; it is stretched bilinearly to its size. In the overlay
/// the color covers the image the more, the higher the value.
///
/// # Examples
///
/// ```
/// use ocellus_figures::{OverlayPlot, Picture};
///
/// let scan = Picture::from_gray(8, 8, &[90; 64])?;
/// let attention = [0.0, 0.1, 0.2, 0.9]; // 2 × 2.
/// let figure = OverlayPlot::new(&scan, 2, 2, &attention)
///     .with_title("malignant 0.93")
///     .with_caption("Bright: where the network looked.")
///     .draw()?;
/// assert!(figure.to_svg()?.contains("malignant 0.93"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OverlayPlot {
    picture: Picture,
    heat: Heat,
    title: String,
    caption: String,
    names: [String; 3],
    contour: Option<Contour>,
}

/// The longer side of each of the three images.
const SIDE: f64 = 250.0;
const GAP: f64 = 12.0;

impl OverlayPlot {
    /// The map has `height` rows of `width` values.
    #[must_use]
    pub fn new(picture: &Picture, width: usize, height: usize, map: &[f32]) -> Self {
        Self {
            picture: picture.clone(),
            heat: Heat::new(width, height, map),
            title: String::new(),
            caption: String::new(),
            names: ["Image", "Attention map", "Overlay"].map(str::to_owned),
            contour: None,
        }
    }

    /// Sets the title, such as the verdict: `malignant 0.93`.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Sets the sentence below the images.
    #[must_use]
    pub fn with_caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }

    /// Names the three images; they are `Image`, `Attention map` and `Overlay` otherwise.
    #[must_use]
    pub fn with_names(mut self, image: &str, map: &str, overlay: &str) -> Self {
        self.names = [image, map, overlay].map(str::to_owned);
        self
    }

    /// Sets the colors of the map.
    #[must_use]
    pub fn with_colormap(mut self, colormap: Colormap) -> Self {
        self.heat.colormap = colormap;
        self
    }

    /// Sets how much of the image the highest value covers, 0 to 1; 0.75 otherwise.
    #[must_use]
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.heat.alpha = alpha;
        self
    }

    /// Sets the values of the first and the last color; the map's extremes otherwise. Give it to
    /// compare images.
    #[must_use]
    pub fn with_range(mut self, low: f64, high: f64) -> Self {
        self.heat.range = Some((low, high));
        self
    }

    /// Draws the outline of a mask (`height` rows of `width` bytes, 0 = outside) on all images.
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

    /// Draws the three images.
    ///
    /// # Errors
    ///
    /// If map or mask have another length than their sides say or a side of 0, a value of the map
    /// is NaN or infinite, `alpha` is not between 0 and 1, or the range is empty.
    pub fn draw(&self) -> Result<Figure> {
        let range = self.heat.check()?;
        if let Some(contour) = &self.contour {
            contour.check()?;
        }
        let (map, overlay) = self.heat.paint(&self.picture, range);
        let scale = SIDE / self.picture.width().max(self.picture.height()) as f64;
        let size = (
            (self.picture.width() as f64 * scale).max(24.0),
            (self.picture.height() as f64 * scale).max(24.0),
        );
        let column = size.0.max(110.0);
        let width = 2.0 * MARGIN + 3.0 * column + 2.0 * GAP + BAR;
        let room = width - 2.0 * MARGIN;
        let mut legend = Legend::default();
        if let Some(contour) = &self.contour {
            legend.push(Mark::Seamed(contour.stroke), contour.name.as_str());
        }
        let lines = match self.caption.as_str() {
            "" => Vec::new(),
            caption => font::wrap(caption, 12.5, false, room),
        };
        let top = MARGIN + 20.0;
        let mut y = top + size.1 + 10.0;
        let height = y + legend.height(room) + lines.len() as f64 * 17.0 + 3.0 + MARGIN;

        let mut canvas = Canvas::new(width, height);
        for (i, picture) in [&self.picture, &map, &overlay].into_iter().enumerate() {
            let x = MARGIN + i as f64 * (column + GAP) + (column - size.0) / 2.0;
            let name = Label::new(self.names[i].as_str(), 13.0).centered();
            canvas.text(x + size.0 / 2.0, MARGIN + 12.0, name);
            canvas.image((x, top), size, picture);
            if let Some(contour) = &self.contour {
                contour.draw(&mut canvas, (x, top), size);
            }
        }
        let bar = MARGIN + 3.0 * column + 2.0 * GAP + 14.0;
        self.heat.draw_bar(&mut canvas, (bar, top), size.1, range);
        legend.draw(&mut canvas, (MARGIN, y), room);
        y += legend.height(room) + 3.0;
        for (i, line) in lines.into_iter().enumerate() {
            let label = Label::new(line, 12.5).color(Color::MUTED);
            canvas.text(MARGIN, y + 13.0 + i as f64 * 17.0, label);
        }
        let names = self.names.join(", ");
        let description = format!("{names} side by side. {} {}", self.title, self.caption);
        Ok(Figure::new(canvas, &self.title, description.trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_wrong_maps_masks_and_settings() {
        let scan = Picture::from_gray(2, 2, &[0; 4]).unwrap();
        let plot = |map: &[f32]| OverlayPlot::new(&scan, 2, 1, map);
        assert!(plot(&[0.0]).draw().is_err());
        assert!(plot(&[0.0, f32::NAN]).draw().is_err());
        assert!(plot(&[0.0, 1.0]).with_alpha(2.0).draw().is_err());
        assert!(plot(&[0.0, 1.0]).with_range(1.0, 1.0).draw().is_err());
        assert!(plot(&[0.0, 1.0]).with_contour(2, 2, &[1], "m").draw().is_err());
        assert!(plot(&[0.5, 0.5]).draw().is_ok(), "a constant map is no error");
    }
}
