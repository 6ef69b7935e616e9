use super::{
    LocatedCell, SmearCell, SmearScene,
    canvas::Canvas,
    cell::Cell,
    exposure::expose,
    layout::{Layout, scattered},
    slide::Slide,
};
use crate::{
    CellPart, Error, Example, Image, Resize, Result,
    random::Random,
    raster::Window,
    synthetic::{
        drawn::drawn_dataset,
        shares::{check_shares, spread},
    },
};

/// Draws smears of blood and bone marrow as Giemsa's and Leishman's stains show them: single cells, or
/// whole fields, with masks of nuclei and cytoplasm.
///
/// A pixel's light is what Beer and Lambert's law leaves of the lamp's behind nuclei, cytoplasm, red
/// cells, platelets and the film between them; then come uneven light, focus and noise. The kinds
/// differ in shape and texture ([`SmearCell`]), in overlapping ranges; stain, light and crowding vary
/// from slide to slide as much as real ones do, so that mean color does not tell the kinds apart. A
/// share of cells has the looks of another kind, so that even the best classifier errs. For trying
/// programs and for tests; what a model learns here says nothing about patients.
///
/// Images of one *slide* share its stain, as those of one patient do, and all have one kind: keep them
/// on one side of a split ([`groups`](SmearDataset::groups)). An image depends on all settings and its
/// index alone.
///
/// # Examples
///
/// ```
/// use ocellus_data::synthetic::{Smear, SmearCell};
///
/// let smear = Smear::new(48).with_seed(3);
/// let example = smear.example(5)?;
/// assert_eq!(example.image.dims(), (3, 48, 48));
/// assert_eq!(Some(smear.kind(5)), SmearCell::of_label(example.label));
///
/// let field = smear.field(0, 96, 128)?;
/// assert_eq!(field.nuclei.dims(), (1, 96, 128));
/// assert!(!field.cells.is_empty());
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Smear {
    /// Rows and columns of the image of a single cell.
    pub side: usize,
    /// Micrometers along that side. 20 by default; ALL-IDB2 has about 23.
    pub extent: f32,
    /// What all images are drawn from.
    pub seed: u64,
    /// Shares of lymphoblasts, plasma cells and lymphocytes among the slides; they need not sum to 1.
    /// As many of the first two by default, and none of the third.
    pub shares: [f32; 3],
    /// Share of cells that look like another kind. 0.04 by default.
    pub atypical: f32,
    /// Consecutive images of a slide. 4 by default.
    pub per_slide: usize,
}

/// Streams of draws.
const SLIDE: u64 = 0x5e3a_0001;
const CELL: u64 = 0x5e3a_0002;
const FIELD: u64 = 0x5e3a_0003;

/// Pixels a micrometer below which images are drawn twice as large.
const COARSE: f32 = 8.;

impl Smear {
    /// Single lymphoblasts and plasma cells on images of this side, seed 0.
    #[must_use]
    pub fn new(side: usize) -> Self {
        Self { side, extent: 20., seed: 0, shares: [1., 1., 0.], atypical: 0.04, per_slide: 4 }
    }

