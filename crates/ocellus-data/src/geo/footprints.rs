use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    Error, Result,
    geo::{
        Crs, GeoReference,
        rasterize::{Rings, burn},
    },
    raster::Window,
};

/// Most bytes of a file, which is read at once.
const MAX_BYTES: u64 = 1 << 29;

/// Which polygons of a GeoJSON file are footprints.
///
/// # Examples
///
/// ```
/// use ocellus_data::geo::FootprintConfig;
///
/// let houses = FootprintConfig::default().with_key("building").with_values(&["house", "yes"]);
/// assert_eq!(houses.key.as_deref(), Some("building"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FootprintConfig {
    /// A property that a feature must have, with another value than "no", false or null. All
    /// features are taken by default.
    pub key: Option<String>,
    /// The values that it may have; any by default.
    pub values: Vec<String>,
}

impl FootprintConfig {
    /// Sets the property that a feature must have.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Sets the values that it may have.
    #[must_use]
    pub fn with_values(mut self, values: &[&str]) -> Self {
        self.values = values.iter().map(|&value| value.to_owned()).collect();
        self
    }

    /// Whether a feature with these properties is taken. Some tools put tags into a member `tags`.
    fn takes(&self, properties: &Value) -> bool {
        let Some(key) = &self.key else { return true };
        let value = properties.get(key).or_else(|| properties.get("tags")?.get(key));
        let text = match value {
            None | Some(Value::Null | Value::Bool(false)) => return false,
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        text != "no" && (self.values.is_empty() || self.values.contains(&text))
    }
}

/// Polygons of a GeoJSON file: buildings of OpenStreetMap, say.
///
/// # Examples
///
/// A house in longitude and latitude, as a mask of a scene in UTM:
///
/// ```
/// use ocellus_data::{
///     geo::{Affine, FootprintConfig, Footprints, GeoReference},
///     raster::Window,
/// };
///
/// let text = r#"{"type": "Feature", "properties": {"building": "yes"}, "geometry": {
///     "type": "Polygon", "coordinates": [[
///         [33.00001, 38.00001], [33.00004, 38.00001], [33.00004, 38.00003], [33.00001, 38.00003],
///         [33.00001, 38.00001]]]}}"#;
/// let config = FootprintConfig::default().with_key("building");
/// let houses = Footprints::parse(text, "houses.geojson", &config)?;
/// assert_eq!(houses.len(), 1);
///
/// let geo = GeoReference::new(Affine::north_up((500_000., 4_205_820.), (0.5, 0.5)), 32636);
/// let mask = houses.on(&geo)?.read(Window::new(0, 0, 16, 16));
/// // 2.6 m × 2.2 m of half a meter.
/// assert_eq!(mask.iter().filter(|&&inside| inside).count(), 25);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Footprints {
    polygons: Vec<Rings>,
    epsg: u16,
    ignored: usize,
}

impl Footprints {
    /// Reads a GeoJSON file: any of `FeatureCollection`, `Feature`, `GeometryCollection`,
    /// `MultiPolygon` and `Polygon`; points and lines are ignored. Coordinates are longitude and
    /// latitude unless a `crs` member says otherwise.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is larger than 512 MiB, or is no GeoJSON.
    pub fn open(path: impl AsRef<Path>, config: &FootprintConfig) -> Result<Self> {
        let path = path.as_ref();
        let bytes = fs::metadata(path).map_err(Error::io(path))?.len();
        if bytes > MAX_BYTES {
            return Err(Error::decode(
                path,
                format!(
                    "{} MiB are more than {}: cut it to the scene by `ogr2ogr -spat`",
                    bytes >> 20,
                    MAX_BYTES >> 20
                ),
            ));
        }
        let text = fs::read(path).map_err(Error::io(path))?;
        let text = String::from_utf8(text)
            .map_err(|_| Error::decode(path, "no GeoJSON: it is not UTF-8 text"))?;
        Self::parse(&text, path, config)
    }

    /// Reads GeoJSON text; `path` names it in errors.
    ///
    /// # Errors
    ///
    /// If it is no GeoJSON.
    pub fn parse(text: &str, path: impl AsRef<Path>, config: &FootprintConfig) -> Result<Self> {
        let path = path.as_ref();
        let json: Value = serde_json::from_str(text)
            .map_err(|error| Error::decode(path, format!("no GeoJSON: {error}")))?;
        let bad = |reason: String| Error::decode(path, reason);
        let epsg = epsg(&json).map_err(bad)?;
        let mut footprints = Self { polygons: Vec::new(), epsg, ignored: 0 };
        footprints.add(&json, config).map_err(bad)?;
        Ok(footprints)
    }

    /// The number of polygons.
    #[must_use]
    pub fn len(&self) -> usize {
        self.polygons.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.polygons.is_empty()
    }

    /// The number of points, lines and features without a shape that were ignored.
    #[must_use]
    pub fn ignored(&self) -> usize {
        self.ignored
    }

    /// The EPSG number of their reference system.
    #[must_use]
    pub fn epsg(&self) -> u16 {
        self.epsg
    }

