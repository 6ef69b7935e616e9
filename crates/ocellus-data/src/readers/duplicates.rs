use rayon::prelude::*;

use crate::{DecodeConfig, Error, Filter, Image, Resize, Result, Sample, SampleSet, split::Joined};

/// Finds images that show nearly the same, so that a split does not part them.
///
/// The image is shrunk to 16 rows of 17 gray pixels; each bit of its hash says whether a pixel is
/// darker than its right neighbor ("dHash", 256 bits). Two images are near duplicates if at most
/// `max_distance` bits differ, and what is a duplicate of a duplicate is in the same group. Scaling,
/// compression and brightness hardly change the hash; cropping, mirroring and turning do.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Image, NearDuplicates};
///
/// let picture = |a: usize| {
///     Image::new(1, 40, 40, (0..1600).map(|i| (i * a % 97) as f32 / 97.).collect())
/// };
/// let images = [picture(13)?, picture(29)?, picture(13)?];
/// let finder = NearDuplicates::default();
/// assert_eq!(finder.groups(&images)?, [[0, 2]]);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// # Complexity
///
/// O(n²) comparisons of 32 bytes: a second for 20,000 images, after decoding them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NearDuplicates {
    /// The most of the 256 bits that may differ.
    pub max_distance: u32,
}

impl Default for NearDuplicates {
    /// At most 12 of 256 bits, as the published cleaning of BUSI.
    fn default() -> Self {
        Self { max_distance: 12 }
    }
}

impl NearDuplicates {
    /// Sets the most bits that may differ.
    #[must_use]
    pub fn with_max_distance(mut self, bits: u32) -> Self {
        self.max_distance = bits;
        self
    }

    /// The groups among the images of a set: indices, each group of two or more, sorted.
    ///
    /// [`SampleSet::with_groups_joined`] takes them.
    ///
    /// # Errors
    ///
    /// If an image cannot be read.
    pub fn find(&self, set: &SampleSet) -> Result<Vec<Vec<usize>>> {
        let hash = |sample: &Sample| hash(&sample.read(&DecodeConfig::default())?);
        let hashes = set.samples.par_iter().map(hash).collect::<Result<Vec<_>>>()?;
        Ok(self.group(&hashes))
    }

    /// The groups among images in memory.
    ///
    /// # Errors
    ///
    /// If an image has neither one nor three channels.
    pub fn groups(&self, images: &[Image]) -> Result<Vec<Vec<usize>>> {
        Ok(self.group(&images.iter().map(hash).collect::<Result<Vec<_>>>()?))
    }

    fn group(&self, hashes: &[Hash]) -> Vec<Vec<usize>> {
        let mut joined = Joined::new(hashes.len());
        for (i, a) in hashes.iter().enumerate() {
            for (j, b) in hashes[..i].iter().enumerate() {
                let distance: u32 = a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum();
                if distance <= self.max_distance {
                    joined.join(i, j);
                }
            }
        }
        joined.groups().into_iter().filter(|group| group.len() > 1).collect()
    }
}

type Hash = [u64; 4];

fn hash(image: &Image) -> Result<Hash, Error> {
    let small = Resize::new(16, 17).with_filter(Filter::Bilinear).apply(&image.to_gray()?)?;
    let mut hash = [0; 4];
    for (y, row) in small.data().chunks_exact(17).enumerate() {
        for (x, pair) in row.windows(2).enumerate() {
            let bit = y * 16 + x;
            hash[bit / 64] |= u64::from(pair[0] < pair[1]) << (bit % 64);
        }
    }
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(seed: u64) -> Image {
        let mut random = crate::random::Random::keyed(seed, 0, 0, 0);
        let coarse = (0..64).map(|_| random.unit()).collect();
        let coarse = Image::new(1, 8, 8, coarse).unwrap();
        Resize::new(80, 90).with_filter(Filter::Interpolate).apply(&coarse).unwrap()
    }

    #[test]
    fn sees_through_scale_brightness_and_noise() {
        let original = picture(1);
        let smaller = Resize::new(61, 66).apply(&original).unwrap();
        let mut darker = original.clone();
        let mut random = crate::random::Random::keyed(9, 0, 0, 0);
        darker.data_mut().iter_mut().for_each(|v| *v = 0.6 * *v + 0.01 * random.unit());
        let images = [original, picture(2), smaller, darker.to_rgb().unwrap(), picture(3)];
        assert_eq!(NearDuplicates::default().groups(&images).unwrap(), [[0, 2, 3]]);
    }

    #[test]
    fn distance_0_still_joins_equal_images() {
        let images = [picture(1), picture(2), picture(1), picture(2)];
        let found = NearDuplicates::default().with_max_distance(0).groups(&images).unwrap();
        assert_eq!(found, [[0, 2], [1, 3]]);
    }
}
