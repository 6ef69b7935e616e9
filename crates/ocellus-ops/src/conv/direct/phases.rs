use crate::conv::geometry::Geometry;

/// The taps along a side that meet the pixels of x of one residue modulo the stride.
///
/// Pixel `stride · q + residue` of x meets pixel `q + first + j · dilation` of y with tap
/// `taps[j]`: a convolution at stride 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phase {
    /// The last tap first; there may be none, where the stride exceeds the kernel.
    pub(super) taps: Vec<usize>,
    pub(super) dilation: usize,
    /// Pixels of padding before y.
    pub(super) padding: usize,
}

impl Phase {
    fn after(&self) -> usize {
        (self.taps.len().saturating_sub(1) * self.dilation).saturating_sub(self.padding)
    }
}

/// The phases along a side of x.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Side {
    /// One for each residue modulo the stride.
    pub(super) phases: Vec<Phase>,
    /// Pixels of a phase, the same for all of them.
    pub(super) pixels: usize,
    /// How many of them lie before x: where the padding cuts off the begin of what y meets.
    pub(super) skipped: usize,
    /// Pixels of x.
    pub(super) size: usize,
    /// The most pixels before y that a phase meets, and the last that one meets from its pixel on.
    pub(super) before: usize,
    pub(super) after: usize,
}

impl Side {
    fn of(size: usize, kernel: usize, stride: usize, dilation: usize, padding: usize) -> Self {
        let mut phases = Vec::with_capacity(stride);
        let mut firsts = Vec::with_capacity(stride);
        for residue in 0..stride {
            let at = residue + padding;
            let taps: Vec<_> =
                (0..kernel).rev().filter(|k| k * dilation % stride == at % stride).collect();
            // Neighboring taps of a phase are equally far apart.
            let step = if let [a, b, ..] = taps[..] { (a - b) * dilation / stride } else { 1 };
            firsts.push(
                taps.first()
                    .map_or(0, |k| (at as isize - (k * dilation) as isize) / stride as isize),
            );
            phases.push(Phase { taps, dilation: step, padding: 0 });
        }
        let skipped = firsts.iter().copied().max().unwrap_or(0).max(0);
        for (phase, first) in phases.iter_mut().zip(firsts) {
            // Where there are no taps, nothing is met.
            phase.padding = if phase.taps.is_empty() { 0 } else { (skipped - first) as usize };
        }
        let skipped = skipped as usize;
        let before = phases.iter().map(|phase| phase.padding).max().unwrap_or(0);
        let after = phases.iter().map(Phase::after).max().unwrap_or(0);
        Self { phases, pixels: size.div_ceil(stride) + skipped, skipped, size, before, after }
    }

    /// The vertical and the horizontal phases of x.
    pub(super) fn both(g: &Geometry) -> [Self; 2] {
        let (p, k, s, d) = (g.padding, g.kernel, g.stride, g.dilation);
        [Self::of(g.input.0, k.0, s.0, d.0, p.top), Self::of(g.input.1, k.1, s.1, d.1, p.left)]
    }

    pub(super) fn stride(&self) -> usize {
        self.phases.len()
    }

    /// Where pixel `pixel` of the phase of a residue lies in x, if it does.
    pub(super) fn place(&self, pixel: usize, residue: usize) -> Option<usize> {
        let at = pixel.checked_sub(self.skipped)? * self.stride() + residue;
        (at < self.size).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(taps: &[usize], dilation: usize, padding: usize) -> Phase {
        Phase { taps: taps.to_vec(), dilation, padding }
    }

    #[test]
    fn taps_belong_to_the_residues_that_they_meet() {
        let side = Side::of(8, 4, 2, 1, 1);
        assert_eq!((side.pixels, side.skipped), (4, 0));
        assert_eq!(side.phases, [phase(&[3, 1], 1, 1), phase(&[2, 0], 1, 0)]);
        let side = Side::of(7, 3, 2, 1, 1);
        assert_eq!((side.pixels, side.skipped), (4, 0));
        assert_eq!(side.phases, [phase(&[1], 1, 0), phase(&[2, 0], 1, 0)]);
        let side = Side::of(5, 1, 2, 1, 0);
        assert_eq!(side.phases, [phase(&[0], 1, 0), phase(&[], 1, 0)]);
        // Every tap at the same residue: the dilation is a multiple of the stride.
        let side = Side::of(9, 3, 2, 4, 4);
        assert_eq!(side.phases, [phase(&[2, 1, 0], 2, 2), phase(&[], 1, 0)]);
        // Stride and dilation without a common divisor: every third tap.
        let side = Side::of(9, 5, 3, 2, 0);
        assert_eq!(side.phases, [phase(&[3, 0], 2, 2), phase(&[2], 1, 1), phase(&[4, 1], 2, 2)]);
    }

    #[test]
    fn padding_beyond_the_kernel_is_skipped() {
        let side = Side::of(5, 1, 2, 1, 3);
        assert_eq!((side.pixels, side.skipped), (5, 2));
        assert_eq!(side.phases, [phase(&[], 1, 0), phase(&[0], 1, 0)]);
        assert_eq!((side.place(1, 0), side.place(2, 1), side.place(4, 1)), (None, Some(1), None));
    }

    #[test]
    fn each_pixel_meets_what_the_definition_says() {
        for (kernel, stride, dilation, padding) in
            [(4, 2, 1, 1), (3, 2, 1, 1), (5, 3, 2, 4), (3, 4, 6, 1), (2, 3, 1, 5), (7, 1, 2, 20)]
        {
            let side = Side::of(30, kernel, stride, dilation, padding);
            for pixel in 0..side.pixels {
                for (residue, phase) in side.phases.iter().enumerate() {
                    let Some(x) = side.place(pixel, residue) else { continue };
                    let mut met = Vec::new();
                    for (j, &tap) in phase.taps.iter().enumerate() {
                        let y = (pixel + j * phase.dilation) as isize - phase.padding as isize;
                        met.push((tap, y * stride as isize));
                    }
                    let expected: Vec<_> = (0..kernel)
                        .rev()
                        .map(|k| (k, (x + padding) as isize - (k * dilation) as isize))
                        .filter(|&(_, y)| y % stride as isize == 0)
                        .collect();
                    assert_eq!(met, expected);
                }
            }
        }
    }
}
