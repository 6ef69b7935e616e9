use super::pixel_scores::{Bin, WHOLE};
use crate::{
    Error, OperatingPoint, Result,
    curves::{self, Step, Sweep},
};

/// What the scores of pixels tell at each threshold: see [`PixelScores`](crate::PixelScores).
///
/// A score at or above a threshold calls a pixel defective.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelCurve {
    sweep: Sweep,
    /// The mean over the regions of the share found, at each step.
    overlaps: Vec<f64>,
    regions: u64,
    rounded: bool,
}

/// The mean share of each defective region that is found, against the share of all normal pixels
/// that are taken for defects (global false positive rate).
///
/// It begins at (0, 0) and ends at the limit, to which it is interpolated.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OverlapCurve {
    /// Rising from 0 to the limit.
    pub false_positive_rates: Vec<f64>,
    /// The mean over the regions of the share found, rising.
    pub overlaps: Vec<f64>,
}

impl PixelCurve {
    /// `bins` rise with their scores.
    pub(super) fn new(bins: &[Bin], regions: u64, rounded: bool) -> Result<Self> {
        let (mut tp, mut fp, mut overlap) = (0, 0, 0);
        let mut overlaps = Vec::with_capacity(bins.len());
        let mut steps = Vec::with_capacity(bins.len());
        for bin in bins.iter().rev() {
            tp += bin.defective as usize;
            fp += bin.normal as usize;
            overlap += bin.overlap;
            // Rounded shares may sum to a hair more than the whole.
            overlaps.push((overlap as f64 / (WHOLE as f64 * regions as f64)).min(1.));
            steps.push(Step { threshold: bin.score(), tp, fp });
        }
        let lacks = |what: &str| {
            let reason = format!("there is no {what} pixel; add a map that has some");
            Err(Error::undefined("the curve of pixels", reason))
        };
        match (tp, fp) {
            (0, _) => lacks("defective"),
            (_, 0) => lacks("normal"),
            (positives, negatives) => {
                let sweep = Sweep { positives, negatives, steps };
                Ok(Self { sweep, overlaps, regions, rounded })
            }
        }
    }

    /// The number of connected defects.
    #[must_use]
    pub fn regions(&self) -> u64 {
        self.regions
    }

    /// The area under the ROC of all pixels: see [`auroc`](crate::auroc).
    #[must_use]
    pub fn auroc(&self) -> f64 {
        curves::area(&self.sweep)
    }

    /// How far the area of the scores before rounding may lie from [`auroc`](Self::auroc): half of
    /// the pairs of pixels that rounding made equal. 0 for exact scores.
    #[must_use]
    pub fn auroc_error(&self) -> f64 {
        if !self.rounded {
            return 0.;
        }
        let (mut tp, mut fp, mut pairs) = (0, 0, 0.);
        for step in &self.sweep.steps {
            pairs += (step.tp - tp) as f64 * (step.fp - fp) as f64;
            (tp, fp) = (step.tp, step.fp);
        }
        0.5 * pairs / (self.sweep.positives as f64 * self.sweep.negatives as f64)
    }

    /// Average precision of all pixels: see [`average_precision`](crate::average_precision).
    #[must_use]
    pub fn average_precision(&self) -> f64 {
        curves::mean_precision(&self.sweep)
    }

    /// The threshold of the greatest F-beta of pixels: see
    /// [`max_f_beta_threshold`](crate::max_f_beta_threshold).
    ///
    /// # Errors
    ///
    /// If `beta` is negative or not finite.
    pub fn max_f_beta(&self, beta: f64) -> Result<OperatingPoint> {
        curves::max_f_beta(&self.sweep, beta)
    }

    /// Per-region overlap (PRO) at a threshold: the mean over the defects of the share of their
    /// pixels at or above it.
    #[must_use]
    pub fn overlap_at(&self, threshold: f64) -> f64 {
        let found = self.sweep.steps.partition_point(|step| step.threshold >= threshold);
        found.checked_sub(1).map_or(0., |last| self.overlaps[last])
    }

    /// The curve of [`overlap_at`](Self::overlap_at) up to a false positive rate.
    ///
    /// # Errors
    ///
    /// If `limit` is not above 0, up to 1.
    pub fn overlap_curve(&self, limit: f64) -> Result<OverlapCurve> {
        if !(limit > 0. && limit <= 1.) {
            let remedy = "give a false positive rate above 0, up to 1, such as 0.3";
            return Err(Error::setting("the limit of the curve", limit, remedy));
        }
        let (mut rates, mut overlaps) = (vec![0.], vec![0.]);
        let (mut x, mut y) = (0., 0.);
        for (step, &to_y) in self.sweep.steps.iter().zip(&self.overlaps) {
            let to_x = step.fp as f64 / self.sweep.negatives as f64;
            if to_x > limit {
                rates.push(limit);
                overlaps.push(y + (to_y - y) * (limit - x) / (to_x - x));
                break;
            }
            (x, y) = (to_x, to_y);
            rates.push(x);
            overlaps.push(y);
        }
        Ok(OverlapCurve { false_positive_rates: rates, overlaps })
    }

