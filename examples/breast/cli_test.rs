//! The program as its users meet it: bad input, interruption, prediction.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../common/testing.rs"]
mod testing;

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    thread::sleep,
    time::Duration,
};

use ocellus::{
    candle::{DType, Device, Tensor},
    data::{Image, synthetic::BMode},
};
use testing::text;

fn command(arguments: &[&str]) -> Command {
    testing::command("breast", arguments)
}

fn run(arguments: &[&str]) -> Output {
    testing::succeeds("breast", arguments)
}

fn fails(arguments: &[&str]) -> String {
    testing::fails("breast", arguments)
}

/// A folder a class with `count` images in each.
fn images(folder: &Path, count: usize) {
    write_images(folder, count, false);
}

/// The same, with the lesion's mask beside each image, named as in BUSI.
fn write_images(folder: &Path, count: usize, masks: bool) {
    let generator = BMode::new(64, 64).with_seed(3);
    let mut made = [0; 2];
    for i in 0.. {
        let scan = generator.example(i).unwrap();
        let class = scan.label;
        if made[class] < count {
            let name = ["benign", "malignant"][class];
            fs::create_dir_all(folder.join(name)).unwrap();
            scan.image.save_png(folder.join(name).join(format!("{i}.png"))).unwrap();
            if let (true, Some(mask)) = (masks, &scan.mask) {
                mask.save_png(folder.join(name).join(format!("{i}_mask.png"))).unwrap();
            }
            made[class] += 1;
        }
        if made == [count; 2] {
            return;
        }
    }
}

#[test]
fn names_what_is_wrong_with_a_folder() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let train = |data: &Path| fails(&["train", "--data", text(data), "--out", text(&out)]);

    let said = train(&place.path().join("absent"));
    assert!(said.contains("absent"), "{said}");

    let empty = place.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let said = train(&empty);
    assert!(said.contains("empty"), "{said}");

    let one_class = place.path().join("one-class");
    images(&one_class, 3);
    fs::remove_dir_all(one_class.join("malignant")).unwrap();
    let said = train(&one_class);
    assert!(said.contains("class"), "{said}");

    let one_image = place.path().join("one-image");
    images(&one_image, 1);
    fs::remove_dir_all(one_image.join("malignant")).unwrap();
    train(&one_image);
}