    /// The footprints in a scene's pixels. Corners are projected; sides stay straight.
    ///
    /// # Errors
    ///
    /// If the systems differ and one of them is not known here (see [`Crs`]).
    pub fn on(&self, geo: &GeoReference) -> Result<FootprintMask> {
        let systems = match geo.epsg() == Some(self.epsg) {
            true => None,
            false => Some((Crs::from_epsg(self.epsg)?, Crs::of(geo)?)),
        };
        let Some(to_pixel) = geo.transform().inverse() else {
            return Err(Error::Setting("the scene's pixels have no area on the ground".to_owned()));
        };
        let pixel = |&[x, y]: &[f64; 2]| {
            let (x, y) = systems.map_or((x, y), |(from, to)| {
                let (longitude, latitude) = from.to_wgs84(x, y);
                to.from_wgs84(longitude, latitude)
            });
            let (column, row) = to_pixel.apply(x, y);
            [column, row]
        };
        let ring = |ring: &Vec<[f64; 2]>| ring.iter().map(pixel).collect::<Vec<_>>();
        let polygon = |rings: &Rings| rings.iter().map(ring).collect::<Rings>();
        Ok(FootprintMask::new(self.polygons.iter().map(polygon).collect()))
    }

    fn add(&mut self, json: &Value, config: &FootprintConfig) -> Result<(), String> {
        let list = |name: &str| {
            json.get(name).and_then(Value::as_array).ok_or(format!("damaged: no list `{name}`"))
        };
        match json.get("type").and_then(Value::as_str) {
            Some("FeatureCollection") => {
                list("features")?.iter().try_for_each(|f| self.add(f, config))
            }
            Some("GeometryCollection") => {
                list("geometries")?.iter().try_for_each(|g| self.add(g, config))
            }
            Some("Feature") => {
                if !config.takes(json.get("properties").unwrap_or(&Value::Null)) {
                    return Ok(());
                }
                match json.get("geometry") {
                    None | Some(Value::Null) => {
                        self.ignored += 1;
                        Ok(())
                    }
                    Some(geometry) => self.add(geometry, config),
                }
            }
            Some("Polygon") => {
                self.polygons.push(rings(list("coordinates")?)?);
                Ok(())
            }
            Some("MultiPolygon") => {
                for polygon in list("coordinates")? {
                    let polygon = polygon.as_array().ok_or("damaged: a polygon is no list")?;
                    self.polygons.push(rings(polygon)?);
                }
                Ok(())
            }
            Some("Point" | "MultiPoint" | "LineString" | "MultiLineString") => {
                self.ignored += 1;
                Ok(())
            }
            other => Err(format!("no GeoJSON: the type is {other:?}")),
        }
    }
}

/// The number in the member `crs`, as GDAL writes it.
fn epsg(json: &Value) -> Result<u16, String> {
    let Some(crs) = json.get("crs").filter(|crs| !crs.is_null()) else { return Ok(4326) };
    let name = crs.pointer("/properties/name").and_then(Value::as_str).unwrap_or_default();
    if name.ends_with("CRS84") {
        return Ok(4326);
    }
    let code = name.rsplit(':').next().filter(|_| name.contains("EPSG"));
    code.and_then(|code| code.parse().ok())
        .ok_or(format!("the reference system {crs} is not read, only those of the EPSG"))
}

fn rings(coordinates: &[Value]) -> Result<Rings, String> {
    let ring = |ring: &Value| {
        let points = ring.as_array().ok_or("damaged: a ring is no list of points")?;
        points.iter().map(point).collect::<Result<Vec<_>, String>>()
    };
    coordinates.iter().map(ring).collect()
}

fn point(value: &Value) -> Result<[f64; 2], String> {
    let number = |at: usize| value.get(at).and_then(Value::as_f64).filter(|v| v.is_finite());
    match (number(0), number(1)) {
        (Some(x), Some(y)) => Ok([x, y]),
        _ => Err(format!("damaged: {value} is no point")),
    }
}

/// Footprints as a mask of a scene, read by windows.
#[derive(Clone, Debug)]
pub struct FootprintMask {
    /// Each polygon with the rows that it reaches.
    polygons: Vec<(f64, f64, Rings)>,
}

impl FootprintMask {
    fn new(polygons: Vec<Rings>) -> Self {
        let with_rows = |rings: Rings| {
            let rows = rings.iter().flatten().map(|point| point[1]);
            let (low, high) =
                rows.fold((f64::MAX, f64::MIN), |(low, high), y| (low.min(y), high.max(y)));
            (low, high, rings)
        };
        Self { polygons: polygons.into_iter().map(with_rows).collect() }
    }

    /// For each pixel of a window, row by row, whether its center lies in a footprint: GDAL's rule.
    /// The window may reach beyond the scene.
    ///
    /// A doctest stands at [`Footprints`].
    #[must_use]
    pub fn read(&self, window: Window) -> Vec<bool> {
        let mut mask = vec![false; window.pixels() as usize];
        for (low, high, rings) in &self.polygons {
            if *low <= window.bottom() as f64 && *high >= f64::from(window.y) {
                burn(rings, window, &mut mask);
            }
        }
        mask
    }
}
