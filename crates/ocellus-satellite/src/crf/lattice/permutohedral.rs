use rayon::prelude::*;

use super::features::Features;
use super::neighbors::Neighbors;
use super::strip::{Cell, Pixels, ROWS};
use super::table::PointTable;

/// Points of a task.
const CHUNK: usize = 8192;

/// Approximates Σⱼ exp(−|fᵢ − fⱼ|² / 2) vⱼ over pixels with features of any number of dimensions d, in O(d²) a pixel to
/// build and O(d) to filter.
///
/// Values are splatted to the corners of the simplex that a pixel lies in, blurred by [½ 1 ½] along each axis,
/// and sliced at the same corners. Everything but values is computed once.
///
/// Sums are formed in an order that depends on the image alone: pixels within a cell, then cells within a point.
#[derive(Debug)]
pub(in crate::crf) struct Permutohedral {
    width: usize,
    /// What brings the lattice's kernel to the Gaussian's weight.
    gain: f32,
    strips: Vec<Vec<Cell>>,
    /// Values of all cells, strip by strip.
    local: Vec<f32>,
    /// Entries of `sources` of each point begin there.
    starts: Vec<u32>,
    /// Which entries of `local` belong to a point.
    sources: Vec<u32>,
    neighbors: Neighbors,
    values: Vec<f32>,
    spare: Vec<f32>,
}

impl Permutohedral {
    /// The lattice of an image, with room for that many channels.
    pub(in crate::crf) fn new(features: &Features, channels: usize) -> Self {
        let (height, width) = (features.block().height(), features.block().width());
        let rows: Vec<usize> = (0..height).step_by(ROWS).collect();
        let strips = rows.into_par_iter().map(|row| Cell::of_strip(features, row)).collect();
        let (strips, table) = number_points(strips, features.dims());
        let (starts, sources) = gather_sources(&strips, table.len());
        let cells = strips.iter().flatten().map(Cell::len).sum::<usize>();
        let points = table.len() + 1;
        Self {
            width,
            gain: gain(features.dims()),
            strips,
            local: vec![0.; cells * channels],
            starts,
            sources,
            neighbors: Neighbors::new(&table, features.dims()),
            values: vec![0.; points * channels],
            spare: vec![0.; points * channels],
        }
    }

    /// Filters `channels` values a pixel; the sums of a run of pixels are handed to `write` with
    /// the first pixel and those pixels' slice of `output`, which has `channels` values a pixel.
    pub(in crate::crf) fn filter(
        &mut self,
        channels: usize,
        input: Pixels,
        output: &mut [f32],
        write: impl Fn(usize, &[f32], &mut [f32]) + Sync,
    ) {
        self.splat(channels, input);
        self.gather(channels);
        self.neighbors.blur(channels, &mut self.values, &mut self.spare);
        self.slice(channels, output, write);
    }

    fn splat(&mut self, channels: usize, input: Pixels) {
        let strips = split(&self.strips, channels, &mut self.local);
        self.strips.par_iter().zip(strips).for_each(|(cells, mut local)| {
            for cell in cells {
                let (values, rest) = local.split_at_mut(cell.len() * channels);
                cell.splat(channels, input, values);
                local = rest;
            }
        });
    }

    /// Adds up what the cells have splatted to each point.
    fn gather(&mut self, channels: usize) {
        let (starts, sources, local) = (&self.starts, &self.sources, &self.local);
        let points = starts.len() - 1;
        let (values, missing) = self.values.split_at_mut(points * channels);
        missing.fill(0.);
        self.spare[points * channels..].fill(0.);
        values.par_chunks_mut(CHUNK * channels).enumerate().for_each(|(chunk, values)| {
            for (into, point) in values.chunks_exact_mut(channels).zip(chunk * CHUNK..) {
                into.fill(0.);
                for &source in &sources[starts[point] as usize..starts[point + 1] as usize] {
                    let from = &local[source as usize * channels..][..channels];
                    into.iter_mut().zip(from).for_each(|(into, from)| *into += from);
                }
            }
        });
    }

