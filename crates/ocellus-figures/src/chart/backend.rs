//! What plotters draws is recorded on our canvas.
//!
//! Its own backends would not do: the SVG one cannot embed images and has whole pixels only, the
//! bitmap one drops the side bearings of letters.

use std::convert::Infallible;

use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontStyle, FontTransform,
    text_anchor::{HPos, VPos},
};

use crate::{
    Color,
    canvas::{Anchor, Canvas, Label, Stroke},
    style::font,
};

/// Units of plotters, which counts in whole numbers, in a pixel.
pub(crate) const UNITS: f64 = 16.0;

/// Records on a canvas, from the point `at` on.
pub(crate) struct Recorder<'a> {
    pub(crate) canvas: &'a mut Canvas,
    pub(crate) at: (f64, f64),
    pub(crate) size: (f64, f64),
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl Recorder<'_> {
    fn place(&self, (x, y): BackendCoord) -> (f64, f64) {
        (self.at.0 + f64::from(x) / UNITS, self.at.1 + f64::from(y) / UNITS)
    }
}

fn color(color: BackendColor) -> Option<Color> {
    let (red, green, blue) = color.rgb;
    (color.alpha > 0.0).then(|| Color::new(red, green, blue))
}

fn stroke<S: BackendStyle>(style: &S) -> Option<Stroke> {
    let color = color(style.color())?;
    Some(Stroke::new(color, f64::from(style.stroke_width()) / UNITS))
}

impl DrawingBackend for Recorder<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        ((self.size.0 * UNITS).round() as u32, (self.size.1 * UNITS).round() as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, style: BackendColor) -> Drawn {
        let at = self.place(point);
        self.canvas.rect(at, (1.0 / UNITS, 1.0 / UNITS), color(style), None);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let (a, b) = (self.place(upper_left), self.place(bottom_right));
        let size = (b.0 - a.0, b.1 - a.1);
        let (fill, stroke) =
            if fill { (color(style.color()), None) } else { (None, stroke(style)) };
        self.canvas.rect(a, size, fill, stroke);
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        if let Some(stroke) = stroke(style) {
            let points = path.into_iter().map(|point| self.place(point)).collect();
            self.canvas.path(points, stroke);
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        _fill: bool,
    ) -> Drawn {
        if let Some(fill) = color(style.color()) {
            self.canvas.circle(self.place(center), f64::from(radius) / UNITS, fill, None);
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vertices: I,
        style: &S,
    ) -> Drawn {
        let points = vertices.into_iter().map(|point| self.place(point)).collect();
        self.canvas.polygon(points, color(style.color()), None);
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let Some(color) = color(style.color()) else { return Ok(()) };
        let size = style.size() / UNITS;
        let mut label = Label::new(text, size).color(color).anchor(match style.anchor().h_pos {
            HPos::Left => Anchor::Start,
            HPos::Center => Anchor::Middle,
            HPos::Right => Anchor::End,
        });
        label.bold = matches!(style.style(), FontStyle::Bold);
        label.upward = matches!(style.transform(), FontTransform::Rotate270);
        let down = size
            * match style.anchor().v_pos {
                VPos::Top => font::ASCENT,
                VPos::Center => font::CAP_HEIGHT / 2.0,
                VPos::Bottom => -font::DESCENT,
            };
        let (x, y) = self.place(at);
        let (x, y) = if label.upward { (x + down, y) } else { (x, y + down) };
        self.canvas.text(x, y, label);
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let bold = matches!(style.style(), FontStyle::Bold);
        let width = font::width(text, style.size(), bold);
        Ok((width.ceil() as u32, (style.size() * font::LINE).ceil() as u32))
    }
}
