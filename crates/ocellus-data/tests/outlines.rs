//! Outlines of class maps, footprints and projections, against GDAL, PROJ and laws.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use ocellus_data::{
    Result,
    geo::{
        Affine, Crs, FootprintConfig, Footprints, GeoReference, Polygon, PolygonConfig,
        PolygonWriter, Polygonizer, write_polygons,
    },
    raster::{MemoryScene, RasterConfig, RasterWriter, Window, open_scene},
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/geo.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn polygons(rows: &[Vec<u8>], skipped: &[u8]) -> Vec<Polygon> {
    let mut polygons = Vec::new();
    let mut sink = |polygon: Polygon| -> Result<()> {
        polygons.push(polygon);
        Ok(())
    };
    let mut polygonizer = Polygonizer::new(rows[0].len() as u32).unwrap().with_skipped(skipped);
    rows.iter().for_each(|row| polygonizer.push_row(row, &mut sink).unwrap());
    polygonizer.finish(&mut sink).unwrap();
    polygons
}

/// Rows of digits.
fn digits(rows: &Value) -> Vec<Vec<u8>> {
    let row = |row: &Value| row.as_str().unwrap().bytes().map(|byte| byte - b'0').collect();
    rows.as_array().unwrap().iter().map(row).collect()
}

fn lon_lat(rings: &Value) -> Footprints {
    let text = json!({ "type": "Polygon", "coordinates": rings }).to_string();
    Footprints::parse(&text, "test", &FootprintConfig::default()).unwrap()
}

/// A map in which pixels are coordinates.
fn pixels() -> GeoReference {
    GeoReference::new(Affine::IDENTITY, 4326)
}

/// A polygon's pixels in a map of this size.
fn burn(polygon: &Polygon, width: usize, height: usize) -> Vec<bool> {
    let rings: Vec<_> = std::iter::once(&polygon.outer).chain(&polygon.holes).collect();
    let window = Window::new(0, 0, width as u32, height as u32);
    lon_lat(&json!(rings)).on(&pixels()).unwrap().read(window)
}

#[test]
fn projections_agree_with_proj_to_a_micrometer() {
    let (mut forward, mut back): (f64, f64) = (0., 0.);
    for place in golden()["places"].as_array().unwrap() {
        let number = |at: usize| place[at].as_f64().unwrap();
        let (longitude, latitude, x, y) = (number(1), number(2), number(3), number(4));
        let crs = Crs::from_epsg(number(0) as u16).unwrap();
        let ours = crs.from_wgs84(longitude, latitude);
        forward = forward.max((ours.0 - x).hypot(ours.1 - y));
        let ours = crs.to_wgs84(x, y);
        back = back.max((ours.0 - longitude).hypot(ours.1 - latitude));
    }
    assert!(forward < 1e-6, "{forward} m");
    assert!(back < 1e-11, "{back}°");
}

#[test]
fn outlines_are_those_of_gdal() {
    for map in golden()["maps"].as_array().unwrap() {
        let mut ours = polygons(&digits(&map["labels"]), &[0]);
        ours.sort_by_key(|polygon| (polygon.outer[0][1], polygon.outer[0][0]));
        let theirs = map["polygons"].as_array().unwrap();
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(theirs) {
            let ours = json!({ "class": ours.class, "outer": ours.outer, "holes": ours.holes });
            assert_eq!(ours, *theirs);
        }
    }
}

#[test]
fn masks_are_those_of_gdal() {
    for (case, golden) in golden()["masks"].as_array().unwrap().iter().enumerate() {
        let expected = digits(&golden["mask"]);
        let window = Window::new(0, 0, expected[0].len() as u32, expected.len() as u32);
        let mask = lon_lat(&golden["rings"]).on(&pixels()).unwrap().read(window);
        let mask: Vec<u8> = mask.into_iter().map(u8::from).collect();
        assert_eq!(mask, expected.concat(), "case {case}");
    }
}

#[test]
fn footprints_in_degrees_fall_on_the_right_pixels_of_a_scene_in_utm() {
    let golden = &golden()["houses"];
    let text = golden["multi"].to_string();
    let houses = Footprints::parse(&text, "houses", &FootprintConfig::default()).unwrap();
    let map = Affine::north_up((465_000.25, 4_220_000.75), (0.5, 0.5));
    let mask = houses.on(&GeoReference::new(map, 32636)).unwrap().read(Window::new(0, 0, 28, 28));
    let mask: Vec<u8> = mask.into_iter().map(u8::from).collect();
    assert_eq!(mask, digits(&golden["mask"]).concat());
}

/// Whether a ring passes no corner twice.
fn touches_itself(ring: &[[u32; 2]]) -> bool {
    let mut corners = ring.to_vec();
    corners.sort_unstable();
    corners.windows(2).any(|pair| pair[0] == pair[1])
}

