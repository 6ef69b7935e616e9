use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use image::codecs::jpeg::JpegEncoder;

use super::ViewerLayer;
use super::layer::Legend;
use crate::canvas::xml::escape;
use crate::{Error, Picture, Result};

const STYLE: &str = include_str!("viewer.css");
const SCRIPT: &str = include_str!("viewer.js");

/// Of the scene as JPEG.
const QUALITY: u8 = 88;

/// A page that shows a scene and, right of a slider, what was found in it: one HTML file without any
/// reference to the network, to be opened from the disk.
///
/// The scene is moved by dragging, enlarged by the wheel, two fingers or the buttons, and the slider
/// moves by dragging or the arrow keys.
///
/// # Examples
///
/// ```
/// use ocellus_figures::{Color, Picture, SceneViewer, ViewerLayer};
///
/// let scene = Picture::from_gray(2, 1, &[90, 200])?;
/// let styles = [("ground", None), ("building", Some(Color::VERMILLION))];
/// let html = SceneViewer::new("Area D22", &scene)
///     .with_layer(ViewerLayer::classes("classes", 2, 1, &[0, 1], &styles)?)?
///     .with_fact("buildings", "1")
///     .to_html()?;
/// assert!(html.contains("Area D22") && html.contains("data:image/jpeg"));
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SceneViewer {
    title: String,
    scene: Picture,
    layers: Vec<ViewerLayer>,
    facts: Vec<(String, String)>,
}

impl SceneViewer {
    /// A page of this scene. Large scenes are better reduced to some thousand pixels a side first:
    /// the picture is part of the file.
    #[must_use]
    pub fn new(title: impl Into<String>, scene: &Picture) -> Self {
        Self { title: title.into(), scene: scene.clone(), layers: Vec::new(), facts: Vec::new() }
    }

    /// Adds something to be laid over the scene; the first is shown at the beginning.
    ///
    /// # Errors
    ///
    /// If it is not of the scene's size.
    pub fn with_layer(mut self, layer: ViewerLayer) -> Result<Self> {
        let size = (self.scene.width(), self.scene.height());
        if (layer.width, layer.height) != size {
            return Err(Error::Setting {
                what: "the size of a layer",
                value: format!("{}×{}", layer.width, layer.height),
                remedy: "give it the width and height of the scene's picture",
            });
        }
        self.layers.push(layer);
        Ok(self)
    }

    /// Adds a line to what is told of the scene.
    #[must_use]
    pub fn with_fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// The whole page; equal pages give equal text.
    ///
    /// # Errors
    ///
    /// If the scene cannot be encoded.
    pub fn to_html(&self) -> Result<String> {
        let title = escape(&self.title);
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header>\n\
             <h1>{title}</h1>\n"
        );
        self.write_controls(&mut html);
        let (width, height) = (self.scene.width(), self.scene.height());
        let _ = write!(
            html,
            "</header>\n<main id=\"view\" data-width=\"{width}\" data-height=\"{height}\">\n\
             <img class=\"scene\" alt=\"The scene\" src=\"data:image/jpeg;base64,{}\">\n\
             <div id=\"over\">\n",
            STANDARD.encode(self.jpeg()?)
        );
        for layer in &self.layers {
            let (name, png) = (escape(&layer.name), STANDARD.encode(&layer.png));
            let _ = writeln!(
                html,
                "<img class=\"layer\" alt=\"{name}\" src=\"data:image/png;base64,{png}\">"
            );
        }
        html.push_str(
            "</div>\n<div id=\"divider\" role=\"slider\" tabindex=\"0\" aria-label=\"Scene to the \
             left, result to the right\" aria-valuemin=\"0\" aria-valuemax=\"100\" \
             aria-valuenow=\"50\"></div>\n</main>\n",
        );
        let _ = write!(html, "<script>{SCRIPT}</script>\n</body>\n</html>\n");
        Ok(html)
    }

    fn write_controls(&self, html: &mut String) {
        html.push_str("<div class=\"controls\">\n");
        if self.layers.len() > 1 {
            html.push_str("<select id=\"choice\" aria-label=\"What is laid over the scene\">\n");
            for layer in &self.layers {
                let _ = writeln!(html, "<option>{}</option>", escape(&layer.name));
            }
            html.push_str("</select>\n");
        }
        html.push_str(
            "<label>opacity <input id=\"opacity\" type=\"range\" min=\"0\" max=\"100\" \
             value=\"60\"></label>\n<button id=\"larger\" aria-label=\"Larger\">+</button>\n\
             <button id=\"smaller\" aria-label=\"Smaller\">−</button>\n\
             <button id=\"whole\">whole scene</button>\n</div>\n",
        );
        for layer in &self.layers {
            html.push_str("<div class=\"legend\">");
            match &layer.legend {
                Legend::Classes(classes) => {
                    for (name, color) in classes {
                        let (color, name) = (color.to_hex(), escape(name));
                        let _ =
                            write!(html, "<span><i style=\"background:{color}\"></i>{name}</span>");
                    }
                }
                Legend::Scale(colors) => {
                    let stops: Vec<_> = colors.iter().map(|color| color.to_hex()).collect();
                    let _ = write!(
                        html,
                        "<span>0<i class=\"scale\" style=\"background:linear-gradient(90deg,{})\"></i>1\
                         </span>",
                        stops.join(",")
                    );
                }
            }
            html.push_str("</div>\n");
        }
        html.push_str("<details><summary>about this scene</summary><dl>\n");
        for (name, value) in &self.facts {
            let _ = writeln!(html, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
        }
        html.push_str("</dl></details>\n");
    }

    fn jpeg(&self) -> Result<Vec<u8>> {
        let (width, height) = (self.scene.width() as u32, self.scene.height() as u32);
        let mut bytes = Vec::new();
        let color = image::ExtendedColorType::Rgb8;
        JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode(
            self.scene.rgb(),
            width,
            height,
            color,
        )?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Color, Colormap};

    fn page(text: &str) -> String {
        let scene = Picture::from_gray(3, 2, &[10, 20, 30, 40, 50, 60]).unwrap();
        let styles = [(text, Some(Color::BLUE))];
        let classes = ViewerLayer::classes(text, 3, 2, &[0; 6], &styles).unwrap();
        let map = ViewerLayer::map(text, 3, 2, &[0.5; 6], Colormap::Inferno).unwrap();
        let viewer = SceneViewer::new(text, &scene).with_layer(classes).unwrap();
        viewer.with_layer(map).unwrap().with_fact(text, text).to_html().unwrap()
    }

    #[test]
    fn hostile_texts_cannot_break_out() {
        let html = page("</script><script>alert(1)</script>\" onload=\"x");
        assert_eq!(html.matches("<script").count(), 1);
        assert_eq!(html.matches("</script").count(), 1);
        assert!(!html.contains("\" onload"));
    }

    #[test]
    fn the_page_refers_to_nothing_outside_and_is_the_same_each_time() {
        let html = page("classes");
        assert_eq!(html, page("classes"));
        for (at, _) in html.match_indices("src=\"") {
            assert!(html[at + 5..].starts_with("data:image/"));
        }
        for outside in ["http", "url(", "@import", "fetch", "href"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }

    #[test]
    fn rejects_a_layer_of_another_size() {
        let scene = Picture::from_gray(3, 2, &[0; 6]).unwrap();
        let layer = ViewerLayer::map("map", 2, 3, &[0.; 6], Colormap::Gray).unwrap();
        let error = SceneViewer::new("t", &scene).with_layer(layer).unwrap_err().to_string();
        assert!(error.contains("2×3"), "{error}");
    }
}
