//! `synthesize`: a labeled scene of any size, as GeoTIFF.

use std::time::Duration;

use anyhow::Result;
use ocellus::data::synthetic::{Landscape, Sensor};

use crate::{cli::Settings, common::progress};

/// Writes `images/NAME.tif` and `masks/NAME.tif` as the unseen sensor has them.
pub(crate) fn synthesize(settings: &Settings, width: u32, height: u32) -> Result<()> {
    let out = settings.common.out_folder("satellite-synthetic", &["images", "masks"])?;
    let scene = Landscape::new(width, height, settings.common.seed).with_sensor(Sensor::unseen());
    let name = format!("synthetic_{}.tif", settings.common.seed);
    let image = out.join("images").join(&name);
    let bar = progress::bar(u64::from(height), "writing the scene");
    bar.enable_steady_tick(Duration::from_millis(200));
    scene.write(&image, out.join("masks").join(&name))?;
    bar.finish_and_clear();
    println!("scene: {}", image.display());
    Ok(())
}
