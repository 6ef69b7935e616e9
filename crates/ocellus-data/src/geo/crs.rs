use crate::{
    Error, Result,
    geo::{GeoReference, utm::Utm},
};

/// Radius of Web Mercator's sphere in meters.
const SPHERE: f64 = 6_378_137.;

/// A coordinate reference system whose places can be turned into longitude and latitude here.
///
/// # Examples
///
/// ```
/// use ocellus_data::geo::Crs;
///
/// let zone = Crs::from_epsg(32636)?;
/// let (east, north) = zone.from_wgs84(33., 38.);
/// assert!((east - 500_000.).abs() < 1e-3);
/// let (longitude, latitude) = zone.to_wgs84(east, north);
/// assert!((longitude - 33.).abs() < 1e-12 && (latitude - 38.).abs() < 1e-12);
///
/// assert!(Crs::from_epsg(27700).unwrap_err().to_string().contains("27700"));
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Crs {
    /// Longitude and latitude in degrees on WGS84 (EPSG 4326), in this order.
    Wgs84,
    /// Web Mercator (EPSG 3857).
    WebMercator,
    /// A zone of the universal transverse Mercator projection on WGS84 (EPSG 32601..=32660 in the
    /// north, 32701..=32760 in the south).
    Utm {
        /// From 1 to 60.
        zone: u8,
        /// Whether it is the southern half.
        south: bool,
    },
}

impl Crs {
    /// The system of this number.
    ///
    /// # Errors
    ///
    /// If it is none of those known here.
    pub fn from_epsg(epsg: u16) -> Result<Self> {
        match epsg {
            4326 => Ok(Self::Wgs84),
            3857 => Ok(Self::WebMercator),
            32601..=32660 => Ok(Self::Utm { zone: (epsg - 32600) as u8, south: false }),
            32701..=32760 => Ok(Self::Utm { zone: (epsg - 32700) as u8, south: true }),
            _ => Err(Error::Setting(format!(
                "EPSG:{epsg} is not known here, only 4326, 3857, 326xx and 327xx (UTM on WGS84): \
                 convert by `ogr2ogr -t_srs` or `gdalwarp -t_srs`"
            ))),
        }
    }

    /// The system of a scene.
    ///
    /// # Errors
    ///
    /// If it has no number, or one that is not known here.
    pub fn of(geo: &GeoReference) -> Result<Self> {
        match geo.epsg() {
            Some(epsg) => Self::from_epsg(epsg),
            None => Err(Error::Setting(
                "the scene's reference system has no EPSG number: assign one by `gdalwarp -t_srs`"
                    .to_owned(),
            )),
        }
    }

    /// Longitude and latitude of a place.
    #[must_use]
    pub fn to_wgs84(self, x: f64, y: f64) -> (f64, f64) {
        match self {
            Self::Wgs84 => (x, y),
            Self::WebMercator => {
                ((x / SPHERE).to_degrees(), (y / SPHERE).sinh().atan().to_degrees())
            }
            Self::Utm { zone, south } => Utm::new(zone, south).inverse(x, y),
        }
    }

    /// The place of a longitude and latitude.
    #[must_use]
    pub fn from_wgs84(self, longitude: f64, latitude: f64) -> (f64, f64) {
        match self {
            Self::Wgs84 => (longitude, latitude),
            Self::WebMercator => {
                (SPHERE * longitude.to_radians(), SPHERE * latitude.to_radians().tan().asinh())
            }
            Self::Utm { zone, south } => Utm::new(zone, south).forward(longitude, latitude),
        }
    }
}
