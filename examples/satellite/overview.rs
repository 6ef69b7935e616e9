//! A scene, small enough to look at.

use anyhow::Result;
use ocellus::{
    data::raster::{SceneSource, Window},
    figures::Picture,
};

/// The longer side of an overview at most.
const LONGEST: u32 = 3000;

/// How many pixels of a scene of that size one of its overview stands for, in each direction.
pub(crate) fn factor(width: u32, height: u32) -> u32 {
    width.max(height).div_ceil(LONGEST).max(1)
}

/// The bands that are shown as red, green and blue: of four, blue comes first.
pub(crate) fn colors(bands: usize) -> [usize; 3] {
    match bands {
        0..=2 => [0; 3],
        3 => [0, 1, 2],
        _ => [2, 1, 0],
    }
}

/// The scene reduced by averaging, its darkest and brightest hundredth cut; black where no data is.
pub(crate) fn picture(scene: &mut dyn SceneSource) -> Result<Picture> {
    let (info, mut planes) = (scene.info().clone(), [const { Vec::new() }; 3]);
    let factor = factor(info.width, info.height);
    for y in (0..info.height).step_by(factor as usize) {
        let rows = factor.min(info.height - y);
        let block = scene.read(Window::new(0, y, info.width, rows))?;
        let pixels = block.valid.len();
        for (plane, band) in planes.iter_mut().zip(colors(info.bands)) {
            let values = &block.data[band * pixels..][..pixels];
            plane.extend(reduce(values, &block.valid, info.width as usize, factor as usize));
        }
    }
    let height = info.height.div_ceil(factor) as usize;
    let width = info.width.div_ceil(factor) as usize;
    for plane in &mut planes {
        stretch(plane);
    }
    Ok(Picture::from_planes(3, height, width, &planes.concat())?)
}

/// The means of the valid values of blocks of columns; NaN where there is none.
fn reduce(values: &[f32], valid: &[bool], width: usize, factor: usize) -> Vec<f32> {
    let mut sums = vec![(0., 0_u32); width.div_ceil(factor)];
    for (n, value) in values.iter().enumerate().filter(|(n, _)| valid[*n]) {
        let (sum, count) = &mut sums[n % width / factor];
        (*sum, *count) = (*sum + f64::from(*value), *count + 1);
    }
    sums.into_iter().map(|(sum, count)| (sum / f64::from(count)) as f32).collect()
}

/// To 0..1 between the 1st and the 99th hundredth; NaN becomes 0.
pub(crate) fn stretch(plane: &mut [f32]) {
    let mut known: Vec<f32> = plane.iter().copied().filter(|v| v.is_finite()).collect();
    known.sort_by(f32::total_cmp);
    let at = |share: usize| known.get(known.len() * share / 100).copied().unwrap_or(0.);
    let (low, high) = (at(1), at(99).max(at(1) + f32::EPSILON));
    for value in plane {
        *value = if value.is_finite() { ((*value - low) / (high - low)).clamp(0., 1.) } else { 0. };
    }
}
