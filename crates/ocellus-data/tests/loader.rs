//! The loader: order, bits, errors, threads.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use candle_core::Device;
use ocellus_data::{
    Augment, Cached, Color, Dataset, Error, Example, Image, ImageFiles, ImageFolder, Loader,
    LoaderConfig, Normalize, OnError, Preprocess, Result, Sampling, synthetic::BMode,
};

/// Index, label, and bits of images and, where there are some, masks.
type Sample = (usize, u32, Vec<u32>);

/// Index, label and bits of all samples of an epoch, in order.
fn epoch(loader: &Loader, epoch: usize) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for batch in loader.epoch(epoch, &Device::Cpu)? {
        let batch = batch?;
        let images = batch.images.flatten_from(1)?.to_vec2::<f32>()?;
        let labels = batch.labels.to_vec1::<u32>()?;
        for ((index, label), image) in batch.indices.into_iter().zip(labels).zip(images) {
            samples.push((index, label, image.into_iter().map(f32::to_bits).collect()));
        }
    }
    Ok(samples)
}

fn train(workers: usize) -> LoaderConfig {
    LoaderConfig::new(5)
        .with_sampling(Sampling::Shuffled)
        .with_augment(Augment::ultrasound().with_elastic(0.02).with_noise(0.05))
        .with_normalize(Normalize::Standardize)
        .with_seed(9)
        .with_workers(workers)
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let dataset = Arc::new(Cached::new(BMode::new(24, 24).dataset(23), 1 << 15));
    let indices: Vec<usize> = (0..23).collect();
    let one = Loader::new(dataset.clone(), &indices, &train(1)).unwrap();
    let expected = epoch(&one, 3).unwrap();
    assert_eq!(expected.len(), 23);
    for workers in [2, 7] {
        let config = train(workers).with_prefetch(3 * workers);
        let loader = Loader::new(dataset.clone(), &indices, &config).unwrap();
        assert!(epoch(&loader, 3).unwrap() == expected, "{workers} threads");
    }
    let next = epoch(&one, 4).unwrap();
    let order = |samples: &[Sample]| samples.iter().map(|s| s.0).collect::<Vec<_>>();
    assert_ne!(order(&next), order(&expected));
    let bits = |samples: &[Sample]| samples.iter().find(|s| s.0 == 7).map(|s| s.2.clone()).unwrap();
    assert_ne!(bits(&next), bits(&expected));
}

/// The samples of each batch.
fn batches(loader: &Loader) -> Result<Vec<Vec<Sample>>> {
    let one = |batch: ocellus_data::Batch| {
        let bits = |x: candle_core::Tensor| -> Result<Vec<Vec<u32>>> {
            let rows = x.flatten_from(1)?.to_vec2::<f32>()?;
            Ok(rows.into_iter().map(|row| row.into_iter().map(f32::to_bits).collect()).collect())
        };
        let masks = bits(batch.masks.unwrap())?;
        let samples = batch.indices.into_iter().zip(batch.labels.to_vec1::<u32>()?);
        let images = bits(batch.images)?.into_iter().zip(masks).map(|(a, b)| [a, b].concat());
        Ok(samples.zip(images).map(|((index, label), bits)| (index, label, bits)).collect())
    };
    loader.epoch(2, &Device::Cpu)?.map(|batch| one(batch?)).collect()
}

#[test]
fn shares_behind_each_other_are_the_batches_of_one_loader() {
    let dataset = Arc::new(BMode::new(24, 24).with_malignant(0.2).dataset(28));
    let indices: Vec<usize> = (0..28).collect();
    for sampling in [Sampling::Sequential, Sampling::Shuffled, Sampling::Balanced] {
        for (batch, drop_last) in [(5, false), (5, true), (11, false), (40, false)] {
            let mut config = train(2);
            config.batch_size = batch;
            let config = config.with_sampling(sampling).with_masks(true).with_drop_last(drop_last);
            let whole = Loader::new(dataset.clone(), &indices, &config).unwrap();
            let expected = batches(&whole).unwrap();
            assert_eq!(expected.len(), whole.batches());
            for size in [2, 3] {
                let of = |rank| {
                    let config = config.clone().with_share(rank, size);
                    let loader = Loader::new(dataset.clone(), &indices, &config).unwrap();
                    assert_eq!(loader.batches(), expected.len());
                    batches(&loader).unwrap()
                };
                let shares: Vec<_> = (0..size).map(of).collect();
                for share in &shares {
                    assert_eq!(share.len(), expected.len(), "{sampling:?} {batch} {size}");
                }
                for (number, batch) in expected.iter().enumerate() {
                    let together: Vec<_> =
                        shares.iter().flat_map(|share| share[number].clone()).collect();
                    assert!(&together == batch, "{sampling:?}, batch {number} of {size} ranks");
                }
            }
        }
    }
}

