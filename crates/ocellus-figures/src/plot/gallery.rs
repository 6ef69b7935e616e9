use crate::{
    Color, Error, Figure, Picture, Result,
    canvas::{Canvas, Label, Stroke},
    check,
    figure::MARGIN,
    style::font,
};

/// An image of a [`GalleryPlot`].
#[derive(Clone, Debug)]
pub struct Tile {
    picture: Picture,
    caption: String,
    frame: Option<Color>,
}

impl Tile {
    /// The image alone.
    #[must_use]
    pub fn new(picture: &Picture) -> Self {
        Self { picture: picture.clone(), caption: String::new(), frame: None }
    }

    /// Sets the text below; `\n` begins a new line.
    #[must_use]
    pub fn with_caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }

    /// Sets a colored frame, such as [`Color::VERMILLION`] for errors.
    #[must_use]
    pub fn with_frame(mut self, color: Color) -> Self {
        self.frame = Some(color);
        self
    }
}

/// Images in rows with captions and colored frames, such as the worst errors of a model.
///
/// # Examples
///
/// ```
/// use ocellus_figures::{Color, GalleryPlot, Picture, Tile};
///
/// let scan = Picture::from_gray(8, 8, &[90; 64])?;
/// let tile = Tile::new(&scan).with_caption("malignant, taken for\nbenign 0.97");
/// let figure = GalleryPlot::new(4)
///     .with_title("Worst errors")
///     .with_tile(tile.with_frame(Color::VERMILLION))
///     .draw()?;
/// assert!(figure.to_svg()?.contains("benign 0.97"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GalleryPlot {
    columns: usize,
    side: f64,
    title: String,
    tiles: Vec<Tile>,
}

const SIDE: f64 = 160.0;
const GAP: f64 = 14.0;
const TEXT: f64 = 11.5;
const LINE: f64 = 15.0;
const MOST: usize = 1000;

impl GalleryPlot {
    /// At most `columns` images in a row.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self { columns, side: SIDE, title: String::new(), tiles: Vec::new() }
    }

    /// Sets the longer side of an image; 160 by default.
    #[must_use]
    pub fn with_side(mut self, side: f64) -> Self {
        self.side = side;
        self
    }

    /// Sets the title.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Adds an image.
    #[must_use]
    pub fn with_tile(mut self, tile: Tile) -> Self {
        self.tiles.push(tile);
        self
    }

    fn check(&self) -> Result<()> {
        check::not_empty("the gallery", &self.tiles)?;
        if self.columns == 0 || self.tiles.len() > MOST {
            let value = format!("{} images in {} columns", self.tiles.len(), self.columns);
            let (what, remedy) = ("the gallery", "give 1 to 1000 images and at least 1 column");
            return Err(Error::Setting { what, value, remedy });
        }
        if !(16.0..=4096.0).contains(&self.side) {
            let (what, value) = ("the side of an image of the gallery", self.side.to_string());
            return Err(Error::Setting { what, value, remedy: "give 16 to 4096" });
        }
        Ok(())
    }

    /// Draws each image on its own: for a report that is read on a phone, see
    /// [`Section::with_figures`](crate::Section::with_figures).
    ///
    /// # Errors
    ///
    /// As [`draw`](Self::draw).
    pub fn draw_tiles(&self) -> Result<Vec<Figure>> {
        self.check()?;
        let alone = |tile: &Tile| Self::new(1).with_side(self.side).with_tile(tile.clone());
        self.tiles.iter().map(|tile| alone(tile).draw()).collect()
    }

    /// Draws the images.
    ///
    /// # Errors
    ///
    /// If there are none or more than 1000, no columns, or a side below 16 or above 4096.
    pub fn draw(&self) -> Result<Figure> {
        self.check()?;
        let (columns, side) = (self.columns.min(self.tiles.len()), self.side);
        let width = 2.0 * MARGIN + columns as f64 * (side + GAP) - GAP;
        let captions: Vec<_> = self.tiles.iter().map(|tile| caption_lines(tile, side)).collect();
        let (mut canvas, mut y) = (Canvas::new(width, 0.0), MARGIN);
        for (tiles, captions) in self.tiles.chunks(columns).zip(captions.chunks(columns)) {
            let sizes: Vec<_> = tiles.iter().map(|tile| shown_size(&tile.picture, side)).collect();
            let tall = sizes.iter().map(|size| size.1).fold(0.0, f64::max);
            for (i, tile) in tiles.iter().enumerate() {
                let x = MARGIN + i as f64 * (side + GAP);
                let at = (x + (side - sizes[i].0) / 2.0, y + tall - sizes[i].1);
                draw_tile(&mut canvas, tile, at, sizes[i]);
                for (line, text) in captions[i].iter().enumerate() {
                    let label = Label::new(text.as_str(), TEXT).centered();
                    canvas.text(x + side / 2.0, y + tall + 17.0 + line as f64 * LINE, label);
                }
            }
            let lines = captions.iter().map(Vec::len).max().unwrap_or(0);
            y += tall + 8.0 + lines as f64 * LINE + GAP;
        }
        canvas.height = y;
        let captions: Vec<_> =
            self.tiles.iter().map(|tile| tile.caption.replace('\n', " ")).collect();
        let description = format!("{} images: {}.", captions.len(), captions.join("; "));
        Ok(Figure::new(canvas, &self.title, description))
    }
}

fn caption_lines(tile: &Tile, side: f64) -> Vec<String> {
    if tile.caption.is_empty() { Vec::new() } else { font::wrap(&tile.caption, TEXT, false, side) }
}

fn shown_size(picture: &Picture, side: f64) -> (f64, f64) {
    let (width, height) = (picture.width() as f64, picture.height() as f64);
    let scale = side / width.max(height);
    ((width * scale).max(8.0), (height * scale).max(8.0))
}

fn draw_tile(canvas: &mut Canvas, tile: &Tile, at: (f64, f64), size: (f64, f64)) {
    canvas.image(at, size, &tile.picture);
    if let Some(color) = tile.frame {
        let inset = (size.0 - 3.0, size.1 - 3.0);
        canvas.rect((at.0 + 1.5, at.1 + 1.5), inset, None, Some(Stroke::new(color, 3.0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_high_as_their_highest_image() {
        let wide = Tile::new(&Picture::from_gray(100, 10, &[0; 1000]).unwrap());
        let tall = Tile::new(&Picture::from_gray(10, 100, &[0; 1000]).unwrap());
        let row = |a: &Tile, b: &Tile| {
            GalleryPlot::new(2).with_tile(a.clone()).with_tile(b.clone()).draw().unwrap().height()
        };
        assert!(row(&wide, &wide) < row(&wide, &tall));
    }

    #[test]
    fn rejects_no_images_and_no_columns() {
        assert!(GalleryPlot::new(3).draw().is_err());
        let tile = Tile::new(&Picture::from_gray(1, 1, &[0]).unwrap()).with_caption("x\ny");
        let gallery = GalleryPlot::new(2).with_tile(tile.clone()).with_tile(tile.clone());
        assert_eq!(gallery.draw_tiles().unwrap().len(), 2);
        assert!(GalleryPlot::new(0).with_tile(tile.clone()).draw().is_err());
        let large = GalleryPlot::new(9).with_tile(tile).with_side(400.);
        assert!(large.draw().unwrap().width() > 400.);
        assert!(large.with_side(f64::NAN).draw().is_err());
    }
}
