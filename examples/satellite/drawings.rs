//! The figures of a report.

use anyhow::Result;
use ocellus::{
    data::{LabeledScene, raster::Window},
    figures::{
        Color, Figure, GalleryPlot, Panels, Picture, Section, Tile, TrainingPanel, TrainingPlot,
    },
};

use crate::{
    areas::Scene,
    common::files,
    compare::{self, RowResult},
    overview,
    run::Run,
};

/// Side of the part of an area that is shown for each network.
const DETAIL: u32 = 320;

/// Maps of each area, and how the networks were trained.
pub(crate) fn sections(run: &Run, results: &[RowResult]) -> Result<Vec<Section>> {
    let mut sections = Vec::new();
    let mut maps = Section::new("Maps").with_text(
        "Green: buildings that were found; vermillion: taken for buildings; blue: missed. The maps of \
         the whole areas, as probabilities, are in the folder maps.",
    );
    for (n, area) in run.areas.test.iter().enumerate() {
        let Some(scene) = area.scenes.first() else { continue };
        let shown = Shown::of(scene)?;
        let whole = shown.whole()?;
        maps =
            maps.with_figures(&whole, format!("Area {}, and where its detail is.", area.name))?;
        let tiles = shown.answers(run, results, &area.name, n)?;
        keep(run, &format!("maps-{}", area.name), &Panels::new(3).draw(&tiles)?)?;
        maps = maps.with_figures(&tiles, format!("The detail of {}.", area.name))?;
    }
    sections.push(maps);
    let curves = training(results)?;
    if !curves.is_empty() {
        keep(run, "training", &Panels::new(2).draw(&curves)?)?;
        sections.push(Section::new("Training").with_figures(
            &curves,
            "The marked epoch had the lowest loss on samples held back; its weights were kept.",
        )?);
    }
    Ok(sections)
}

fn keep(run: &Run, name: &str, figure: &Figure) -> Result<()> {
    files::write(run.out.join(format!("{name}.png")), figure.to_png_scaled(2.)?)
}

/// A scene with its truth, and the part of it that is looked at closely.
struct Shown {
    name: String,
    picture: Picture,
    truth: Vec<bool>,
    detail: Window,
}

impl Shown {
    fn of(scene: &Scene) -> Result<Self> {
        let (image, mask) = scene.image.read(scene.whole())?;
        let truth: Vec<bool> = mask.data().iter().map(|&class| class == 1.).collect();
        let detail = densest(scene.whole(), &truth);
        Ok(Self { name: scene.image.name(), picture: visible(&image)?, truth, detail })
    }

    /// The scene and its truth, large, with a frame around the detail.
    fn whole(&self) -> Result<Vec<Figure>> {
        let truth = marked(&self.picture, &self.truth, &self.truth)?;
        let tile = |picture: &Picture, caption: &str| -> Result<Tile> {
            Ok(Tile::new(&framed(picture, self.detail)?).with_caption(caption))
        };
        let plot = GalleryPlot::new(2).with_side(500.);
        let plot = plot.with_tile(tile(&self.picture, &self.name)?);
        Ok(plot.with_tile(tile(&truth, "truth")?).draw_tiles()?)
    }

    /// The detail, and what each row says of it.
    fn answers(
        &self,
        run: &Run,
        results: &[RowResult],
        area: &str,
        n: usize,
    ) -> Result<Vec<Figure>> {
        let truth = cut(&self.truth, self.picture.width(), self.detail);
        let rgb = cut_picture(&self.picture, self.detail)?;
        let mut plot = GalleryPlot::new(3)
            .with_side(300.)
            .with_tile(Tile::new(&rgb).with_caption(&self.name))
            .with_tile(Tile::new(&marked(&rgb, &truth, &truth)?).with_caption("truth"));
        for row in results {
            let mut shown = vec![(String::new(), row.name.clone(), row.areas[n].score.f1)];
            for refined in &row.areas[n].refined {
                let name = format!("{}, refined on {:.0} %", row.name, 100. * refined.share);
                let what = format!("-refined-{:.0}", 100. * refined.wanted);
                shown.push((what, name, refined.after.f1));
            }
            for (what, name, f1) in shown {
                let map = Picture::open(compare::map_file(run, &row.slug, area, &what))?;
                let map = cut_picture(&map, self.detail)?;
                let said: Vec<bool> = map.rgb().chunks_exact(3).map(|rgb| rgb[0] >= 128).collect();
                let f1 = f1.map_or("–".to_owned(), |f1| format!("{:.1}", 100. * f1));
                let tile = Tile::new(&marked(&rgb, &truth, &said)?);
                plot = plot.with_tile(tile.with_caption(format!("{name}\nF1 of the area {f1} %")));
            }
        }
        Ok(plot.draw_tiles()?)
    }
}

