//! Files that are decoded once: what is found again, and what is not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use ocellus_data::{
    Color, Dataset, DecodeConfig, Image, ImageFiles, ImageFolder, Preprocess, SampleSet,
    StoredFiles,
};
use rayon::prelude::*;

const ENTRY: u64 = 24 + 8 * 8 * 4 + 64;

struct Folder(tempfile::TempDir);

impl Folder {
    /// Two classes of so many gray images each.
    fn new(count: usize) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for class in ["ALL", "MM"] {
            fs::create_dir_all(folder.path("set").join(class)).unwrap();
            (0..count).for_each(|i| folder.write(&format!("{class}/{i}.bmp"), 0.2));
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A BMP without compression, so that all of one size have one length.
    fn write(&self, name: &str, gray: f32) {
        let pixels = image::GrayImage::from_pixel(20, 16, image::Luma([(gray * 255.) as u8]));
        pixels.save_with_format(self.path("set").join(name), image::ImageFormat::Bmp).unwrap();
    }

    fn set(&self) -> SampleSet {
        ImageFolder::open(self.path("set")).unwrap()
    }

    fn stored(&self, max_bytes: u64) -> StoredFiles {
        let files = ImageFiles::new(self.set(), Preprocess::new(8, 8).with_color(Color::Gray));
        StoredFiles::new(files, self.path("cache"), max_bytes).unwrap()
    }

    fn entries(&self) -> Vec<PathBuf> {
        fs::read_dir(self.path("cache")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

fn gray(files: &StoredFiles, index: usize) -> f32 {
    let example = files.load(index).unwrap();
    assert_eq!((example.image.dims(), example.label), ((1, 8, 8), files.label(index)));
    example.image.get(0, 3, 3)
}

fn keep_time(path: &Path, change: impl FnOnce()) {
    let time = fs::metadata(path).unwrap().modified().unwrap();
    change();
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_file_is_decoded_once_also_by_the_next_run() {
    let folder = Folder::new(2);
    let first = folder.stored(1 << 20);
    assert!((gray(&first, 0) - 0.2).abs() < 1e-6);
    assert_eq!((first.bytes(), folder.entries().len()), (ENTRY, 1));
    // Other pixels, which nothing tells of.
    let path = folder.path("set/ALL/0.bmp");
    keep_time(&path, || folder.write("ALL/0.bmp", 0.8));
    assert!((gray(&first, 0) - 0.2).abs() < 1e-6);
    assert!((gray(&folder.stored(1 << 20), 0) - 0.2).abs() < 1e-6);
    // Another time.
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(9);
    File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    assert!((gray(&first, 0) - 0.8).abs() < 1e-6);
}

#[test]
fn another_size_or_setting_is_another_entry() {
    let folder = Folder::new(1);
    assert!((gray(&folder.stored(1 << 20), 0) - 0.2).abs() < 1e-6);
    let set = folder.set();
    let wider = Preprocess::new(8, 9).with_color(Color::Gray);
    let other = ImageFiles::new(set.clone(), wider);
    let other = StoredFiles::new(other, folder.path("cache"), 1 << 20).unwrap();
    assert_eq!(other.load(0).unwrap().image.dims(), (1, 8, 9));
    let plain = Preprocess::new(8, 8).with_color(Color::Gray);
    let raw = plain.with_decode(DecodeConfig::micrograph());
    let raw = StoredFiles::new(ImageFiles::new(set, raw), folder.path("cache"), 1 << 20).unwrap();
    raw.load(0).unwrap();
    assert_eq!(folder.entries().len(), 3);
}

#[test]
fn a_damaged_entry_is_made_again() {
    let folder = Folder::new(1);
    gray(&folder.stored(1 << 20), 0);
    let path = &folder.entries()[0];
    let whole = fs::read(path).unwrap();
    let mut flipped = whole.clone();
    flipped[100] ^= 4;
    for damaged in [&flipped[..], &whole[..50], b"", &whole[..whole.len() - 1]] {
        fs::write(path, damaged).unwrap();
        assert!((gray(&folder.stored(1 << 20), 0) - 0.2).abs() < 1e-6);
        assert_eq!(fs::read(path).unwrap(), whole);
    }
}

#[test]
fn the_folder_stays_within_its_bound() {
    let folder = Folder::new(4);
    let stored = folder.stored(3 * ENTRY + 10);
    (0..8).for_each(|index| {
        gray(&stored, index);
    });
    assert_eq!((stored.bytes(), folder.entries().len()), (3 * ENTRY, 3));
    // What another run left goes first.
    let next = folder.stored(3 * ENTRY + 10);
    for index in [6, 7] {
        gray(&next, index);
    }
    assert_eq!((next.bytes(), folder.entries().len()), (3 * ENTRY, 3));
    let names = folder.entries();
    gray(&folder.stored(3 * ENTRY + 10), 6);
    assert_eq!(folder.entries().len(), names.len());
    assert!(gray(&folder.stored(10), 0) > 0.); // Nothing fits: all is read anew.
}

#[test]
fn threads_get_the_same_and_leave_whole_entries() {
    let folder = Folder::new(6);
    let stored = folder.stored(1 << 20);
    let drawn: Vec<f32> = (0..96).into_par_iter().map(|i| gray(&stored, i % 12)).collect();
    assert!(drawn.iter().all(|v| (v - 0.2).abs() < 1e-6));
    assert_eq!((stored.bytes(), folder.entries().len()), (12 * ENTRY, 12));
}

#[test]
fn errors_name_the_file() {
    let folder = Folder::new(1);
    let stored = folder.stored(1 << 20);
    assert!(stored.load(2).unwrap_err().to_string().contains("no sample 2"));
    let path = folder.path("set/MM/0.bmp");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let message = stored.load(1).unwrap_err().to_string();
    assert!(message.contains("0.bmp") && message.contains("cut off"), "{message}");
    fs::remove_file(&path).unwrap();
    assert!(stored.load(1).unwrap_err().to_string().contains("0.bmp"));
    let files = ImageFiles::new(folder.set_without(), Preprocess::new(8, 8));
    let error = StoredFiles::new(files, folder.path("set/ALL/0.bmp"), 1).unwrap_err().to_string();
    assert!(error.contains("0.bmp"), "{error}");
}

impl Folder {
    /// A set of one image that is there.
    fn set_without(&self) -> SampleSet {
        let sample = ocellus_data::Sample::new(self.path("set/ALL/0.bmp"), 0);
        SampleSet::of_one_class(self.path("set"), "ALL", vec![sample]).unwrap()
    }
}

#[test]
fn masks_are_kept_with_their_images() {
    let folder = Folder::new(1);
    let mask = folder.path("mask.png");
    let half = (0..320).map(|at| f32::from(at % 20 < 10)).collect();
    Image::new(1, 16, 20, half).unwrap().save_png(&mask).unwrap();
    let mut set = folder.set();
    set.samples.iter_mut().for_each(|sample| sample.masks = vec![mask.clone()]);
    let files = ImageFiles::new(set, Preprocess::new(8, 8)).with_masks(true);
    let stored = StoredFiles::new(files, folder.path("cache"), 1 << 20).unwrap();
    let fresh = stored.load(0).unwrap();
    assert_eq!(stored.load(0).unwrap(), fresh);
    assert_eq!(fresh.mask.unwrap().data()[..8], [1., 1., 1., 1., 0., 0., 0., 0.]);
}
