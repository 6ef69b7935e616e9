//! `synthesize`: a labeled scene of any size, as GeoTIFF.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use ocellus::data::synthetic::{Landscape, Sensor};

use crate::{cli::Settings, common::progress};

/// Writes `images/NAME.tif` and `masks/NAME.tif` as the unseen sensor has them.
pub(crate) fn synthesize(settings: &Settings, width: u32, height: u32) -> Result<()> {
    let out = settings.out.clone().unwrap_or_else(|| PathBuf::from("runs/satellite-synthetic"));
    for folder in ["images", "masks"] {
        fs::create_dir_all(out.join(folder))
            .with_context(|| format!("{} cannot be made: choose another --out", out.display()))?;
    }
    let scene = Landscape::new(width, height, settings.seed).with_sensor(Sensor::unseen());
    let name = format!("synthetic_{}.tif", settings.seed);
    let image = out.join("images").join(&name);
    let bar = progress::bar(u64::from(height), "writing the scene");
    bar.enable_steady_tick(Duration::from_millis(200));
    scene.write(&image, out.join("masks").join(&name))?;
    bar.finish_and_clear();
    println!("scene: {}", image.display());
    Ok(())
}