    /// The area under the per-region overlap up to a false positive rate, divided by that rate.
    ///
    /// ```text
    /// AUPRO = 1/limit ∫ PRO d FPR,  FPR from 0 to limit                                [1]
    /// PRO(t) = mean over regions r of |{x ∈ r : s(x) ≥ t}| / |r|
    /// ```
    ///
    /// by the trapezoidal rule over all thresholds, with the end interpolated: MVTec's evaluation
    /// and anomalib's. The usual limit is 0.3. All regions count alike, whatever their size. Never
    /// above 1.
    ///
    /// # Errors
    ///
    /// If `limit` is not above 0, up to 1.
    ///
    /// # References
    ///
    /// 1. P. Bergmann et al. *The MVTec anomaly detection dataset.* IJCV 129 (2021).
    ///    <https://doi.org/10.1007/s11263-020-01400-4>
    pub fn aupro(&self, limit: f64) -> Result<f64> {
        Ok(self.overlap_curve(limit)?.area())
    }

    /// How far the area of the scores before rounding may lie from [`aupro`](Self::aupro). 0 for
    /// exact scores.
    ///
    /// # Errors
    ///
    /// If `limit` is not above 0, up to 1.
    pub fn aupro_error(&self, limit: f64) -> Result<f64> {
        let curve = self.overlap_curve(limit)?;
        if !self.rounded {
            return Ok(0.);
        }
        let boxes = boxes(&curve);
        // Where the curve was cut, all of the box may have lain before the cut.
        let whole = boxes.iter().map(|area| 0.5 * area).sum::<f64>();
        let cut = self.cut_box(limit);
        Ok((whole + cut) / limit)
    }

    /// The largest rectangle that the step across the limit can hide.
    fn cut_box(&self, limit: f64) -> f64 {
        let rate = |step: &Step| step.fp as f64 / self.sweep.negatives as f64;
        let within = self.sweep.steps.partition_point(|step| rate(step) <= limit);
        let Some(&beyond) = self.overlaps.get(within) else { return 0. };
        let (x, y) = match within.checked_sub(1) {
            Some(last) => (rate(&self.sweep.steps[last]), self.overlaps[last]),
            None => (0., 0.),
        };
        (limit - x) * (beyond - y)
    }
}

/// The rectangles around the steps of a curve.
fn boxes(curve: &OverlapCurve) -> Vec<f64> {
    let steps = curve.false_positive_rates.windows(2).zip(curve.overlaps.windows(2));
    steps.map(|(x, y)| (x[1] - x[0]) * (y[1] - y[0])).collect()
}