    fn slice(
        &mut self,
        channels: usize,
        output: &mut [f32],
        write: impl Fn(usize, &[f32], &mut [f32]) + Sync,
    ) {
        let (gain, values) = (self.gain, &self.values);
        let strip_pixels = ROWS * self.width;
        let strips = split(&self.strips, channels, &mut self.local);
        let outputs = output.par_chunks_mut(strip_pixels * channels);
        self.strips.par_iter().zip(strips).zip(outputs).enumerate().for_each_init(
            || vec![0.; Cell::longest_run() * channels],
            |sums, (strip, ((cells, local), output))| {
                for cell in cells {
                    let local = &mut local[..cell.len() * channels];
                    for (into, &point) in local.chunks_exact_mut(channels).zip(&cell.points) {
                        into.copy_from_slice(&values[point as usize * channels..][..channels]);
                    }
                    cell.slice(channels, gain, local, sums, |pixel, sums| {
                        let first = (pixel - strip * strip_pixels) * channels;
                        write(pixel, sums, &mut output[first..first + sums.len()]);
                    });
                }
            },
        );
    }
}

/// (4π/3)^(d/2) · √(d + 1) / 2^(d+1): what makes the lattice's kernel weigh as much as the Gaussian.
///
/// Blurring multiplies the sum by 2^(d+1). The Gaussian's integral is (2π)^(d/2) in features, which are
/// stretched by √(2/3) (d + 1), and a lattice point stands for a volume of (d + 1)^d / √(d + 1).
fn gain(dims: usize) -> f32 {
    let d = dims as f64;
    ((4. * std::f64::consts::PI / 3.).powf(d / 2.) * (d + 1.).sqrt() / 2f64.powf(d + 1.)) as f32
}

/// Each strip's part of the cells' values.
fn split<'a>(
    strips: &[Vec<Cell>],
    channels: usize,
    mut local: &'a mut [f32],
) -> Vec<&'a mut [f32]> {
    let mut parts = Vec::with_capacity(strips.len());
    for cells in strips {
        let length = cells.iter().map(Cell::len).sum::<usize>() * channels;
        let (part, rest) = local.split_at_mut(length);
        parts.push(part);
        local = rest;
    }
    parts
}

/// Numbers the points of all cells in the order of their first appearance.
fn number_points(strips: Vec<Vec<(Cell, Vec<i32>)>>, dims: usize) -> (Vec<Vec<Cell>>, PointTable) {
    let mut table = PointTable::new(dims);
    let mut number = |(mut cell, keys): (Cell, Vec<i32>)| {
        cell.points.extend(keys.chunks_exact(dims).map(|key| table.insert(key)));
        cell
    };
    let strips = strips.into_iter().map(|cells| cells.into_iter().map(&mut number).collect());
    (strips.collect(), table)
}