fn class_map() -> impl Strategy<Value = Vec<Vec<u8>>> {
    (1..24usize, 1..24usize, 1..4u8, 1..4usize).prop_flat_map(|(width, height, classes, coarse)| {
        let cells = (width.div_ceil(coarse)) * (height.div_ceil(coarse));
        prop::collection::vec(0..=classes, cells).prop_map(move |cells| {
            let across = width.div_ceil(coarse);
            let pixel = |y: usize, x: usize| cells[y / coarse * across + x / coarse];
            (0..height).map(|y| (0..width).map(|x| pixel(y, x)).collect()).collect()
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn outlines_filled_again_are_the_map(rows in class_map()) {
        let (height, width) = (rows.len(), rows[0].len());
        let mut again = vec![0; height * width];
        for polygon in polygons(&rows, &[0]) {
            let mask = burn(&polygon, width, height);
            prop_assert_eq!(mask.iter().filter(|&&v| v).count() as u64, polygon.pixels);
            for (pixel, _) in again.iter_mut().zip(mask).filter(|(_, inside)| *inside) {
                prop_assert_eq!(*pixel, 0);
                *pixel = polygon.class;
            }
            prop_assert!(!touches_itself(&polygon.outer));
            prop_assert!(!polygon.holes.iter().any(|hole| touches_itself(hole)));
        }
        prop_assert_eq!(again, rows.concat());
    }

    #[test]
    fn simplified_outlines_do_not_cross(rows in class_map(), tolerance in 0.3..4.0f64) {
        for polygon in polygons(&rows, &[0]) {
            let simple = polygon.simplified(tolerance);
            prop_assert!(simple.outer.len() <= polygon.outer.len() && simple.outer.len() >= 3);
            prop_assert_eq!(simple.holes.len(), polygon.holes.len());
            let rings: Vec<_> = std::iter::once(&simple.outer).chain(&simple.holes).collect();
            for (index, ring) in rings.iter().enumerate() {
                prop_assert!(!touches_itself(ring));
                let changed = *ring != std::iter::once(&polygon.outer).chain(&polygon.holes).nth(index).unwrap();
                for (other_index, other) in rings.iter().enumerate().take(index + 1) {
                    if changed {
                        prop_assert!(!cross(ring, other, index == other_index));
                    }
                }
            }
        }
    }
}

/// Whether two sides cross inwardly: a plain check of every pair.
fn cross(a: &[[u32; 2]], b: &[[u32; 2]], same: bool) -> bool {
    let side = |ring: &[[u32; 2]], at: usize| (ring[at], ring[(at + 1) % ring.len()]);
    let turn = |a: [u32; 2], b: [u32; 2], c: [u32; 2]| {
        let [ax, ay, bx, by, cx, cy] = [a[0], a[1], b[0], b[1], c[0], c[1]].map(i64::from);
        ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)).signum()
    };
    (0..a.len()).any(|i| {
        (0..b.len()).filter(|&j| !same || i != j).any(|j| {
            let ((p, q), (r, s)) = (side(a, i), side(b, j));
            turn(p, q, r) * turn(p, q, s) < 0 && turn(r, s, p) * turn(r, s, q) < 0
        })
    })
}

#[test]
fn steps_become_straight_and_small_rings_stay() {
    // A disk with a hole of one pixel.
    let disk = |x: i32, y: i32| (x - 20).pow(2) + (y - 20).pow(2) < 300 && (x, y) != (20, 20);
    let rows: Vec<Vec<u8>> =
        (0..41).map(|y| (0..41).map(|x| u8::from(disk(x, y))).collect()).collect();
    let polygon = &polygons(&rows, &[0])[0];
    let simple = polygon.simplified(1.);
    assert!(simple.outer.len() * 3 < polygon.outer.len(), "{}", simple.outer.len());
    assert_eq!(simple.holes, polygon.holes);
}

#[test]
fn a_class_map_becomes_geojson_that_is_read_back_to_the_pixel() {
    let folder = tempfile::tempdir().unwrap();
    let (tif, path) = (folder.path().join("map.tif"), folder.path().join("map.geojson"));
    let map = Affine { a: 0.4, b: 0.3, c: 465_000.25, d: 0.3, e: -0.4, f: 4_220_000.75 };
    let geo = GeoReference::new(map, 32636);
    let pixel = |x: u32, y: u32| match (x / 7 + y / 5) % 4 {
        _ if x == 40 => 255,
        n => (n as u8).wrapping_mul(u8::from((x * y) % 11 != 3)),
    };
    let classes: Vec<u8> = (0..90).flat_map(|y| (0..70).map(move |x| pixel(x, y))).collect();
    let config = RasterConfig::classes(70, 90).with_tile(Some(16)).with_geo(Some(geo.clone()));
    let mut writer = RasterWriter::create(&tif, config).unwrap();
    writer.write_rows(&classes).unwrap();
    writer.finish().unwrap();

    for wgs84 in [false, true] {
        let config = PolygonConfig::default()
            .with_wgs84(wgs84)
            .with_class_names(["ground", "\"house\"", "road", "tree"].map(str::to_owned).to_vec());
        let count = write_polygons(&mut open_scene(&tif).unwrap(), &path, &config).unwrap();
        let json: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let features = json["features"].as_array().unwrap();
        assert_eq!(features.len() as u64, count);
        assert_eq!(json.get("crs").is_none(), wgs84);
        for feature in features {
            let properties = &feature["properties"];
            let pixels = properties["pixels"].as_f64().unwrap();
            assert!((properties["area_m2"].as_f64().unwrap() - 0.25 * pixels).abs() < 1e-9);
            for (index, ring) in
                feature["geometry"]["coordinates"].as_array().unwrap().iter().enumerate()
            {
                let ring: Vec<[f64; 2]> = serde_json::from_value(ring.clone()).unwrap();
                assert_eq!(ring.first(), ring.last());
                let [x0, y0] = ring[0];
                let area: f64 = ring
                    .windows(2)
                    .map(|p| (p[0][0] - x0) * (p[1][1] - y0) - (p[1][0] - x0) * (p[0][1] - y0))
                    .sum();
                assert_eq!(area > 0., index == 0, "the sense of ring {index}");
            }
        }
        for class in 1..4u8 {
            let name = ["ground", "\"house\"", "road", "tree"][usize::from(class)];
            let filter = FootprintConfig::default().with_key("name").with_values(&[name]);
            let mask = Footprints::open(&path, &filter).unwrap().on(&geo).unwrap();
            let mask = mask.read(Window::new(0, 0, 70, 90));
            let expected: Vec<bool> = classes.iter().map(|&value| value == class).collect();
            assert_eq!(mask, expected, "class {class}");
        }
    }
}

#[test]
fn small_regions_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.geojson");
    let mut scene = MemoryScene::new(1, 1, 5, vec![1., 0., 1., 1., 0.]).unwrap();
    let config = PolygonConfig::default().with_min_pixels(2);
    assert_eq!(write_polygons(&mut scene, &path, &config).unwrap(), 1);
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("area_m2") && text.contains("[2,0],[4,0],[4,1],[2,1],[2,0]"), "{text}");
}

