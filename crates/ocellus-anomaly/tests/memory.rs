//! The memory of a fit on a stream of features, whatever the number of images.
//!
//! ```sh
//! cargo test -p ocellus-anomaly --test memory -- --ignored --nocapture
//! ```

#![allow(clippy::print_stdout, reason = "the figures are what it is run for")]

use candle_core::{Device, Tensor};
use ocellus_anomaly::{
    Error, FeatureBatches, FeatureModel as _, FeatureSource, FitFeatures as _, Padim, PatchCore,
    Result,
};
use ocellus_cluster::{CoresetSize, GreedyCoreset};

/// Channels, height and width: a ResNet-18's first three layers at 224 × 224.
const SCALES: [(usize, usize, usize); 3] = [(64, 56, 56), (128, 28, 28), (256, 14, 14)];
const BATCH: usize = 8;

/// Features computed a batch at a time.
struct Stream {
    images: usize,
}

impl Stream {
    fn batch(first: usize) -> Result<Vec<Tensor>> {
        let of_scale = |(scale, &(c, h, w)): (usize, &(usize, usize, usize))| {
            let mut state = (first * 3 + scale) as u32 ^ 0x9E37_79B9;
            let values: Vec<f32> = (0..BATCH * c * h * w)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 8) as f32 / (1 << 24) as f32
                })
                .collect();
            Ok(Tensor::from_vec(values, (BATCH, c, h, w), &Device::Cpu)?)
        };
        SCALES.iter().enumerate().map(of_scale).collect()
    }
}

impl FeatureSource for Stream {
    fn pass(&self, _: u64) -> Result<FeatureBatches<'_>> {
        Ok(Box::new((0..self.images).step_by(BATCH).map(Self::batch)))
    }
}

/// Forgets the most memory that this process has had; Linux only.
fn forget_peak() -> Result<()> {
    std::fs::write("/proc/self/clear_refs", "5").map_err(Error::source)
}

/// The most memory that this process has had since, in MiB.
fn peak() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(Error::source)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().map_err(Error::source)?;
    Ok(kibibytes >> 10)
}

/// The peaks of fits on 32, 128 and 512 images.
fn peaks(name: &str, fit: impl Fn(&Stream) -> Result<()>) -> Result<[u64; 3]> {
    fit(&Stream { images: BATCH })?; // What is set up once does not count.
    let mut peaks = [0; 3];
    for (peak_of, images) in peaks.iter_mut().zip([32, 128, 512]) {
        forget_peak()?;
        fit(&Stream { images })?;
        *peak_of = peak()?;
        println!("{name}, {images} images: {peak_of} MiB");
    }
    Ok(peaks)
}

#[test]
#[ignore = "takes a minute; Linux only"]
fn the_peak_does_not_grow_with_the_number_of_images() -> Result<()> {
    let padim = peaks("PaDiM, 100 channels", |stream| Padim::new(100).fit(stream).map(drop))?;
    assert!(padim[2] <= padim[0] + padim[0] / 20, "{padim:?}");

    // Patches lie in a file; their projections, which are in memory, are the coreset's bound.
    let folder = tempfile::tempdir().map_err(Error::source)?;
    let coreset = GreedyCoreset::official(0.1).with_size(CoresetSize::Count(200));
    let settings = PatchCore::anomalib().with_coreset(coreset).with_folder(folder.path());
    let patchcore = peaks("PatchCore, 448 channels, patches in a file", |stream| {
        let model = settings.fit(stream)?;
        assert_eq!(model.scales().len(), 3);
        Ok(())
    })?;
    let (rows, dims) = (56 * 56 * (512 - 32), 128);
    let grown = patchcore[2].saturating_sub(patchcore[0]) << 20;
    let bound = (rows * (4 * dims + 9)) as u64;
    println!("PatchCore grew by {grown} bytes of {bound}");
    assert!(grown <= bound + (32 << 20), "{grown} bytes, more than {bound}");
    Ok(())
}