/// The part of a scene that holds most building pixels, of those at every half of its side.
fn densest(whole: Window, truth: &[bool]) -> Window {
    let (w, h) = (DETAIL.min(whole.width), DETAIL.min(whole.height));
    let starts =
        |room: u32| (0..=room.div_ceil(DETAIL / 2)).map(move |n| (n * DETAIL / 2).min(room));
    let windows = starts(whole.height - h)
        .flat_map(|y| starts(whole.width - w).map(move |x| Window::new(x, y, w, h)));
    let built = |window: &Window| {
        cut(truth, whole.width as usize, *window).into_iter().filter(|built| *built).count()
    };
    // Of equals the first.
    windows.rev().max_by_key(built).unwrap_or(whole)
}

/// The values of a window of a plane of that width.
fn cut<T: Copy>(plane: &[T], width: usize, window: Window) -> Vec<T> {
    let rows = plane.chunks_exact(width).skip(window.y as usize).take(window.height as usize);
    let row = |row: &[T]| row[window.x as usize..][..window.width as usize].to_vec();
    rows.flat_map(row).collect()
}

fn cut_picture(picture: &Picture, window: Window) -> Result<Picture> {
    let pixels: Vec<[u8; 3]> =
        picture.rgb().chunks_exact(3).map(|rgb| [rgb[0], rgb[1], rgb[2]]).collect();
    let rgb = cut(&pixels, picture.width(), window).concat();
    Ok(Picture::from_rgb(window.width as usize, window.height as usize, rgb)?)
}

/// The picture with a white frame around a part of it, unless that is all of it.
fn framed(picture: &Picture, window: Window) -> Result<Picture> {
    const LINE: u32 = 3;
    let (width, height) = (picture.width(), picture.height());
    let mut rgb = picture.rgb().to_vec();
    let (right, bottom) = (window.x + window.width, window.y + window.height);
    if (window.width as usize, window.height as usize) != (width, height) {
        for y in window.y..bottom {
            for x in window.x..right {
                let inside = x >= window.x + LINE
                    && x + LINE < right
                    && y >= window.y + LINE
                    && y + LINE < bottom;
                if !inside {
                    rgb[3 * (y as usize * width + x as usize)..][..3].fill(255);
                }
            }
        }
    }
    Ok(Picture::from_rgb(width, height, rgb)?)
}

/// A scene as the eye expects it: its darkest and brightest hundredth cut.
fn visible(image: &ocellus::data::Image) -> Result<Picture> {
    let bands: Vec<&[f32]> = image.planes().collect();
    let mut planes = overview::colors(bands.len()).map(|band| bands[band].to_vec());
    planes.iter_mut().for_each(|plane| overview::stretch(plane));
    Ok(Picture::from_planes(3, image.height(), image.width(), &planes.concat())?)
}

/// The scene in gray, with what is right and wrong in color.
fn marked(scene: &Picture, truth: &[bool], said: &[bool]) -> Result<Picture> {
    let pixel = |(n, rgb): (usize, &[u8])| {
        let gray = ((u16::from(rgb[0]) + u16::from(rgb[1]) + u16::from(rgb[2])) / 3) as u8;
        let color = match (truth[n], said[n]) {
            (true, true) => Color::GREEN,
            (false, true) => Color::VERMILLION,
            (true, false) => Color::BLUE,
            (false, false) => return [gray; 3],
        };
        [color.red, color.green, color.blue]
            .map(|part| ((2 * u16::from(part) + u16::from(gray)) / 3) as u8)
    };
    let rgb = scene.rgb().chunks_exact(3).enumerate().flat_map(pixel).collect();
    Ok(Picture::from_rgb(scene.width(), scene.height(), rgb)?)
}

fn training(results: &[RowResult]) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for row in results {
        let Some(course) = row.course.as_ref().filter(|c| !c.history.is_empty()) else { continue };
        let of = |value: fn(&ocellus::train::EpochRecord) -> Option<f64>| -> Option<Vec<f64>> {
            course.history.iter().map(value).collect()
        };
        let mut loss = TrainingPanel::new("loss");
        for (name, values) in [
            ("training", of(|record| Some(record.train_loss))),
            ("held back", of(|record| record.validation_loss)),
        ] {
            if let Some(values) = values {
                loss = loss.with_series(name, &values);
            }
        }
        let mut plot = TrainingPlot::new()
            .with_title(&row.name)
            .with_panel(loss)
            .with_best_epoch(course.best_epoch + 1);
        if let Some(f1) = of(|record| record.metrics.get("f1").copied()) {
            plot = plot.with_panel(TrainingPanel::new("F1").with_series("held back", &f1));
        }
        figures.extend(plot.draw_panels()?);
    }
    Ok(figures)
}
