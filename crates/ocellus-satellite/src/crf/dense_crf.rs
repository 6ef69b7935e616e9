use super::block::CrfBlock;
use super::{exact, fast, probabilities};
use crate::{Error, Result};

/// Refines a segmentation by a fully connected conditional random field.
///
/// Every pair of pixels is asked to agree, the more so the nearer they lie and the more alike they look:
///
/// ```text
/// E(x) = Σᵢ −ln p(xᵢ)  +  Σ_{i<j} μ(xᵢ, xⱼ) · ( w₁ k̂₁(i, j) + w₂ k̂₂(i, j) )
///
/// k₁(i, j) = exp(−|posᵢ − posⱼ|² / 2θα² − |Iᵢ − Iⱼ|² / 2θβ²)      appearance
/// k₂(i, j) = exp(−|posᵢ − posⱼ|² / 2θγ²)                         smoothness
/// ```
///
/// with the kernels normalized (k̂, see [`KernelNormalization`]) and solved by mean field, all pixels
/// at once, starting from the network's probabilities:
///
/// ```text
/// Qᵢ(l) ∝ p(l) · exp(− Σ_l′ μ(l, l′) Σⱼ (w₁ k̂₁(i, j) + w₂ k̂₂(i, j)) Qⱼ(l′))
/// ```
///
/// Settings are plain data, so a program can search for the best on validation images. Those by default
/// suit 8-bit photographs: `appearance_value` is a standard deviation in the image's own units.
///
/// # Three paths
///
/// [`refine_exact`](Self::refine_exact) computes all sums over pairs in `f64`. [`refine`](Self::refine) takes
/// linear time: the smoothness kernel is a separable convolution cut off at 5θγ, where a lattice would be off by
/// several percent; the appearance kernel is summed as [`AppearanceFilter`] says, by landmarks by default.
///
/// Where classes lie one to three θβ apart and weights are large, mean field is bistable, and a whole object may tip over by an
/// error of a few percent. In four such cases (2,496 pixels, three classes 40 gray levels apart; the first and the last row are
/// tested, the others were tried in a prototype), the relative L2 error of the sums without and with symmetric normalization, and the
/// labels that are the exact ones:
///
/// | filter | error, plain | error, normalized | labels agree |
/// | --- | ---: | ---: | ---: |
/// | lattice | 8 to 29 % | 2.1 to 3.1 % | 96.9 to 98.2 % |
/// | mean of 4 shifted lattices | 7 to 27 % | 1.2 to 2.1 % | 96.2 to 99.5 % |
/// | mean of 8 | 7 to 26 % | 1.0 to 1.8 % | 96.5 to 99.3 % |
/// | lattice with all neighbors of its points | 6 to 21 % | 1.3 to 2.0 % | 93.5 to 98.6 % |
/// | finer lattice, blurred twice | — | 3.7 to 4.7 % | 95.7 to 98.0 % |
/// | **landmarks** | 0.5 to 1.7 % | 0.2 to 0.5 % | 99.7 to 100 % |
///
/// A lattice loses what would pass through points that do not exist, and a finer one has fewer neighbors still. Landmarks
/// lose what they do not tell: 5 to 162 were enough here. Where noise beyond θβ fills four bands, 256 are not, and their normalized
/// sums are off by 1.7 % (the lattice's by 2.5 %).
///
/// # Scenes
///
/// A scene is refined by blocks that overlap by [`margin`](Self::margin) on each side, of which the
/// inner part is kept; [`CrfBlock::with_origin`] makes blocks share one grid or lattice.
///
/// # Examples
///
/// A field of two halves, with one pixel misjudged:
///
/// ```
/// use ocellus_satellite::{CrfBlock, DenseCrf};
///
/// let left = |i: usize| i % 8 < 4;
/// let image: Vec<f32> = (0..64).map(|i| if left(i) { 40. } else { 200. }).collect();
/// let mut building: Vec<f32> = (0..64).map(|i| if left(i) { 0.3 } else { 0.7 }).collect();
/// building[26] = 0.6;
/// let probabilities: Vec<f32> = building.iter().map(|p| 1. - p).chain(building.clone()).collect();
///
/// let block = CrfBlock::new(&image, 1, 8, 8)?;
/// let refined = DenseCrf::default().refine(&probabilities, &block)?;
/// assert!((0..64).all(|i| (refined[64 + i] < 0.5) == left(i)));
/// # Ok::<(), ocellus_satellite::Error>(())
/// ```
///
/// # Deviations
///
/// The sums run over all j, i included, as in the authors' code; the paper's leave i out. That code filters both
/// kernels on a lattice.
///
/// # References
///
/// \[1\] P. Krähenbühl, V. Koltun, "Efficient inference in fully connected CRFs with Gaussian edge
/// potentials", NIPS 2011.
/// \[2\] A. Adams, J. Baek, M. A. Davis, "Fast high-dimensional filtering using the permutohedral lattice",
/// Eurographics 2010.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DenseCrf {
    /// w₁, 10 by default. 0 leaves the kernel out.
    pub appearance_weight: f64,
    /// θα in pixels, 80 by default.
    pub appearance_position: f64,
    /// θβ in the image's units, 13 by default.
    pub appearance_value: f64,
    /// w₂, 3 by default. 0 leaves the kernel out.
    pub smoothness_weight: f64,
    /// θγ in pixels, 3 by default.
    pub smoothness_position: f64,
    /// μ, Potts by default.
    pub compatibility: Compatibility,
    /// Symmetric by default.
    pub normalization: KernelNormalization,
    /// How [`refine`](Self::refine) sums the appearance kernel, by 256 landmarks at most by default.
    pub filter: AppearanceFilter,
    /// Mean-field steps, 10 by default.
    pub iterations: usize,
    /// Smaller probabilities are raised to it, 1e-5 by default: no network's verdict is final.
    pub min_probability: f64,
}

