//! The program as its users meet it: bad input, whole scenes, interruption.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../common/testing.rs"]
mod testing;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
    thread::sleep,
    time::Duration,
};

use ocellus::data::{
    Image, LabeledScene,
    raster::{GeoTiff, RasterConfig, RasterWriter, SampleType, SceneSource, Window, open_scene},
    synthetic::Landscape,
};
use tempfile::TempDir;
use testing::{command, succeeds, text};

fn fails(arguments: &[&str]) -> String {
    testing::fails("satellite", arguments)
}

/// A network after one pass over synthetic areas, made once.
fn trained() -> &'static Path {
    static TRAINED: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
        let place = tempfile::tempdir().unwrap();
        let network = ["--network", "prop-18", "--channels", "4"];
        let arguments = ["train", "--quick", "--epochs", "1", "--out", text(place.path())];
        succeeds("satellite", &[&arguments[..], &network].concat());
        let model = place.path().join("model.safetensors");
        (place, model)
    });
    &TRAINED.1
}

fn scene(folder: &Path, width: u32, height: u32) -> PathBuf {
    let (image, mask) = (folder.join("scene.tif"), folder.join("truth.tif"));
    Landscape::new(width, height, 5).write(&image, mask).unwrap();
    image
}

fn segment<'a>(model: &'a Path, scene: &'a Path, out: &'a Path) -> Vec<&'a str> {
    let tiles = ["--tile", "128", "--overlap", "64"];
    let files = ["segment", "--model", text(model), text(scene), "--out", text(out)];
    [&files[..], &tiles].concat()
}

/// Name and bytes of what a run left, but for the times in page and record.
fn products(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    let kept = files.filter(|path| {
        path.extension().is_some_and(|extension| extension == "tif" || extension == "geojson")
    });
    kept.map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, fs::read(&path).unwrap())
    })
    .collect()
}

#[test]
fn segments_a_scene_and_goes_on_after_a_kill_to_the_same_bytes() {
    let place = tempfile::tempdir().unwrap();
    let model = trained();
    let scene = scene(place.path(), 700, 600);
    let (whole, broken) = (place.path().join("whole"), place.path().join("broken"));
    succeeds("satellite", &segment(model, &scene, &whole));
    let expected = products(&whole);
    assert_eq!(
        expected.keys().map(String::as_str).collect::<Vec<_>>(),
        ["scene-classes.tif", "scene-probabilities.tif", "scene.geojson"]
    );

    let parts = broken.join("scene.parts");
    let mut child = command("satellite", &segment(model, &scene, &broken)).spawn().unwrap();
    while !parts.join("part-000002.bin").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
        sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(parts.exists() && products(&broken).is_empty());
    succeeds("satellite", &segment(model, &scene, &broken));
    assert!(!parts.exists());
    assert_eq!(products(&broken), expected);

    let one_thread = place.path().join("one-thread");
    let status = command("satellite", &segment(model, &scene, &one_thread))
        .env("RAYON_NUM_THREADS", "1")
        .status();
    assert!(status.unwrap().success());
    assert_eq!(products(&one_thread), expected);
}

#[test]
fn the_result_lies_where_the_scene_lies() {
    let place = tempfile::tempdir().unwrap();
    let model = trained();
    let scene = scene(place.path(), 300, 200);
    let out = place.path().join("out");
    succeeds("satellite", &segment(model, &scene, &out));
    let (before, after) =
        (open_scene(&scene).unwrap(), GeoTiff::open(out.join("scene-classes.tif")));
    let after = after.unwrap();
    assert_eq!(after.info().geo, before.info().geo);
    assert!(before.info().geo.is_some());
    assert_eq!((after.info().width, after.info().height), (300, 200));
    let page = fs::read_to_string(out.join("scene.html")).unwrap();
    assert!(page.contains("EPSG:32632") && page.contains("data:image/jpeg"));
}

