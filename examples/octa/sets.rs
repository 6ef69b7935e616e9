//! Which images are learned from, and which are graded.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use ocellus::data::{
    Cached, Color, Dataset, Drimdb, ImageFiles, Octa500, OctaIqa, Preprocess, Sample, SampleSet,
    synthetic::{Graded, Octa, OctaField, OctaGrade},
};
use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use crate::{cli::Settings, common::image_files::image_files, images::Images, run::Preset};

/// Bytes of pixels that are kept.
const CACHE: usize = 1 << 30;

/// The images of a run.
pub(crate) struct Sets {
    pub(crate) name: String,
    /// Outstanding images that detectors are fitted on.
    pub(crate) train: Images,
    /// Other outstanding images, that thresholds are found on.
    pub(crate) calibration: Images,
    /// The images that are graded.
    pub(crate) test: Images,
}

impl Sets {
    pub(crate) fn open(settings: &Settings, preset: &Preset) -> Result<Self> {
        match &settings.data {
            None => Ok(Self::synthetic(settings.common.seed, preset)),
            Some(root) => Self::of_folder(root, settings, preset)
                .with_context(|| format!("--data {}", root.display())),
        }
    }

    fn synthetic(seed: u64, preset: &Preset) -> Self {
        let octa = Octa::new(OctaField::ThreeMm).with_side(preset.side);
        let outstanding = octa.with_seed(seed).with_shares([1., 0., 0.]);
        let count = preset.train + preset.calibration;
        let outstanding: Arc<dyn Dataset> =
            Arc::new(Cached::new(outstanding.dataset(count), CACHE));
        let mixed = octa.with_seed(seed ^ 0x7e57).dataset(preset.test);
        let mixed: Arc<dyn Dataset> = Arc::new(Cached::new(mixed, CACHE));
        Self {
            name: format!("synthetic OCTA of {0}×{0}", preset.side),
            train: Images::new(Arc::clone(&outstanding), (0..preset.train).collect())
                .shuffled(seed),
            calibration: Images::new(outstanding, (preset.train..count).collect()),
            test: Images::new(mixed, (0..preset.test).collect()),
        }
    }

    fn of_folder(root: &Path, settings: &Settings, preset: &Preset) -> Result<Self> {
        if let Ok(set) = Drimdb::open(root) {
            return Self::of_grades("DRIMDB: good, bad, outlier", set, settings, preset);
        }
        let reader = OctaIqa::new(root);
        match reader.parts() {
            Ok(parts) if parts.len() > 1 => Self::of_parts(&reader, settings, preset),
            Ok(parts) => {
                Self::of_grades("graded images", reader.read(&parts[0])?, settings, preset)
            }
            Err(_) if !root.is_dir() => bail!("it is no folder"),
            Err(_) => Self::of_good_images(root, settings, preset),
        }
    }

    /// Two parts of a graded set, the paper's way.
    fn of_parts(reader: &OctaIqa, settings: &Settings, preset: &Preset) -> Result<Self> {
        let outstanding = reader.read_outstanding(&settings.train)?;
        let test = reader.read(&settings.test)?;
        let name = format!("outstanding of `{}`, graded `{}`", settings.train, settings.test);
        let learned = outstanding.len();
        let (fitted, held) = halves(learned, settings.common.seed, fitted_of(learned, settings))?;
        let outstanding = files(outstanding, preset);
        let test = files(test, preset);
        let all = (0..test.len()).collect();
        Ok(Self {
            name,
            train: Images::new(Arc::clone(&outstanding), fitted).shuffled(settings.common.seed),
            calibration: Images::new(outstanding, held),
            test: Images::new(test, all),
        })
    }

    /// One part: some of its outstanding images are learned from, the rest is graded.
    fn of_grades(name: &str, set: SampleSet, settings: &Settings, preset: &Preset) -> Result<Self> {
        let outstanding = OctaGrade::Outstanding.label();
        let places: Vec<usize> = (0..set.len()).collect();
        let (good, mut test): (Vec<_>, Vec<_>) =
            places.into_iter().partition(|&place| set.samples[place].label == outstanding);
        let files = files(set, preset);
        let (learned, rest) =
            halves(good.len(), settings.common.seed, learned_of(good.len(), settings))?;
        test.extend(rest.into_iter().map(|place| good[place]));
        test.sort_unstable();
        let learned = learned.into_iter().map(|place| good[place]).collect();
        Self::new(name, files, learned, test, settings)
    }

