//! The program as its users meet it: bad input, folders of any kind, saved models.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../common/testing.rs"]
mod testing;

use std::{fs, path::Path};

use ocellus::data::{CellPart, Image, synthetic::Smear};
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
fn a_result_of_another_precision_is_not_taken_up() {
    let place = folder(16);
    let (data, out) = (place.path().join("cells"), place.path().join("out"));
    let arguments = ["table2", "--data", text(&data), "--methods", "dcnn", "--folds", "2"];
    let rest = ["--quick", "--out", text(&out), "--resume", "--precision"];
    let scale = |precision| {
        succeeds("blood", &[&arguments[..], &rest, &[precision]].concat());
        let fold = fs::read(out.join("folds/dcnn-0.json")).unwrap();
        let fold: serde_json::Value = serde_json::from_slice(&fold).unwrap();
        fold["history"][0]["loss_scale"].clone()
    };
    assert!(scale("f16").is_string());
    assert!(scale("f32").is_null());
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
    assert!(fails(&["table2", "--data", text(&missing)]).contains("no sign of a published"));
    let said = fails(&["table2", "--data", text(&data), "--classes", "plasma,cll"]);
    assert!(said.contains("cll"), "{said}");
    assert!(fails(&["table3"]).contains("--data"));
    let said = fails(&["table2", "--data", text(&data), "--folds", "9", "--methods", "tree"]);
    assert!(said.contains("9 folds of 8 groups") && said.contains("fewer --folds"), "{said}");
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

/// Cells whose masks lie beside them: `images/CLASS/1.png` and `masks/CLASS/1.png`.
fn masked_cells(folder: &Path, count: usize) {
    let smear = Smear::new(32).with_seed(9).with_per_slide(1);
    for index in 0..2 * count {
        let (scene, class) = (smear.cell(index).unwrap(), ["a", "b"][smear.label(index)]);
        let mask = scene.mask(CellPart::Cell).unwrap();
        for (kind, image) in [("images", &scene.image), ("masks", &mask)] {
            let folder = folder.join(kind).join(class);
            fs::create_dir_all(&folder).unwrap();
            image.save_png(folder.join(format!("{index}.png"))).unwrap();
        }
    }
}

fn results(out: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(out.join("results.json")).unwrap()).unwrap()
}

#[test]
fn stain_and_crop_go_with_the_model() {
    let place = tempfile::tempdir().unwrap();
    let (data, out) = (place.path().join("set"), place.path().join("out"));
    masked_cells(&data, 20);
    let reference = data.join("images/a").read_dir().unwrap().next().unwrap().unwrap().path();
    for stain in ["reinhard", "macenko"] {
        let out = out.join(stain);
        let arguments = ["train", "--data", text(&data), "--methods", "naive-bayes", "--quick"];
        let own = ["--stain", stain, "--stain-reference", text(&reference), "--crop", "cell"];
        let cache = place.path().join("cache");
        let rest = ["--cache", text(&cache), "--out", text(&out)];
        succeeds("blood", &[&arguments[..], &own, &rest].concat());
        let held_out = fs::read_to_string(out.join("predictions.csv")).unwrap();
        let row = csv::Reader::from_reader(held_out.as_bytes()).records().next().unwrap().unwrap();
        let (image, class) = (data.join(&row[0]), row[0].split('/').nth(1).unwrap().to_owned());
        let masks = data.join("masks").join(class);
        let arguments = ["predict", "--model", text(&out), text(&image)];
        let with_masks = [&arguments[..], &["--masks", text(&masks)]].concat();
        let line = String::from_utf8(succeeds("blood", &with_masks).stdout).unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let (found, before) = (&line["probabilities"]["b"], row[5].parse::<f64>().unwrap());
        assert!((found.as_f64().unwrap() - before).abs() < 2e-6, "{stain}: {line}, {before}");
        assert!(fails(&arguments).contains("give --masks DIR"));
        let said = fails(&[&with_masks[..], &["--stain", stain]].concat());
        assert!(said.contains("as the model's card says"), "{said}");
        let said = fails(&[&arguments[..], &["--masks", text(place.path())]].concat());
        assert!(said.contains("no mask to crop by"), "{said}");
    }
    assert!(place.path().join("cache").read_dir().unwrap().count() >= 80, "both are kept");
}

