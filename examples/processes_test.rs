//! Several processes train as one does.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/testing.rs"]
mod testing;

use std::{collections::BTreeMap, path::Path};

use ocellus::candle::{DType, Device, Tensor, safetensors::load};
use testing::{fails, succeeds, text};

fn weights(file: &Path) -> BTreeMap<String, Vec<f64>> {
    let numbers = |x: Tensor| x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let tensors = load(file, &Device::Cpu).unwrap().into_iter();
    tensors.map(|(name, x)| (name, numbers(x).unwrap())).collect()
}

const SMALL: [&str; 6] = ["--network", "prop-18", "--channels", "2", "--epochs", "1"];

#[test]
fn satellite_has_the_weights_of_one() {
    let place = tempfile::tempdir().unwrap();
    let train = |processes: &str| {
        let out = place.path().join(processes);
        let train = ["train", "--quick", "--out", text(&out), "--processes", processes];
        succeeds("satellite", &[&train[..], &SMALL].concat());
        weights(&out.join("model.safetensors"))
    };
    let (one, two) = (train("1"), train("2"));
    assert!(one.len() > 50 && one.keys().eq(two.keys()));
    for (name, values) in &one {
        assert_eq!(values.len(), two[name].len());
        for (a, b) in values.iter().zip(&two[name]) {
            let off = (a - b).abs() / (1. + a.abs());
            assert!(off <= 1e-5, "{name}: {a} and {b}"); // 1.2e-7 was seen.
        }
    }
}

/// The losses of training and validation of each epoch, as a program tells them.
fn losses(program: &str, arguments: &[&str], processes: &str) -> Vec<f64> {
    let place = tempfile::tempdir().unwrap();
    let own = ["--quick", "--verbose", "--out", text(place.path()), "--processes", processes];
    let said = succeeds(program, &[&["train"], arguments, &own[..]].concat()).stderr;
    let said = String::from_utf8(said).unwrap();
    let after_loss = said.split("loss ").skip(1);
    after_loss.map(|text| text.split(',').next().unwrap().trim().parse().unwrap()).collect()
}

/// Adam divides by the gradient's size, so that a weight whose gradient is nothing but rounding goes
/// anywhere: here the losses tell. That masks of dropout are exactly those of one process is tested in
/// `ocellus-train` (`ranks`).
fn check(program: &str, arguments: &[&str], processes: &[&str]) {
    let one = losses(program, arguments, "1");
    assert_eq!(one.len(), 4); // Of two epochs.
    for processes in processes {
        for (a, b) in one.iter().zip(losses(program, arguments, processes)) {
            assert!((a - b).abs() < 4e-4, "{program}, {processes} processes: {a} and {b}");
        }
    }
}

#[test]
fn breast_has_the_losses_of_one() {
    check("breast", &["--epochs", "2", "--batch-size", "24"], &["2", "3"]);
}

#[test]
fn blood_has_the_losses_of_one() {
    for method in ["dcnn", "vgg"] {
        check("blood", &["--epochs", "2", "--batch-size", "24", "--methods", method], &["2"]);
    }
}

#[test]
fn says_what_several_cannot_train() {
    let place = tempfile::tempdir().unwrap();
    let train = |program, arguments: &[&str]| {
        let own = ["train", "--quick", "--out", text(place.path()), "--processes", "2"];
        fails(program, &[&own[..], arguments].concat())
    };
    let said = train("satellite", &[&SMALL[..], &["--loss", "tversky"]].concat());
    assert!(said.contains("give `ce` or `focal`, or one process"), "{said}");
    let said = train("blood", &["--methods", "forest"]);
    assert!(said.contains("is trained by one process"), "{said}");
    for program in ["breast", "blood"] {
        let said = train(program, &["--batch-size", "1"]);
        assert!(said.contains("which 2 processes cannot share"), "{said}");
    }
    for (program, command) in [("satellite", "table2"), ("breast", "ablate"), ("blood", "table2")] {
        let said = fails(program, &[command, "--processes", "2"]);
        assert!(said.contains("several processes are for `train` alone"), "{said}");
    }
}