    /// Good images: those that are not learned from are spoiled to three grades.
    fn of_good_images(root: &Path, settings: &Settings, preset: &Preset) -> Result<Self> {
        let set = Octa500::open(root).or_else(|_| flat(root))?;
        let (learned, test) =
            halves(set.len(), settings.common.seed, learned_of(set.len(), settings))?;
        let files = ImageFiles::new(set, preprocess(preset, Color::Gray));
        let part = |places: &[usize], shares: [f32; 3], seed: u64| -> Result<Arc<dyn Dataset>> {
            let part = Part { files: files.clone(), places: places.to_vec() };
            Ok(Arc::new(Cached::new(Graded::new(part, seed)?.with_shares(shares)?, CACHE)))
        };
        let good = part(&learned, [1., 0., 0.], settings.common.seed)?;
        let test = part(&test, [1.; 3], settings.common.seed ^ 0x7e57)?;
        let (fitted, held) =
            halves(good.len(), settings.common.seed, fitted_of(good.len(), settings))?;
        let all = (0..test.len()).collect();
        Ok(Self {
            name: "good images, spoiled to three grades".to_owned(),
            train: Images::new(Arc::clone(&good), fitted).shuffled(settings.common.seed),
            calibration: Images::new(good, held),
            test: Images::new(test, all),
        })
    }

    fn new(
        name: &str,
        files: Arc<dyn Dataset>,
        learned: Vec<usize>,
        test: Vec<usize>,
        settings: &Settings,
    ) -> Result<Self> {
        let (fitted, held) =
            halves(learned.len(), settings.common.seed, fitted_of(learned.len(), settings))?;
        let of = |places: Vec<usize>| places.into_iter().map(|place| learned[place]).collect();
        Ok(Self {
            name: name.to_owned(),
            train: Images::new(Arc::clone(&files), of(fitted)).shuffled(settings.common.seed),
            calibration: Images::new(Arc::clone(&files), of(held)),
            test: Images::new(files, test),
        })
    }
}

fn preprocess(preset: &Preset, color: Color) -> Preprocess {
    Preprocess::new(preset.side, preset.side).with_color(color)
}

/// Colored images with their masks, kept after they were read once.
pub(crate) fn files(set: SampleSet, preset: &Preset) -> Arc<dyn Dataset> {
    let files = ImageFiles::new(set, preprocess(preset, Color::Rgb)).with_masks(true);
    Arc::new(Cached::new(files, CACHE))
}

/// The images of a folder without folders.
fn flat(root: &Path) -> Result<SampleSet> {
    let samples = image_files(&[root.to_owned()])?;
    let samples = samples.into_iter().map(|path| Sample::new(path, 0)).collect();
    Ok(SampleSet::of_one_class(root, "octa", samples)?)
}

/// How many of so many outstanding images are learned from: six tenths, or what `--fit-on` and a
/// threshold need.
pub(crate) fn learned_of(count: usize, settings: &Settings) -> usize {
    let share = (count as f64 * 0.6).round() as usize;
    settings.fit_on.map_or(share, |fitted| fitted + fitted.div_ceil(3))
}

/// How many of these a detector is fitted on; thresholds are found on the others.
pub(crate) fn fitted_of(learned: usize, settings: &Settings) -> usize {
    settings.fit_on.unwrap_or((learned as f64 * 0.75).round() as usize)
}

/// So many places drawn at random and the others, each in ascending order; none is empty.
pub(crate) fn halves(count: usize, seed: u64, first: usize) -> Result<(Vec<usize>, Vec<usize>)> {
    if count < 8 {
        bail!("{count} outstanding images: give 8 at least, to learn from and to hold back")
    }
    if first == 0 || first >= count {
        bail!("{first} of {count} outstanding images leave none for the rest: change --fit-on")
    }
    let mut places: Vec<usize> = (0..count).collect();
    places.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut rest = places.split_off(first);
    places.sort_unstable();
    rest.sort_unstable();
    Ok((places, rest))
}

/// Some images of a set.
struct Part {
    files: ImageFiles,
    places: Vec<usize>,
}

impl Dataset for Part {
    fn len(&self) -> usize {
        self.places.len()
    }

    fn label(&self, index: usize) -> usize {
        self.files.label(self.places[index])
    }

    fn name(&self, index: usize) -> String {
        self.files.name(self.places[index])
    }

    fn load(&self, index: usize) -> ocellus::data::Result<ocellus::data::Example> {
        self.files.load(self.places[index])
    }
}