#[test]
fn a_cached_set_is_not_decoded_again() {
    let place = folder(10);
    let (data, cache) = (place.path().join("cells"), place.path().join("cache"));
    let out = place.path().join("out");
    let arguments = ["table2", "--data", text(&data), "--methods", "tree", "--folds", "2"];
    let plain = [&arguments[..], &["--quick", "--out", text(&out)]].concat();
    let all = [&plain[..], &["--cache", text(&cache)]].concat();
    let first = succeeds("blood", &all).stdout;
    let path = data.join("plasma").read_dir().unwrap().next().unwrap().unwrap().path();
    let (whole, time) =
        (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
    fs::write(&path, vec![0; whole.len()]).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    assert_eq!(succeeds("blood", &all).stdout, first, "no pixel of the set was looked at");
    let said = succeeds("blood", &plain).stderr;
    assert!(String::from_utf8_lossy(&said).contains("skipped: "), "without the cache it is");
}

#[test]
fn says_what_cropping_lacks() {
    let place = folder(4);
    let data = place.path().join("cells");
    let crop = |data: &Path, part| fails(&["table2", "--data", text(data), "--crop", part]);
    let said = crop(&data, "cell");
    assert!(
        said.contains("8 of 8 images have no mask for it, the first is lymphoblast/"),
        "{said}"
    );
    let masked = place.path().join("masked");
    masked_cells(&masked, 6);
    assert!(crop(&masked, "nucleus").contains("mark whole cells; give --crop cell"));
    let idb = place.path().join("idb");
    fs::create_dir(&idb).unwrap();
    for name in ["Im001_1.png", "Im002_0.png"] {
        Image::filled(3, 9, 7, 0.5).unwrap().save_png(idb.join(name)).unwrap();
    }
    assert!(crop(&idb, "cell").contains("ALL-IDB has no masks; leave --crop out"));
    for mask in masked.join("masks/a").read_dir().unwrap() {
        Image::filled(1, 30, 32, 1.).unwrap().save_png(mask.unwrap().path()).unwrap();
    }
    let said = crop(&masked, "cell");
    assert!(said.contains("the image is 32×32 (height×width), its mask 30×32"), "{said}");
    assert!(said.contains("no readable image of class a is left"), "{said}");
}

#[test]
fn names_the_layout_that_a_folder_almost_has() {
    let place = tempfile::tempdir().unwrap();
    let said = |files: &[&str]| {
        let root = place.path().join(files[0].replace('/', "-"));
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            Image::filled(3, 9, 7, 0.5).unwrap().save_png(path).unwrap();
        }
        let said = fails(&["table2", "--data", text(&root)]);
        assert!(said.lines().count() <= 2, "{said}");
        said
    };
    for (files, layout, reason) in [
        (&["fold_0/all/UID_1_1_1_all.png"][..], "C-NMC", "hem"),
        (&["B-ALL/1.png", "MM/nucleus/2.png"], "SN-AM", "a mask without its image"),
        (&["JPEGImages/a.png"], "BCCD", "no folder `Annotations`"),
        (&["LYMPHOCYTE/1.png", "MONOCYTE/1.png"], "BCCD's types", "no folder `eosinophil`"),
        (&["Im001_1.png", "x.png"], "ALL-IDB", "x.png: is not named as"),
        (&["images/WBC-Malignant-Early-001.png"], "", "all 1 images are of one class, early"),
        (&["WBC-Benign-1.png", "y.png"], "B-ALL (Taleqani)", "y.png: no class in its name"),
        (&["images/1.png", "masks/2.png"], "SegPC", "1.png: no mask of that name"),
        (&["benign/1.png", "malignant/1_mask.png"], "BUSI", "1_mask.png: a mask without"),
        (&["1.png"], "a folder a class", "1 images but no class folders"),
    ] {
        let said = said(files);
        assert!(said.contains(layout) && said.contains(reason), "{files:?}: {said}");
    }
    let said = fails(&["table2", "--data", text(place.path()), "--layout", "c-nmc"]);
    assert!(said.contains("read as C-NMC") && said.contains("fold_0"), "{said}");
}

#[test]
fn says_so_where_color_tells_the_sources_apart() {
    let place = tempfile::tempdir().unwrap();
    let smear = Smear::new(32).with_per_slide(1);
    let source = |name: &str, classes: [&str; 2], yellow: f32| {
        for index in 0..24 {
            let folder = place.path().join(name).join(classes[index % 2]);
            fs::create_dir_all(&folder).unwrap();
            let mut image = smear.cell(index + 100 * name.len()).unwrap().image;
            image.data_mut()[2 * 32 * 32..].iter_mut().for_each(|blue| *blue *= yellow);
            image.save_png(folder.join(format!("{index}.png"))).unwrap();
        }
        place.path().join(name)
    };
    let first = source("first", ["a", "b"], 1.);
    let run = |other: &Path, out: &str| {
        let out = place.path().join(out);
        let data = ["table2", "--data", text(&first), "--data", text(other), "--quick"];
        let rest = ["--methods", "tree", "--folds", "2", "--out", text(&out)];
        let said = String::from_utf8(succeeds("blood", &[data, rest].concat()).stdout).unwrap();
        let report = fs::read_to_string(out.join("report.html")).unwrap();
        (said, report, results(&out)["data"]["sources"].clone())
    };
    let (said, report, sources) = run(&source("other", ["c", "d"], 0.4), "apart");
    let warning = "nothing about cells";
    assert!(said.contains(warning) && report.contains(warning), "{said}");
    assert!(sources[0]["auroc"].as_f64().unwrap() > 0.95, "{sources}");
    assert!(sources[0]["warning"].as_str().unwrap().contains("other"), "{sources}");
    // The same light, or a class in common: a score may say something.
    let (said, report, sources) = run(&source("alike", ["c", "d"], 1.), "alike");
    assert!(!said.contains(warning) && !report.contains(warning), "{said}");
    assert!(sources[0]["auroc"].as_f64().unwrap() < 0.95 && sources[0]["warning"].is_null());
    let (said, _, sources) = run(&source("common", ["b", "c"], 0.4), "common");
    assert!(!said.contains(warning) && sources.as_array().unwrap().is_empty(), "{said}");
}