#[test]
fn a_batch_too_small_to_share_is_told_before_the_epoch() {
    let dataset = Arc::new(BMode::new(16, 16).dataset(12));
    let config = LoaderConfig::new(5).with_share(1, 3);
    let refused = Loader::new(dataset, &[0, 1, 2, 3, 4, 5, 6], &config).unwrap_err().to_string();
    assert!(refused.contains("7 samples in batches of 5 leave 2 for 3 ranks"), "{refused}");
}

#[test]
fn evaluation_keeps_the_order_and_the_labels() {
    let dataset = Arc::new(BMode::new(16, 16).dataset(12));
    let loader = Loader::new(dataset.clone(), &[11, 3, 4], &LoaderConfig::new(2)).unwrap();
    let samples = epoch(&loader, 0).unwrap();
    let expected: Vec<_> = [11, 3, 4].map(|i| (i, dataset.label(i) as u32)).to_vec();
    assert_eq!(samples.iter().map(|s| (s.0, s.1)).collect::<Vec<_>>(), expected);
    assert_eq!((loader.samples(), loader.batches()), (3, 2));
    let dropping = LoaderConfig::new(2).with_drop_last(true);
    let loader = Loader::new(dataset, &[11, 3, 4], &dropping).unwrap();
    assert_eq!((epoch(&loader, 0).unwrap().len(), loader.batches()), (2, 1));
}

#[test]
fn repeats_of_a_balanced_epoch_differ() {
    let dataset = Arc::new(BMode::new(16, 16).with_malignant(0.1).dataset(40));
    let indices: Vec<usize> = (0..40).collect();
    let config = train(2).with_sampling(Sampling::Balanced);
    let loader = Loader::new(dataset, &indices, &config).unwrap();
    let samples = epoch(&loader, 0).unwrap();
    let malignant: Vec<_> = samples.iter().filter(|s| s.1 == 1).collect();
    assert_eq!((samples.len(), malignant.len(), loader.samples()), (40, 20, 40));
    for (i, a) in malignant.iter().enumerate() {
        assert!(malignant[..i].iter().all(|b| a.2 != b.2));
    }
}

#[test]
fn batches_hold_masks_and_planes_as_asked() {
    let dataset = Arc::new(BMode::new(32, 32).dataset(4));
    let config = train(1).with_masks(true).with_color(Color::Rgb).with_normalize(Normalize::Keep);
    let loader = Loader::new(dataset, &[0, 1, 2, 3], &config).unwrap();
    let batch = loader.epoch(0, &Device::Cpu).unwrap().next().unwrap().unwrap();
    assert_eq!(batch.images.dims(), [4, 3, 32, 32]);
    assert_eq!(batch.masks.unwrap().dims(), [4, 1, 32, 32]);
}

/// A folder with four good images and three that cannot be read.
fn folder_with_bad_files(root: &Path) -> Arc<ImageFiles> {
    for (class, name) in
        [("benign", "1.png"), ("benign", "2.png"), ("malignant", "3.png"), ("malignant", "4.png")]
    {
        fs::create_dir_all(root.join(class)).unwrap();
        Image::filled(1, 8, 8, 0.5).unwrap().save_png(root.join(class).join(name)).unwrap();
    }
    fs::write(root.join("benign/empty.png"), b"").unwrap();
    fs::write(root.join("malignant/text.png"), b"hello").unwrap();
    let whole = Image::filled(1, 64, 64, 0.3).unwrap().to_png().unwrap();
    fs::write(root.join("benign/half.png"), &whole[..whole.len() / 2]).unwrap();
    Arc::new(ImageFiles::new(ImageFolder::open(root).unwrap(), Preprocess::new(8, 8)))
}

#[test]
fn unreadable_files_are_skipped_and_named() {
    let root = tempfile::tempdir().unwrap();
    let files = folder_with_bad_files(root.path());
    let all: Vec<usize> = (0..files.len()).collect();
    let config = LoaderConfig::new(3).with_on_error(OnError::Skip).with_workers(3);
    let loader = Loader::new(files, &all, &config).unwrap();
    for _ in 0..2 {
        let batches: Vec<_> =
            loader.epoch(0, &Device::Cpu).unwrap().collect::<Result<_>>().unwrap();
        let sizes: Vec<usize> = batches.iter().map(|b| b.indices.len()).collect();
        assert_eq!(sizes, [3, 1]); // Batches are filled up.
    }
    let skipped = loader.skipped();
    let names: Vec<&str> = skipped.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["benign/empty.png", "benign/half.png", "malignant/text.png"]);
    assert!(skipped[0].reason.contains("0 bytes") && skipped[2].reason.contains("no PNG"));
}