/// What it costs that two alike pixels bear different labels.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Compatibility {
    /// 1 for any two different labels, 0 for equal ones.
    Potts,
    /// A symmetric matrix `(classes, classes)` of costs, row by row.
    Matrix(Vec<f64>),
}

/// How the kernels are scaled by their sums nᵢ = Σⱼ k(i, j), so that a weight means the same on any image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KernelNormalization {
    /// k, as it stands.
    None,
    /// k(i, j) / nⱼ.
    Before,
    /// k(i, j) / nᵢ.
    After,
    /// k(i, j) / √(nᵢ nⱼ).
    Symmetric,
}

/// How sums of the appearance kernel are approximated in linear time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppearanceFilter {
    /// Colors in terms of a few landmarks among them, positions on a coarse grid: `most` landmarks at
    /// most, fewer where they tell all colors.
    Landmarks {
        /// At least 1; memory is 4 bytes a pixel for each of those in use.
        most: usize,
    },
    /// A permutohedral lattice in all dimensions, as in the authors' code.
    Lattice,
}

impl Default for DenseCrf {
    fn default() -> Self {
        Self {
            appearance_weight: 10.,
            appearance_position: 80.,
            appearance_value: 13.,
            smoothness_weight: 3.,
            smoothness_position: 3.,
            compatibility: Compatibility::Potts,
            normalization: KernelNormalization::Symmetric,
            filter: AppearanceFilter::Landmarks { most: 256 },
            iterations: 10,
            min_probability: 1e-5,
        }
    }
}

impl DenseCrf {
    /// Sets w₁, θα in pixels and θβ in the image's units.
    #[must_use]
    pub fn with_appearance(mut self, weight: f64, position: f64, value: f64) -> Self {
        self.appearance_weight = weight;
        self.appearance_position = position;
        self.appearance_value = value;
        self
    }

    /// Sets w₂ and θγ in pixels.
    #[must_use]
    pub fn with_smoothness(mut self, weight: f64, position: f64) -> Self {
        self.smoothness_weight = weight;
        self.smoothness_position = position;
        self
    }

    /// Sets μ.
    #[must_use]
    pub fn with_compatibility(mut self, compatibility: Compatibility) -> Self {
        self.compatibility = compatibility;
        self
    }

    /// Sets how kernels are normalized.
    #[must_use]
    pub fn with_normalization(mut self, normalization: KernelNormalization) -> Self {
        self.normalization = normalization;
        self
    }

