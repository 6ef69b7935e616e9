use std::path::Path;

use crate::{
    Result,
    geo::{Affine, GeoReference},
    raster::{RasterConfig, RasterWriter, SampleType, SceneBlock, SceneInfo, SceneSource, Window},
    synthetic::scene::{
        cover::Labels,
        landscape::{Landscape, Rendered},
        noise::Draws,
    },
};

/// Pixels that are in memory at a time when a scene is written.
const PIXELS: u32 = 1 << 23;
const PLACE: u64 = 0x51;

impl Landscape {
    /// A place on the ground in UTM, drawn from the seed: what different sensors see of one seed lies
    /// at one place.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::synthetic::{Landscape, Sensor};
    ///
    /// let scene = Landscape::new(100, 100, 7);
    /// let geo = scene.geo();
    /// assert_eq!((geo.epsg(), geo.transform().a), (Some(32632), 0.5));
    /// let coarse = scene.with_sensor(Sensor::unseen()).geo();
    /// assert_eq!(coarse.transform().apply(0., 0.), geo.transform().apply(0., 0.));
    /// ```
    #[must_use]
    pub fn geo(&self) -> GeoReference {
        let mut draws = Draws::new(self.seed ^ PLACE, 0, 0);
        let kilometer = |low: f32, high: f32, draws: &mut Draws| {
            1000. * f64::from(draws.uniform(low, high).floor())
        };
        let east = kilometer(300., 650., &mut draws);
        let north = kilometer(4100., 5900., &mut draws);
        let side = self.sensor.resolution;
        GeoReference::new(Affine::north_up((east, north), (side, side)), 32632)
    }

    /// Writes the scene as a GeoTIFF of four 16-bit bands, and its [`Labels`] as one of 8 bits.
    ///
    /// Both are written by rows, in memory bounded whatever the size, and are there whole or not at
    /// all. [`ScenePairs`](crate::ScenePairs) reads them with
    /// [`MaskCoding::Classes`](crate::MaskCoding::Classes).
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::{raster::{Window, open_scene}, synthetic::Landscape};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let (image, mask) = (folder.path().join("scene.tif"), folder.path().join("mask.tif"));
    /// let scene = Landscape::new(90, 70, 7);
    /// scene.write(&image, &mask)?;
    /// let mut file = open_scene(&image)?;
    /// assert_eq!(file.info().geo, Some(scene.geo()));
    /// let numbers = file.read(Window::new(0, 0, 90, 70))?.data;
    /// assert_eq!(numbers[5000], f32::from(scene.render(Window::new(0, 0, 90, 70))?.numbers[5000]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a setting is out of its range, or a file cannot be written.
    pub fn write(&self, image: impl AsRef<Path>, mask: impl AsRef<Path>) -> Result<()> {
        self.check()?;
        let geo = Some(self.geo());
        let names = ["blue", "green", "red", "near infrared"].map(str::to_owned).to_vec();
        let config = RasterConfig::new(self.width, self.height, 4, SampleType::U16)
            .with_geo(geo.clone())
            .with_band_names(names);
        let mut image = RasterWriter::create(image, config)?;
        let colors = match self.labels {
            Labels::Buildings => vec![[0, 0, 0], [255, 255, 255]],
            Labels::LandCover => {
                vec![[170, 150, 120], [200, 50, 40], [110, 110, 110], [70, 140, 60], [50, 80, 170]]
            }
        };
        let config = RasterConfig::classes(self.width, self.height).with_geo(geo);
        let mut mask = RasterWriter::create(mask, config.with_colors(colors))?;
        for band in self.bands((PIXELS / self.width).clamp(1, 256)) {
            let band = band?;
            image.write_rows(&band.numbers)?;
            mask.write_rows(&self.numbers_of(&band))?;
        }
        image.finish()?;
        mask.finish()
    }

    /// The class of each rendered pixel.
    pub(crate) fn numbers_of(&self, rendered: &Rendered) -> Vec<u8> {
        rendered.cover.iter().map(|&cover| self.labels.class(cover)).collect()
    }

    /// The scene as one that is read by windows, without a file.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::{raster::{SceneSource, Window}, synthetic::Landscape};
    ///
    /// let mut scene = Landscape::new(60_000, 60_000, 7).source()?;
    /// assert_eq!((scene.info().bands, scene.info().width), (4, 60_000));
    /// assert_eq!(scene.read(Window::new(59_000, 30_000, 32, 8))?.data.len(), 4 * 8 * 32);
    /// # Ok::<(), ocellus_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a setting is out of its range.
    pub fn source(self) -> Result<LandscapeSource> {
        self.check()?;
        let info = SceneInfo::new(self.width, self.height, 4, SampleType::U16)
            .with_chunk(self.width.min(256), self.height.min(256))
            .with_geo(Some(self.geo()));
        Ok(LandscapeSource { landscape: self, info })
    }
}

/// A [`Landscape`] that is read by windows: [`Landscape::source`].
#[derive(Clone, Debug, PartialEq)]
pub struct LandscapeSource {
    landscape: Landscape,
    info: SceneInfo,
}

impl LandscapeSource {
    /// What is rendered.
    #[must_use]
    pub fn landscape(&self) -> &Landscape {
        &self.landscape
    }
}

impl SceneSource for LandscapeSource {
    fn info(&self) -> &SceneInfo {
        &self.info
    }

    fn read(&mut self, window: Window) -> Result<SceneBlock> {
        let rendered = self.landscape.render(window)?;
        let numbers = rendered.numbers.iter().map(|&number| f32::from(number)).collect();
        SceneBlock::new(window, 4, numbers, None)
    }
}
