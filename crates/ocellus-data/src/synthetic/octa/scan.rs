use crate::random::Random;

/// The picture that a scan makes of the light: a point spread, speckle of the flow, noise of the
/// detector, lines of unequal gain.
pub(super) fn exposed(mut light: Vec<f32>, side: usize, random: &mut Random) -> Vec<f32> {
    let soft = random.uniform(0.4, 0.75);
    let gain = random.uniform(0.92, 1.12);
    blur(&mut light, side, soft);
    for row in light.chunks_exact_mut(side) {
        let line = gain * (1. + 0.03 * random.normal());
        for pixel in row {
            // Speckle scales with the light; the detector's noise does not.
            let speckle = 1. + 0.27 * random.grain();
            *pixel =
                (line * (*pixel * speckle).max(0.) + 0.022 * (1. + random.grain())).clamp(0., 1.);
        }
    }
    light
}

/// A Gaussian of that deviation in pixels, both ways; the edge goes on as it ends.
pub(super) fn blur(plane: &mut [f32], side: usize, deviation: f32) {
    let reach = (3. * deviation).ceil() as usize;
    let mut weights: Vec<f32> = (0..=2 * reach)
        .map(|i| (-0.5 * ((i as f32 - reach as f32) / deviation).powi(2)).exp())
        .collect();
    let sum: f32 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= sum);
    let mut padded = Vec::new();
    for row in plane.chunks_exact_mut(side) {
        padded.clear();
        padded.resize(reach, row[0]);
        padded.extend_from_slice(row);
        padded.resize(side + 2 * reach, row[side - 1]);
        row.fill(0.);
        for (tap, weight) in weights.iter().enumerate() {
            row.iter_mut().zip(&padded[tap..]).for_each(|(to, from)| *to += weight * from);
        }
    }
    let source = plane.to_vec();
    let rows = plane.len() / side;
    for (y, row) in plane.chunks_exact_mut(side).enumerate() {
        row.fill(0.);
        for (tap, weight) in weights.iter().enumerate() {
            let from = (y + tap).saturating_sub(reach).min(rows - 1);
            let from = &source[from * side..(from + 1) * side];
            row.iter_mut().zip(from).for_each(|(to, from)| *to += weight * from);
        }
    }
}
