use super::contour::outlines;
use crate::{
    Color, Colormap, Error, Figure, Picture, Result,
    canvas::{Canvas, Label, Stroke},
    chart::{Legend, Mark},
    check,
    figure::MARGIN,
    picture::check_size,
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
    map: (usize, usize, Vec<f32>),
    title: String,
    caption: String,
    names: [String; 3],
    colormap: Colormap,
    alpha: f64,
    range: Option<(f64, f64)>,
    contour: Option<(usize, usize, Vec<u8>, String)>,
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
            map: (width, height, map.to_vec()),
            title: String::new(),
            caption: String::new(),
            names: ["Image", "Attention map", "Overlay"].map(str::to_owned),
            colormap: Colormap::Inferno,
            alpha: 0.75,
            range: None,
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
        self.colormap = colormap;
        self
    }

    /// Sets how much of the image the highest value covers, 0 to 1; 0.75 otherwise.
    #[must_use]
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Sets the values of the first and the last color; the map's extremes otherwise. Give it to
    /// compare images.
    #[must_use]
    pub fn with_range(mut self, low: f64, high: f64) -> Self {
        self.range = Some((low, high));
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
        self.contour = Some((width, height, mask.to_vec(), name.into()));
        self
    }

    /// Draws the three images.
    ///
    /// # Errors
    ///
    /// If map or mask have another length than their sides say or a side of 0, a value of the map
    /// is NaN or infinite, `alpha` is not between 0 and 1, or the range is empty.
    pub fn draw(&self) -> Result<Figure> {
        let range = self.check()?;
        let (map, overlay) = self.paint(range);
        let scale = SIDE / self.picture.width().max(self.picture.height()) as f64;
        let size = (
            (self.picture.width() as f64 * scale).max(24.0),
            (self.picture.height() as f64 * scale).max(24.0),
        );
        let column = size.0.max(110.0);
        let width = 2.0 * MARGIN + 3.0 * column + 2.0 * GAP + 74.0;
        let room = width - 2.0 * MARGIN;
        let mut legend = Legend::default();
        if let Some((.., name)) = &self.contour {
            legend.push(Mark::Line(Stroke::new(OUTLINE, 3.0)), name.as_str());
        }
        let lines = match self.caption.as_str() {
            "" => Vec::new(),
            caption => crate::style::font::wrap(caption, 12.5, false, room),
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
            self.draw_contour(&mut canvas, (x, top), size);
        }
        let bar = MARGIN + 3.0 * column + 2.0 * GAP + 14.0;
        self.draw_bar(&mut canvas, (bar, top), size.1, range);
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

    /// Gives the range of the colors.
    fn check(&self) -> Result<(f64, f64)> {
        let (width, height, values) = &self.map;
        check_size(*width, *height)?;
        check::same_length("the map", values.len(), width * height)?;
        let wide: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
        check::finite("the map", &wide)?;
        check::unit("alpha", &[self.alpha])?;
        if let Some((width, height, mask, _)) = &self.contour {
            check_size(*width, *height)?;
            check::same_length("the mask", mask.len(), width * height)?;
        }
        let (low, high) = self.range.unwrap_or_else(|| {
            let start = (f64::INFINITY, f64::NEG_INFINITY);
            wide.iter().fold(start, |(low, high), &v| (low.min(v), high.max(v)))
        });
        check::finite("the range of the map", &[low, high])?;
        if self.range.is_some() && low >= high {
            return Err(Error::Setting {
                what: "the range of the map",
                value: format!("{low} to {high}"),
                remedy: "let it rise",
            });
        }
        Ok((low, high))
    }

    /// The map in its colors, and over the image.
    fn paint(&self, (low, high): (f64, f64)) -> (Picture, Picture) {
        let (mut map, mut overlay) = (self.picture.clone(), self.picture.clone());
        let width = self.picture.width();
        let pixels = map.pixels_mut().zip(overlay.pixels_mut()).enumerate();
        for (i, (map, overlay)) in pixels {
            let value = self.value_at(i % width, i / width);
            let share =
                if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.0 };
            let color = self.colormap.at(share);
            let under = Color::new(overlay[0], overlay[1], overlay[2]);
            let over = under.mix(color, self.alpha * share);
            map.copy_from_slice(&[color.red, color.green, color.blue]);
            overlay.copy_from_slice(&[over.red, over.green, over.blue]);
        }
        (map, overlay)
    }

    /// The map at a pixel of the image, bilinearly between the centers of its cells.
    fn value_at(&self, x: usize, y: usize) -> f64 {
        let (width, height, values) = &self.map;
        let place = |at: usize, to: usize, from: usize| {
            let position = (at as f64 + 0.5) * from as f64 / to as f64 - 0.5;
            let position = position.clamp(0.0, from as f64 - 1.0);
            let low = position.floor() as usize;
            (low, (low + 1).min(from - 1), position - low as f64)
        };
        let (x0, x1, right) = place(x, self.picture.width(), *width);
        let (y0, y1, down) = place(y, self.picture.height(), *height);
        let value = |x: usize, y: usize| f64::from(values[y * width + x]);
        let above = value(x0, y0) * (1.0 - right) + value(x1, y0) * right;
        let below = value(x0, y1) * (1.0 - right) + value(x1, y1) * right;
        above * (1.0 - down) + below * down
    }

    fn draw_contour(&self, canvas: &mut Canvas, at: (f64, f64), size: (f64, f64)) {
        let Some((width, height, mask, _)) = &self.contour else { return };
        let (across, down) = (size.0 / *width as f64, size.1 / *height as f64);
        for outline in outlines(*width, *height, mask) {
            let points: Vec<_> =
                outline.iter().map(|(x, y)| (at.0 + x * across, at.1 + y * down)).collect();
            canvas.polygon(points.clone(), None, Some(Stroke::new(Color::BLACK, 2.8)));
            canvas.polygon(points, None, Some(Stroke::new(OUTLINE, 1.5)));
        }
    }

    fn draw_bar(&self, canvas: &mut Canvas, (x, y): (f64, f64), height: f64, range: (f64, f64)) {
        let steps = 64;
        for i in 0..steps {
            let color = self.colormap.at(1.0 - (f64::from(i) + 0.5) / f64::from(steps));
            let step = height / f64::from(steps);
            // A little overlap, so that no seam shows.
            let tall = if i + 1 == steps { step } else { step + 0.5 };
            canvas.rect((x, y + f64::from(i) * step), (14.0, tall), Some(color), None);
        }
        canvas.rect((x, y), (14.0, height), None, Some(Stroke::new(Color::AXIS, 0.8)));
        let ticks = if height > 60.0 { &[0.0, 0.5, 1.0][..] } else { &[0.0, 1.0] };
        for share in ticks {
            let value = range.0 + share * (range.1 - range.0);
            let inset = 5.0 * (1.0 - 2.0 * share);
            let label = Label::new(short(value), 11.5);
            canvas.text_centered(x + 19.0, y + (1.0 - share) * height - inset, label);
        }
    }
}

