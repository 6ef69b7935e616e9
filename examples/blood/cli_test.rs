//! The program as its users meet it: bad input, folders of any kind, saved models.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../common/testing.rs"]
mod testing;

use std::{fs, path::Path};

use ocellus::data::{Image, synthetic::Smear};
use tempfile::TempDir;
use testing::{succeeds, text};

fn fails(arguments: &[&str]) -> String {
    testing::fails("blood", arguments)
}

/// A folder a class with so many cells in each.
fn cells(folder: &Path, count: usize) {
    let smear = Smear::new(32).with_seed(8).with_per_slide(1);
    let mut made = [0; 2];
    for index in 0.. {
        let example = smear.example(index).unwrap();
        if made[example.label] < count {
            let class = folder.join(["lymphoblast", "plasma"][example.label]);
            fs::create_dir_all(&class).unwrap();
            example.image.save_png(class.join(format!("{index}.png"))).unwrap();
            made[example.label] += 1;
        }
        if made == [count; 2] {
            return;
        }
    }
}

fn folder(count: usize) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    cells(&place.path().join("cells"), count);
    place
}

/// What `predict` says, line by line.
fn predicted(model: &Path, images: &Path) -> Vec<serde_json::Value> {
    let output = succeeds("blood", &["predict", "--model", text(model), text(images)]);
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_saved_model_says_what_it_said_before() {
    let place = folder(20);
    let data = place.path().join("cells");
    for method in ["svm", "naive-bayes", "tree", "forest", "vgg", "dcnn"] {
        let out = place.path().join(method);
        let arguments = ["train", "--data", text(&data), "--methods", method, "--quick", "--out"];
        succeeds("blood", &[&arguments[..], &[text(&out)]].concat());
        let held_out = fs::read_to_string(out.join("predictions.csv")).unwrap();
        let mut table = csv::Reader::from_reader(held_out.as_bytes());
        let mut seen = 0;
        for row in table.records() {
            let row = row.unwrap();
            let line = predicted(&out, &data.join(&row[0])).remove(0);
            let probability = line["probabilities"]["plasma"].as_f64().unwrap();
            let before: f64 = row[5].parse().unwrap();
            assert!((probability - before).abs() < 2e-6, "{method}: {line}, {before}");
            seen += 1;
        }
        assert!(seen >= 6, "{method}: {seen} images were held out");
    }
}

#[test]
fn a_run_that_is_taken_up_says_the_same() {
    let place = folder(16);
    let (data, out) = (place.path().join("cells"), place.path().join("out"));
    let arguments =
        ["table2", "--data", text(&data), "--methods", "naive-bayes,dcnn", "--folds", "2"];
    let all = [&arguments[..], &["--quick", "--out", text(&out)]].concat();
    let first = succeeds("blood", &all).stdout;
    let kept = out.join("folds/dcnn-0.json");
    let before = fs::metadata(&kept).unwrap().modified().unwrap();
    fs::remove_file(out.join("folds/dcnn-1.json")).unwrap();
    assert_eq!(succeeds("blood", &[&all[..], &["--resume"]].concat()).stdout, first);
    assert_eq!(fs::metadata(&kept).unwrap().modified().unwrap(), before);
    assert!(out.join("report.html").is_file());
}

#[test]
fn leakage_compares_the_same_images() {
    let place = folder(12);
    let (data, out) = (place.path().join("cells"), place.path().join("out"));
    let arguments = ["leakage", "--data", text(&data), "--methods", "forest", "--folds", "3"];
    succeeds("blood", &[&arguments[..], &["--quick", "--out", text(&out)]].concat());
    let results = fs::read(out.join("results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_slice(&results).unwrap();
    assert!(results["leaked"].as_f64().unwrap() > 0.5, "{results}");
    assert_eq!(results["rows"].as_array().unwrap().len(), 1);
}

#[test]
fn names_what_is_wrong_with_its_input() {
    let place = folder(4);
    let data = place.path().join("cells");
    let missing = place.path().join("nothing");
    assert!(fails(&["table2", "--data", text(&missing)]).contains("no folder"));
    fs::create_dir(&missing).unwrap();
    assert!(fails(&["table2", "--data", text(&missing)]).contains("no layout"));
    let said = fails(&["table2", "--data", text(&data), "--classes", "plasma,cll"]);
    assert!(said.contains("cll"), "{said}");
    assert!(fails(&["table3"]).contains("--data"));
    let said = fails(&["table2", "--data", text(&data), "--folds", "9", "--methods", "tree"]);
    assert!(said.contains('9') || said.contains("folds"), "{said}");
    assert!(fails(&["predict", "--model", text(&missing), text(&data)]).contains("card.json"));
    cells(&data, 16);
    let weights = place.path().join("weights.safetensors");
    fs::write(&weights, b"no weights").unwrap();
    let said = fails(&[
        "table2",
        "--data",
        text(&data),
        "--methods",
        "vgg",
        "--folds",
        "2",
        "--weights",
        text(&weights),
    ]);
    assert!(said.contains("weights.safetensors"), "{said}");
}

#[test]
fn skips_and_names_what_is_no_image() {
    let place = folder(10);
    let data = place.path().join("cells");
    fs::write(data.join("plasma/broken.png"), b"\x89PNG").unwrap();
    Image::filled(3, 9, 7, 0.5).unwrap().save_png(data.join("lymphoblast/small.png")).unwrap();
    let out = place.path().join("out");
    let arguments =
        ["train", "--data", text(&data), "--methods", "naive-bayes", "--quick", "--out"];
    let output = succeeds("blood", &[&arguments[..], &[text(&out)]].concat());
    assert!(String::from_utf8_lossy(&output.stderr).contains("broken.png"));
    let said = fails(&["predict", "--model", text(&out), text(&data.join("plasma"))]);
    assert!(said.contains("1 of 11"), "{said}");
}
