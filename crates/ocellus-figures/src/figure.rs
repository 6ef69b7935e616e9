use std::path::Path;

use crate::{
    Error, Result,
    canvas::{Canvas, Label},
    style::font,
};

pub(crate) const MARGIN: f64 = 14.0;
const TITLE: f64 = 15.0;

/// A finished drawing: writes itself as SVG or PNG.
///
/// # Examples
///
/// ```
/// use ocellus_figures::ConfusionPlot;
///
/// let figure = ConfusionPlot::new(&["benign", "malignant"], &[24, 2, 1, 17]).draw()?;
/// assert!(figure.to_svg()?.starts_with("<svg"));
/// assert!(figure.to_png(800, 600)?.starts_with(b"\x89PNG"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Everything but the title, with a margin on all sides.
    pub(crate) body: Canvas,
    title: String,
    description: String,
}

impl Figure {
    pub(crate) fn new(mut body: Canvas, title: &str, description: String) -> Self {
        (body.width, body.height) = (body.width.ceil(), body.height.ceil());
        Self { body, title: title.to_owned(), description }
    }

    /// The height of a title above the body.
    pub(crate) fn title_height(&self, title: &str) -> f64 {
        let lines = self.title_lines(title).len();
        if lines == 0 { 0.0 } else { (lines as f64 * TITLE * font::LINE).ceil() + 6.0 }
    }

    fn title_lines(&self, title: &str) -> Vec<String> {
        if title.trim().is_empty() {
            return Vec::new();
        }
        font::wrap(title, TITLE, true, self.body.width - 2.0 * MARGIN)
    }

    /// Writes a title whose room begins at `(x, y)`.
    pub(crate) fn draw_title(&self, canvas: &mut Canvas, title: &str, (x, y): (f64, f64)) {
        for (i, line) in self.title_lines(title).into_iter().enumerate() {
            let down = MARGIN + i as f64 * TITLE * font::LINE + font::ASCENT * TITLE;
            canvas.text(x + MARGIN, y + down, Label::new(line, TITLE).bold());
        }
    }

    fn canvas(&self) -> Canvas {
        let above = self.title_height(&self.title);
        let mut canvas = Canvas::new(self.body.width, self.body.height + above);
        self.draw_title(&mut canvas, &self.title, (0.0, 0.0));
        canvas.insert(&self.body, 0.0, above);
        canvas
    }

    /// Natural width in pixels, at which its texts are 12 to 15 pixels tall.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.body.width
    }

    /// Natural height in pixels.
    #[must_use]
    pub fn height(&self) -> f64 {
        self.body.height + self.title_height(&self.title)
    }

    /// Its title.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What it shows in words, for readers who cannot see it.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Replaces the description that was made from the data.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// The figure as a standalone SVG document; equal figures give equal text.
    ///
    /// # Errors
    ///
    /// If an embedded picture cannot be encoded.
    pub fn to_svg(&self) -> Result<String> {
        self.canvas().to_svg(&self.title, &self.description)
    }

    /// The figure as the bytes of a PNG of exactly this size, centered on white with its own
    /// proportions; equal figures give equal bytes. Letters that the embedded font lacks (it has
    /// Latin, Greek and mathematical signs) become boxes, in an SVG they do not.
    ///
    /// # Errors
    ///
    /// If a side is 0 or beyond 16,384.
    pub fn to_png(&self, width: u32, height: u32) -> Result<Vec<u8>> {
        self.canvas().to_picture(width, height)?.to_png()
    }

    /// The figure as the bytes of a PNG, `scale` pixels for each of its own: 1 for a screen, 2 for
    /// a sharp one, 4 for print.
    ///
    /// # Errors
    ///
    /// If `scale` is not a positive number, or a side comes out beyond 16,384 pixels.
    pub fn to_png_scaled(&self, scale: f64) -> Result<Vec<u8>> {
        if !(scale > 0.0 && scale.is_finite()) {
            let (what, value) = ("the scale", scale.to_string());
            return Err(Error::Setting {
                what,
                value,
                remedy: "give a positive number, such as 2",
            });
        }
        let pixels = |length: f64| (length * scale).ceil().clamp(1.0, f64::from(u32::MAX)) as u32;
        self.to_png(pixels(self.width()), pixels(self.height()))
    }

    /// Writes the figure to a file: as SVG if its name ends in `.svg`, as PNG of twice its natural
    /// size if in `.png`.
    ///
    /// # Errors
    ///
    /// If the name ends in neither, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let bytes = match extension.to_ascii_lowercase().as_str() {
            "svg" => self.to_svg()?.into_bytes(),
            "png" => self.to_png_scaled(2.0)?,
            _ => {
                return Err(Error::Setting {
                    what: "the name of the figure's file",
                    value: path.display().to_string(),
                    remedy: "let it end in .svg or .png",
                });
            }
        };
        std::fs::write(path, bytes).map_err(|source| Error::File { path: path.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Color, Picture};

    fn figure() -> Figure {
        let mut canvas = Canvas::new(40.0, 20.0);
        canvas.rect((0.0, 0.0), (40.0, 20.0), Some(Color::BLUE), None);
        Figure::new(canvas, "", "d".into())
    }

    #[test]
    fn a_png_has_the_size_asked_for_and_is_centered() {
        let picture = Picture::decode(&figure().to_png(80, 80).unwrap()).unwrap();
        assert_eq!((picture.width(), picture.height()), (80, 80));
        let pixel = |x: usize, y: usize| &picture.rgb()[3 * (y * 80 + x)..][..3];
        assert_eq!(pixel(40, 5), [255, 255, 255]);
        assert_eq!(pixel(40, 40), [0, 114, 178]);
    }

    #[test]
    fn rejects_impossible_sizes() {
        assert!(figure().to_png(0, 10).is_err());
        assert!(figure().to_png(10, 1 << 20).is_err());
        assert!(figure().to_png_scaled(f64::NAN).is_err());
        assert!(figure().to_png_scaled(1e300).is_err());
    }

    #[test]
    fn saves_by_extension() {
        let folder = tempfile::tempdir().unwrap();
        figure().save(folder.path().join("a.svg")).unwrap();
        figure().save(folder.path().join("a.PNG")).unwrap();
        let saved = Picture::open(folder.path().join("a.PNG")).unwrap();
        assert_eq!((saved.width(), saved.height()), (80, 40));
        let error = figure().save(folder.path().join("a.gif")).unwrap_err().to_string();
        assert!(error.contains(".svg or .png"), "{error}");
        let error = figure().save(folder.path().join("no/such/a.svg")).unwrap_err().to_string();
        assert!(error.contains("a.svg"), "{error}");
    }
}
