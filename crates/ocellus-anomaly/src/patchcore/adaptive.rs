//! Patches of 3 × 3 places, their values averaged to a given number.

use rayon::prelude::*;

/// `out[i] = mean x[⌊i L / n⌋ .. ⌈(i + 1) L / n⌉]` for L values to n.
pub(super) fn adaptive_means(x: &[f32], out: &mut [f32]) {
    let (len, count) = (x.len(), out.len());
    for (i, out) in out.iter_mut().enumerate() {
        let bin = &x[i * len / count..((i + 1) * len).div_ceil(count)];
        *out = bin.iter().sum::<f32>() / bin.len() as f32;
    }
}

/// For each place of an image `(channels, height, width)`, the 9 values of each channel around it,
/// 0 beyond the edge, averaged to `dims`: `(dims, height, width)`.
pub(super) fn pooled_patches(
    image: &[f32],
    (channels, height, width): (usize, usize, usize),
    dims: usize,
) -> Vec<f32> {
    let places = height * width;
    let mut rows = vec![0f32; places * dims];
    let patch = || vec![0f32; channels * 9];
    rows.par_chunks_mut(dims).enumerate().for_each_init(patch, |patch, (place, row)| {
        let (y, x) = (place / width, place % width);
        for (plane, values) in image.chunks_exact(places).zip(patch.as_chunks_mut::<9>().0) {
            for (i, value) in values.iter_mut().enumerate() {
                let (y, x) = ((y + i / 3).wrapping_sub(1), (x + i % 3).wrapping_sub(1));
                *value = if y < height && x < width { plane[y * width + x] } else { 0. };
            }
        }
        adaptive_means(patch, row);
    });
    let mut planes = vec![0f32; places * dims];
    planes.par_chunks_mut(places).enumerate().for_each(|(dim, plane)| {
        for (value, row) in plane.iter_mut().zip(rows.chunks_exact(dims)) {
            *value = row[dim];
        }
    });
    planes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_overlap_where_they_must() {
        let mut out = [0.; 3];
        adaptive_means(&[1., 2., 3., 4., 5.], &mut out);
        assert_eq!(out, [1.5, 3., 4.5]);
        let mut out = [0.; 4];
        adaptive_means(&[1., 5.], &mut out);
        assert_eq!(out, [1., 1., 5., 5.]);
    }

    #[test]
    fn a_patch_has_zeros_beyond_the_edge() {
        // One channel, 2 × 2: each patch sees all four values.
        let pooled = pooled_patches(&[1., 2., 3., 4.], (1, 2, 2), 1);
        assert!(pooled.iter().all(|mean| (mean - 10. / 9.).abs() < 1e-6), "{pooled:?}");
        let pooled = pooled_patches(&[1., 2., 3., 4.], (1, 2, 2), 9);
        let place = |place: usize| (0..9).map(|dim| pooled[dim * 4 + place]).collect::<Vec<_>>();
        assert_eq!(place(0), [0., 0., 0., 0., 1., 2., 0., 3., 4.]);
        assert_eq!(place(3), [1., 2., 0., 3., 4., 0., 0., 0., 0.]);
    }
}
