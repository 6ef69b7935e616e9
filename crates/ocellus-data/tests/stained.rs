//! Stain normalization as a step of reading files, and the colors that are its target by default.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use ocellus_data::{
    CellCrop, Color, Dataset, Error, Image, ImageFiles, Macenko, MacenkoModel, Outside, Preprocess,
    Reinhard, ReinhardModel, Sample, SampleSet, StainModel, synthetic::Smear,
};

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    0.5 * (values[values.len() / 2] + values[(values.len() - 1) / 2])
}

/// The constants are what their documentation says: medians over 64 simulated slides.
#[test]
fn the_smears_constants_are_medians_of_simulated_slides() {
    let smear = Smear::new(96).with_per_slide(1);
    let images: Vec<Image> = (0..64).map(|i| smear.example(i).unwrap().image).collect();
    let of = |numbers: &dyn Fn(&Image) -> Vec<f64>| -> Vec<f64> {
        let rows: Vec<Vec<f64>> = images.iter().map(numbers).collect();
        (0..rows[0].len()).map(|i| median(rows.iter().map(|row| row[i]).collect())).collect()
    };
    let close = |found: &[f64], constants: &[f64], what: &str| {
        let near = found.iter().zip(constants).all(|(a, b)| (a - b).abs() < 1e-4 + 0.01 * b.abs());
        assert!(near && found.len() == constants.len(), "{what}: {found:.5?}");
    };
    let found = of(&|image| {
        let model = Reinhard::default().fit(std::slice::from_ref(image)).unwrap();
        [model.mean, model.deviation].concat()
    });
    let known = ReinhardModel::smear();
    close(&found, &[known.mean, known.deviation].concat(), "Reinhard");
    let found = of(&|image| {
        let model = Macenko::default().fit(std::slice::from_ref(image)).unwrap();
        [&model.stains.concat()[..], &model.concentrations, &model.empty].concat()
    });
    let known = MacenkoModel::smear();
    let known = [&known.stains.concat()[..], &known.concentrations, &known.empty].concat();
    // The medians of a unit vector's numbers are nearly one.
    let unit = |numbers: &[f64]| -> Vec<f64> {
        let mut numbers = numbers.to_vec();
        for stain in numbers[..6].chunks_exact_mut(3) {
            let length = stain.iter().map(|v| v * v).sum::<f64>().sqrt();
            stain.iter_mut().for_each(|v| *v /= length);
        }
        numbers
    };
    close(&unit(&found), &known, "Macenko");
}

#[test]
fn a_model_survives_json() {
    let folder = tempfile::tempdir().unwrap();
    MacenkoModel::smear().save(folder.path().join("stain.json")).unwrap();
    let read = MacenkoModel::load(folder.path().join("stain.json")).unwrap();
    assert_eq!(read, MacenkoModel::smear(), "its stains have length 1");
    for model in [StainModel::from(ReinhardModel::smear()), StainModel::from(MacenkoModel::smear())]
    {
        let text = serde_json::to_string(&model).unwrap();
        assert_eq!(serde_json::from_str::<StainModel>(&text).unwrap(), model);
    }
}

/// A cell of two colors on a bright ground, and its mask.
fn folder() -> (tempfile::TempDir, SampleSet) {
    let folder = tempfile::tempdir().unwrap();
    let scene = Smear::new(64).with_seed(5).cell(1).unwrap();
    let (path, mask) = (folder.path().join("cell.png"), folder.path().join("mask.png"));
    scene.image.save_png(&path).unwrap();
    scene.nuclei.save_png(&mask).unwrap();
    let sample = || {
        let mut sample = Sample::new(&path, 0);
        sample.masks = vec![mask.clone()];
        sample
    };
    let set = SampleSet::of_one_class(folder.path(), "cell", vec![sample()]).unwrap();
    (folder, set)
}

#[test]
fn the_stain_comes_before_crop_and_size() {
    let (_folder, set) = folder();
    let stain = StainModel::from(MacenkoModel::smear());
    let preprocess = Preprocess::new(20, 20).with_color(Color::Rgb).with_stain(stain);
    let crop = CellCrop::default().with_outside(Outside::Fill(0.));
    let files = ImageFiles::new(set.clone(), preprocess).with_crop(crop);
    let found = files.load(0).unwrap().image;
    // The same steps one by one: of black around a nucleus no light could be measured.
    let sample = &set.samples[0];
    let (image, mask) = sample.read_with_mask(&preprocess.decode).unwrap();
    let cut = crop.apply(&stain.apply(&image).unwrap(), &mask.unwrap()).unwrap().0;
    assert_eq!(found, preprocess.resize.unwrap().apply(&cut).unwrap());
    let plain = ImageFiles::new(set, Preprocess::new(20, 20)).with_crop(crop);
    assert_ne!(found, plain.load(0).unwrap().image);
}

#[test]
fn an_image_without_stain_is_named() {
    let (folder, mut set) = folder();
    let path = folder.path().join("gray.png");
    Image::filled(3, 9, 9, 0.4).unwrap().save_png(&path).unwrap();
    set.samples[0].path.clone_from(&path);
    for stain in [StainModel::from(ReinhardModel::smear()), MacenkoModel::smear().into()] {
        let preprocess = Preprocess::new(8, 8).with_stain(stain);
        let error = ImageFiles::new(set.clone(), preprocess).load(0).unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{error:?}");
        let error = [error.to_string(), preprocess.read(&path).unwrap_err().to_string()];
        assert!(
            error.iter().all(|e| e.contains("gray.png") && e.contains("leave it as it is")),
            "{error:?}"
        );
    }
}
