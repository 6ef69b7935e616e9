//! What is done to every image before a method sees it, in all commands alike.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ocellus::data::{
    CellCrop, Color, Dataset, DecodeConfig, Image, ImageFiles, Macenko, MacenkoModel, Outside,
    Preprocess, Reinhard, ReinhardModel, Resize, Sample, SampleSet, StainModel, synthetic::Smear,
};
use serde::{Deserialize, Serialize};

use crate::image_settings::{Crop, ImageSettings, StainMethod};

/// Stain, crop and size, in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Preparation {
    /// Height and width that images get.
    pub(crate) side: usize,
    /// The stain that they get. It is a reference's, so that no image of the set has a part in it.
    pub(crate) stain: Option<StainModel>,
    /// The part of a cell that is cut out by its mask.
    pub(crate) crop: Option<Crop>,
}

impl Preparation {
    pub(crate) fn new(settings: &ImageSettings, side: usize) -> Result<Self> {
        Ok(Self { side, stain: stain(settings)?, crop: settings.crop })
    }

    /// The images of a set, prepared.
    pub(crate) fn files(&self, set: SampleSet, decode: DecodeConfig) -> ImageFiles {
        let files = ImageFiles::new(set, self.preprocess(decode));
        match self.crop {
            Some(_) => files.with_crop(cut_out()),
            None => files,
        }
    }

    fn preprocess(&self, decode: DecodeConfig) -> Preprocess {
        let preprocess =
            Preprocess::new(self.side, self.side).with_color(Color::Rgb).with_decode(decode);
        match self.stain {
            Some(stain) => preprocess.with_stain(stain),
            None => preprocess,
        }
    }

    /// A file by itself, with a mask of its name in that folder if it is to be cropped.
    pub(crate) fn file(
        &self,
        file: &Path,
        masks: Option<&Path>,
        decode: DecodeConfig,
    ) -> ocellus::data::Result<Image> {
        let mut sample = Sample::new(file, 0);
        if let (Some(_), Some(masks)) = (self.crop, masks) {
            sample.masks.extend(mask_of(file, masks));
        }
        let set = SampleSet::of_one_class("", "image", vec![sample])?;
        Ok(self.files(set, decode).load(0)?.image)
    }

    /// A cell that is drawn.
    pub(crate) fn drawn(&self, smear: &Smear, index: usize) -> ocellus::data::Result<Image> {
        let scene = smear.cell(index)?;
        let image = match &self.stain {
            Some(stain) => stain.apply(&scene.image)?,
            None => scene.image.clone(),
        };
        let Some(crop) = self.crop else { return Ok(image) };
        let cell = cut_out().apply(&image, &scene.mask(crop.part())?)?.0;
        Resize::new(self.side, self.side).apply(&cell)
    }

    /// For the record: "stains by Macenko's method, cropped to the nucleus, 128×128 pixels".
    pub(crate) fn summary(&self) -> String {
        let stain = match self.stain {
            Some(StainModel::Reinhard(_)) => "colors by Reinhard's method, ",
            Some(StainModel::Macenko(_)) => "stains by Macenko's method, ",
            Some(_) => "another stain, ",
            None => "",
        };
        let crop = match self.crop {
            Some(crop) => format!("cropped to the {}, ", crop.name()),
            None => String::new(),
        };
        format!("{stain}{crop}{0}×{0} pixels", self.side)
    }
}

/// Around what is cut out it is black, as in C-NMC: another part or its surroundings tell nothing.
fn cut_out() -> CellCrop {
    CellCrop::default().with_outside(Outside::Fill(0.))
}

fn mask_of(file: &Path, masks: &Path) -> Option<PathBuf> {
    let same = masks.join(file.file_name()?);
    let others = ["png", "bmp", "tif", "jpg"].map(|extension| same.with_extension(extension));
    std::iter::once(same).chain(others).find(|path| path.is_file())
}

/// The stain of the reference image, or of the median of simulated smears.
fn stain(settings: &ImageSettings) -> Result<Option<StainModel>> {
    let Some(method) = settings.stain else { return Ok(None) };
    let Some(path) = &settings.stain_reference else {
        return Ok(Some(match method {
            StainMethod::Reinhard => ReinhardModel::smear().into(),
            StainMethod::Macenko => MacenkoModel::smear().into(),
        }));
    };
    let failed = || format!("--stain-reference {}", path.display());
    if path.is_dir() {
        bail!("{}: it is a folder, give one image", failed())
    }
    let image = Image::open_with(path, &settings.decode()?)
        .and_then(|image| image.to_rgb())
        .with_context(failed)?;
    let reference = std::slice::from_ref(&image);
    Ok(Some(match method {
        StainMethod::Reinhard => Reinhard::default().fit(reference).with_context(failed)?.into(),
        StainMethod::Macenko => Macenko::default().fit(reference).with_context(failed)?.into(),
    }))
}
