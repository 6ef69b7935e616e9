//! The figures of a report.

use anyhow::Result;
use ocellus::{
    data::raster::Window,
    figures::{
        Color, Figure, GalleryPlot, Panels, Picture, Section, Tile, TrainingPanel, TrainingPlot,
    },
};

use crate::{
    areas::Area,
    common::files,
    compare::{self, RowResult},
    overview,
    run::Run,
};

/// Maps of each area, and how the networks were trained.
pub(crate) fn sections(run: &Run, results: &[RowResult]) -> Result<Vec<Section>> {
    let mut sections = Vec::new();
    let mut maps = Section::new("Maps").with_text(
        "Green: buildings that were found; vermillion: taken for buildings; blue: missed.",
    );
    for (n, area) in run.areas.test.iter().enumerate() {
        let tiles = gallery(run, results, area, n)?;
        keep(run, &format!("maps-{}", area.name), &Panels::new(3).draw(&tiles)?)?;
        maps = maps.with_figures(&tiles, format!("Area {}.", area.name))?;
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

/// The first scene of an area, its truth, and what each row says of it.
fn gallery(run: &Run, results: &[RowResult], area: &Area, n: usize) -> Result<Vec<Figure>> {
    let Some(scene) = area.scenes.first() else { return Ok(Vec::new()) };
    let (width, height) = scene.size();
    let (image, mask) = scene.read(Window::new(0, 0, width, height))?;
    let truth: Vec<bool> = mask.data().iter().map(|&class| class == 1.).collect();
    let plain = visible(&image)?;
    let mut plot = GalleryPlot::new(3)
        .with_tile(Tile::new(&plain).with_caption(scene.name()))
        .with_tile(Tile::new(&marked(&plain, &truth, &truth)?).with_caption("truth"));
    for row in results {
        let mut shown = vec![(String::new(), row.name.clone(), row.areas[n].score.f1)];
        for refined in &row.areas[n].refined {
            let share = 100. * refined.wanted;
            let name = format!("{}, refined on {share:.0} %", row.name);
            shown.push((format!("-refined-{share:.0}"), name, refined.after.f1));
        }
        for (what, name, f1) in shown {
            let map = Picture::open(compare::map_file(run, &row.slug, &area.name, &what))?;
            let said: Vec<bool> = map.rgb().chunks_exact(3).map(|rgb| rgb[0] >= 128).collect();
            let f1 = f1.map_or("–".to_owned(), |f1| format!("{:.1}", 100. * f1));
            let tile = Tile::new(&marked(&plain, &truth, &said)?);
            plot = plot.with_tile(tile.with_caption(format!("{name}\nF1 {f1} %")));
        }
    }
    Ok(plot.draw_tiles()?)
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