#[test]
fn an_unreadable_file_is_fatal_by_default() {
    let root = tempfile::tempdir().unwrap();
    let files = folder_with_bad_files(root.path());
    let loader = Loader::new(files, &[0, 2, 1], &LoaderConfig::new(1)).unwrap();
    let results: Vec<_> = loader.epoch(0, &Device::Cpu).unwrap().collect();
    assert_eq!(results.len(), 2); // One batch, then the error, then no more.
    let error = results[1].as_ref().unwrap_err().to_string();
    assert!(error.contains("sample 2") && error.contains("empty.png"), "{error}");
}

#[test]
fn nothing_readable_is_an_error_even_when_skipping() {
    let root = tempfile::tempdir().unwrap();
    let files = folder_with_bad_files(root.path());
    let config = LoaderConfig::new(4).with_on_error(OnError::Skip);
    let loader = Loader::new(files, &[2, 3], &config).unwrap();
    let error = loader.epoch(0, &Device::Cpu).unwrap().next().unwrap().unwrap_err().to_string();
    assert!(error.contains("none of 2 samples") && error.contains("empty.png"), "{error}");
}

/// Panics, or differs in size, at one index; counts what it loads.
struct Odd {
    at: usize,
    panics: bool,
    loaded: AtomicUsize,
}

impl Dataset for Odd {
    fn len(&self) -> usize {
        100
    }

    fn label(&self, _: usize) -> usize {
        0
    }

    fn name(&self, index: usize) -> String {
        format!("odd {index}")
    }

    fn load(&self, index: usize) -> Result<Example> {
        thread::sleep(Duration::from_millis(1));
        self.loaded.fetch_add(1, Ordering::SeqCst);
        assert!(index != self.at || !self.panics, "a bug in the data set");
        Ok(Example::new(Image::filled(1, 4, if index == self.at { 5 } else { 4 }, 0.)?, 0))
    }
}

fn odd(at: usize, panics: bool) -> (Arc<Odd>, Loader) {
    let dataset = Arc::new(Odd { at, panics, loaded: AtomicUsize::new(0) });
    let all: Vec<usize> = (0..100).collect();
    let config = LoaderConfig::new(4).with_workers(3).with_on_error(OnError::Skip);
    (dataset.clone(), Loader::new(dataset, &all, &config).unwrap())
}

#[test]
fn a_panic_in_a_worker_is_an_error_with_a_name() {
    let (_, loader) = odd(5, true);
    let results: Vec<_> = loader.epoch(0, &Device::Cpu).unwrap().collect();
    assert_eq!(results.len(), 2);
    let error = results[1].as_ref().unwrap_err();
    assert!(matches!(error, Error::Panic { index: 5, .. }));
    assert!(error.to_string().contains("odd 5") && error.to_string().contains("a bug"), "{error}");
}

#[test]
fn another_size_names_both_images_and_the_remedy() {
    let (_, loader) = odd(6, false);
    let error = loader.epoch(0, &Device::Cpu).unwrap().nth(1).unwrap().unwrap_err().to_string();
    assert!(
        error.contains("odd 6") && error.contains("odd 4") && error.contains("Resize"),
        "{error}"
    );
}

#[test]
fn dropping_the_batches_early_stops_loading() {
    let (dataset, loader) = odd(1000, false);
    let mut batches = loader.epoch(0, &Device::Cpu).unwrap();
    batches.next().unwrap().unwrap();
    drop(batches);
    let loaded = dataset.loaded.load(Ordering::SeqCst);
    thread::sleep(Duration::from_millis(20));
    assert_eq!(dataset.loaded.load(Ordering::SeqCst), loaded);
    assert!(loaded <= 4 + 8 + 3, "{loaded}");
}

#[test]
fn rejects_settings_that_make_no_sense() {
    let dataset: Arc<dyn Dataset> = Arc::new(BMode::new(16, 16).dataset(3));
    let message = |indices: &[usize], config: LoaderConfig| {
        Loader::new(dataset.clone(), indices, &config).unwrap_err().to_string()
    };
    assert!(message(&[], LoaderConfig::new(2)).contains("no samples"));
    assert!(message(&[3], LoaderConfig::new(2)).contains("no sample 3 among 3"));
    assert!(message(&[0], LoaderConfig::new(0)).contains("`batch_size` is 0"));
    assert!(message(&[0], LoaderConfig::new(1).with_workers(0)).contains("`workers` is 0"));
    let augment = Augment::default().with_shift(-1.);
    assert!(message(&[0], LoaderConfig::new(1).with_augment(augment)).contains("`shift`"));
    let masks = LoaderConfig::new(1).with_masks(true);
    let root = tempfile::tempdir().unwrap();
    let loader = Loader::new(folder_with_bad_files(root.path()), &[0], &masks).unwrap();
    let error = loader.epoch(0, &Device::Cpu).unwrap().next().unwrap().unwrap_err().to_string();
    assert!(error.contains("benign/1.png has no mask"), "{error}");
}
