use plotters::{
    chart::ChartBuilder,
    drawing::{DrawingAreaErrorKind, IntoDrawingArea},
    style::{Color as _, IntoFont, RGBColor, ShapeStyle, TRANSPARENT, TextStyle},
};

use super::{
    Axis, Legend,
    backend::{Recorder, UNITS},
};
use crate::{
    Color, Error, Figure, Result,
    canvas::{Canvas, Stroke},
    figure::MARGIN,
    style::font,
};

const TICK: f64 = 12.0;
const TICK_MARK: f64 = 4.0;
const LABEL: f64 = 13.0;

/// A chart to be: title, axes, the size of the plane between them, and a legend below.
#[derive(Clone, Debug)]
pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) size: (f64, f64),
    /// The least room left of the plane, to align charts one below the other.
    pub(crate) left: f64,
    pub(crate) legend: Legend,
}

/// Where values lie on the canvas.
#[derive(Clone, Debug)]
pub(crate) struct Plane {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) size: (f64, f64),
    x: Axis,
    y: Axis,
}

impl Plane {
    pub(crate) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let (right, up) = (self.x.share(x), self.y.share(y));
        (self.left + right * self.size.0, self.top + (1.0 - up) * self.size.1)
    }

    /// A polyline through the values, without points that no eye could tell apart.
    pub(crate) fn curve(&self, canvas: &mut Canvas, values: &[(f64, f64)], stroke: Stroke) {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for (i, &(x, y)) in values.iter().enumerate() {
            let point = self.at(x, y);
            let far = points
                .last()
                .is_none_or(|last| (last.0 - point.0).abs().max((last.1 - point.1).abs()) > 0.15);
            if far || i + 1 == values.len() {
                points.push(point);
            }
        }
        canvas.path(points, stroke);
    }
}

impl Chart<'_> {
    /// Draws the axes, lets `paint` add the data, and gives the finished figure.
    pub(crate) fn draw(
        &self,
        description: String,
        paint: impl FnOnce(&mut Canvas, &Plane),
    ) -> Result<Figure> {
        let (left, below) = (self.left_area().max(self.left), self.bottom_area());
        let width = (MARGIN + left + self.size.0 + MARGIN + 4.0).ceil();
        let room = width - 2.0 * MARGIN;
        let top = MARGIN;
        let legend_top = top + self.size.1 + below + if self.legend.is_empty() { 0.0 } else { 8.0 };
        let height = (legend_top + self.legend.height(room) + MARGIN).ceil();

        let mut canvas = Canvas::new(width, height);
        self.draw_axes(&mut canvas, (MARGIN, top), (left, below))
            .map_err(|error| Error::Layout(error.to_string()))?;
        let (x, y, size) = (self.x.clone(), self.y.clone(), self.size);
        let plane = Plane { left: MARGIN + left, top, size, x, y };
        paint(&mut canvas, &plane);
        self.legend.draw(&mut canvas, (MARGIN, legend_top), room);
        Ok(Figure::new(canvas, self.title, description))
    }

    pub(crate) fn left_area(&self) -> f64 {
        let widths = self.y.ticks.iter().map(|(_, text)| font::width(text, TICK, false));
        let label = if self.y.label.is_empty() { 0.0 } else { LABEL * font::LINE + 4.0 };
        (widths.fold(0.0, f64::max) + 2.0 * TICK_MARK + label).ceil()
    }

    fn bottom_area(&self) -> f64 {
        let label = if self.x.label.is_empty() { 0.0 } else { LABEL * font::LINE + 4.0 };
        (2.0 * TICK_MARK + TICK * font::LINE + label).ceil()
    }

    fn draw_axes(
        &self,
        canvas: &mut Canvas,
        at: (f64, f64),
        (left, below): (f64, f64),
    ) -> std::result::Result<(), DrawingAreaErrorKind<std::convert::Infallible>> {
        // The last unit belongs to the plane: without it the axes would end one unit early.
        let size = (left + self.size.0 + 1.0 / UNITS, self.size.1 + below + 1.0 / UNITS);
        let area = Recorder { canvas, at, size }.into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .x_label_area_size((below * UNITS) as i32)
            .y_label_area_size((left * UNITS) as i32)
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        let ink = rgb(Color::INK);
        let text = |size: f64| TextStyle::from(("Arimo", size * UNITS).into_font()).color(&ink);
        let mut mesh = chart.configure_mesh();
        if !self.x.grid {
            mesh.disable_x_mesh();
        }
        if !self.y.grid {
            mesh.disable_y_mesh();
        }
        mesh.light_line_style(TRANSPARENT)
            .bold_line_style(line(Color::GRID, 1.0))
            .axis_style(line(Color::AXIS, 1.0))
            .set_all_tick_mark_size((TICK_MARK * UNITS) as i32)
            .label_style(text(TICK))
            .axis_desc_style(text(LABEL));
        if !self.x.label.is_empty() {
            mesh.x_desc(&self.x.label);
        }
        if !self.y.label.is_empty() {
            mesh.y_desc(&self.y.label);
        }
        mesh.draw()
    }
}

fn rgb(color: Color) -> RGBColor {
    RGBColor(color.red, color.green, color.blue)
}

fn line(color: Color, width: f64) -> ShapeStyle {
    rgb(color).stroke_width((width * UNITS) as u32)
}