    /// Sets the micrometers along a side.
    #[must_use]
    pub fn with_extent(mut self, micrometers: f32) -> Self {
        self.extent = micrometers;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the shares of lymphoblasts, plasma cells and lymphocytes.
    #[must_use]
    pub fn with_shares(mut self, shares: [f32; 3]) -> Self {
        self.shares = shares;
        self
    }

    /// Sets the share of cells that look like another kind.
    #[must_use]
    pub fn with_atypical(mut self, share: f32) -> Self {
        self.atypical = share;
        self
    }

    /// Sets how many consecutive images are of one slide.
    #[must_use]
    pub fn with_per_slide(mut self, images: usize) -> Self {
        self.per_slide = images;
        self
    }

    /// The classes' names, by label: up to the last kind that has a share.
    #[must_use]
    pub fn classes(&self) -> Vec<String> {
        let count = if self.shares[2] > 0. { 3 } else { 2 };
        SmearCell::ALL[..count].iter().map(|kind| kind.name().to_owned()).collect()
    }

    /// The slide of an image.
    #[must_use]
    pub fn slide(&self, index: usize) -> usize {
        index / self.per_slide.max(1)
    }

    /// The kind of cell of an image. The shares hold in every run of slides, within one or two.
    #[must_use]
    pub fn kind(&self, index: usize) -> SmearCell {
        SmearCell::ALL[spread(&self.shares, self.slide(index))]
    }

    /// The label of an image: that of its kind.
    #[must_use]
    pub fn label(&self, index: usize) -> usize {
        self.kind(index).label()
    }

    /// Draws a single cell in the middle of an image, with the mask of the whole cell.
    ///
    /// # Errors
    ///
    /// As [`cell`](Self::cell).
    pub fn example(&self, index: usize) -> Result<Example> {
        let scene = self.cell(index)?;
        let mask = scene.mask(CellPart::Cell)?;
        Ok(Example::new(scene.image, self.label(index)).with_mask(mask))
    }

    /// Draws a single cell in the middle of an image, among red cells.
    ///
    /// # Errors
    ///
    /// If the side is below 16 or above 2048, the extent not from 12 to 200 µm, a share is negative or
    /// not finite, all are 0, or `per_slide` is 0.
    pub fn cell(&self, index: usize) -> Result<SmearScene> {
        self.check(self.side, self.side)?;
        let mut random = Random::keyed(self.seed, index as u64, 0, CELL);
        let middle = 0.5 * self.extent;
        let off = |random: &mut Random| middle + 0.05 * self.extent * random.symmetric();
        let center = (off(&mut random), off(&mut random));
        let atypical = random.chance(self.atypical);
        let cell = Cell::draw(&mut random, self.kind(index), atypical, center);
        self.scene(index, (self.side, self.side), vec![cell], &mut random)
    }

    /// Draws a whole field of that height and width, at the same pixels a micrometer as single cells:
    /// cells of the image's kind and some lymphocytes, among red cells.
    ///
    /// # Errors
    ///
    /// As [`cell`](Self::cell), of these sides.
    pub fn field(&self, index: usize, height: usize, width: usize) -> Result<SmearScene> {
        self.check(height, width)?;
        let mut random = Random::keyed(self.seed, index as u64, 0, FIELD);
        let scale = self.side as f32 / self.extent;
        let extent = (height as f32 / scale, width as f32 / scale);
        let cells = scattered(&mut random, self.kind(index), self.atypical, extent);
        self.scene(index, (height, width), cells, &mut random)
    }

    fn scene(
        &self,
        index: usize,
        (height, width): (usize, usize),
        cells: Vec<Cell>,
        random: &mut Random,
    ) -> Result<SmearScene> {
        let slide = self.slide(index) as u64;
        let slide = Slide::draw(&mut Random::keyed(self.seed, slide, 0, SLIDE));
        let scale = self.side as f32 / self.extent;
        let fine = if scale < COARSE { 2 } else { 1 };
        let mut canvas = Canvas::new((fine * height, fine * width), fine as f32 * scale);
        let layout = Layout::around(random, &slide, canvas.extent(), cells);
        layout.paint(&mut canvas, &slide);
        let plane = |values: &[f32]| {
            let fine = Image::new(1, canvas.height, canvas.width, values.to_vec())?;
            Resize::new(height, width).apply_mask(&fine)
        };
        let (nuclei, mut cytoplasm) = (plane(&canvas.nuclei)?, plane(&canvas.cells)?);
        for (cell, nucleus) in cytoplasm.data_mut().iter_mut().zip(nuclei.data()) {
            *cell = (*cell - nucleus).max(0.);
        }
        let image = expose(&mut canvas, &slide, (height, width), random)?;
        let mut cells: Vec<LocatedCell> = layout
            .cells
            .iter()
            .filter_map(|cell| {
                let window = located(cell, scale).intersection(Window::new(
                    0,
                    0,
                    width as u32,
                    height as u32,
                ))?;
                Some(LocatedCell { kind: cell.kind, window })
            })
            .collect();
        cells.sort_by_key(|cell| (cell.window.y, cell.window.x));
        Ok(SmearScene { image, nuclei, cytoplasm, cells })
    }

    fn check(&self, height: usize, width: usize) -> Result<()> {
        let fail = |message: String| Err(Error::Setting(format!("synthetic smears: {message}")));
        for side in [self.side, height, width] {
            if !(16..=2048).contains(&side) {
                return fail(format!("a side of {side}: give 16 to 2048"));
            }
        }
        if !(12. ..=200.).contains(&self.extent) {
            return fail(format!("`extent` is {} µm, give 12 to 200", self.extent));
        }
        if !(0. ..=1.).contains(&self.atypical) {
            return fail(format!("`atypical` is {}, give 0 to 1", self.atypical));
        }
        if self.per_slide == 0 {
            return fail("`per_slide` is 0, give 1 or more".to_owned());
        }
        check_shares(&self.shares, "kinds of cells")
    }
}

/// The box around a cell, cut at 0.
fn located(cell: &Cell, scale: f32) -> Window {
    let reach = cell.body.reach();
    let span = |at: f32| {
        let low = ((at - reach) * scale).floor().max(0.);
        let high = ((at + reach) * scale).ceil().max(0.);
        (low as u32, (high - low) as u32)
    };
    let ((x, width), (y, height)) = (span(cell.body.x), span(cell.body.y));
    Window::new(x, y, width, height)
}

drawn_dataset! {
    /// A number of single cells of [`Smear`].
    SmearDataset of Smear
}

impl SmearDataset {
    /// The slide of each image, for [`Splitter::with_groups`](crate::Splitter::with_groups).
    #[must_use]
    pub fn groups(&self) -> Vec<usize> {
        (0..self.labels().len()).map(|index| self.generator.slide(index)).collect()
    }
}
