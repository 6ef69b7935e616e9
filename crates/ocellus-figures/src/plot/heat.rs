//! A map laid over an image in colors, shared by the plots that show one.

use super::contour::outlines;
use crate::{
    Color, Colormap, Error, Picture, Result,
    canvas::{Canvas, Label, Stroke},
    chart::SEAM,
    check,
    picture::check_size,
};

/// Sky blue: none of the color maps contains it, and it shows on gray.
pub(super) const OUTLINE: Color = Color::new(90, 230, 255);

/// The room right of an image for the bar of the colors and its numbers.
pub(super) const BAR: f64 = 74.0;

/// A map of any size, and how its values become colors.
#[derive(Clone, Debug)]
pub(super) struct Heat {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<f32>,
    pub(super) colormap: Colormap,
    /// How much of the image the highest value covers.
    pub(super) alpha: f64,
    /// The values of the first and the last color; the map's extremes otherwise.
    pub(super) range: Option<(f64, f64)>,
    /// What stands at the ends of the bar instead of numbers.
    pub(super) words: Option<[String; 2]>,
}

impl Heat {
    pub(super) fn new(width: usize, height: usize, values: &[f32]) -> Self {
        let (colormap, values) = (Colormap::Inferno, values.to_vec());
        Self { width, height, values, colormap, alpha: 0.75, range: None, words: None }
    }

    /// Gives the range of the colors.
    pub(super) fn check(&self) -> Result<(f64, f64)> {
        check_size(self.width, self.height)?;
        check::same_length("the map", self.values.len(), self.width * self.height)?;
        let wide: Vec<f64> = self.values.iter().map(|&value| f64::from(value)).collect();
        check::finite("the map", &wide)?;
        check::unit("alpha", &[self.alpha])?;
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
    pub(super) fn paint(&self, under: &Picture, range: (f64, f64)) -> (Picture, Picture) {
        let (mut map, mut overlay) = (under.clone(), under.clone());
        let pixels = map.pixels_mut().zip(overlay.pixels_mut());
        for ((map, overlay), share) in pixels.zip(self.shares(under, range)) {
            let color = self.colormap.at(share);
            let under = Color::new(overlay[0], overlay[1], overlay[2]);
            let over = under.mix(color, self.alpha * share);
            map.copy_from_slice(&[color.red, color.green, color.blue]);
            overlay.copy_from_slice(&[over.red, over.green, over.blue]);
        }
        (map, overlay)
    }

    /// For each pixel of the image the place of the map's value in the range, 0 to 1.
    pub(super) fn shares(
        &self,
        under: &Picture,
        (low, high): (f64, f64),
    ) -> impl Iterator<Item = f64> {
        let size = (under.width(), under.height());
        (0..size.0 * size.1).map(move |i| {
            let value = self.value_at((i % size.0, i / size.0), size);
            if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.0 }
        })
    }

    /// The map at a pixel of an image, bilinearly between the centers of its cells.
    pub(super) fn value_at(&self, (x, y): (usize, usize), image: (usize, usize)) -> f64 {
        let place = |at: usize, to: usize, from: usize| {
            let position = (at as f64 + 0.5) * from as f64 / to as f64 - 0.5;
            let position = position.clamp(0.0, from as f64 - 1.0);
            let low = position.floor() as usize;
            (low, (low + 1).min(from - 1), position - low as f64)
        };
        let (x0, x1, right) = place(x, image.0, self.width);
        let (y0, y1, down) = place(y, image.1, self.height);
        let value = |x: usize, y: usize| f64::from(self.values[y * self.width + x]);
        let above = value(x0, y0) * (1.0 - right) + value(x1, y0) * right;
        let below = value(x0, y1) * (1.0 - right) + value(x1, y1) * right;
        above * (1.0 - down) + below * down
    }

    /// The bar of the colors, its numbers or words right of it.
    pub(super) fn draw_bar(
        &self,
        canvas: &mut Canvas,
        (x, y): (f64, f64),
        height: f64,
        range: (f64, f64),
    ) {
        let steps = 64;
        for i in 0..steps {
            let color = self.colormap.at(1.0 - (f64::from(i) + 0.5) / f64::from(steps));
            let step = height / f64::from(steps);
            // A little overlap, so that no seam shows.
            let tall = if i + 1 == steps { step } else { step + 0.5 };
            canvas.rect((x, y + f64::from(i) * step), (14.0, tall), Some(color), None);
        }
        canvas.rect((x, y), (14.0, height), None, Some(Stroke::new(Color::AXIS, 0.8)));
        let middle = height > 60.0 && self.words.is_none();
        for share in if middle { &[0.0, 0.5, 1.0][..] } else { &[0.0, 1.0] } {
            let text = match &self.words {
                Some([low, high]) => if *share < 0.5 { low } else { high }.clone(),
                None => short(range.0 + share * (range.1 - range.0)),
            };
            let inset = 5.0 * (1.0 - 2.0 * share);
            let label = Label::new(text, 11.5);
            canvas.text_centered(x + 19.0, y + (1.0 - share) * height - inset, label);
        }
    }
}

/// A mask whose outline is drawn: `height` rows of `width` bytes, 0 = outside.
#[derive(Clone, Debug)]
pub(super) struct Contour {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) mask: Vec<u8>,
    pub(super) name: String,
    pub(super) stroke: Stroke,
}

impl Contour {
    pub(super) fn new(width: usize, height: usize, mask: &[u8], name: impl Into<String>) -> Self {
        let stroke = Stroke::new(OUTLINE, 1.5);
        Self { width, height, mask: mask.to_vec(), name: name.into(), stroke }
    }

    pub(super) fn check(&self) -> Result<()> {
        check_size(self.width, self.height)?;
        check::same_length("the mask", self.mask.len(), self.width * self.height)
    }

    /// Draws it over an image at `at`, with a dark seam that shows on bright tissue.
    pub(super) fn draw(&self, canvas: &mut Canvas, at: (f64, f64), size: (f64, f64)) {
        let (across, down) = (size.0 / self.width as f64, size.1 / self.height as f64);
        for outline in outlines(self.width, self.height, &self.mask) {
            let points: Vec<_> =
                outline.iter().map(|(x, y)| (at.0 + x * across, at.1 + y * down)).collect();
            let seam = Stroke::new(Color::BLACK, self.stroke.width + SEAM);
            canvas.polygon(points.clone(), None, Some(seam));
            canvas.polygon(points, None, Some(self.stroke));
        }
    }
}

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
        let heat = Heat { alpha: 1.0, ..Heat::new(4, 1, &[0.0, 0.2, 0.5, 1.0]) };
        let (map, overlay) = heat.paint(&scan, heat.check().unwrap());
        assert_eq!(&overlay.rgb()[..3], [100, 100, 100]);
        assert_eq!(&overlay.rgb()[9..], &map.rgb()[9..]);
    }

    #[test]
    fn a_coarse_map_is_stretched_between_its_centers() {
        let heat = Heat::new(2, 1, &[0.0, 1.0]);
        let row: Vec<_> = (0..4).map(|x| heat.value_at((x, 1), (4, 2))).collect();
        assert_eq!(row, [0.0, 0.25, 0.75, 1.0]);
    }
}
