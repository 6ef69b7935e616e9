//! Real images, where they are: `OCELLUS_DATA`, or `../shared/data` beside the workspace.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use candle_core::Device;
use ocellus_data::{
    Augment, Busi, Cached, ChannelStatistics, Color, Dataset, Image, ImageFiles, LabeledImage,
    LabeledScene, Loader, LoaderConfig, NearDuplicates, Preprocess, Sampling, ScenePairs, Splitter,
    raster::Window,
};

fn folder(name: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root =
        std::env::var_os("OCELLUS_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let folder = root.join(name);
    if !folder.is_dir() {
        eprintln!("skipped: no {}; set OCELLUS_DATA", folder.display());
        return None;
    }
    Some(folder)
}

#[test]
fn busi_is_read_with_its_groups() {
    let Some(root) = folder("busi") else { return };
    let all = Busi::new(&root).with_normal(true).with_contradictory(true).read().unwrap();
    assert_eq!(all.classes, ["benign", "malignant", "normal"]);
    assert_eq!(all.contradictory_groups().len(), 4);
    assert!(all.samples.iter().all(|sample| sample.masks.len() == 1));

    let set = Busi::open(&root).unwrap();
    assert!(set.contradictory_groups().is_empty());
    let [benign, malignant] = set.class_counts()[..] else { panic!("two classes") };
    assert!(benign > malignant && malignant > 100);
    assert_eq!(set.fingerprint().unwrap(), set.fingerprint().unwrap());

    let groups = set.group_ids();
    for fold in Splitter::of(&set).with_seed(1).k_fold(5).unwrap() {
        assert!(fold.test.iter().all(|&t| fold.train.iter().all(|&i| groups[i] != groups[t])));
        let share = fold.test.iter().filter(|&&i| set.samples[i].label == 1).count() as f64
            / fold.test.len() as f64;
        assert!((share - malignant as f64 / set.len() as f64).abs() < 0.02, "{share}");
    }
}

#[test]
fn near_duplicates_of_busi_are_found() {
    let Some(root) = folder("busi") else { return };
    let set = Busi::new(&root).with_normal(true).with_contradictory(true).read().unwrap();
    let found = NearDuplicates::default().find(&set).unwrap();
    let mut listed: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, sample) in set.samples.iter().enumerate() {
        if let Some(group) = &sample.group {
            listed.entry(group).or_default().push(i);
        }
    }
    let pairs = |groups: &mut dyn Iterator<Item = &Vec<usize>>| {
        let mut pairs = Vec::new();
        for group in groups {
            for (at, &b) in group.iter().enumerate() {
                pairs.extend(group[..at].iter().map(|&a| (a, b)));
            }
        }
        pairs
    };
    let (found, listed) = (pairs(&mut found.iter()), pairs(&mut listed.values()));
    let common = found.iter().filter(|pair| listed.contains(pair)).count();
    eprintln!("found {} pairs, listed {}, common {common}", found.len(), listed.len());
    // Hashes of the original sizes were compared there, of the reduced ones here.
    assert!(common as f64 >= 0.9 * listed.len() as f64);
    assert!(found.len() < 2 * listed.len());
}

#[test]
fn busi_runs_through_the_loader() {
    let Some(root) = folder("busi") else { return };
    let set = Busi::open(&root).unwrap();
    let preprocess = Preprocess::new(64, 64).with_color(Color::Gray);
    let files = Arc::new(Cached::new(ImageFiles::new(set, preprocess).with_masks(true), 1 << 26));
    let indices: Vec<usize> = (0..files.len()).step_by(10).collect();
    let statistics = ChannelStatistics::of(&*files, &indices).unwrap();
    assert!((0.15..0.5).contains(&statistics.mean()[0]), "{statistics:?}");
    let config = LoaderConfig::new(8)
        .with_sampling(Sampling::Shuffled)
        .with_augment(Augment::ultrasound())
        .with_color(Color::Rgb)
        .with_normalize(statistics.normalize().unwrap())
        .with_masks(true);
    let loader = Loader::new(files, &indices, &config).unwrap();
    let mut seen = 0;
    for batch in loader.epoch(0, &Device::Cpu).unwrap() {
        let batch = batch.unwrap();
        assert_eq!(batch.images.dims()[1..], [3, 64, 64]);
        assert!(batch.masks.unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap() > 0.);
        seen += batch.indices.len();
    }
    assert_eq!(seen, indices.len());
}

#[test]
fn photos_are_decoded() {
    let Some(root) = folder("photos") else { return };
    let mut seen = 0;
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        if ["png", "jpg", "jpeg", "bmp"].contains(&extension) {
            let image = Image::open(&path).unwrap();
            assert!(image.data().iter().all(|v| (0. ..=1.).contains(v)), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn aerial_buildings_are_read_with_their_cities() {
    let Some(root) = folder("aerial_buildings") else { return };
    let set = ScenePairs::open(&root).unwrap();
    assert_eq!((set.len(), set.bands().unwrap()), (57, 3));
    let cities: Vec<String> = set.groups().into_iter().collect();
    let expected = ["cn_Subset1_img", "inria_austin", "inria_chicago", "inria_kitsap", "whuaerial"];
    assert_eq!(cities, expected);
    let (rest, chicago) = set.held_out(&["inria_chicago"]).unwrap();
    assert_eq!(rest.len() + chicago.len(), 57);

    // The shares of buildings that the set's own table states.
    let table = std::fs::read_to_string(root.join("labels.csv")).unwrap();
    let stated: BTreeMap<&str, f64> = table
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .map(|cells| (cells[0], cells[5].parse().unwrap()))
        .collect();
    for (n, pair) in set.pairs.iter().enumerate() {
        let scene = LabeledImage::of(&set.scene(n).unwrap()).unwrap();
        let (width, height) = scene.size();
        let mask = scene.read_mask(Window::new(0, 0, width, height)).unwrap();
        let share = mask.data().iter().sum::<f32>() / mask.data().len() as f32;
        let name = pair.image.file_name().unwrap().to_str().unwrap();
        assert!((f64::from(share) - stated[name]).abs() < 1e-4, "{name}: {share}");
    }
}
