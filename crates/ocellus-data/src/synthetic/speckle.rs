use crate::random::Random;

/// How the machine shows echoes.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// Range of echoes that is shown, black to white, in decibels.
    range: f32,
    /// Shift of all levels.
    gain: f32,
    /// Depth where the beam is narrowest, in image heights.
    focus: f32,
    /// Level of the electronic noise against the strongest echo.
    floor: f32,
}

impl Machine {
    pub(crate) fn draw(random: &mut Random) -> Self {
        Self {
            range: random.uniform(48., 62.),
            gain: random.uniform(-24., -13.),
            focus: random.uniform(0.2, 0.6),
            floor: random.uniform(-54., -44.),
        }
    }

    /// The image of echo levels: scatterers, the point-spread function, envelope, compression.
    ///
    /// ```text
    /// envelope = | (10^(level/20) · (g + i h) / √2) ∗ psf + noise |,   g, h ~ N(0, 1)
    /// gray     = 1 + (10 log₁₀ (envelope² ∗ smooth) + gain) / range
    /// ```
    ///
    /// The envelope of many scatterers is Rayleigh-distributed: fully developed speckle. Averaging
    /// its power over neighbors stands for the compounding of today's machines.
    pub(crate) fn image(&self, levels: &[f32], width: usize, random: &mut Random) -> Vec<f32> {
        let mut power = self.power(levels, width, random);
        smooth(&mut power, width);
        let gray = |p: f32| 1. + (4.342_945 * p.max(1e-12).ln() + self.gain) / self.range;
        power.iter_mut().for_each(|p| *p = gray(*p).clamp(0., 1.));
        power
    }

    /// The envelope's square.
    fn power(&self, levels: &[f32], width: usize, random: &mut Random) -> Vec<f32> {
        let height = levels.len() / width;
        let mut echoes = [Vec::with_capacity(levels.len()), Vec::with_capacity(levels.len())];
        for &level in levels {
            let amplitude = amplitude(level);
            echoes[0].push(amplitude * random.normal());
            echoes[1].push(amplitude * random.normal());
        }
        let [real, imaginary] = echoes.map(|echo| self.blur(&echo, height, width));
        let floor = amplitude(self.floor);
        let pixels = real.into_iter().zip(imaginary).enumerate();
        let power = pixels.map(|(at, (re, im))| {
            // Gain compensation lifts the noise with the depth.
            let noise = floor * (1. + 3. * (at / width) as f32 / height as f32);
            let (re, im) = (re + noise * random.normal(), im + noise * random.normal());
            re * re + im * im
        });
        power.collect()
    }

    /// The point-spread function: short along the beam, wider across, most so away from the focus.
    fn blur(&self, echo: &[f32], height: usize, width: usize) -> Vec<f32> {
        let axial = kernel(0.0026 * height as f32);
        let reach = axial.len() / 2;
        let mut down = vec![0.; echo.len()];
        for (row, target) in down.chunks_exact_mut(width).enumerate() {
            for (tap, weight) in axial.iter().enumerate() {
                let source = (row + tap).saturating_sub(reach).min(height - 1);
                let source = &echo[source * width..(source + 1) * width];
                target.iter_mut().zip(source).for_each(|(t, s)| *t += weight * s);
            }
        }
        let mut across = vec![0.; echo.len()];
        let mut padded = Vec::new();
        for (row, target) in across.chunks_exact_mut(width).enumerate() {
            let away = (row as f32 / height as f32 - self.focus).abs();
            let lateral = kernel((0.0048 + 0.006 * away) * height as f32);
            let source = &down[row * width..(row + 1) * width];
            let reach = lateral.len() / 2;
            padded.clear();
            padded.resize(reach, 0.);
            padded.extend_from_slice(source);
            padded.resize(width + 2 * reach, 0.);
            for (tap, weight) in lateral.iter().enumerate() {
                target.iter_mut().zip(&padded[tap..]).for_each(|(t, s)| *t += weight * s);
            }
        }
        across
    }
}

/// Each of the two parts of a complex echo of that level: together they have its power.
fn amplitude(level: f32) -> f32 {
    (level * 0.115_129_25).exp() * std::f32::consts::FRAC_1_SQRT_2
}

/// The mean over 3×3 pixels, weighted 1, 2, 1 each way.
fn smooth(values: &mut [f32], width: usize) {
    let mean = |a: f32, b: f32, c: f32| 0.25 * a + 0.5 * b + 0.25 * c;
    for row in values.chunks_exact_mut(width) {
        let mut before = row[0];
        for x in 0..width {
            let (now, after) = (row[x], row[(x + 1).min(width - 1)]);
            row[x] = mean(before, now, after);
            before = now;
        }
    }
    let mut above = values[..width].to_vec();
    for start in (0..values.len()).step_by(width) {
        let below = if start + width < values.len() { start + width } else { start };
        for (x, above) in above.iter_mut().enumerate() {
            let now = values[start + x];
            values[start + x] = mean(*above, now, values[below + x]);
            *above = now;
        }
    }
}

/// A Gaussian of that deviation in pixels (at least half of one) that keeps the power of noise.
fn kernel(deviation: f32) -> Vec<f32> {
    let deviation = deviation.max(0.5);
    let reach = (3. * deviation).ceil() as i32;
    let weights: Vec<f32> =
        (-reach..=reach).map(|i| (-0.5 * (i as f32 / deviation).powi(2)).exp()).collect();
    let norm = weights.iter().map(|w| w * w).sum::<f32>().sqrt();
    weights.into_iter().map(|w| w / norm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_is_rayleigh_distributed() {
        // Ratio of mean to deviation of a Rayleigh variable: √(π / (4 − π)) = 1.913.
        let machine = Machine { range: 60., gain: 0., focus: 0.5, floor: -200. };
        let power = machine.power(&vec![0.; 256 * 256], 256, &mut Random::keyed(1, 2, 3, 4));
        let count = power.len() as f64;
        let mean = power.iter().map(|&p| f64::from(p).sqrt()).sum::<f64>() / count;
        let power = power.iter().map(|&p| f64::from(p)).sum::<f64>() / count;
        let ratio = mean / (power - mean * mean).sqrt();
        assert!((ratio - 1.913).abs() < 0.06, "{ratio}");
        assert!((power - 1.).abs() < 0.05, "{power}");
    }
}
