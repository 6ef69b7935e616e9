use crate::{random::Random, synthetic::blur::blur};

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
