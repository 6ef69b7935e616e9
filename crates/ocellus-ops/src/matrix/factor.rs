/// Lines of a panel: two tiles of the matrix unit.
pub(super) const PANEL: usize = 32;

/// Terms of a step: pairs of bf16 fill a row of a tile.
pub(super) const STEP: usize = 32;

/// Where the images of a stack lie side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Images {
    /// The lines of one behind those of another.
    AlongLines,
    /// The terms of one behind those of another: the product adds them up.
    AlongDepth,
}

/// A factor of a product: lines (the rows of the left matrix, the columns of the right one) of
/// terms, of each image of a stack.
///
/// ```text
/// value(image, line, term) = values[image · image_step + line · steps.0 + term · steps.1]
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct Factor<'a> {
    pub(crate) values: &'a [f32],
    /// Of an image.
    pub(crate) lines: usize,
    /// Terms of a line of an image.
    pub(crate) depth: usize,
    /// From a line to the next, and from a term to the next; one of them is 1.
    pub(crate) steps: (usize, usize),
    pub(crate) images: usize,
    pub(crate) image_step: usize,
    pub(crate) stack: Images,
}

/// The part of a factor that becomes a tile: 16 lines, a step deep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Where its first value lies.
    pub(super) start: usize,
    /// Lines that there are, at most 16.
    pub(super) lines: usize,
    /// Terms that there are, at most [`STEP`].
    pub(super) depth: usize,
}

impl<'a> Factor<'a> {
    /// A matrix alone, whose lines lie one behind the other (`depth` values each), or whose terms do.
    pub(crate) fn matrix(values: &'a [f32], lines: usize, depth: usize, across: bool) -> Self {
        let steps = if across { (1, lines) } else { (depth, 1) };
        let stack = Images::AlongLines;
        Self { values, lines, depth, steps, images: 1, image_step: lines * depth, stack }
    }

    /// Panels of lines; those of an image are its own.
    pub(super) fn panels(&self) -> usize {
        self.panels_of_image() * self.times(Images::AlongLines)
    }

    pub(super) fn panels_of_image(&self) -> usize {
        self.lines.div_ceil(PANEL)
    }

    /// Steps of terms; those of an image are its own.
    pub(super) fn steps_deep(&self) -> usize {
        self.depth.div_ceil(STEP) * self.times(Images::AlongDepth)
    }

    fn times(&self, stack: Images) -> usize {
        if self.stack == stack { self.images } else { 1 }
    }

    /// Whether neighboring lines lie side by side, not neighboring terms.
    pub(super) fn is_across(&self) -> bool {
        self.steps.1 != 1
    }

    /// The image and the first line of a panel, and how many lines it has.
    pub(super) fn place(&self, panel: usize) -> (usize, usize, usize) {
        let first = panel % self.panels_of_image() * PANEL;
        (panel / self.panels_of_image(), first, PANEL.min(self.lines - first))
    }

    /// Half a panel (0 or 1), a step deep.
    pub(super) fn piece(&self, panel: usize, half: usize, step: usize) -> Piece {
        let (image, line, lines) = self.place(panel);
        let steps = self.depth.div_ceil(STEP);
        let (image, term) = (image + step / steps, step % steps * STEP);
        let lines = lines.saturating_sub(16 * half).min(16);
        let start =
            image * self.image_step + (line + 16 * half) * self.steps.0 + term * self.steps.1;
        Piece { start, lines, depth: STEP.min(self.depth - term) }
    }

    /// Panics if a value lies beyond the end: what the unchecked copies rely on.
    pub(super) fn assert_within(&self) {
        let last = |count: usize, step: usize| count.saturating_sub(1) * step;
        let end = last(self.images, self.image_step)
            + last(self.lines, self.steps.0)
            + last(self.depth, self.steps.1);
        assert!(self.steps.0 == 1 || self.steps.1 == 1);
        assert!(self.lines > 0 && self.depth > 0 && self.images > 0 && end < self.values.len());
    }
}
