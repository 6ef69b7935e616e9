use crate::geo::Affine;

const MODEL_TYPE: u16 = 1024;
const RASTER_TYPE: u16 = 1025;
const GEOGRAPHIC_CRS: u16 = 2048;
const PROJECTED_CRS: u16 = 3072;
const LINEAR_UNITS: u16 = 3076;
/// "None of the numbered ones; see the other keys."
const USER_DEFINED: u16 = 32767;

/// GeoTIFF's tags as they stand in a file, so that they can be written as they were.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GeoTags {
    pub(crate) pixel_scale: Vec<f64>,
    pub(crate) tiepoints: Vec<f64>,
    pub(crate) transformation: Vec<f64>,
    pub(crate) keys: Vec<u16>,
    pub(crate) doubles: Vec<f64>,
    pub(crate) ascii: Vec<u8>,
}

impl GeoTags {
    /// The value of a key that stands in the directory itself.
    fn key(&self, id: u16) -> Option<u16> {
        let (keys, _) = self.keys.get(4..)?.as_chunks::<4>();
        keys.iter().find(|[key, location, ..]| *key == id && *location == 0).map(|key| key[3])
    }

    fn is_point(&self) -> bool {
        self.key(RASTER_TYPE) == Some(2)
    }

    /// The map that the tags give, from outer corners, if they give one.
    fn transform(&self) -> Option<Affine> {
        let map = match (&self.transformation[..], &self.pixel_scale[..], &self.tiepoints[..]) {
            ([a, b, _, c, d, e, _, f, ..], ..) => {
                Affine { a: *a, b: *b, c: *c, d: *d, e: *e, f: *f }
            }
            (_, [width, height, ..], [column, row, _, x, y, ..]) => {
                Affine::north_up((x - column * width, y + row * height), (*width, *height))
            }
            _ => return None,
        };
        // The tags of a "point" raster place the centers of pixels.
        let map = if self.is_point() { map.shifted(-0.5, -0.5) } else { map };
        map.inverse().map(|_| map)
    }
}

/// Where a raster lies on the ground: an affine map and the coordinate reference system, with
/// GeoTIFF's tags kept as they were read.
///
/// # Examples
///
/// ```
/// use ocellus_data::geo::{Affine, GeoReference};
///
/// let map = Affine::north_up((465_000., 4_220_000.), (0.5, 0.5));
/// let geo = GeoReference::new(map, 32636);
/// assert_eq!(geo.epsg(), Some(32636));
/// assert_eq!(geo.meters_per_unit(), Some(1.));
///
/// let part = geo.shifted(100, 200);
/// assert_eq!(part.transform().apply(0., 0.), (465_050., 4_219_900.));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GeoReference {
    transform: Affine,
    tags: GeoTags,
}

impl GeoReference {
    /// This map into the reference system with this number of the EPSG: 4326 and others of
    /// 4000..5000 are geographic (degrees), all others projected.
    #[must_use]
    pub fn new(transform: Affine, epsg: u16) -> Self {
        let Affine { a, b, c, d, e, f } = transform;
        let mut tags = GeoTags::default();
        if b == 0. && d == 0. && a > 0. && e < 0. {
            tags.pixel_scale = vec![a, -e, 0.];
            tags.tiepoints = vec![0., 0., 0., c, f, 0.];
        } else {
            tags.transformation = vec![a, b, 0., c, d, e, 0., f, 0., 0., 0., 0., 0., 0., 0., 1.];
        }
        let (model, key) = match (4000..5000).contains(&epsg) {
            true => (2, GEOGRAPHIC_CRS),
            false => (1, PROJECTED_CRS),
        };
        tags.keys =
            vec![1, 1, 0, 3, MODEL_TYPE, 0, 1, model, RASTER_TYPE, 0, 1, 1, key, 0, 1, epsg];
        Self { transform, tags }
    }

    /// What the tags of a file say; `None` if they give no affine map (no tags, or only control
    /// points).
    pub(crate) fn from_tags(tags: GeoTags) -> Option<Self> {
        Some(Self { transform: tags.transform()?, tags })
    }

    pub(crate) fn tags(&self) -> &GeoTags {
        &self.tags
    }

    /// The map from pixels to the ground, from outer corners, whether the file's tags are for
    /// corners (`PixelIsArea`) or centers (`PixelIsPoint`).
    #[must_use]
    pub fn transform(&self) -> &Affine {
        &self.transform
    }