/// For each point, the entries of the cells' values that belong to it: a counting sort.
fn gather_sources(strips: &[Vec<Cell>], points: usize) -> (Vec<u32>, Vec<u32>) {
    let cells = || strips.iter().flatten();
    let mut starts = vec![0u32; points + 1];
    for &point in cells().flat_map(|cell| &cell.points) {
        starts[point as usize + 1] += 1;
    }
    for point in 0..points {
        starts[point + 1] += starts[point];
    }
    let mut next = starts.clone();
    let mut sources = vec![0; starts[points] as usize];
    let mut first = 0;
    for cell in cells() {
        for (source, &point) in (first..).zip(&cell.points) {
            let at = &mut next[point as usize];
            sources[*at as usize] = source;
            *at += 1;
        }
        first += cell.len() as u32;
    }
    (starts, sources)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crf::block::CrfBlock;

    /// A sine that looks like noise.
    fn wave(i: usize) -> f64 {
        ((i * 7919 % 10_007) as f64 * 0.731).sin()
    }

    /// An image of houses on a slope, and values to filter.
    fn scene(bands: usize, height: usize, width: usize) -> (Vec<f32>, Vec<f32>) {
        let pixels = height * width;
        let value = |i: usize| {
            let (y, x) = (i % pixels / width, i % width);
            let house = y / 9 % 2 == 1 && x / 11 % 2 == 0;
            let level = if house { 150. + 30. * (i / pixels) as f64 } else { 90. };
            (level + 0.4 * x as f64 + 5. * (wave(i) + wave(i + 31) + wave(3 * i + 7))) as f32
        };
        let input = (0..pixels).map(|i| 0.5 + 0.5 * wave(i + 5) as f32).collect();
        ((0..bands * pixels).map(value).collect(), input)
    }

    fn filter_exactly(features: &Features, values: &[f64]) -> Vec<f64> {
        let place = |pixel: usize| {
            let mut place = vec![0.; features.dims()];
            features.write(pixel, &mut place);
            place
        };
        let places: Vec<_> = (0..values.len()).map(place).collect();
        let sum = |a: &Vec<f64>| {
            let terms = places.iter().zip(values).map(|(b, value)| {
                let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
                (-0.5 * squares.sum::<f64>()).exp() * value
            });
            terms.sum::<f64>()
        };
        places.par_iter().map(sum).collect()
    }

    fn filter_fast(lattice: &mut Permutohedral, values: &[f64]) -> Vec<f64> {
        let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
        let mut output = vec![0.; values.len()];
        let scale = vec![1.; values.len()];
        let input = Pixels { values: &values, stride: 1, scale: &scale };
        lattice.filter(1, input, &mut output, |_, sums, row| row.copy_from_slice(sums));
        output.into_iter().map(f64::from).collect()
    }

    /// With symmetric normalization.
    fn filter_normalized(values: &[f64], filter: &mut dyn FnMut(&[f64]) -> Vec<f64>) -> Vec<f64> {
        let roots: Vec<f64> = filter(&vec![1.; values.len()]).iter().map(|n| n.sqrt()).collect();
        let scaled: Vec<f64> = values.iter().zip(&roots).map(|(v, root)| v / root).collect();
        filter(&scaled).iter().zip(&roots).map(|(v, root)| v / root).collect()
    }

    fn relative_error(actual: &[f64], expected: &[f64]) -> f64 {
        let error: f64 = actual.iter().zip(expected).map(|(a, e)| (a - e).powi(2)).sum();
        (error / expected.iter().map(|e| e * e).sum::<f64>()).sqrt()
    }

    #[test]
    fn normalized_sums_are_within_5_percent_of_the_exact_ones() {
        for bands in [1, 3, 4] {
            let (image, input) = scene(bands, 50, 54);
            let input: Vec<f64> = input.iter().map(|&v| f64::from(v)).collect();
            let block = CrfBlock::new(&image, bands, 50, 54).unwrap();
            for [position, value] in [[80., 13.], [20., 20.], [10., 30.]] {
                let features = Features::new(block, position, value).unwrap();
                let mut lattice = Permutohedral::new(&features, 1);
                let mut fast = |values: &[f64]| filter_fast(&mut lattice, values);
                let mut exact = |values: &[f64]| filter_exactly(&features, values);
                let raw = relative_error(&fast(&input), &exact(&input));
                let normalized = relative_error(
                    &filter_normalized(&input, &mut fast),
                    &filter_normalized(&input, &mut exact),
                );
                assert!(normalized < 0.05, "{bands} bands, θ {position}, {value}: {normalized}");
                assert!(raw < 0.4, "{bands} bands, θ {position}, {value}: {raw}");
            }
        }
    }

    #[test]
    fn channels_are_filtered_as_each_alone() {
        let (image, _) = scene(2, 40, 150);
        let block = CrfBlock::new(&image, 2, 40, 150).unwrap();
        let features = Features::new(block, 7., 20.).unwrap();
        for channels in 1..7 {
            let mut lattice = Permutohedral::new(&features, channels);
            let values: Vec<f32> = (0..6000 * channels).map(|i| wave(i) as f32).collect();
            let mut together = vec![0.; values.len()];
            let scale = vec![0.5; 6000];
            let input = Pixels { values: &values, stride: channels, scale: &scale };
            lattice
                .filter(channels, input, &mut together, |_, sums, row| row.copy_from_slice(sums));
            for channel in 0..channels {
                let mut alone = vec![0.; 6000];
                let input = Pixels { values: &values[channel..], stride: channels, scale: &scale };
                lattice.filter(1, input, &mut alone, |_, sums, row| row.copy_from_slice(sums));
                let same = together[channel..].iter().step_by(channels).eq(&alone);
                assert!(same, "channel {channel} of {channels}");
            }
        }
    }

    #[test]
    fn inside_a_cloud_sums_have_the_gaussians_weight() {
        let noise = |i: usize| (wave(i) + wave(i / 7)) as f32;
        let image: Vec<f32> = (0..9216).map(|i| 40. * noise(i)).collect();
        let block = CrfBlock::new(&image, 1, 96, 96).unwrap();
        let features = Features::new(block, 8., 10.).unwrap();
        let mut lattice = Permutohedral::new(&features, 1);
        let ones = vec![1.; 9216];
        let (fast, exact) = (filter_fast(&mut lattice, &ones), filter_exactly(&features, &ones));
        let inner = (30..66).flat_map(|y| (30..66).map(move |x| y * 96 + x));
        let inner = inner.filter(|&i| image[i].abs() < 30.);
        let (fast, exact): (Vec<f64>, Vec<f64>) = inner.map(|i| (fast[i], exact[i])).unzip();
        let ratio = fast.iter().sum::<f64>() / exact.iter().sum::<f64>();
        assert!((ratio - 1.).abs() < 0.02, "{ratio}");
    }
}
