//! A scene, small enough to look at.

use anyhow::Result;
use ocellus::{
    data::raster::{SceneSource, Window},
    figures::Picture,
};

/// The longer side of an overview at most.
const LONGEST: u32 = 3000;

/// Rows and columns that are read at a time, about.
const WINDOW: u32 = 512;

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
    let info = scene.info().clone();
    let factor = factor(info.width, info.height);
    let (width, height) = (info.width.div_ceil(factor) as usize, info.height.div_ceil(factor));
    let pixels = width * height as usize;
    let mut planes = vec![0.; 3 * pixels];
    // Of a wide scene, a few whole rows meet more strips or tiles than are kept.
    let step = (WINDOW / factor).max(1) * factor;
    for y in (0..info.height).step_by(step as usize) {
        for x in (0..info.width).step_by(step as usize) {
            let window = Window::new(x, y, step.min(info.width - x), step.min(info.height - y));
            let block = scene.read(window)?;
            for (plane, band) in planes.chunks_exact_mut(pixels).zip(colors(info.bands)) {
                let values = &block.data[band * block.valid.len()..][..block.valid.len()];
                let columns = window.width.div_ceil(factor) as usize;
                let means = reduce(values, &block.valid, window.width as usize, factor as usize);
                let at = (y / factor) as usize * width + (x / factor) as usize;
                for (to, means) in plane[at..].chunks_mut(width).zip(means.chunks_exact(columns)) {
                    to[..columns].copy_from_slice(means);
                }
            }
        }
    }
    planes.chunks_exact_mut(pixels).for_each(stretch);
    Ok(Picture::from_planes(3, height as usize, width, &planes)?)
}

/// The means of the valid values of blocks; NaN where there is none.
fn reduce(values: &[f32], valid: &[bool], width: usize, factor: usize) -> Vec<f32> {
    let rows = values.chunks(factor * width).zip(valid.chunks(factor * width));
    let mut means = Vec::new();
    for (values, valid) in rows {
        let mut sums = vec![(0., 0_u32); width.div_ceil(factor)];
        for (n, value) in values.iter().enumerate().filter(|(n, _)| valid[*n]) {
            let (sum, count) = &mut sums[n % width / factor];
            (*sum, *count) = (*sum + f64::from(*value), *count + 1);
        }
        means.extend(sums.into_iter().map(|(sum, count)| (sum / f64::from(count)) as f32));
    }
    means
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
