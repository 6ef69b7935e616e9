use crate::{Error, Result};

/// Climate: what soil, plants and roofs look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Biome {
    /// Green meadows, brown soil, red and gray roofs.
    #[default]
    Temperate,
    /// Sand and dry scrub, light flat roofs that look like the ground.
    Arid,
    /// Dense green, red soil, metal roofs.
    Tropical,
}

/// What stands in a simulated landscape, and how much of it.
///
/// # Examples
///
/// ```
/// use ocellus_data::synthetic::{Area, Biome};
///
/// let area = Area::town().with_biome(Biome::Arid).with_built(0.9);
/// assert_eq!(area.biome, Biome::Arid);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Area {
    /// What it is called in names and reports.
    pub name: String,
    /// The climate.
    pub biome: Biome,
    /// Share of the land that is built up, about; the rest is fields, meadows and forest.
    pub built: f32,
    /// Share of parcels in built-up land that have a building.
    pub density: f32,
    /// How often a district is of detached houses, of a dense core, of apartment slabs, of industry.
    pub districts: [f32; 4],
    /// Heights of buildings against the usual.
    pub height: f32,
    /// Share of open land that is wooded, about.
    pub forest: f32,
    /// Half the width of rivers in meters; 0: there is no water.
    pub water: f32,
    /// How far streets wander from straight lines, in meters.
    pub winding: f32,
}

impl Default for Area {
    fn default() -> Self {
        Self::town()
    }
}

impl Area {
    /// A temperate town: houses, some blocks and halls, fields around, a river.
    #[must_use]
    pub fn town() -> Self {
        Self {
            name: "town".to_owned(),
            biome: Biome::Temperate,
            built: 0.6,
            density: 0.8,
            districts: [0.5, 0.15, 0.2, 0.15],
            height: 1.,
            forest: 0.25,
            water: 22.,
            winding: 35.,
        }
    }

    /// A dense, winding old center.
    #[must_use]
    pub fn old_town() -> Self {
        Self {
            name: "old town".to_owned(),
            built: 0.9,
            density: 0.92,
            districts: [0.2, 0.65, 0.15, 0.],
            winding: 55.,
            ..Self::town()
        }
    }

    /// Houses and gardens, woods between.
    #[must_use]
    pub fn suburb() -> Self {
        Self {
            name: "suburb".to_owned(),
            built: 0.7,
            density: 0.75,
            districts: [0.85, 0., 0.1, 0.05],
            forest: 0.5,
            water: 0.,
            winding: 50.,
            ..Self::town()
        }
    }

    /// Halls, yards and parking lots.
    #[must_use]
    pub fn industrial() -> Self {
        Self {
            name: "industrial".to_owned(),
            built: 0.75,
            density: 0.75,
            districts: [0.25, 0., 0.15, 0.6],
            forest: 0.1,
            winding: 20.,
            ..Self::town()
        }
    }

    /// Few houses among fields.
    #[must_use]
    pub fn village() -> Self {
        Self {
            name: "village".to_owned(),
            built: 0.25,
            density: 0.65,
            districts: [0.9, 0.05, 0., 0.05],
            forest: 0.35,
            water: 14.,
            ..Self::town()
        }
    }

    /// A town in a desert: light flat roofs on light soil.
    #[must_use]
    pub fn desert_town() -> Self {
        Self {
            name: "desert town".to_owned(),
            biome: Biome::Arid,
            built: 0.65,
            density: 0.9,
            districts: [0.45, 0.35, 0.1, 0.1],
            height: 0.8,
            forest: 0.,
            water: 0.,
            winding: 30.,
        }
    }

    /// A humid town: metal roofs, red soil, trees everywhere.
    #[must_use]
    pub fn tropical_town() -> Self {
        Self {
            name: "tropical town".to_owned(),
            biome: Biome::Tropical,
            built: 0.6,
            density: 0.85,
            districts: [0.7, 0.15, 0.05, 0.1],
            height: 0.85,
            forest: 0.5,
            water: 30.,
            winding: 50.,
        }
    }

    /// Sets the name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the climate.
    #[must_use]
    pub fn with_biome(mut self, biome: Biome) -> Self {
        self.biome = biome;
        self
    }

    /// Sets the share of the land that is built up.
    #[must_use]
    pub fn with_built(mut self, share: f32) -> Self {
        self.built = share;
        self
    }

    /// Sets the share of parcels that have a building.
    #[must_use]
    pub fn with_density(mut self, share: f32) -> Self {
        self.density = share;
        self
    }

    /// Sets how often districts are of houses, core, slabs, industry.
    #[must_use]
    pub fn with_districts(mut self, weights: [f32; 4]) -> Self {
        self.districts = weights;
        self
    }

    /// Sets the heights of buildings against the usual.
    #[must_use]
    pub fn with_height(mut self, factor: f32) -> Self {
        self.height = factor;
        self
    }

    /// Sets the share of open land that is wooded.
    #[must_use]
    pub fn with_forest(mut self, share: f32) -> Self {
        self.forest = share;
        self
    }

    /// Sets half the width of rivers.
    #[must_use]
    pub fn with_water(mut self, meters: f32) -> Self {
        self.water = meters;
        self
    }

    /// Sets how far streets wander.
    #[must_use]
    pub fn with_winding(mut self, meters: f32) -> Self {
        self.winding = meters;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (field, value, most) in [
            ("built", self.built, 1.),
            ("density", self.density, 1.),
            ("height", self.height, 2.),
            ("forest", self.forest, 1.),
            ("water", self.water, 200.),
            ("winding", self.winding, 70.),
        ] {
            if !(0. ..=most).contains(&value) {
                return Err(Error::Setting(format!(
                    "area: `{field}` is {value}, give 0 to {most}"
                )));
            }
        }
        let weights = self.districts;
        let sum: f32 = weights.iter().sum();
        if weights.iter().any(|w| !(0. ..=1e6).contains(w)) || sum == 0. {
            return Err(Error::Setting(format!(
                "area: `districts` is {weights:?}, give four weights of 0 or more, one at least above"
            )));
        }
        Ok(())
    }
}