/// Sky blue: none of the color maps contains it, and it shows on gray.
const OUTLINE: Color = Color::new(90, 230, 255);

fn short(value: f64) -> String {
    let size = value.abs();
    let text = if size != 0.0 && !(1e-2..1e4).contains(&size) {
        format!("{value:.1e}")
    } else {
        format!("{value:.2}")
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_covers_most_and_the_lowest_nothing() {
        let scan = Picture::from_gray(4, 1, &[100; 4]).unwrap();
        let plot = OverlayPlot::new(&scan, 4, 1, &[0.0, 0.2, 0.5, 1.0]).with_alpha(1.0);
        let (map, overlay) = plot.paint(plot.check().unwrap());
        assert_eq!(&overlay.rgb()[..3], [100, 100, 100]);
        assert_eq!(&overlay.rgb()[9..], &map.rgb()[9..]);
    }

    #[test]
    fn a_coarse_map_is_stretched_between_its_centers() {
        let scan = Picture::from_gray(4, 2, &[0; 8]).unwrap();
        let plot = OverlayPlot::new(&scan, 2, 1, &[0.0, 1.0]);
        let row: Vec<_> = (0..4).map(|x| plot.value_at(x, 1)).collect();
        assert_eq!(row, [0.0, 0.25, 0.75, 1.0]);
    }

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