    /// Sets how the appearance kernel is summed.
    #[must_use]
    pub fn with_filter(mut self, filter: AppearanceFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets the number of mean-field steps.
    #[must_use]
    pub fn with_iterations(mut self, iterations: usize) -> Self {
        self.iterations = iterations;
        self
    }

    /// Sets the least probability that is believed.
    #[must_use]
    pub fn with_min_probability(mut self, min_probability: f64) -> Self {
        self.min_probability = min_probability;
        self
    }

    /// The overlap, in pixels on each side, with which blocks of a scene are refined: 3 standard deviations
    /// of the wider kernel in use, but 32 at least.
    ///
    /// A pixel that far inside a block misses 0.1 % of its kernel's sum in a direction, directly; what reaches it
    /// through other pixels, step by step, is weaker. Probabilities inside then are within 0.02 of the whole scene's (tested).
    #[must_use]
    pub fn margin(&self) -> usize {
        let appearance = if self.appearance_weight > 0. { self.appearance_position } else { 0. };
        let smoothness = if self.smoothness_weight > 0. { self.smoothness_position } else { 0. };
        ((3. * appearance.max(smoothness)).ceil() as usize).max(32)
    }

    /// Refines probabilities in linear time.
    ///
    /// Same input, same bits, at any number of threads.
    ///
    /// # Shapes
    ///
    /// `probabilities` and the result are `(classes, height, width)` with two classes or more, a distribution
    /// at each pixel of the block.
    ///
    /// # Errors
    ///
    /// If a setting is wrong ([`check`](Self::check)), sizes do not match, probabilities or image hold
    /// what they must not (outside of the mask), or the image spans so many θ that coordinates overflow.
    ///
    /// # Complexity
    ///
    /// For N pixels, C classes, d = 2 + bands, with R landmarks: O(N R (R + d)) once, then O(C N R) a step, and
    /// 4 N (R + C) bytes and a little. R depends on the colors, not on N, and is 256 at most by default.
    ///
    /// With M lattice points (M ≤ (d + 1) N; on images M < N is usual, on noise
    /// that exceeds θβ it is not): O(N d²) once, then O(C (N (d + θγ) + M d)) a step. Memory in bytes is about
    /// N (24 C + 6 d + 30) + M (12 C + 16 d + 60): 1024² pixels of four bands
    /// and two classes took 107, 136 and 301 MB with noise of deviation 2.5, 7.5 and 20 at θβ = 13. Pixels keep
    /// numbers and weights of their d + 1 corners (6 bytes each), points their 2 (d + 1) neighbors; nothing of that size is
    /// allocated in a step.
    pub fn refine(&self, probabilities: &[f32], block: &CrfBlock) -> Result<Vec<f32>> {
        let classes = self.check_input(probabilities, block)?;
        fast::refine(self, probabilities, classes, block)
    }

    /// Refines probabilities by summing over all pairs of pixels in `f64`: the reference that
    /// [`refine`](Self::refine) is measured against, for images of a few thousand pixels.
    ///
    /// # Shapes
    ///
    /// Those of [`refine`](Self::refine).
    ///
    /// # Errors
    ///
    /// Those of [`refine`](Self::refine), but for the lattice's.
    ///
    /// # Complexity
    ///
    /// O(N² (C + d)) a step for N pixels, O(N) memory.
    pub fn refine_exact(&self, probabilities: &[f32], block: &CrfBlock) -> Result<Vec<f32>> {
        let classes = self.check_input(probabilities, block)?;
        Ok(exact::refine(self, probabilities, classes, block))
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    ///
    /// If a weight is negative or not finite, a θ is not positive and finite, the least probability is not
    /// above 0 and at most 0.5, no landmark is allowed, or the matrix is not square, finite and symmetric.
    pub fn check(&self) -> Result<()> {
        let weights = [
            ("appearance_weight", self.appearance_weight),
            ("smoothness_weight", self.smoothness_weight),
        ];
        if let Some((name, weight)) = weights.iter().find(|(_, w)| !(w.is_finite() && *w >= 0.)) {
            return Err(Error::Setting(format!(
                "{name} is {weight}: a weight must be finite and not negative"
            )));
        }
        let deviations = [
            ("appearance_position", self.appearance_position),
            ("appearance_value", self.appearance_value),
            ("smoothness_position", self.smoothness_position),
        ];
        if let Some((name, theta)) = deviations.iter().find(|(_, t)| !(t.is_finite() && *t > 0.)) {
            return Err(Error::Setting(format!(
                "{name} is {theta}: a standard deviation must be positive and finite; \
                 to leave a kernel out, set its weight to 0"
            )));
        }
        if !(self.min_probability > 0. && self.min_probability <= 0.5) {
            return Err(Error::Setting(format!(
                "min_probability is {}: it must be above 0 and at most 0.5",
                self.min_probability
            )));
        }
        if self.filter == (AppearanceFilter::Landmarks { most: 0 }) {
            return Err(Error::Setting("0 landmarks tell no color: allow 1 at least".into()));
        }
        match &self.compatibility {
            Compatibility::Potts => Ok(()),
            Compatibility::Matrix(matrix) => check_matrix(matrix),
        }
    }

    /// Checks everything; the number of classes.
    fn check_input(&self, probabilities: &[f32], block: &CrfBlock) -> Result<usize> {
        self.check()?;
        block.check()?;
        let classes = probabilities::check(probabilities, block)?;
        match &self.compatibility {
            Compatibility::Matrix(matrix) if matrix.len() != classes * classes => {
                Err(Error::Shape(format!(
                    "the compatibility matrix has {} entries, expected {classes}×{classes} for {classes} classes",
                    matrix.len()
                )))
            }
            _ => Ok(classes),
        }
    }
}

fn check_matrix(matrix: &[f64]) -> Result<()> {
    let classes = matrix.len().isqrt();
    if classes * classes != matrix.len() {
        return Err(Error::Setting(format!(
            "the compatibility matrix has {} entries, which is no square: give classes × classes",
            matrix.len()
        )));
    }
    for (at, &cost) in matrix.iter().enumerate() {
        let (row, column) = (at / classes, at % classes);
        if !cost.is_finite() {
            return Err(Error::Setting(format!(
                "the compatibility of labels {row} and {column} is {cost}: give a finite cost"
            )));
        }
        let mirrored = matrix[column * classes + row];
        if cost != mirrored {
            return Err(Error::Setting(format!(
                "the compatibility of labels {row} and {column} is {cost}, that of {column} and {row} is \
                 {mirrored}: pairs have no direction, make the matrix symmetric"
            )));
        }
    }
    Ok(())
}
