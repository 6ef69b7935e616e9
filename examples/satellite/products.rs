//! What segmenting a scene leaves: classes and probabilities as GeoTIFF, polygons as GeoJSON, a page,
//! figures for programs.

use std::{collections::BTreeMap, path::Path, time::Instant};

use anyhow::Result;
use ocellus::{
    data::{
        TilePlan,
        geo::{GeoReference, PolygonConfig, PolygonWriter, Polygonizer},
        raster::{Probability, RasterConfig, RasterWriter, SceneSource},
    },
    figures::{Color, Colormap, SceneViewer, ViewerLayer},
    satellite::{Classified, NO_DATA, Record},
};
use serde_json::json;

use crate::{cli::Tiles, common::files, network::Card, overview, segment::Work};

/// A segmented scene.
pub(crate) struct Found<'a> {
    pub(crate) scene: &'a mut dyn SceneSource,
    pub(crate) record: &'a Record,
    pub(crate) plan: &'a TilePlan,
    pub(crate) card: &'a Card,
    pub(crate) work: Work,
}

/// Writes everything beside each other in `out`, and tells of it.
pub(crate) fn write(
    found: Found,
    out: &Path,
    name: &str,
    tiles: &Tiles,
    started: Instant,
) -> Result<String> {
    let info = found.scene.info().clone();
    let mut small = Small::new(info.width, info.height, found.card.config.classes.len());
    let mut rasters = Rasters::create(&found, out, name)?;
    let mut polygons = Polygons::create(&found, out, name, tiles)?;
    for row in 0..found.plan.row_count() {
        let rows = found.record.read(row)?;
        rasters.write(&rows)?;
        polygons.write(&rows)?;
        small.add(&rows);
    }
    rasters.finish()?;
    let polygons = polygons.finish()?;

    let page = out.join(format!("{name}.html"));
    let seconds = started.elapsed().as_secs_f64();
    let picture = overview::picture(found.scene)?;
    let mut viewer = SceneViewer::new(name, &picture);
    for layer in small.layers(found.card)? {
        viewer = viewer.with_layer(layer)?;
    }
    let shares = small.shares(found.card);
    for (class, share) in &shares {
        viewer = viewer.with_fact(class, format!("{:.2} % of the pixels with data", 100. * share));
    }
    let place = info.geo.as_ref().and_then(GeoReference::epsg);
    viewer = viewer
        .with_fact("scene", format!("{}×{} pixels, {} bands", info.width, info.height, info.bands))
        .with_fact("coordinates", place.map_or("none known".into(), |epsg| format!("EPSG:{epsg}")))
        .with_fact("polygons", polygons.to_string())
        .with_fact("network", found.card.config.network.name())
        .with_fact("seconds", format!("{seconds:.1}"));
    files::write(&page, viewer.to_html()?)?;
    let work = found.work;
    let network_work = json!({
        "tiles": work.tiles, "gmac": 1e-9 * work.macs as f64, "seconds": work.time.as_secs_f64(), "gflops": work.gflops(),
    });
    let record = json!({
        "scene": {"width": info.width, "height": info.height, "bands": info.bands, "epsg": place},
        "network": found.card, "tiles": format!("{tiles:?}"), "shares": shares, "polygons": polygons, "seconds": seconds,
        "work": network_work,
    });
    files::write(out.join(format!("{name}.json")), serde_json::to_vec_pretty(&record)?)?;
    Ok(format!(
        "{name}: {polygons} polygons in {seconds:.1} s; the network did {:.0} GMAC in {:.1} s, \
         {:.0} GFLOP/s; look at {}",
        1e-9 * work.macs as f64,
        work.time.as_secs_f64(),
        work.gflops(),
        page.display()
    ))
}

/// Classes and probabilities as GeoTIFF.
struct Rasters {
    classes: RasterWriter,
    probabilities: RasterWriter,
}

impl Rasters {
    fn create(found: &Found, out: &Path, name: &str) -> Result<Self> {
        let info = found.scene.info();
        let (names, geo) = (&found.card.config.classes, &info.geo);
        let colors = (0..names.len()).map(|class| match color(class) {
            None => [0; 3],
            Some(Color { red, green, blue, .. }) => [red, green, blue],
        });
        let classes = RasterConfig::classes(info.width, info.height)
            .with_colors(colors.collect())
            .with_geo(geo.clone());
        let (count, kind) = (names.len(), Probability::U8);
        let probabilities = RasterConfig::probabilities(info.width, info.height, count, kind)
            .with_band_names(names.clone())
            .with_geo(geo.clone());
        let file = |what: &str| out.join(format!("{name}-{what}.tif"));
        Ok(Self {
            classes: RasterWriter::create(file("classes"), classes)?,
            probabilities: RasterWriter::create(file("probabilities"), probabilities)?,
        })
    }