#[test]
fn skips_and_names_unreadable_images_or_stops_at_them() {
    let place = tempfile::tempdir().unwrap();
    let (data, out) = (place.path().join("data"), place.path().join("out"));
    images(&data, 12);
    let benign = data.join("benign");
    fs::write(benign.join("zero.png"), b"").unwrap();
    fs::write(benign.join("text.png"), b"This is no picture.").unwrap();
    fs::write(benign.join("cut.jpg"), &JPEG_HEAD[..]).unwrap();
    fs::write(benign.join("huge.png"), huge_png()).unwrap();
    Image::filled(1, 1, 1, 0.5).unwrap().save_png(benign.join("tiny.png")).unwrap();

    let arguments =
        ["train", "--data", text(&data), "--out", text(&out), "--quick", "--epochs", "1"];
    let output = run(&arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    for name in ["zero.png", "text.png", "cut.jpg", "huge.png"] {
        assert!(said.contains(name), "{name} is not named in: {said}");
    }

    let other = place.path().join("strict");
    let said = fails(&["train", "--data", text(&data), "--out", text(&other), "--strict"]);
    assert!(said.contains(".png") || said.contains(".jpg"), "{said}");
}

#[test]
fn refuses_a_device_that_is_not_there() {
    let said = fails(&["--device", "cuda", "--quick"]);
    assert!(said.contains("--features cuda"), "{said}");
    let said = fails(&["--device", "abacus", "--quick"]);
    assert!(said.contains("abacus"), "{said}");
}

#[test]
fn refuses_batches_of_no_image() {
    let output = command(&["train", "--batch-size", "0"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--batch-size") && said.contains("give at least 1"), "{said}");
}

#[test]
fn refuses_weights_that_are_missing_damaged_or_of_another_network() {
    let place = tempfile::tempdir().unwrap();
    let (data, out) = (place.path().join("data"), place.path().join("out"));
    images(&data, 12);
    let with = |file: &Path| {
        fails(&["train", "--data", text(&data), "--out", text(&out), "--weights", text(file)])
    };
    let said = with(&place.path().join("absent.pth"));
    assert!(said.contains("vgg16"), "{said}");

    let other = place.path().join("other.safetensors");
    let weight = Tensor::ones((4, 3, 3, 3), DType::F32, &Device::Cpu).unwrap();
    weight.save_safetensors("conv1.weight", &other).unwrap();
    let said = with(&other);
    assert!(said.contains("another network"), "{said}");

    let cut = place.path().join("cut.safetensors");
    let bytes = fs::read(&other).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    with(&cut);
}

#[test]
fn a_killed_training_continues_to_the_same_bytes_on_any_number_of_threads() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    images(&data, 16);
    let arguments = |out: &Path, resume: bool| {
        let fixed = ["train", "--data", text(&data), "--out", text(out), "--epochs", "6"];
        let mut all: Vec<String> = fixed.map(str::to_owned).to_vec();
        if resume {
            all.push("--resume".to_owned());
        }
        all
    };
    let start = |out: &Path, resume: bool, threads: &str| {
        let arguments = arguments(out, resume);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = command(&arguments);
        command.env("RAYON_NUM_THREADS", threads).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let whole = place.path().join("whole");
    assert!(start(&whole, false, "2").wait().unwrap().success());
    let expected = fs::read(whole.join("model.safetensors")).unwrap();
    for threads in ["1", "2"] {
        let out = place.path().join(threads);
        let mut child = start(&out, false, threads);
        let checkpoint = out.join("checkpoints/last.safetensors");
        while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(5));
        }
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        assert!(!out.join("model.safetensors").exists(), "it was over before it was killed");
        assert!(start(&out, true, threads).wait().unwrap().success());
        let resumed = fs::read(out.join("model.safetensors")).unwrap();
        assert!(resumed == expected, "other bytes after a kill with {threads} threads");
    }
}

#[test]
fn a_training_in_f16_is_continued_in_f16_alone() {
    let place = tempfile::tempdir().unwrap();
    let (data, out) = (place.path().join("data"), place.path().join("out"));
    images(&data, 12);
    let train = ["train", "--data", text(&data), "--out", text(&out), "--epochs", "2"];
    let with = |precision| [&train[..], &["--precision", precision]].concat();
    run(&with("f16"));
    let history = fs::read_to_string(out.join("checkpoints/history.csv")).unwrap();
    let mut rows = csv::Reader::from_reader(history.as_bytes());
    let column = rows.headers().unwrap().iter().position(|name| name == "loss_scale").unwrap();
    for row in rows.records() {
        let scale: f64 = row.unwrap()[column].parse().unwrap();
        assert!((1. ..=65536.).contains(&scale), "{history}");
    }
    let said = fails(&[&with("bf16")[..], &["--resume"]].concat());
    assert!(said.contains("precision was `f16, ") && said.contains("is `bf16`"), "{said}");
    run(&[&with("f16")[..], &["--resume"]].concat());

    let output = command(&with("f8")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("no precision `f8`: give f32"), "{said}");
}

#[test]
fn predicts_images_and_folders_and_names_what_it_cannot_read() {
    let place = tempfile::tempdir().unwrap();
    let (data, out) = (place.path().join("data"), place.path().join("out"));
    images(&data, 12);
    run(&["train", "--data", text(&data), "--out", text(&out), "--epochs", "1"]);
    let model = out.join("model.safetensors");
    let seen = place.path().join("seen");
    let benign = data.join("benign");
    let predict = ["predict", "--model", text(&model), "--out", text(&seen), text(&benign)];
    let output = run(&predict);
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), 12);
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let sum: f64 =
            line["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).sum();
        assert!((sum - 1.).abs() < 1e-5);
        assert!(Path::new(line["overlay"].as_str().unwrap()).is_file());
    }

    fs::write(benign.join("broken.png"), b"no picture").unwrap();
    let said = fails(&predict);
    assert!(said.contains("broken.png") && said.contains("1 of 13"), "{said}");

    fs::write(&model, &fs::read(&model).unwrap()[..1000]).unwrap();
    fails(&predict);
}

#[test]
fn says_whether_the_maps_find_outlined_lesions() {
    let place = tempfile::tempdir().unwrap();
    let (data, out) = (place.path().join("data"), place.path().join("out"));
    write_images(&data, 12, true);
    let trained = run(&["train", "--data", text(&data), "--out", text(&out), "--epochs", "1"]);
    assert!(String::from_utf8_lossy(&trained.stdout).contains("outlined lesions"));
    let (model, seen) = (out.join("model.safetensors"), place.path().join("seen"));
    run(&["evaluate", "--model", text(&model), "--data", text(&data), "--out", text(&seen)]);
    let results = fs::read(seen.join("results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_slice(&results).unwrap();
    let found = results["rows"][0]["localization"].as_array().unwrap();
    let maps: Vec<&str> = found.iter().map(|f| f["map"].as_str().unwrap()).collect();
    assert_eq!(maps, ["gate", "evidence"]);
    for map in found {
        assert_eq!(map["images"], 24);
        assert!((0. ..=1.).contains(&map["auroc"][0].as_f64().unwrap()));
    }
    let report = fs::read_to_string(seen.join("report.html")).unwrap();
    assert!(report.contains("Does it look at the lesion?") && report.contains("speaks for"));
}

/// The start of a JPEG file, cut within its tables.
const JPEG_HEAD: [u8; 24] = [
    0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, b'J', b'F', b'I', b'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0xff,
    0xdb, 0x00, 0x43,
];

/// A PNG header that promises 20,000 × 20,000 pixels.
fn huge_png() -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(20_000u32.to_be_bytes());
    header.extend(20_000u32.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut png = vec![0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', 0, 0, 0, 13];
    png.extend(&header);
    png.extend(crc32(&header).to_be_bytes());
    png
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
