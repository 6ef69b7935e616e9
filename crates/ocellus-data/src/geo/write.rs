use std::{fmt::Write as _, io::Write, path::Path};

use crate::{
    Error, Result,
    atomic::AtomicFile,
    geo::{Affine, Crs, GeoReference, Polygon, Polygonizer, chains::Corner},
    raster::{SceneSource, Window},
};

/// How a class map becomes GeoJSON.
///
/// # Examples
///
/// ```
/// use ocellus_data::geo::PolygonConfig;
///
/// let config = PolygonConfig::default().with_simplify(1.).with_min_pixels(20);
/// assert_eq!(config.skipped, [0]);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PolygonConfig {
    /// Classes that are no polygons: 0, the ground, by default. Pixels without data never are.
    pub skipped: Vec<u8>,
    /// Names of the classes 0, 1, …; without, features bear only the number.
    pub class_names: Vec<String>,
    /// Fewest pixels of a region; 1 by default. Smaller ones are left out, and stay holes in what
    /// surrounds them.
    pub min_pixels: u64,
    /// Tolerance of [`Polygon::simplified`] in pixels; 0, the exact outline, by default.
    pub simplify: f64,
    /// Writes longitude and latitude, as RFC 7946 demands, instead of the scene's coordinates with
    /// a `crs` member, which GDAL, QGIS and others read. Off by default.
    pub wgs84: bool,
}

impl Default for PolygonConfig {
    fn default() -> Self {
        Self {
            skipped: vec![0],
            class_names: Vec::new(),
            min_pixels: 1,
            simplify: 0.,
            wgs84: false,
        }
    }
}

impl PolygonConfig {
    /// Sets the classes that are no polygons.
    #[must_use]
    pub fn with_skipped(mut self, classes: &[u8]) -> Self {
        self.skipped = classes.to_vec();
        self
    }

    /// Sets the names of the classes.
    #[must_use]
    pub fn with_class_names(mut self, names: Vec<String>) -> Self {
        self.class_names = names;
        self
    }

    /// Sets the fewest pixels of a region.
    #[must_use]
    pub fn with_min_pixels(mut self, pixels: u64) -> Self {
        self.min_pixels = pixels;
        self
    }

    /// Sets the tolerance in pixels.
    #[must_use]
    pub fn with_simplify(mut self, tolerance: f64) -> Self {
        self.simplify = tolerance;
        self
    }

    /// Sets whether longitude and latitude are written.
    #[must_use]
    pub fn with_wgs84(mut self, on: bool) -> Self {
        self.wgs84 = on;
        self
    }
}

/// Writes polygons as GeoJSON, one at a time: whole at [`PolygonWriter::finish`], or not at all.
///
/// Coordinates are the scene's, with a `crs` member that names its EPSG number, unless that is 4326
/// or [`PolygonConfig::wgs84`] is set; pixels if the scene has no place. Outer rings run
/// counter-clockwise and holes clockwise. Features have the properties `class`, `name` (if there
/// are names), `pixels`, and `area_m2`, the area of those pixels, if the coordinates' unit is known
/// in meters.
///
/// # Examples
///
/// ```
/// use ocellus_data::geo::{Affine, GeoReference, PolygonConfig, PolygonWriter, Polygonizer};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("buildings.geojson");
/// let geo = GeoReference::new(Affine::north_up((465_000., 4_220_000.), (0.5, 0.5)), 32636);
///
/// let mut writer = PolygonWriter::create(&path, Some(&geo), &PolygonConfig::default())?;
/// let mut polygonizer = Polygonizer::new(2)?;
/// polygonizer.push_row(&[7, 7], &mut |polygon| writer.write(&polygon))?;
/// polygonizer.finish(&mut |polygon| writer.write(&polygon))?;
/// assert_eq!(writer.finish()?, 1);
///
/// let text = std::fs::read_to_string(&path)?;
/// assert!(text.contains("EPSG::32636"));
/// assert!(text.contains(r#""class":7,"pixels":2,"area_m2":0.5"#));
/// assert!(text.contains("[465000,4220000],[465000,4219999.5],[465001,4219999.5],"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PolygonWriter {
    file: AtomicFile,
    config: PolygonConfig,
    map: Affine,
    /// The reference system to leave, if longitude and latitude are written.
    from: Option<Crs>,
    /// Square meters of a pixel.
    pixel_area: Option<f64>,
    written: u64,
}

impl PolygonWriter {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// If longitude and latitude are asked for and the place is unknown or in a system that is
    /// not known here, or the file cannot be created.
    pub fn create(
        path: impl AsRef<Path>,
        geo: Option<&GeoReference>,
        config: &PolygonConfig,
    ) -> Result<Self> {
        let from = match (config.wgs84, geo) {
            (false, _) => None,
            (true, Some(geo)) => Some(Crs::of(geo)?),
            (true, None) => {
                return Err(Error::Setting(
                    "longitude and latitude of a scene without a place: write pixels".to_owned(),
                ));
            }
        };
        let epsg = match from {
            Some(_) => Some(4326),
            None => geo.and_then(GeoReference::epsg),
        };
        let path = path.as_ref();
        let mut file = AtomicFile::create(path)?;
        let crs = match epsg {
            None | Some(4326) => String::new(),
            Some(epsg) => format!(
                "\"crs\":{{\"type\":\"name\",\"properties\":{{\"name\":\
                 \"urn:ogc:def:crs:EPSG::{epsg}\"}}}},\n"
            ),
        };
        write!(file, "{{\"type\":\"FeatureCollection\",\n{crs}\"features\":[")
            .map_err(Error::io(path))?;
        let map = geo.map_or(Affine::IDENTITY, |geo| *geo.transform());
        let pixel_area = geo
            .and_then(GeoReference::meters_per_unit)
            .map(|meters| map.determinant().abs() * meters * meters);
        Ok(Self { file, config: config.clone(), map, from, pixel_area, written: 0 })
    }