    /// The number of the reference system, if the keys name one.
    #[must_use]
    pub fn epsg(&self) -> Option<u16> {
        let projected = self.tags.key(PROJECTED_CRS).filter(|_| self.model() != Some(2));
        let geographic = || self.tags.key(GEOGRAPHIC_CRS).filter(|_| self.model() == Some(2));
        projected.or_else(geographic).filter(|&code| code != USER_DEFINED && code != 0)
    }

    /// Whether coordinates are longitude and latitude in degrees.
    #[must_use]
    pub fn is_geographic(&self) -> bool {
        self.model() == Some(2)
    }

    /// Meters of a coordinate's unit, if the reference system is projected and its unit known.
    #[must_use]
    pub fn meters_per_unit(&self) -> Option<f64> {
        if self.model() != Some(1) {
            return None;
        }
        match (self.tags.key(LINEAR_UNITS), self.epsg()) {
            (Some(9001), _) | (None, Some(3857 | 32601..=32660 | 32701..=32760)) => Some(1.),
            (Some(9002), _) => Some(0.3048),
            (Some(9003), _) => Some(1200. / 3937.),
            _ => None,
        }
    }

    /// The place of a part of the raster that begins at this column and row. The tags keep their
    /// form: a tie point moves in pixels, so nothing is rounded.
    #[must_use]
    pub fn shifted(&self, column: u32, row: u32) -> Self {
        let (x, y) = (f64::from(column), f64::from(row));
        let mut tags = self.tags.clone();
        for tiepoint in tags.tiepoints.chunks_exact_mut(6) {
            tiepoint[0] -= x;
            tiepoint[1] -= y;
        }
        if let [a, b, _, c, d, e, _, f, ..] = &mut tags.transformation[..] {
            (*c, *f) = (*a * x + *b * y + *c, *d * x + *e * y + *f);
        }
        let transform = tags.transform().unwrap_or_else(|| self.transform.shifted(x, y));
        Self { transform, tags }
    }

    fn model(&self) -> Option<u16> {
        self.tags.key(MODEL_TYPE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(raster_type: u16) -> GeoTags {
        GeoTags {
            pixel_scale: vec![0.5, 0.25, 0.],
            tiepoints: vec![2., 4., 0., 1000., 2000., 0.],
            keys: vec![1, 1, 0, 2, MODEL_TYPE, 0, 1, 1, RASTER_TYPE, 0, 1, raster_type],
            ..GeoTags::default()
        }
    }

    #[test]
    fn a_point_raster_lies_half_a_pixel_up_and_left() {
        let area = GeoReference::from_tags(tags(1)).unwrap();
        let point = GeoReference::from_tags(tags(2)).unwrap();
        assert_eq!(area.transform().apply(2., 4.), (1000., 2000.));
        assert_eq!(point.transform().apply(2.5, 4.5), (1000., 2000.));
    }

    #[test]
    fn a_shifted_reference_is_the_shifted_map_in_every_form() {
        let rotated = Affine { a: 0.5, b: 0.1, c: 7., d: 0.1, e: -0.5, f: 9. };
        let forms = [
            GeoReference::from_tags(tags(1)).unwrap(),
            GeoReference::from_tags(tags(2)).unwrap(),
            GeoReference::new(rotated, 32633),
        ];
        for geo in forms {
            let shifted = geo.shifted(30, 50);
            assert_eq!(*shifted.transform(), geo.transform().shifted(30., 50.));
            assert_eq!(shifted.epsg(), geo.epsg());
        }
    }

    #[test]
    fn damaged_tags_give_no_place() {
        let flat = GeoTags { pixel_scale: vec![0., 0., 0.], ..tags(1) };
        let short = GeoTags { tiepoints: vec![0.; 3], ..tags(1) };
        let keys = GeoTags { keys: vec![1, 1, 0, 9, 1024], ..tags(1) };
        assert_eq!(GeoReference::from_tags(flat), None);
        assert_eq!(GeoReference::from_tags(short), None);
        assert_eq!(GeoReference::from_tags(keys).unwrap().epsg(), None);
    }

    #[test]
    fn a_user_defined_system_has_no_number() {
        let mut tags = tags(1);
        tags.keys.extend([PROJECTED_CRS, 0, 1, USER_DEFINED]);
        assert_eq!(GeoReference::from_tags(tags).unwrap().epsg(), None);
        assert_eq!(GeoReference::new(Affine::IDENTITY, 4326).epsg(), Some(4326));
        assert!(GeoReference::new(Affine::IDENTITY, 4326).is_geographic());
    }
}
