//! The program as its users meet it: bad input, folders of any kind, saved models.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../common/testing.rs"]
mod testing;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use ocellus::data::{
    Image,
    synthetic::{Octa, OctaField, OctaGrade},
};
use tempfile::TempDir;
use testing::{succeeds, text};

fn fails(arguments: &[&str]) -> String {
    testing::fails("octa", arguments)
}

fn octa() -> Octa {
    Octa::new(OctaField::ThreeMm).with_side(64).with_seed(5)
}

/// Images of a grade, as many as wanted.
fn images(folder: &Path, grade: OctaGrade, count: usize) {
    fs::create_dir_all(folder).unwrap();
    for index in 0..count {
        let degradation = grade.draw(3, index);
        let image = octa().spoiled(index + 100 * grade.label(), &degradation).unwrap();
        image.save_png(folder.join(format!("{index}.png"))).unwrap();
    }
}

/// A detector after the shortest of fits, made once.
fn fitted() -> &'static Path {
    static FITTED: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
        let place = tempfile::tempdir().unwrap();
        succeeds("octa", &["fit", "--quick", "--detector", "padim", "--out", text(place.path())]);
        let model = place.path().join("detector.safetensors");
        (place, model)
    });
    &FITTED.1
}

fn grade<'a>(model: &'a Path, images: &'a Path, out: &'a Path) -> [&'a str; 6] {
    ["grade", "--model", text(model), text(images), "--out", text(out)]
}

#[test]
fn grades_images_one_by_one_as_it_grades_them_together() {
    let place = tempfile::tempdir().unwrap();
    let (folder, out) = (place.path().join("images"), place.path().join("out"));
    images(&folder, OctaGrade::Outstanding, 2);
    octa().example(7).unwrap().image.save_png(folder.join("other.png")).unwrap();
    let together = succeeds("octa", &grade(fitted(), &folder, &out)).stdout;
    let together = String::from_utf8(together).unwrap();
    assert_eq!(together.lines().count(), 3);
    for line in together.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let named = OctaGrade::ALL.iter().any(|grade| line["grade"] == grade.name());
        assert!(named && line["threshold_is_label_free"] == true, "{line}");
        assert!(Path::new(line["overlay"].as_str().unwrap()).is_file());
        let strange = line["score"].as_f64() >= line["threshold"].as_f64();
        assert_eq!(strange, line["grade"] != "outstanding", "{line}");
    }
    let alone = succeeds("octa", &grade(fitted(), &folder.join("other.png"), &out)).stdout;
    assert_eq!(together.lines().last(), String::from_utf8(alone).unwrap().lines().last());
}

#[test]
fn skips_and_names_what_is_no_image() {
    let place = tempfile::tempdir().unwrap();
    let (folder, out) = (place.path().join("images"), place.path().join("out"));
    images(&folder, OctaGrade::Outstanding, 1);
    fs::write(folder.join("zero.png"), b"").unwrap();
    fs::write(folder.join("text.jpg"), b"This is no picture.").unwrap();
    let said = fails(&grade(fitted(), &folder, &out));
    for name in ["zero.png", "text.jpg", "2 of 3 images"] {
        assert!(said.contains(name), "{name} is not in: {said}");
    }
    let said = fails(&grade(fitted(), &place.path().join("absent.png"), &out));
    assert!(said.contains("absent.png"), "{said}");
}

#[test]
fn names_what_is_wrong_with_a_saved_detector() {
    let place = tempfile::tempdir().unwrap();
    let (folder, out) = (place.path().join("images"), place.path().join("out"));
    images(&folder, OctaGrade::Outstanding, 1);
    let said = fails(&grade(&place.path().join("absent.safetensors"), &folder, &out));
    assert!(said.contains("absent.json"), "{said}");

    let model = place.path().join("model.safetensors");
    fs::copy(fitted().with_extension("json"), model.with_extension("json")).unwrap();
    let bytes = fs::read(fitted()).unwrap();
    for len in [0, 7, 100, bytes.len() / 2] {
        fs::write(&model, &bytes[..len]).unwrap();
        let said = fails(&grade(&model, &folder, &out));
        assert!(said.contains("model.safetensors"), "{said}");
    }
    fs::write(&model, &bytes).unwrap();
    fs::write(model.with_extension("json"), b"{}").unwrap();
    let said = fails(&grade(&model, &folder, &out));
    assert!(said.contains("model.json"), "{said}");

    let card = fs::read_to_string(fitted().with_extension("json")).unwrap();
    let other = card.replace("\"backbone_seed\": 42", "\"backbone_seed\": 43");
    assert_ne!(card, other);
    fs::write(model.with_extension("json"), other).unwrap();
    let said = fails(&grade(&model, &folder, &out));
    assert!(said.contains("fingerprint"), "{said}");
    let arguments = grade(fitted(), &folder, &out);
    let said = fails(&[&arguments[..], &["--weights", text(&model)]].concat());
    assert!(said.contains("leave --weights out"), "{said}");
}

#[test]
fn takes_folders_of_grades_and_folders_of_good_images() {
    let place = tempfile::tempdir().unwrap();
    let (graded, good) = (place.path().join("graded"), place.path().join("good"));
    for grade in OctaGrade::ALL {
        images(&graded.join(grade.name()), grade, if grade.label() == 0 { 16 } else { 6 });
    }
    images(&good, OctaGrade::Outstanding, 30);
    for (data, name) in [(&graded, "graded images"), (&good, "spoiled to three grades")] {
        let out = place.path().join("out");
        let quick = ["table2", "--quick", "--detector", "padim"];
        let place = ["--data", text(data), "--out", text(&out)];
        let output = succeeds("octa", &[&quick[..], &place].concat());
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("label-free") && said.contains("F_multi + FDR"), "{said}");
        let record = fs::read_to_string(out.join("results.json")).unwrap();
        assert!(record.contains(name), "{record}");
        let page = fs::read_to_string(out.join("report.html")).unwrap();
        assert!(page.contains("oracle") && page.contains("random weights"));
    }
}

#[test]
fn names_what_is_wrong_with_data_and_settings() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let fit = |more: &[&str]| {
        let arguments = ["fit", "--quick", "--detector", "padim", "--out", text(&out)];
        fails(&[&arguments[..], more].concat())
    };
    let absent = place.path().join("absent");
    assert!(fit(&["--data", text(&absent)]).contains("absent"));
    let few = place.path().join("few");
    images(&few, OctaGrade::Outstanding, 3);
    assert!(fit(&["--data", text(&few)]).contains("3 outstanding images"));
    let empty = place.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert!(fit(&["--data", text(&empty)]).contains("empty"));

    assert!(fit(&["--backbone", "resnet19"]).contains("no backbone `resnet19`"));
    assert!(fit(&["--backbone", "resnet18/none"]).contains("`none` channels"));
    assert!(fit(&["--weights", text(&absent)]).contains("no weights at"));
    assert!(fit(&["--threshold", "1e9"]).contains("lower the threshold"));
    assert!(fit(&["--threshold", "quantile=2"]).contains("quantile"));
    Image::filled(1, 4, 4, 0.5).unwrap().save_png(absent.with_extension("png")).unwrap();
    let said = fit(&["--weights", text(&absent.with_extension("png"))]);
    assert!(said.contains("absent.png"), "{said}");
}
