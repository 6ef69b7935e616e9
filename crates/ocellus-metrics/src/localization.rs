use crate::{Error, Result, auroc, check};

/// How well a map, such as an attention or a saliency map, finds a region that it was not told of.
///
/// Each figure stands beside what a map without any information would have.
///
/// | figure | what it asks | without information |
/// | --- | --- | --- |
/// | `energy` | how much of the map's sum lies in the region? | `area` |
/// | `peak` | does the map's maximum lie in the region? | `peak_chance` |
/// | `auroc` | does a pixel of the region have more than one outside? | 0.5 |
///
/// # Examples
///
/// ```
/// use ocellus_metrics::Localization;
///
/// // 2 rows of 3 pixels; the region is the right column.
/// let map = [0., 1., 5., 0., 3., 1.];
/// let region = [false, false, true, false, false, true];
/// let found = Localization::new(&map, &region, 3, 0.)?;
/// assert_eq!((found.energy, found.area), (Some(0.6), 1. / 3.));
/// assert_eq!((found.peak, found.peak_chance), (1., 1. / 3.));
/// assert_eq!(found.auroc, Some(6.5 / 8.));
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # References
///
/// 1. J. Zhang et al. *Top-down neural attention by excitation backprop.* ECCV 2016: the pointing
///    game. <https://arxiv.org/abs/1608.00507>
/// 2. H. Wang et al. *Score-CAM: Score-weighted visual explanations for convolutional neural
///    networks.* CVPR workshops 2020: its energy form. <https://arxiv.org/abs/1910.01279>
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Localization {
    /// The share of the map's sum that lies in the region; none for a map of zeros.
    pub energy: Option<f64>,
    /// The share of the pixels that lie in the region.
    pub area: f64,
    /// 1 if the map's maximum lies in the region or within the tolerance of it, else 0: the
    /// pointing game. Where several pixels share the maximum, the share of them that do.
    pub peak: f64,
    /// The share of the pixels that lie in the region or within the tolerance of it.
    pub peak_chance: f64,
    /// The area under the ROC of the pixels' values against the region; none where it is the whole
    /// image.
    pub auroc: Option<f64>,
}

impl Localization {
    /// Compares a map, row by row in rows of `width` values, with the `region` of the same size.
    ///
    /// `tolerance` is the distance in pixels, center to center, up to which the maximum counts as
    /// a hit.
    ///
    /// # Errors
    ///
    /// If the slices are empty or differ in length, `width` does not divide it, a value is
    /// negative or not finite, `tolerance` is, or the region is empty.
    ///
    /// # Complexity
    ///
    /// O(n log n + n t²) for n pixels and a tolerance of t.
    pub fn new(map: &[f64], region: &[bool], width: usize, tolerance: f64) -> Result<Self> {
        check::paired(("map", map), ("region", region))?;
        check::finite("map", map)?;
        if let Some(index) = map.iter().position(|&v| v < 0.) {
            let remedy = "give a map of 0 or more, such as the positive part of the evidence";
            return Err(Error::setting("the map", format!("{} at {index}", map[index]), remedy));
        }
        if width == 0 || !map.len().is_multiple_of(width) {
            let remedy = "give the length of a row, which divides the number of pixels";
            return Err(Error::setting("width", width, remedy));
        }
        if !tolerance.is_finite() || tolerance < 0. {
            let remedy = "give a distance in pixels, 0 or more";
            return Err(Error::setting("tolerance", tolerance, remedy));
        }
        let inside = region.iter().filter(|&&r| r).count();
        if inside == 0 {
            return Err(Error::undefined("localization", "the region has no pixel"));
        }
        let pixels = map.len() as f64;
        let within: f64 = map.iter().zip(region).filter(|(_, r)| **r).map(|(v, _)| v).sum();
        let sum: f64 = map.iter().sum();
        let near = dilated(region, width, tolerance);
        let highest = map.iter().copied().fold(0., f64::max);
        let peaks = || map.iter().zip(&near).filter(|(v, _)| **v == highest);
        let hits = peaks().filter(|(_, near)| **near).count();
        Ok(Self {
            energy: (sum > 0.).then(|| within / sum),
            area: inside as f64 / pixels,
            peak: hits as f64 / peaks().count() as f64,
            peak_chance: near.iter().filter(|&&n| n).count() as f64 / pixels,
            auroc: if inside < map.len() { Some(auroc(region, map)?) } else { None },
        })
    }
}

