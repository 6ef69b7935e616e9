/// Where pixels of a line lie between the knots of a coarser line.
#[derive(Debug)]
pub(super) struct Line {
    /// Pixels from one knot to the next.
    step: usize,
    /// Pixels from the first knot to the first pixel.
    offset: usize,
    /// Pixels.
    pub(super) length: usize,
    pub(super) knots: usize,
}

impl Line {
    /// Knots lie at multiples of the step in the scene, so that blocks of one scene share them.
    pub(super) fn new(step: usize, origin: usize, length: usize) -> Self {
        let offset = origin % step;
        Self { step, offset, length, knots: (offset + length - 1) / step + 2 }
    }

    /// The knot before a pixel, and how far it is to the next one, from 0 to 1.
    pub(super) fn place(&self, pixel: usize) -> (usize, f32) {
        let at = self.offset + pixel;
        (at / self.step, (at % self.step) as f32 / self.step as f32)
    }

    /// The pixels between a knot and the next one.
    pub(super) fn between(&self, knot: usize) -> std::ops::Range<usize> {
        let pixel = |knot: usize| (knot * self.step).saturating_sub(self.offset).min(self.length);
        pixel(knot)..pixel(knot + 1)
    }
}

/// Pixels between knots for a Gaussian of deviation θ: linear interpolation then is off by less than 1 %.
pub(super) fn step(theta: f64) -> usize {
    ((theta / 3.) as usize).max(1)
}

/// The deviation, in knots, of what makes a Gaussian of deviation θ together with two linear
/// interpolations, of variance (step² − 1) / 6 each; and what its peak is multiplied by.
pub(super) fn blur(theta: f64, step: usize) -> (f64, f64) {
    let rest = (theta * theta - ((step * step - 1) as f64) / 3.).sqrt();
    (rest / step as f64, theta / rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pixel_lies_between_its_knots() {
        for (step, origin, length) in [(1, 5, 7), (4, 0, 9), (4, 7, 1), (26, 40, 100), (5, 3, 5)] {
            let line = Line::new(step, origin, length);
            let mut pixels = 0;
            for knot in 0..line.knots - 1 {
                for pixel in line.between(knot) {
                    let (before, share) = line.place(pixel);
                    assert_eq!((before, pixel), (knot, pixels));
                    assert!((0. ..1.).contains(&share));
                    let at = (before as f32 + share) * step as f32;
                    assert!((at - (origin % step + pixel) as f32).abs() < 1e-3);
                    pixels += 1;
                }
            }
            assert_eq!(pixels, length);
        }
    }

    #[test]
    fn interpolation_and_blur_make_the_gaussian() {
        for theta in [0.5, 3., 10., 20., 80.] {
            let step = step(theta);
            let (deviation, peak) = blur(theta, step);
            let knot =
                |x: i64, k: i64| (1. - ((x - k * step as i64) as f64 / step as f64).abs()).max(0.);
            let reach = (6. * theta) as i64 / step as i64 + 20;
            // How much of a 1 at pixel 7 comes to pixel 7 + far.
            let weight = |far: i64| {
                let pairs = (-reach..=reach).flat_map(|a| (-reach..=reach).map(move |b| (a, b)));
                let terms = pairs.map(|(a, b)| {
                    let blurred = (-0.5 * ((a - b) as f64 / deviation).powi(2)).exp();
                    knot(7, a) * blurred * knot(7 + far, b)
                });
                peak * terms.sum::<f64>()
            };
            for far in [0, 1, 2, step as i64, theta as i64, 2 * theta as i64] {
                let expected = (-0.5 * (far as f64 / theta).powi(2)).exp();
                assert!((weight(far) - expected).abs() < 0.01, "θ {theta}, {far}: {}", weight(far));
            }
        }
    }
}