/// The header of a BMP of that size, and nothing behind it up to its length.
fn sparse_bmp(path: &Path, side: i32, length: u64) {
    let small = image_bytes();
    let mut header = small[..54].to_vec();
    header[18..22].copy_from_slice(&side.to_le_bytes());
    header[22..26].copy_from_slice(&side.to_le_bytes());
    fs::write(path, header).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// A BMP of 24 bits and 4×4 pixels.
fn image_bytes() -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    bytes.extend(102u32.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend([54, 40, 4, 4].map(u32::to_le_bytes).concat());
    bytes.extend([1, 0, 24, 0]);
    bytes.extend([0; 24]);
    bytes.extend((0..48).map(|i| 5 * i));
    bytes
}

#[test]
fn a_large_or_cut_off_bmp_is_named_and_skipped() {
    let place = folder(8);
    let data = place.path().join("cells");
    fs::write(data.join("plasma/whole.bmp"), image_bytes()).unwrap();
    fs::write(data.join("plasma/cut.bmp"), &image_bytes()[..70]).unwrap();
    sparse_bmp(&data.join("plasma/slide.bmp"), 6000, 54 + 6000 * 6000 * 3);
    let out = place.path().join("out");
    let arguments = ["train", "--data", text(&data), "--methods", "tree", "--quick", "--out"];
    let output = succeeds("blood", &[&arguments[..], &[text(&out)]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("cut.bmp: the BMP is cut off: its header promises 102 bytes"), "{said}");
    assert!(said.contains("slide.bmp: ") && said.contains("allow it with --max-megapixels"));
    assert!(!said.contains("whole.bmp"), "{said}");
    let slide = data.join("plasma/slide.bmp");
    let said = fails(&["predict", "--model", text(&out), text(&slide), "--max-megapixels", "20"]);
    assert!(said.contains("6000×6000 pixels, more than the limit of 20000000"), "{said}");
    let said = fails(&["table2", "--data", text(&data), "--max-megapixels", "nan"]);
    assert!(said.contains("--max-megapixels is NaN"), "{said}");
}

#[test]
fn data_that_nothing_can_be_learned_of_are_errors() {
    let place = folder(12);
    let data = place.path().join("cells");
    let run = |arguments: &[&str]| {
        fails(&[&["table2", "--data", text(&data), "--quick", "--folds", "2"], arguments].concat())
    };
    let said = run(&["--methods", "dcnn", "--pixels", "100000"]);
    assert!(said.contains("100000 pixels") && said.contains("100000 are needed"), "{said}");
    let said = run(&["--stain", "macenko", "--stain-reference", text(&data)]);
    assert!(said.contains("it is a folder, give one image"), "{said}");
    let gray = place.path().join("gray.png");
    Image::filled(1, 9, 9, 0.5).unwrap().save_png(&gray).unwrap();
    let said = run(&["--stain", "macenko", "--stain-reference", text(&gray)]);
    assert!(said.contains("gray.png") && said.contains("background"), "{said}");
    // Images that are all the same: nothing is learned of them, or they are named.
    let same = place.path().join("same");
    for (class, index) in (0..24).map(|i| (["a", "b"][i % 2], i)) {
        fs::create_dir_all(same.join(class)).unwrap();
        let image = Image::filled(3, 40, 40, 0.5).unwrap();
        image.save_png(same.join(class).join(format!("{index}.png"))).unwrap();
    }
    let out = place.path().join("out");
    let constant =
        ["table2", "--data", text(&same), "--quick", "--folds", "2", "--out", text(&out)];
    let said = fails(&[&constant[..], &["--methods", "naive-bayes"]].concat());
    assert!(said.contains("Naive Bayes (fold 1/2)") && said.contains("drop constant"), "{said}");
    let rest = ["--methods", "svm,tree,forest,dcnn", "--pixels", "64"];
    succeeds("blood", &[&constant[..], &rest].concat());
    for row in results(&out)["rows"].as_array().unwrap() {
        assert_eq!(row["pooled"]["auroc"], 0.5, "{row}");
    }
    // One image of a class: it is in one fold, and the others have none.
    for extra in data.join("plasma").read_dir().unwrap().skip(1) {
        fs::remove_file(extra.unwrap().path()).unwrap();
    }
    let said = run(&["--methods", "tree"]);
    assert!(said.contains("12 lymphoblast, 1 plasma") && said.contains("fewer --folds"), "{said}");
    assert!(said.contains("class 1 is missing"), "{said}");
}