/// The pixels whose centers lie within `tolerance` of that of a pixel of the region.
fn dilated(region: &[bool], width: usize, tolerance: f64) -> Vec<bool> {
    let height = region.len() / width;
    let reach = (tolerance.min(region.len() as f64)).floor() as isize;
    let mut near = region.to_vec();
    for (i, _) in region.iter().enumerate().filter(|(_, r)| **r) {
        let (x, y) = ((i % width) as isize, (i / width) as isize);
        for down in -reach..=reach {
            for right in -reach..=reach {
                let (to_x, to_y) = (x + right, y + down);
                let close = ((right * right + down * down) as f64).sqrt() <= tolerance;
                let there =
                    (0..width as isize).contains(&to_x) && (0..height as isize).contains(&to_y);
                if close && there {
                    near[to_y as usize * width + to_x as usize] = true;
                }
            }
        }
    }
    near
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::golden::{self, close, flags, number, numbers};

    #[test]
    fn matches_numpy_scipy_and_scikit_learn() {
        for case in golden::read("localization")["cases"].as_array().unwrap() {
            let (map, region) = (numbers(&case["map"]), flags(&case["region"]));
            let width = case["width"].as_u64().unwrap() as usize;
            let found =
                Localization::new(&map, &region, width, number(&case["tolerance"])).unwrap();
            close(found.energy.unwrap(), number(&case["energy"]), 1e-12);
            close(found.area, number(&case["area"]), 1e-12);
            close(found.peak, number(&case["peak"]), 1e-12);
            close(found.peak_chance, number(&case["peak_chance"]), 1e-12);
            close(found.auroc.unwrap(), number(&case["auroc"]), 1e-12);
        }
    }

    #[test]
    fn a_constant_map_is_as_good_as_chance() {
        let region = [true, false, false, false, false, true];
        let found = Localization::new(&[0.3; 6], &region, 3, 1.).unwrap();
        close(found.energy.unwrap(), found.area, 1e-12);
        close(found.peak, found.peak_chance, 1e-12);
        assert_eq!(found.auroc, Some(0.5));
    }

    #[test]
    fn the_undefined_is_no_number() {
        let found = Localization::new(&[0.; 4], &[true, false, false, false], 2, 0.).unwrap();
        assert_eq!((found.energy, found.peak), (None, 0.25));
        let found = Localization::new(&[1., 2.], &[true, true], 2, 0.).unwrap();
        assert_eq!((found.auroc, found.area), (None, 1.));
        let message = |map: &[f64], region: &[bool], width, tolerance| {
            Localization::new(map, region, width, tolerance).unwrap_err().to_string()
        };
        let region = [true, false];
        assert!(message(&[1., 2.], &[false, false], 2, 0.).contains("no pixel"));
        assert!(message(&[1., -2.], &region, 2, 0.).contains("-2 at 1"));
        assert!(message(&[1., f64::NAN], &region, 2, 0.).contains("map[1] is NaN"));
        assert!(message(&[1.], &region, 2, 0.).contains("map has 1 entries, region has 2"));
        assert!(message(&[1., 2.], &region, 3, 0.).starts_with("width is 3"));
        assert!(message(&[1., 2.], &region, 0, 0.).starts_with("width is 0"));
        assert!(message(&[1., 2.], &region, 2, -1.).starts_with("tolerance is -1"));
    }

    proptest! {
        #[test]
        fn the_region_itself_is_the_best_map(
            region in prop::collection::vec(any::<bool>(), 12).prop_filter("both", |r| {
                r.contains(&true) && r.contains(&false)
            }),
            tolerance in 0. ..3.,
        ) {
            let map: Vec<f64> = region.iter().map(|&r| f64::from(u8::from(r))).collect();
            let found = Localization::new(&map, &region, 4, tolerance).unwrap();
            prop_assert_eq!((found.energy, found.peak, found.auroc), (Some(1.), 1., Some(1.)));
            prop_assert!(found.peak_chance >= found.area);
        }

        #[test]
        fn scaling_the_map_changes_nothing(
            pixels in prop::collection::vec((0u32..9, any::<bool>()), 12),
        ) {
            let (map, mut region): (Vec<f64>, Vec<bool>) =
                pixels.into_iter().map(|(v, r)| (f64::from(v), r)).unzip();
            region[5] = true;
            let larger: Vec<f64> = map.iter().map(|v| v * 8.).collect();
            prop_assert_eq!(
                Localization::new(&map, &region, 4, 1.),
                Localization::new(&larger, &region, 4, 1.)
            );
        }
    }
}