#[test]
fn a_scene_without_data_has_no_classes_and_a_small_one_is_one_tile() {
    let place = tempfile::tempdir().unwrap();
    let model = trained();
    let empty = place.path().join("empty.tif");
    let config = RasterConfig::new(150, 150, 4, SampleType::U16).with_no_data(Some(0.));
    let mut writer = RasterWriter::create(&empty, config).unwrap();
    writer.write_rows(&vec![0_u16; 4 * 150 * 150]).unwrap();
    writer.finish().unwrap();
    let said = fails(&segment(model, &empty, &place.path().join("empty")));
    assert!(said.contains("no part of the scene"), "{said}");

    let small = scene(place.path(), 40, 33);
    let out = place.path().join("small");
    succeeds("satellite", &segment(model, &small, &out));
    let mut classes = open_scene(out.join("scene-classes.tif")).unwrap();
    assert!(classes.read(Window::new(0, 0, 40, 33)).unwrap().valid.iter().all(|valid| *valid));
}

#[test]
fn names_what_is_wrong_with_a_scene_or_a_network() {
    let place = tempfile::tempdir().unwrap();
    let model = trained();
    let scene = scene(place.path(), 300, 200);
    let out = place.path().join("out");

    let said = fails(&segment(model, &place.path().join("absent.tif"), &out));
    assert!(said.contains("absent.tif"), "{said}");
    let said = fails(&segment(&scene, &scene, &out));
    assert!(said.contains("is no saved network"), "{said}");

    let color = place.path().join("color.png");
    Image::filled(3, 64, 64, 0.5).unwrap().save_png(&color).unwrap();
    let said = fails(&segment(model, &color, &out));
    assert!(said.contains("has 3 bands, the network was trained on 4"), "{said}");
    assert!(said.contains("--bands"), "{said}");

    let cut = place.path().join("cut.tif");
    let bytes = fs::read(&scene).unwrap();
    for len in [0, 7, 100, bytes.len() / 2] {
        fs::write(&cut, &bytes[..len]).unwrap();
        let said = fails(&segment(model, &cut, &out));
        assert!(said.contains("cut.tif"), "{said}");
    }
    assert!(!out.exists());

    let mut arguments = segment(model, &scene, &out);
    arguments.pop();
    arguments.push("50");
    let said = fails(&arguments);
    assert!(said.contains("begin every 78 pixels") && said.contains("multiple of 32"), "{said}");

    let said = fails(&["train", "--quick", "--network", "resnet", "--out", text(&out)]);
    assert!(said.contains("no network `resnet`") && said.contains("prop-34"), "{said}");
}

#[test]
fn names_what_is_wrong_with_a_folder_of_areas() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let train = |data: &Path| fails(&["train", "--data", text(data), "--out", text(&out)]);
    let said = train(&place.path().join("absent"));
    assert!(said.contains("absent"), "{said}");

    let data = place.path().join("data");
    let write = |kind: &str, name: &str, channels, side| {
        fs::create_dir_all(data.join(kind)).unwrap();
        let image = Image::filled(channels, side, side, 0.5).unwrap();
        image.save_png(data.join(kind).join(name)).unwrap();
    };
    write("images", "austin_1.png", 3, 64);
    write("masks", "austin_1.png", 1, 64);
    let said = train(&data);
    assert!(said.contains("one group"), "{said}");
    write("images", "vienna_1.png", 3, 64);
    let said = train(&data);
    assert!(said.contains("vienna_1.png: no mask"), "{said}");
    write("masks", "vienna_1.png", 1, 32);
    let said = train(&data);
    assert!(said.contains("vienna_1"), "{said}");
}

