//! The program as its users meet it: bad input, folders of any kind, saved models.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../common/device.rs"]
mod device;
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
    let output =
        succeeds("octa", &[&grade(fitted(), &folder, &out)[..], &["--device", "auto"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.starts_with("device: "), "{said}");
    if said.contains("CPU") {
        assert_eq!(String::from_utf8(output.stdout).unwrap(), together);
    }
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
fn repeats_a_table_with_several_seeds_on_fundus_images_too() {
    let place = tempfile::tempdir().unwrap();
    let (data, out) = (place.path().join("drimdb"), place.path().join("out"));
    for (grade, class) in OctaGrade::ALL.into_iter().zip(["good", "bad", "outlier"]) {
        images(&data.join(class), grade, if grade.label() == 0 { 16 } else { 6 });
    }
    let repeated = ["table1", "--quick", "--seeds", "2", "--fit-on", "8", "--epochs", "1"];
    let place = ["--data", text(&data), "--out", text(&out)];
    let said = succeeds("octa", &[&repeated[..], &place].concat()).stdout;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("Table 1 of 2 seeds, label-free"), "{said}");
    let cells: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("seeds.json")).unwrap()).unwrap();
    let (mut kappas, cell) = (Vec::new(), &cells[0]);
    for seed in ["seed-42", "seed-43"] {
        let record = fs::read_to_string(out.join(seed).join("results.json")).unwrap();
        assert!(record.contains("DRIMDB"), "{record}");
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        let of_run = &record["table_1"][0];
        assert_eq!((&of_run["row"], &of_run["protocol"]), (&cell["row"], &cell["protocol"]));
        kappas.push(of_run["agreed"]["kappa"]["value"].as_f64().unwrap());
    }
    let mean = cell["kappa"]["mean"].as_f64().unwrap();
    assert!((mean - kappas.iter().sum::<f64>() / 2.).abs() < 1e-9);
    let said = fails(&[&repeated[..4], &["--fit-on", "20"], &place].concat());
    assert!(said.contains("--fit-on"), "{said}");
}

/// A category: textures, some of them with a bright spot and a mask.
fn category(root: &Path) {
    let texture = |seed: usize| {
        let value = |i: usize| 0.4 + 0.1 * (((i * 7 + seed * 13) % 11) as f32 / 11.);
        (0..64 * 64).map(value).collect::<Vec<f32>>()
    };
    let spot = |i: usize| (20..30).contains(&(i / 64)) && (30..44).contains(&(i % 64));
    for folder in ["train/good", "test/good", "test/spot", "ground_truth/spot"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let save = |values: Vec<f32>, path: String| {
        Image::new(1, 64, 64, values).unwrap().save_png(root.join(path)).unwrap();
    };
    for n in 0..20 {
        save(texture(n), format!("train/good/{n}.png"));
    }
    for n in 20..26 {
        save(texture(n), format!("test/good/{n}.png"));
        let spotted = texture(n).into_iter().enumerate().map(|(i, v)| if spot(i) { 1. } else { v });
        save(spotted.collect(), format!("test/spot/{n}.png"));
        let mask = (0..64 * 64).map(|i| f32::from(u8::from(spot(i))));
        save(mask.collect(), format!("ground_truth/spot/{n}_mask.png"));
    }
}

#[test]
fn finds_defects_of_a_category() {
    let place = tempfile::tempdir().unwrap();
    let (root, out) = (place.path().join("category"), place.path().join("out"));
    category(&root);
    let arguments = ["defects", "--quick", "--data", text(&root), "--out", text(&out)];
    let said = String::from_utf8(succeeds("octa", &arguments).stdout).unwrap();
    assert!(said.contains("PatchCore") && said.contains("AUPRO"), "{said}");
    let found: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("defects.json")).unwrap()).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 4);
    for found in found.as_array().unwrap().iter().filter(|f| f["detector"] != "FastFlow") {
        let of = |name: &str| found[name].as_f64().unwrap();
        assert!(found["image_auroc"]["value"].as_f64().unwrap() > 95., "{found}");
        assert!(of("pixel_auroc") > 80. && of("aupro") > 50., "{found}");
    }
    assert!(out.join("report.html").is_file());
    let said = fails(&["defects", "--out", text(&out)]);
    assert!(said.contains("give --data"), "{said}");
    let said = fails(&["defects", "--data", text(&out), "--out", text(&out)]);
    assert!(said.contains("free"), "{said}");
}

#[test]
fn refuses_a_device_that_is_not_there() {
    let place = tempfile::tempdir().unwrap();
    let (folder, out) = (place.path().join("images"), place.path().join("out"));
    images(&folder, OctaGrade::Outstanding, 1);
    let fit = ["fit", "--quick", "--detector", "padim", "--out", text(&out)];
    for arguments in [fit, grade(fitted(), &folder, &out)] {
        let said = fails(&[&arguments[..], &["--device", "nonsense"]].concat());
        assert!(said.contains("no device `nonsense`") && said.contains("`auto`"), "{said}");
        if !ocellus::candle::utils::cuda_is_available() {
            let said = fails(&[&arguments[..], &["--device", "cuda:1"]].concat());
            assert!(said.contains("--features cuda") && said.contains("device 1"), "{said}");
        }
    }
    assert!(!out.exists(), "a folder was made for a run that could not start");
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
