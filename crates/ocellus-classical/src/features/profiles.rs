use std::f64::consts::PI;

use rustfft::num_complex::Complex64;

use super::Dft;

/// Of a frequency that is in no ring and no sector.
const OUTSIDE: u16 = u16::MAX;

/// Which ring and which sector each frequency of images of one size is in.
pub(super) struct Profiles {
    height: usize,
    /// At v · height + u.
    places: Vec<(u16, u16)>,
    ring_counts: Vec<f64>,
    sector_counts: Vec<f64>,
}

impl Profiles {
    /// Errs with what is wrong with images of that size.
    pub(super) fn new(dft: &Dft, height: usize, width: usize) -> Result<Self, String> {
        let mut profiles = Self {
            height,
            places: Vec::new(),
            ring_counts: vec![0.; dft.rings],
            sector_counts: vec![0.; dft.sectors],
        };
        for v in 0..=width / 2 {
            for u in 0..height {
                let signed = if 2 * u > height { u as isize - height as isize } else { u as isize };
                let place = place(dft, (signed, height), (v, width));
                for (counts, i) in
                    [(&mut profiles.ring_counts, place.0), (&mut profiles.sector_counts, place.1)]
                {
                    if let Some(count) = counts.get_mut(usize::from(i)) {
                        *count += weight(v);
                    }
                }
                profiles.places.push(place);
            }
        }
        for (name, counts) in [("ring", &profiles.ring_counts), ("sector", &profiles.sector_counts)]
        {
            if let Some(i) = counts.iter().position(|&count| count == 0.) {
                let all = counts.len();
                return Err(format!(
                    "is {height} × {width}, too small for {all} {name}s: {name} {i} has no frequency; \
                     take fewer {name}s or larger images"
                ));
            }
        }
        Ok(profiles)
    }

    /// Appends the mean magnitudes of rings, then of sectors.
    pub(super) fn append(&self, values: &[Complex64], to: &mut Vec<f64>) {
        let rings = self.ring_counts.len();
        // What is outside adds to the last of each.
        let mut sums = [vec![0.; rings + 1], vec![0.; self.sector_counts.len() + 1]];
        let columns = values.chunks_exact(self.height).zip(self.places.chunks_exact(self.height));
        for (v, (column, places)) in columns.enumerate() {
            for (z, &(ring, sector)) in column.iter().zip(places) {
                let magnitude = weight(v) * z.norm_sqr().sqrt();
                let [in_rings, in_sectors] = &mut sums;
                let last = in_rings.len() - 1;
                in_rings[usize::from(ring).min(last)] += magnitude;
                let last = in_sectors.len() - 1;
                in_sectors[usize::from(sector).min(last)] += magnitude;
            }
        }
        for (sums, counts) in sums.iter().zip([&self.ring_counts, &self.sector_counts]) {
            to.extend(sums.iter().zip(counts).map(|(sum, count)| sum / count));
        }
    }
}

/// How often a column stands for itself and its conjugate. (That of width / 2 is outside.)
fn weight(v: usize) -> f64 {
    if v == 0 { 1. } else { 2. }
}

fn place(dft: &Dft, (u, height): (isize, usize), (v, width): (usize, usize)) -> (u16, u16) {
    // 4 ρ² · (height · width)², exactly.
    let square = |a: usize, b: usize| (a as u128 * b as u128).pow(2);
    let quadruple = 4 * (square(u.unsigned_abs(), width) + square(v, height));
    let whole = square(height, width);
    if quadruple == 0 || quadruple >= whole {
        return (OUTSIDE, OUTSIDE);
    }
    let squared = (dft.rings as u128).pow(2) * quadruple;
    let ring = (squared.saturating_sub(1) / whole).isqrt();
    let angle = (u as f64 / height as f64).atan2(v as f64 / width as f64);
    let sectors = dft.sectors as f64;
    let sector = (sectors * angle / PI + 0.5).floor();
    let sector = if sectors == 0. { 0. } else { sector.rem_euclid(sectors) };
    (ring as u16, sector as u16)
}
