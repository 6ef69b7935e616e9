use crate::{
    Error, Result,
    geo::GeoReference,
    raster::{SampleType, SceneInfo},
};

/// How probabilities become samples.
///
/// The steps are such that their size is a short decimal. It stands in the file as GDAL's scale, so
/// QGIS shows probabilities; `gdal_translate -unscale` and rasterio's `scales` give them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Probability {
    /// 8 bits in steps of 0.004: 0 to 250, and 255 where there is no data.
    #[default]
    U8,
    /// 16 bits in steps of 0.00002: 0 to 50,000, and 65,535 where there is no data.
    U16,
    /// Floats as they are, and NaN where there is no data.
    F32,
}

/// What a raster that is written is like.
///
/// # Examples
///
/// ```
/// use ocellus_data::raster::{Probability, RasterConfig, SampleType};
///
/// let classes = RasterConfig::classes(8700, 6600).with_colors(vec![[0, 0, 0], [220, 30, 30]]);
/// assert_eq!((classes.sample, classes.no_data), (SampleType::U8, Some(255.)));
///
/// let chances = RasterConfig::probabilities(8700, 6600, 2, Probability::U8);
/// assert_eq!(chances.scale, 0.004);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RasterConfig {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bands, each of which is stored apart.
    pub bands: usize,
    /// Type of the samples: `U8`, `U16`, `I16` or `F32`.
    pub sample: SampleType,
    /// The value that means "no data here".
    pub no_data: Option<f64>,
    /// Where the raster lies on the ground.
    pub geo: Option<GeoReference>,
    /// Colors of the values 0, 1, … of a raster of one band of 8 bits; none by default.
    pub colors: Vec<[u8; 3]>,
    /// Names of the bands, as GDAL's descriptions; none by default.
    pub band_names: Vec<String>,
    /// What a step of a sample is worth; 1 by default.
    pub scale: f64,
    /// Side of the tiles, a multiple of 16; 256 by default. `None` writes strips of 16 rows.
    pub tile: Option<u32>,
    /// Whether differences of neighbors are packed, which suits measurements and not classes.
    pub differences: bool,
    /// From 1 (fast) to 9 (small); 6 by default.
    pub level: u32,
    /// Writes a BigTIFF even if the file is below 4 GiB, above which it always is one.
    pub big_tiff: bool,
}

impl RasterConfig {
    /// A raster of this size and type.
    #[must_use]
    pub fn new(width: u32, height: u32, bands: usize, sample: SampleType) -> Self {
        Self {
            width,
            height,
            bands,
            sample,
            no_data: None,
            geo: None,
            colors: Vec::new(),
            band_names: Vec::new(),
            scale: 1.,
            tile: Some(256),
            differences: true,
            level: 6,
            big_tiff: false,
        }
    }

    /// A map of classes: one band of 8 bits, 255 where there is no data.
    #[must_use]
    pub fn classes(width: u32, height: u32) -> Self {
        Self::new(width, height, 1, SampleType::U8).with_no_data(Some(255.)).with_differences(false)
    }

    /// The probabilities of so many classes, a band each.
    #[must_use]
    pub fn probabilities(width: u32, height: u32, classes: usize, kind: Probability) -> Self {
        let (sample, no_data, scale) = match kind {
            Probability::U8 => (SampleType::U8, 255., 0.004),
            Probability::U16 => (SampleType::U16, 65535., 0.000_02),
            Probability::F32 => (SampleType::F32, f64::NAN, 1.),
        };
        Self::new(width, height, classes, sample).with_no_data(Some(no_data)).with_scale(scale)
    }

    /// A raster of a scene's size, type, place and no-data value.
    #[must_use]
    pub fn like(scene: &SceneInfo) -> Self {
        Self::new(scene.width, scene.height, scene.bands, scene.sample)
            .with_no_data(scene.no_data)
            .with_geo(scene.geo.clone())
    }

    /// Sets the value that means "no data here".
    #[must_use]
    pub fn with_no_data(mut self, value: Option<f64>) -> Self {
        self.no_data = value;
        self
    }

    /// Sets where the raster lies on the ground.
    #[must_use]
    pub fn with_geo(mut self, geo: Option<GeoReference>) -> Self {
        self.geo = geo;
        self
    }

    /// Sets the colors of the values 0, 1, ….
    #[must_use]
    pub fn with_colors(mut self, colors: Vec<[u8; 3]>) -> Self {
        self.colors = colors;
        self
    }

    /// Sets the names of the bands.
    #[must_use]
    pub fn with_band_names(mut self, names: Vec<String>) -> Self {
        self.band_names = names;
        self
    }

    /// Sets what a step of a sample is worth.
    #[must_use]
    pub fn with_scale(mut self, scale: f64) -> Self {
        self.scale = scale;
        self
    }

    /// Sets the side of the tiles; `None` writes strips.
    #[must_use]
    pub fn with_tile(mut self, side: Option<u32>) -> Self {
        self.tile = side;
        self
    }

    /// Sets whether differences of neighbors are packed.
    #[must_use]
    pub fn with_differences(mut self, on: bool) -> Self {
        self.differences = on;
        self
    }

    /// Sets how hard it is packed.
    #[must_use]
    pub fn with_level(mut self, level: u32) -> Self {
        self.level = level;
        self
    }

    /// Sets whether a small file is a BigTIFF too.
    #[must_use]
    pub fn with_big_tiff(mut self, on: bool) -> Self {
        self.big_tiff = on;
        self
    }

    /// Whether a TIFF can be like this.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::Setting(what));
        let side = 1..=0x7fff_ffff;
        if !side.contains(&self.width) || !side.contains(&self.height) {
            return wrong(format!("a raster of {}×{} pixels cannot be", self.width, self.height));
        }
        if !(1..=65535).contains(&self.bands) {
            return wrong(format!("{} bands: a TIFF has 1 to 65,535", self.bands));
        }
        if let Some(side) = self.tile.filter(|side| side % 16 != 0 || !(16..=8192).contains(side)) {
            return wrong(format!("tiles of {side} pixels: give a multiple of 16 up to 8192"));
        }
        if !matches!(
            self.sample,
            SampleType::U8 | SampleType::U16 | SampleType::I16 | SampleType::F32
        ) {
            return wrong(format!("{:?} is not written: take U8, U16, I16 or F32", self.sample));
        }
        let plain = self.sample == SampleType::U8 && self.bands == 1;
        if !self.colors.is_empty() && (!plain || self.colors.len() > 256) {
            return wrong(format!(
                "{} colors for {} bands of {:?}: a color table is for one band of U8, and has at \
                 most 256",
                self.colors.len(),
                self.bands,
                self.sample
            ));
        }
        if !self.band_names.is_empty() && self.band_names.len() != self.bands {
            return wrong(format!("{} names for {} bands", self.band_names.len(), self.bands));
        }
        if !self.scale.is_finite() || self.scale <= 0. || !(1..=9).contains(&self.level) {
            return wrong(format!(
                "scale {} and level {}: give a positive number, and 1 to 9",
                self.scale, self.level
            ));
        }
        Ok(())
    }
}