    /// Writes a polygon, simplified as configured, unless it is too small.
    ///
    /// # Errors
    ///
    /// If the disk is full.
    pub fn write(&mut self, polygon: &Polygon) -> Result<()> {
        if polygon.pixels < self.config.min_pixels {
            return Ok(());
        }
        let mut text = String::from(if self.written == 0 { "\n" } else { ",\n" });
        let _ = write!(text, "{{\"type\":\"Feature\",\"properties\":{{\"class\":{}", polygon.class);
        if let Some(name) = self.config.class_names.get(usize::from(polygon.class)) {
            let _ = write!(text, ",\"name\":{}", serde_json::Value::from(name.as_str()));
        }
        let _ = write!(text, ",\"pixels\":{}", polygon.pixels);
        if let Some(area) = self.pixel_area {
            let _ = write!(text, ",\"area_m2\":{}", area * polygon.pixels as f64);
        }
        text.push_str("},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[");
        let polygon = polygon.simplified(self.config.simplify);
        self.ring(&polygon.outer, &mut text);
        for hole in &polygon.holes {
            text.push(',');
            self.ring(hole, &mut text);
        }
        text.push_str("]}}");
        self.file.write_all(text.as_bytes()).map_err(Error::io(self.file.path()))?;
        self.written += 1;
        Ok(())
    }

    /// Completes the file, and tells how many polygons it has.
    ///
    /// # Errors
    ///
    /// If the disk is full. Then there is no file.
    pub fn finish(mut self) -> Result<u64> {
        self.file.write_all(b"\n]}\n").map_err(Error::io(self.file.path()))?;
        self.file.commit()?;
        Ok(self.written)
    }

    /// A ring, closed. Rings have their region on the right, rows downward: counter-clockwise is
    /// the other way if the map to the ground mirrors.
    fn ring(&self, ring: &[Corner], text: &mut String) {
        text.push('[');
        let mut corner = |&[x, y]: &Corner| {
            let (x, y) = self.map.apply(f64::from(x), f64::from(y));
            let (x, y) = self.from.map_or((x, y), |crs| crs.to_wgs84(x, y));
            let _ = write!(text, "[{x},{y}],");
        };
        match (self.map.determinant() < 0., ring) {
            (true, [first, rest @ ..]) => {
                corner(first);
                rest.iter().rev().for_each(&mut corner);
                corner(first);
            }
            _ => ring.iter().chain(ring.first()).for_each(&mut corner),
        }
        text.pop();
        text.push(']');
    }
}

/// Writes the polygons of a class map as GeoJSON, and tells how many there are: a scene of one band
/// of whole numbers of 0..=255, read by rows.
///
/// # Examples
///
/// ```
/// use ocellus_data::{
///     geo::{PolygonConfig, write_polygons},
///     raster::MemoryScene,
/// };
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("classes.geojson");
/// let mut classes = MemoryScene::new(1, 2, 3, vec![1., 0., 2., 1., 0., 2.])?;
/// assert_eq!(write_polygons(&mut classes, &path, &PolygonConfig::default())?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If the scene is no class map or cannot be read, or as [`PolygonWriter::create`].
pub fn write_polygons(
    scene: &mut dyn SceneSource,
    path: impl AsRef<Path>,
    config: &PolygonConfig,
) -> Result<u64> {
    let info = scene.info().clone();
    if info.bands != 1 {
        return Err(Error::Shape(format!("a class map has one band, not {}", info.bands)));
    }
    let mut writer = PolygonWriter::create(path, info.geo.as_ref(), config)?;
    let mut polygonizer = Polygonizer::new(info.width)?.with_skipped(&config.skipped);
    let step = info.chunk.1.clamp(1, 256);
    let mut row = Vec::with_capacity(info.width as usize);
    for y in (0..info.height).step_by(step as usize) {
        let height = step.min(info.height - y);
        let block = scene.read(Window::new(0, y, info.width, height))?;
        let width = info.width as usize;
        for (values, valid) in block.data.chunks_exact(width).zip(block.valid.chunks_exact(width)) {
            row.clear();
            for (&value, &valid) in values.iter().zip(valid) {
                row.push(class(value, valid)?);
            }
            polygonizer.push(row.iter().copied(), &mut |polygon| writer.write(&polygon))?;
        }
    }
    polygonizer.finish(&mut |polygon| writer.write(&polygon))?;
    writer.finish()
}

/// The class of a pixel; `None` without data.
fn class(value: f32, valid: bool) -> Result<Option<u8>> {
    if !valid {
        return Ok(None);
    }
    match (0. ..=255.).contains(&value) && value.fract() == 0. {
        true => Ok(Some(value as u8)),
        false => Err(Error::Shape(format!("{value} is no class: 0 to 255 are"))),
    }
}