impl OverlapCurve {
    /// The area under the curve, divided by its last false positive rate.
    #[must_use]
    pub fn area(&self) -> f64 {
        let (x, y) = (&self.false_positive_rates, &self.overlaps);
        let slices = x.windows(2).zip(y.windows(2));
        let area: f64 = slices.map(|(x, y)| (x[1] - x[0]) * (y[0] + y[1]) / 2.).sum();
        (area / x.last().copied().unwrap_or(1.)).min(1.)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{
        Connectivity, PixelScores, auroc,
        golden::{self, close, flags, number, numbers},
    };

    fn gather(case: &serde_json::Value, mut pixels: PixelScores) -> PixelScores {
        let side = |name: &str| case[name].as_u64().unwrap() as usize;
        let (width, height) = (side("width"), side("height"));
        let maps: Vec<f32> = numbers(&case["maps"]).into_iter().map(|v| v as f32).collect();
        let masks = flags(&case["masks"]);
        for (map, mask) in maps.chunks(width * height).zip(masks.chunks(width * height)) {
            pixels.add(map, mask, width).unwrap();
        }
        pixels
    }

    #[test]
    fn matches_anomalib_torchmetrics_and_scikit_learn() {
        for case in golden::read("regions")["cases"].as_array().unwrap() {
            let curve = gather(case, PixelScores::exact()).into_curve().unwrap();
            close(curve.auroc(), number(&case["auroc"]), 1e-12);
            close(curve.auroc(), number(&case["auroc_torchmetrics"]), 1e-6);
            close(curve.average_precision(), number(&case["average_precision"]), 1e-12);
            let best = curve.max_f_beta(1.).unwrap();
            close(best.counts.f1().unwrap(), number(&case["f1_max"]["value"]), 1e-12);
            close(best.threshold, number(&case["f1_max"]["threshold"]), 0.);
            close(curve.aupro(0.3).unwrap(), number(&case["anomalib"]["aupro"]), 2e-6);
            close(curve.overlap_at(best.threshold), number(&case["anomalib"]["pro"]), 1e-6);
        }
    }

    #[test]
    fn matches_the_published_formula_with_either_connectivity() {
        for case in golden::read("regions")["cases"].as_array().unwrap() {
            for expected in case["aupro"].as_array().unwrap() {
                let connectivity = match expected["connectivity"].as_u64() {
                    Some(4) => Connectivity::Four,
                    _ => Connectivity::Eight,
                };
                let pixels = PixelScores::exact().with_connectivity(connectivity);
                let curve = gather(case, pixels).into_curve().unwrap();
                assert_eq!(curve.regions(), expected["regions"].as_u64().unwrap());
                let found = curve.aupro(number(&expected["limit"])).unwrap();
                close(found, number(&expected["value"]), 1e-12);
            }
        }
    }

    #[test]
    fn rounding_errs_by_no_more_than_it_says() {
        for case in golden::read("regions")["cases"].as_array().unwrap() {
            let exact = gather(case, PixelScores::exact()).into_curve().unwrap();
            assert_eq!((exact.auroc_error(), exact.aupro_error(0.3).unwrap()), (0., 0.));
            for bits in [0, 2, 4, 8, 12] {
                let pixels = PixelScores::rounded(bits).unwrap();
                let curve = gather(case, pixels).into_curve().unwrap();
                let off = (curve.auroc() - exact.auroc()).abs();
                assert!(off <= curve.auroc_error() + 1e-12, "{bits} bits: {off}");
                for limit in [0.05, 0.3, 1.] {
                    let off = (curve.aupro(limit).unwrap() - exact.aupro(limit).unwrap()).abs();
                    let bound = curve.aupro_error(limit).unwrap();
                    assert!(off <= bound + 1e-12, "{bits} bits to {limit}: {off} > {bound}");
                }
                if bits == 12 {
                    assert!(curve.auroc_error() < 1e-3 && curve.aupro_error(0.3).unwrap() < 1e-2);
                }
            }
        }
    }

    #[test]
    fn large_raw_scores_that_are_in_order_are_perfect() {
        let mut pixels = PixelScores::exact();
        let defect = [false, false, false, true, true, true];
        pixels.add(&[18., 20., 22., 25., 30., 41.], &defect, 6).unwrap();
        let curve = pixels.into_curve().unwrap();
        assert_eq!((curve.auroc(), curve.aupro(0.3).unwrap()), (1., 1.));
    }

    #[test]
    fn a_constant_map_finds_all_or_nothing() {
        let mut pixels = PixelScores::exact();
        pixels.add(&[3.; 4], &[true, false, false, false], 2).unwrap();
        let curve = pixels.into_curve().unwrap();
        assert_eq!((curve.auroc(), curve.overlap_at(3.), curve.overlap_at(3.1)), (0.5, 1., 0.));
        close(curve.aupro(0.3).unwrap(), 0.15, 1e-15);
        for limit in [0., -1., 1.1, f64::NAN] {
            assert!(curve.aupro(limit).is_err());
        }
        assert!(curve.max_f_beta(-1.).is_err());
    }

    proptest! {
        #[test]
        fn pixels_of_their_own_region_make_the_roc(
            pixels in prop::collection::vec((any::<bool>(), -5i8..5), 3..40),
        ) {
            // Every second pixel of a row is normal: each defect is a region of one pixel.
            let (mut map, mut mask) = (Vec::new(), Vec::new());
            for (defect, score) in &pixels {
                map.extend([f32::from(*score), -9.]);
                mask.extend([*defect, false]);
            }
            prop_assume!(mask.contains(&true));
            let mut scores = PixelScores::exact();
            scores.add(&map, &mask, map.len()).unwrap();
            let curve = scores.into_curve().unwrap();
            let wide: Vec<f64> = map.iter().map(|&v| v.into()).collect();
            let area = auroc(&mask, &wide).unwrap();
            prop_assert_eq!(curve.auroc(), area);
            prop_assert!((curve.aupro(1.).unwrap() - area).abs() < 1e-12);
        }

        #[test]
        fn the_area_lies_between_0_and_1_and_is_monotone_in_nothing_but_order(
            pixels in prop::collection::vec((any::<bool>(), -5i8..5), 12..=12),
            limit in 0.01..1.,
        ) {
            let (mask, scores): (Vec<bool>, Vec<i8>) = pixels.into_iter().unzip();
            prop_assume!(mask.contains(&true) && mask.contains(&false));
            let of = |f: &dyn Fn(f32) -> f32| {
                let mut pixels = PixelScores::exact();
                let map: Vec<f32> = scores.iter().map(|&s| f(s.into())).collect();
                pixels.add(&map, &mask, 4).unwrap();
                pixels.into_curve().unwrap().aupro(limit).unwrap()
            };
            let area = of(&|s| s);
            prop_assert!((0. ..=1.).contains(&area));
            prop_assert_eq!(area, of(&|s| (s / 3.).exp()));
        }
    }
}