#[test]
fn what_is_no_class_map_is_an_error_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.geojson");
    for (bands, value) in [(1, 1.5), (1, 256.), (1, -1.), (2, 1.)] {
        let mut scene = MemoryScene::new(bands, 1, 1, vec![value; bands]).unwrap();
        let error = write_polygons(&mut scene, &path, &PolygonConfig::default()).unwrap_err();
        assert!(error.to_string().contains("class"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    let config = PolygonConfig::default().with_wgs84(true);
    assert!(PolygonWriter::create(&path, None, &config).is_err());
}

#[test]
fn footprints_are_chosen_by_their_properties() {
    let feature = |properties: Value| {
        json!({ "type": "Feature", "properties": properties, "geometry": {
        "type": "GeometryCollection", "geometries": [
            { "type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]] },
            { "type": "Point", "coordinates": [0, 0] },
        ]}})
    };
    let text = json!({ "type": "FeatureCollection", "features": [
        feature(json!({ "building": "yes" })),
        feature(json!({ "building": "house" })),
        feature(json!({ "building": "no" })),
        feature(json!({ "tags": { "building": "yes" } })),
        feature(json!({ "highway": "primary" })),
        feature(Value::Null),
        { "type": "Feature", "properties": { "building": "yes" }, "geometry": null },
    ]})
    .to_string();
    let count = |config: &FootprintConfig| Footprints::parse(&text, "a", config).unwrap().len();
    let building = FootprintConfig::default().with_key("building");
    assert_eq!(count(&FootprintConfig::default()), 6);
    assert_eq!(count(&building), 3);
    assert_eq!(count(&building.clone().with_values(&["house"])), 1);
    assert_eq!(Footprints::parse(&text, "a", &building).unwrap().ignored(), 4);
}

#[test]
fn damaged_geojson_and_unknown_systems_are_clear_errors() {
    let deep = "[".repeat(100_000);
    for (text, what) in [
        ("", "no GeoJSON"),
        ("{", "no GeoJSON"),
        (r#"{"type": "Topology"}"#, "Topology"),
        (r#"{"type": "FeatureCollection"}"#, "features"),
        (r#"{"type": "Polygon", "coordinates": [[[1]]]}"#, "no point"),
        (r#"{"type": "Polygon", "coordinates": [3]}"#, "ring"),
        (r#"{"type": "Polygon", "crs": {"properties": {"name": "mine"}}}"#, "mine"),
        (&deep, "recursion"),
    ] {
        let error = Footprints::parse(text, "a.geojson", &FootprintConfig::default()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(what) && error.contains("a.geojson"), "{error}");
    }
    let square = lon_lat(&json!([[[0, 0], [1, 0], [1, 1], [0, 0]]]));
    let error = square.on(&GeoReference::new(Affine::IDENTITY, 27700)).unwrap_err().to_string();
    assert!(error.contains("27700") && error.contains("gdalwarp"), "{error}");
    assert_eq!((square.len(), square.is_empty(), square.epsg()), (1, false, 4326));
}