    fn write(&mut self, rows: &Classified) -> Result<()> {
        self.classes.write_rows(rows.classes())?;
        Ok(self.probabilities.write_rows(rows.levels())?)
    }

    fn finish(self) -> Result<()> {
        self.classes.finish()?;
        self.probabilities.finish()?;
        Ok(())
    }
}

/// All classes but the first as GeoJSON, in the scene's coordinates.
struct Polygons {
    outlines: Polygonizer,
    file: PolygonWriter,
}

impl Polygons {
    fn create(found: &Found, out: &Path, name: &str, tiles: &Tiles) -> Result<Self> {
        let config = PolygonConfig::default()
            .with_class_names(found.card.config.classes.clone())
            .with_min_pixels(tiles.smallest)
            .with_simplify(tiles.tolerance)
            .with_wgs84(tiles.wgs84);
        let info = found.scene.info();
        let path = out.join(format!("{name}.geojson"));
        Ok(Self {
            outlines: Polygonizer::new(info.width)?.with_skipped(&[0, NO_DATA]),
            file: PolygonWriter::create(path, info.geo.as_ref(), &config)?,
        })
    }

    fn write(&mut self, rows: &Classified) -> Result<()> {
        for row in rows.classes().chunks_exact(rows.width()) {
            self.outlines.push_row(row, &mut |polygon| self.file.write(&polygon))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<u64> {
        self.outlines.finish(&mut |polygon| self.file.write(&polygon))?;
        Ok(self.file.finish()?)
    }
}

/// The color of a class; what is around the others has none.
fn color(class: usize) -> Option<Color> {
    class.checked_sub(1).map(|n| if n == 0 { Color::VERMILLION } else { Color::palette(n + 1) })
}

/// A segmented scene of the size of its overview, and the pixels of each class.
struct Small {
    factor: usize,
    /// Rows of the scene.
    height: usize,
    width: usize,
    counts: Vec<u64>,
    classes: Vec<u8>,
    /// Of the last class.
    probabilities: Vec<f32>,
}

impl Small {
    fn new(width: u32, height: u32, classes: usize) -> Self {
        let factor = overview::factor(width, height);
        Self {
            factor: factor as usize,
            height: height as usize,
            width: width.div_ceil(factor) as usize,
            counts: vec![0; classes],
            classes: Vec::new(),
            probabilities: Vec::new(),
        }
    }

    /// Takes the pixel in the middle of each block.
    fn add(&mut self, rows: &Classified) {
        for &class in rows.classes().iter().filter(|&&class| class != NO_DATA) {
            self.counts[usize::from(class)] += 1;
        }
        let pixels = rows.classes().len();
        let last = &rows.levels()[rows.levels().len() - pixels..];
        for y in rows.rows() {
            // The last block may be cut.
            let middle = y - y % self.factor + self.factor / 2;
            if y != middle.min(self.height - 1) {
                continue;
            }
            let row = (y - rows.rows().start) * rows.width();
            for x in 0..self.width {
                let at = row + (x * self.factor + self.factor / 2).min(rows.width() - 1);
                self.classes.push(rows.classes()[at]);
                self.probabilities.push(Classified::probability(last[at]).unwrap_or(f32::NAN));
            }
        }
    }

    fn layers(&self, card: &Card) -> Result<[ViewerLayer; 2]> {
        let styles: Vec<_> = card
            .config
            .classes
            .iter()
            .enumerate()
            .map(|(n, name)| (name.as_str(), color(n)))
            .collect();
        let (width, height) = (self.width, self.classes.len() / self.width);
        let map =
            format!("probability of {}", card.config.classes.last().map_or("", String::as_str));
        Ok([
            ViewerLayer::classes("classes", width, height, &self.classes, &styles)?,
            ViewerLayer::map(map, width, height, &self.probabilities, Colormap::Inferno)?,
        ])
    }

    fn shares(&self, card: &Card) -> BTreeMap<String, f64> {
        let all = self.counts.iter().sum::<u64>().max(1) as f64;
        card.config
            .classes
            .iter()
            .cloned()
            .zip(self.counts.iter().map(|&n| n as f64 / all))
            .collect()
    }
}
