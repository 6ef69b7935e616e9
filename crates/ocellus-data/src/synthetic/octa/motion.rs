use super::degradation::mirrored;
use crate::random::Random;

/// What moves of the eye do to the rows of a scan, which are taken one after another.
#[derive(Clone, Debug)]
pub(super) struct Motion {
    rows: Vec<Row>,
    moved: bool,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    /// The row that is shown in its place.
    source: usize,
    /// Pixels to the right.
    shift: f32,
    /// The share of the signal that is left.
    gain: f32,
    /// Bright noise on top.
    flash: f32,
}

impl Motion {
    /// Draws the events for an image of so many rows; `pixel` pixels make one of a scan.
    pub(super) fn draw(random: &mut Random, strength: f32, height: usize, pixel: f32) -> Self {
        let still = |source| Row { source, shift: 0., gain: 1., flash: 0. };
        let mut rows: Vec<Row> = (0..height).map(still).collect();
        let events =
            if strength > 0. { 1 + (13. * strength * random.unit().sqrt()) as usize } else { 0 };
        for _ in 0..events {
            let tall = (random.uniform(2., 13.) * (0.4 + strength) * pixel).ceil().max(1.) as usize;
            let first = random.below(height);
            let last = (first + tall).min(height);
            let far = 20. * strength * random.symmetric() * pixel;
            match random.below(4) {
                0 => {
                    // A saccade: a band is off, and what follows does not come back quite.
                    rows[first..last].iter_mut().for_each(|row| row.shift += far);
                    rows[last..].iter_mut().for_each(|row| row.shift += 0.35 * far);
                }
                1 => {
                    // The eye follows the scan: rows repeat.
                    rows[first..last].iter_mut().for_each(|row| {
                        row.source = first;
                        row.shift += 0.3 * far;
                    });
                }
                2 => {
                    // A blink.
                    let gain = 1. - strength * random.uniform(0.6, 1.);
                    rows[first..last].iter_mut().for_each(|row| row.gain *= gain);
                }
                _ => {
                    // All tissue moves, and so all of it seems to flow.
                    let flash = strength * random.uniform(0.35, 0.8);
                    let thin = first + (last - first).div_ceil(3);
                    rows[first..thin].iter_mut().for_each(|row| {
                        row.flash = flash;
                        row.shift += 0.3 * far;
                    });
                }
            }
        }
        Self { rows, moved: events > 0 }
    }

    /// Moves the rows of a plane.
    pub(super) fn apply(&self, plane: &mut [f32], width: usize, random: &mut Random) {
        if !self.moved {
            return;
        }
        let still = plane.to_vec();
        for (to, row) in plane.chunks_exact_mut(width).zip(&self.rows) {
            let from = &still[row.source * width..(row.source + 1) * width];
            let whole = row.shift.floor();
            let part = row.shift - whole;
            for (x, value) in to.iter_mut().enumerate() {
                let at = x as isize - whole as isize;
                let near = from[mirrored(at, width)];
                let next = from[mirrored(at - 1, width)];
                *value = row.gain * (near + part * (next - near));
                if row.flash > 0. {
                    let flash = row.flash * (1. + 0.3 * random.grain());
                    *value = (*value + flash.max(0.)).min(1.);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_still_eye_changes_nothing_and_a_moving_one_most_rows_at_most() {
        let plane: Vec<f32> = (0..64 * 48).map(|i| (i * 37 % 101) as f32 / 101.).collect();
        let changed = |strength: f32, seed: u64| {
            let mut random = Random::keyed(seed, 0, 0, 0);
            let mut moved = plane.clone();
            Motion::draw(&mut random, strength, 64, 1.).apply(&mut moved, 48, &mut random);
            moved.chunks(48).zip(plane.chunks(48)).filter(|(a, b)| a != b).count()
        };
        assert_eq!(changed(0., 1), 0);
        let rows = |strength| (0..30).map(|seed| changed(strength, seed)).sum::<usize>();
        assert!(rows(0.1) > 0 && rows(0.1) < rows(0.9));
    }

    #[test]
    fn shifts_go_between_pixels() {
        let row = Row { source: 0, shift: 1.25, gain: 1., flash: 0. };
        let motion = Motion { rows: vec![row], moved: true };
        let mut plane = [0., 0., 1., 0., 0., 0.];
        motion.apply(&mut plane, 6, &mut Random::keyed(0, 0, 0, 0));
        assert_eq!(plane, [0., 0., 0., 0.75, 0.25, 0.]);
    }
}
