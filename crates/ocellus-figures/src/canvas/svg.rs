use std::fmt::Write;

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{Anchor, Canvas, Item, Label, Stroke, xml::escape};
use crate::{Color, Result, style::font};

impl Canvas {
    /// The drawing as a standalone SVG document with a title and a description for those who
    /// cannot see it.
    pub(crate) fn to_svg(&self, title: &str, description: &str) -> Result<String> {
        let (width, height) = (number(self.width), number(self.height));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"{}\">\n",
            escape(font::FAMILY).replace("&#39;", "'"),
        );
        if !title.is_empty() {
            push(&mut svg, format_args!("<title>{}</title>\n", escape(title)));
        }
        if !description.is_empty() {
            push(&mut svg, format_args!("<desc>{}</desc>\n", escape(description)));
        }
        push(&mut svg, format_args!("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"));
        for item in &self.items {
            write_item(&mut svg, item)?;
        }
        svg.push_str("</svg>\n");
        Ok(svg)
    }
}

fn push(svg: &mut String, arguments: std::fmt::Arguments) {
    // Writing to a string cannot fail.
    let _ = svg.write_fmt(arguments);
}

fn write_item(svg: &mut String, item: &Item) -> Result<()> {
    match item {
        Item::Path { points, closed, fill, stroke } => {
            let tag = if *closed { "polygon" } else { "polyline" };
            push(svg, format_args!("<{tag} points=\"{}\"", coordinates(points)));
            paint(svg, *fill, *stroke);
            svg.push_str("/>\n");
        }
        Item::Circle { center, radius, fill, stroke } => {
            let (x, y, r) = (number(center.0), number(center.1), number(*radius));
            push(svg, format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\""));
            paint(svg, Some(*fill), *stroke);
            svg.push_str("/>\n");
        }
        Item::Text { at, label } => write_text(svg, *at, label),
        Item::Image { at, size, picture } => {
            let (x, y) = (number(at.0), number(at.1));
            let (width, height) = (number(size.0), number(size.1));
            let data = BASE64_STANDARD.encode(picture.to_png()?);
            push(
                svg,
                format_args!(
                    "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
                     preserveAspectRatio=\"none\" href=\"data:image/png;base64,{data}\"/>\n"
                ),
            );
        }
    }
    Ok(())
}

fn write_text(svg: &mut String, at: (f64, f64), label: &Label) {
    let (x, y) = (number(at.0), number(at.1));
    push(svg, format_args!("<text x=\"{x}\" y=\"{y}\" font-size=\"{}\"", number(label.size)));
    if label.bold {
        svg.push_str(" font-weight=\"bold\"");
    }
    match label.anchor {
        Anchor::Start => {}
        Anchor::Middle => svg.push_str(" text-anchor=\"middle\""),
        Anchor::End => svg.push_str(" text-anchor=\"end\""),
    }
    if label.upward {
        push(svg, format_args!(" transform=\"rotate(-90 {x} {y})\""));
    }
    push(svg, format_args!(" fill=\"{}\">{}</text>\n", label.color.to_hex(), escape(&label.text)));
}

fn paint(svg: &mut String, fill: Option<Color>, stroke: Option<Stroke>) {
    match fill {
        Some(color) => push(svg, format_args!(" fill=\"{}\"", color.to_hex())),
        None => svg.push_str(" fill=\"none\""),
    }
    if let Some(Stroke { color, width, dash }) = stroke {
        let (color, width) = (color.to_hex(), number(width));
        push(
            svg,
            format_args!(" stroke=\"{color}\" stroke-width=\"{width}\" stroke-linejoin=\"round\""),
        );
        if let Some((on, off)) = dash {
            push(svg, format_args!(" stroke-dasharray=\"{} {}\"", number(on), number(off)));
        }
    }
}

fn coordinates(points: &[(f64, f64)]) -> String {
    let pairs: Vec<_> =
        points.iter().map(|&(x, y)| format!("{},{}", number(x), number(y))).collect();
    pairs.join(" ")
}

/// Two digits after the point are a hundredth of a pixel.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(1.0), "1");
        assert_eq!(number(-0.001), "0");
        assert_eq!(number(100.0), "100");
        assert_eq!(number(2.345_9), "2.35");
    }

    #[test]
    fn hostile_texts_leave_the_document_well_formed() {
        let mut canvas = Canvas::new(10.0, 10.0);
        canvas.text(0.0, 0.0, Label::new("</text><script>\u{1}&\"'", 12.0));
        let svg = canvas.to_svg("a < b & c", "]]>").unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let text = document.descendants().find(|node| node.has_tag_name("text")).unwrap();
        assert_eq!(text.text(), Some("</text><script>\u{fffd}&\"'"));
        assert!(!document.descendants().any(|node| node.has_tag_name("script")));
    }
}