/// The settings that a run kept beside its results.
fn kept(out: &Path) -> serde_json::Value {
    let record = fs::read_to_string(out.join("results.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&record).unwrap()["config"].clone()
}

const SMALL: [&str; 6] = ["--network", "prop-18", "--channels", "2", "--epochs", "1"];

#[test]
fn light_loss_class_weights_and_frozen_stages_reach_the_training() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let light = ["--brightness", "0.3", "--contrast", "0.2", "--color", "0.1"];
    let rest = ["--loss", "tversky", "--class-weights", "balanced", "--frozen-stages", "2"];
    let train = ["train", "--quick", "--out", text(&out)];
    succeeds("satellite", &[&train[..], &SMALL, &light, &rest].concat());
    let config = kept(&out);
    let protocol = &config["protocol"];
    assert_eq!(protocol["objective"], "Tversky");
    assert_eq!(
        (&protocol["brightness"], &protocol["contrast"], &protocol["color"]),
        (&0.3.into(), &0.2.into(), &0.1.into())
    );
    assert_eq!(config["frozen_stages"], 2);
    let weights: Vec<f64> = serde_json::from_value(config["class_weights"].clone()).unwrap();
    assert!(weights.len() == 2 && weights[0] < 1. && weights[1] > 1., "{weights:?}");

    let wrong = |option: &str, value: &str| fails(&[&train[..], &[option, value]].concat());
    let said = wrong("--class-weights", "1,2,3");
    assert!(said.contains("for each of ground, building"), "{said}");
    let said = wrong("--color", "11");
    assert!(said.contains("`color` is 11.0, give 0 to 10"), "{said}");
}

#[test]
fn a_result_of_another_precision_is_not_taken_up() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let train = ["train", "--quick", "--out", text(&out)];
    let row = |arguments: &[&str]| {
        succeeds("satellite", &[&train[..], &SMALL, arguments].concat());
        let record = fs::read_to_string(out.join("results.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&record).unwrap()["rows"][0].clone()
    };
    let half = row(&["--precision", "f16"]);
    let scale = half["course"]["history"][0]["loss_scale"].as_str().unwrap();
    assert!((1. ..=65536.).contains(&scale.parse::<f64>().unwrap()), "{half}");
    let other = row(&["--precision", "bf16", "--resume"]);
    assert!(other["course"]["history"][0]["loss_scale"].is_null(), "{other}");
    assert_ne!(half["settings"], other["settings"]);
}

#[test]
fn areas_of_sensors_with_other_bands_are_trained_on_together() {
    let place = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let folder = place.path().join(name);
        for kind in ["images", "masks"] {
            fs::create_dir_all(folder.join(kind)).unwrap();
        }
        folder
    };
    // Four bands of 16 bits, and three of 8.
    let (space, air) = (folder("space"), folder("air"));
    for (n, name) in ["alba_1.tif", "alba_2.tif", "bari_1.tif"].into_iter().enumerate() {
        let scene = Landscape::new(192, 192, n as u64);
        scene.write(space.join("images").join(name), space.join("masks").join(name)).unwrap();
    }
    for (n, name) in ["como_1.png", "como_2.png"].into_iter().enumerate() {
        let (image, mask) =
            Landscape::new(192, 192, 10 + n as u64).read(Window::new(0, 0, 192, 192)).unwrap();
        let colors: Vec<f32> = image.data()[..3 * 192 * 192].iter().map(|v| v / 2048.).collect();
        let image = Image::new(3, 192, 192, colors).unwrap();
        image.save_png(air.join("images").join(name)).unwrap();
        let numbers = mask.data().iter().map(|class| class / 255.).collect();
        let mask = Image::new(1, 192, 192, numbers).unwrap();
        mask.save_png(air.join("masks").join(name)).unwrap();
    }
    let out = place.path().join("out");
    let data = ["--data", text(&space), "--data", text(&air), "--test", "bari"];
    let masks = ["--masks", "classes"];
    let train =
        [&["train", "--out", text(&out), "--batch-size", "2"][..], &data, &masks, &SMALL].concat();
    let said = fails(&train);
    assert!(said.contains("has 3 bands,") && said.contains("--bands of its own"), "{said}");
    let said = fails(&[&train[..], &["--bands", "1,2,5", "--bands", "1,2,3"]].concat());
    assert!(said.contains("bands [1, 2, 5] of a scene of 4"), "{said}");
    succeeds("satellite", &[&train[..], &["--bands", "3,2,1", "--bands", "1,2,3"]].concat());
    assert_eq!(kept(&out)["network"]["Residual"]["encoder"]["bands"], 3);

    let (model, scene) = (out.join("model.safetensors"), space.join("images/bari_1.tif"));
    let found = place.path().join("found");
    let segment = segment(&model, &scene, &found);
    let said = fails(&segment);
    assert!(said.contains("has 4 bands, the network was trained on 3"), "{said}");
    succeeds("satellite", &[&segment[..], &["--bands", "3,2,1"]].concat());
    assert!(found.join("bari_1-classes.tif").exists());
}
