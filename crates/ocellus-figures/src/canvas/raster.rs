use tiny_skia::{
    FillRule, FilterQuality, IntSize, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap,
    PixmapPaint, StrokeDash, Transform,
};

use super::{Anchor, Canvas, Item, Label, Stroke};
use crate::{Color, Error, Picture, Result, picture::LONGEST_SIDE, style::font};

impl Canvas {
    /// The drawing on white, as large as fits into `width` × `height` pixels, in their middle.
    pub(crate) fn to_picture(&self, width: u32, height: u32) -> Result<Picture> {
        let too_large =
            || Error::Size { width: width as usize, height: height as usize, limit: LONGEST_SIDE };
        if width as usize > LONGEST_SIDE || height as usize > LONGEST_SIDE {
            return Err(too_large());
        }
        let mut pixmap = Pixmap::new(width, height).ok_or_else(too_large)?;
        pixmap.fill(tiny_skia::Color::WHITE);
        let scale = (f64::from(width) / self.width).min(f64::from(height) / self.height);
        let place = Transform::from_row(
            scale as f32,
            0.0,
            0.0,
            scale as f32,
            ((f64::from(width) - scale * self.width) / 2.0) as f32,
            ((f64::from(height) - scale * self.height) / 2.0) as f32,
        );
        for item in &self.items {
            draw(&mut pixmap, item, place);
        }
        let rgb = pixmap.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
        Picture::from_rgb(width as usize, height as usize, rgb)
    }
}

fn draw(pixmap: &mut Pixmap, item: &Item, place: Transform) {
    match item {
        Item::Path { points, closed, fill, stroke } => {
            if let Some(path) = path(points, *closed) {
                draw_path(pixmap, &path, *fill, *stroke, place);
            }
        }
        Item::Circle { center, radius, fill, stroke } => {
            let (x, y) = (center.0 as f32, center.1 as f32);
            if let Some(path) = PathBuilder::from_circle(x, y, *radius as f32) {
                draw_path(pixmap, &path, Some(*fill), *stroke, place);
            }
        }
        Item::Text { at, label } => draw_text(pixmap, *at, label, place),
        Item::Image { at, size, picture } => draw_image(pixmap, *at, *size, picture, place),
    }
}

fn path(points: &[(f64, f64)], closed: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    let mut points = points.iter();
    let &(x, y) = points.next()?;
    builder.move_to(x as f32, y as f32);
    for &(x, y) in points {
        builder.line_to(x as f32, y as f32);
    }
    if closed {
        builder.close();
    }
    builder.finish()
}

fn draw_path(
    pixmap: &mut Pixmap,
    path: &Path,
    fill: Option<Color>,
    stroke: Option<Stroke>,
    place: Transform,
) {
    if let Some(color) = fill {
        pixmap.fill_path(path, &paint(color), FillRule::Winding, place, None);
    }
    if let Some(Stroke { color, width, dash }) = stroke {
        let stroke = tiny_skia::Stroke {
            width: width as f32,
            line_cap: LineCap::Butt,
            line_join: LineJoin::Round,
            dash: dash.and_then(|(on, off)| StrokeDash::new(vec![on as f32, off as f32], 0.0)),
            ..Default::default()
        };
        pixmap.stroke_path(path, &paint(color), &stroke, place, None);
    }
}

fn draw_text(pixmap: &mut Pixmap, at: (f64, f64), label: &Label, place: Transform) {
    let Some(outline) = font::outline(&label.text, label.size, label.bold) else { return };
    let back = match label.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => label.width() / 2.0,
        Anchor::End => label.width(),
    };
    let turn = if label.upward { -90.0 } else { 0.0 };
    let place = place
        .pre_translate(at.0 as f32, at.1 as f32)
        .pre_concat(Transform::from_rotate(turn))
        .pre_translate(-back as f32, 0.0);
    pixmap.fill_path(&outline, &paint(label.color), FillRule::Winding, place, None);
}

fn draw_image(
    pixmap: &mut Pixmap,
    at: (f64, f64),
    size: (f64, f64),
    picture: &Picture,
    place: Transform,
) {
    // Fully opaque, so that straight and premultiplied colors are the same.
    let rgba = picture.rgb().chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
    let source = IntSize::from_wh(picture.width() as u32, picture.height() as u32)
        .and_then(|size| Pixmap::from_vec(rgba, size));
    let Some(source) = source else { return };
    let paint = PixmapPaint { quality: FilterQuality::Bilinear, ..Default::default() };
    let place = place.pre_translate(at.0 as f32, at.1 as f32).pre_scale(
        (size.0 / picture.width() as f64) as f32,
        (size.1 / picture.height() as f64) as f32,
    );
    pixmap.draw_pixmap(0, 0, source.as_ref(), &paint, place, None);
}

fn paint(color: Color) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(color.red, color.green, color.blue, 255);
    paint.anti_alias = true;
    paint
}
