//! Reflectances in blue, green, red and near infrared.
//!
//! Roofs share their colors with soil, roads and yards on purpose: no single pixel tells a building.

use crate::synthetic::scene::{area::Biome, noise::Draws};

pub(crate) type Reflectance = [f32; 4];

pub(crate) const ASPHALT: Reflectance = [0.085, 0.095, 0.105, 0.125];
pub(crate) const WORN_ASPHALT: Reflectance = [0.165, 0.185, 0.2, 0.225];
pub(crate) const CONCRETE: Reflectance = [0.21, 0.24, 0.26, 0.29];
pub(crate) const PAINT: Reflectance = [0.42, 0.44, 0.45, 0.46];
pub(crate) const WATER: Reflectance = [0.055, 0.065, 0.045, 0.018];
pub(crate) const TREE: Reflectance = [0.028, 0.052, 0.034, 0.36];
pub(crate) const PALM: Reflectance = [0.035, 0.07, 0.045, 0.33];

const SKY: Reflectance = [0.34, 0.28, 0.23, 0.15];

/// The share of light that a surface gets: the sky's, which is blue, and the sun's.
pub(crate) fn lit(direct: f32) -> Reflectance {
    SKY.map(|sky| sky + (1. - sky) * direct)
}

pub(crate) fn mix(a: Reflectance, b: Reflectance, t: f32) -> Reflectance {
    let t = t.clamp(0., 1.);
    [0, 1, 2, 3].map(|band| a[band] + t * (b[band] - a[band]))
}

pub(crate) fn scale(a: Reflectance, factor: f32) -> Reflectance {
    a.map(|value| (value * factor).max(0.))
}

/// Two soils that a landscape is mixed of.
pub(crate) fn soils(biome: Biome) -> [Reflectance; 2] {
    match biome {
        Biome::Temperate => [[0.075, 0.105, 0.14, 0.21], [0.13, 0.17, 0.215, 0.28]],
        Biome::Arid => [[0.17, 0.235, 0.305, 0.37], [0.24, 0.305, 0.365, 0.42]],
        Biome::Tropical => [[0.065, 0.095, 0.18, 0.26], [0.09, 0.13, 0.225, 0.3]],
    }
}

/// Grass, from fresh to dry.
pub(crate) fn grasses(biome: Biome) -> [Reflectance; 2] {
    match biome {
        Biome::Temperate => [[0.038, 0.078, 0.048, 0.42], [0.085, 0.125, 0.125, 0.3]],
        Biome::Arid => [[0.06, 0.1, 0.085, 0.3], [0.13, 0.175, 0.2, 0.31]],
        Biome::Tropical => [[0.035, 0.08, 0.045, 0.46], [0.07, 0.12, 0.1, 0.36]],
    }
}

/// What covers a field.
pub(crate) fn crop(biome: Biome, draws: &mut Draws) -> Reflectance {
    let [dark, light] = soils(biome);
    let [fresh, dry] = grasses(biome);
    let kinds =
        [fresh, [0.045, 0.09, 0.05, 0.5], [0.11, 0.16, 0.19, 0.3], dry, scale(dark, 0.85), light];
    let weights = match biome {
        Biome::Temperate => [3., 2., 2., 1., 2., 1.],
        Biome::Arid => [0.4, 0.6, 0.5, 1., 2., 5.],
        Biome::Tropical => [3., 3., 1., 1., 1., 1.],
    };
    scale(kinds[draws.pick(&weights)], draws.uniform(0.85, 1.15))
}

/// A roof's covering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Pitched,
    Flat,
    Hall,
}

/// The color of a roof of this style.
pub(crate) fn roof(biome: Biome, style: Style, draws: &mut Draws) -> Reflectance {
    // Red tile, brown tile, slate, bitumen, gravel, concrete, light metal, white, sand, rusty metal.
    const KINDS: [Reflectance; 10] = [
        [0.07, 0.1, 0.215, 0.28],
        [0.085, 0.115, 0.15, 0.21],
        [0.1, 0.11, 0.12, 0.14],
        [0.07, 0.08, 0.09, 0.105],
        [0.15, 0.175, 0.195, 0.22],
        [0.2, 0.23, 0.25, 0.28],
        [0.33, 0.35, 0.36, 0.37],
        [0.47, 0.49, 0.5, 0.5],
        [0.2, 0.265, 0.33, 0.385],
        [0.11, 0.13, 0.19, 0.24],
    ];
    let weights = match (biome, style) {
        (Biome::Temperate, Style::Pitched) => [5., 3., 2.5, 0.5, 0.5, 0.5, 0.3, 0., 0., 0.],
        (Biome::Temperate, Style::Flat) => [0., 0., 0.5, 3., 3., 3., 0.7, 0.5, 0., 0.],
        (Biome::Temperate, Style::Hall) => [0., 0., 1., 1.5, 2., 2., 2., 1.2, 0., 0.4],
        (Biome::Arid, Style::Pitched) => [0.7, 0.3, 0., 0., 0., 1., 0.5, 0.3, 3., 0.],
        (Biome::Arid, Style::Flat) => [0., 0., 0., 0.3, 1.5, 2., 0.3, 0.8, 6., 0.],
        (Biome::Arid, Style::Hall) => [0., 0., 0., 0.3, 1., 2., 2., 1.5, 2., 0.3],
        (Biome::Tropical, Style::Pitched) => [2., 1., 0.5, 0., 0., 0.5, 2.5, 0.5, 0., 3.],
        (Biome::Tropical, Style::Flat) => [0., 0., 0., 1., 1.5, 3., 1., 1., 0.5, 0.5],
        (Biome::Tropical, Style::Hall) => [0., 0., 0., 0.3, 1., 1., 3., 1., 0., 2.5],
    };
    let kind = KINDS[draws.pick(&weights)];
    let level = draws.uniform(0.78, 1.22);
    let warmth = 0.08 * draws.symmetric();
    [
        kind[0] * level * (1. - warmth),
        kind[1] * level,
        kind[2] * level * (1. + warmth),
        kind[3] * level * (1. + warmth),
    ]
}

/// The color of a terrace, drive or yard: often that of a roof.
pub(crate) fn paving(biome: Biome, draws: &mut Draws) -> Reflectance {
    match draws.pick(&[2., 2., 1.]) {
        0 => scale(CONCRETE, draws.uniform(0.65, 1.3)),
        1 => roof(biome, Style::Pitched, draws),
        _ => roof(biome, Style::Hall, draws),
    }
}

/// The color of walls.
pub(crate) fn wall(draws: &mut Draws) -> Reflectance {
    let level = draws.uniform(0.14, 0.38);
    let warmth = draws.uniform(0., 0.25);
    [level * (1. - warmth), level, level * (1. + 0.5 * warmth), level * (1. + 0.7 * warmth)]
}

/// The paint of a car.
pub(crate) fn car(draws: &mut Draws) -> Reflectance {
    const KINDS: [Reflectance; 6] = [
        [0.5, 0.5, 0.5, 0.48],
        [0.04, 0.04, 0.04, 0.06],
        [0.22, 0.22, 0.22, 0.24],
        [0.33, 0.34, 0.35, 0.36],
        [0.04, 0.05, 0.25, 0.3],
        [0.2, 0.11, 0.06, 0.12],
    ];
    KINDS[draws.pick(&[3., 2.5, 2., 2., 1., 1.])]
}
