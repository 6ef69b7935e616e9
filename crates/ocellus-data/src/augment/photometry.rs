use crate::{Image, augment::plan::Plan, random::Random};

const NOISE: u64 = 3;

/// Gamma, contrast, brightness, speckle, noise, in this order; clamped to 0..1 if any applies.
pub(crate) fn apply(image: &mut Image, plan: &Plan, [seed, epoch, sample]: [u64; 3]) {
    let light = plan.gamma != 1. || plan.contrast != 1. || plan.brightness != 0.;
    let noise = plan.noise != 0. || plan.speckle != 0.;
    if light {
        for value in image.data_mut() {
            let x = value.clamp(0., 1.).powf(plan.gamma);
            *value = ((x - 0.5) * plan.contrast + 0.5 + plan.brightness).clamp(0., 1.);
        }
    }
    if noise {
        let mut random = Random::keyed(seed, epoch, sample, NOISE);
        for value in image.data_mut() {
            let speckled = *value * (1. + plan.speckle * random.normal());
            *value = (speckled + plan.noise * random.normal()).clamp(0., 1.);
        }
    }
}
