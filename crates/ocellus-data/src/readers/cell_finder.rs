use rayon::prelude::*;

use crate::{
    CellCrop, DecodeConfig, Error, Result, Sample, SampleSet, image::components, raster::Window,
};

/// Makes single cells of fields whose cells are marked by masks: a sample for each connected region of
/// a mask, a [window](Sample::window) of its field. Cells that touch are one region.
///
/// The group of a cell is that of its field, or the field itself: a split keeps the cells of one field
/// together.
///
/// # Examples
///
/// ```
/// use ocellus_data::{CellFinder, Image, Sample, SampleSet};
///
/// let folder = tempfile::tempdir()?;
/// let (image, mask) = (folder.path().join("a.png"), folder.path().join("mask.png"));
/// let marked = |at: usize| f32::from([12, 13, 22, 23, 67].contains(&at));
/// for path in [&image, &mask] {
///     Image::new(1, 10, 10, (0..100).map(marked).collect())?.save_png(path)?;
/// }
/// let mut field = Sample::new(image, 0);
/// field.masks = vec![mask];
/// let fields = SampleSet::of_one_class(folder.path(), "MM", vec![field])?;
///
/// let cells = CellFinder::default().with_min_pixels(4).find(&fields)?;
/// assert_eq!(cells.len(), 1); // Of two regions one is too small.
/// assert_eq!(cells.name(&cells.samples[0]), "a.png#2x2+2+1");
/// assert_eq!(cells.samples[0].group.as_deref(), Some("a.png"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct CellFinder {
    /// Regions of fewer pixels are left out. 64 by default.
    pub min_pixels: usize,
    /// How a region becomes a window; `outside` does not matter here.
    pub crop: CellCrop,
}

impl Default for CellFinder {
    fn default() -> Self {
        Self { min_pixels: 64, crop: CellCrop::default() }
    }
}

impl CellFinder {
    /// Sets the least number of pixels.
    #[must_use]
    pub fn with_min_pixels(mut self, pixels: usize) -> Self {
        self.min_pixels = pixels;
        self
    }

    /// Sets how a region becomes a window.
    #[must_use]
    pub fn with_crop(mut self, crop: CellCrop) -> Self {
        self.crop = crop;
        self
    }

    /// The cells of all fields that have masks, which are read, with the default limits.
    ///
    /// # Errors
    ///
    /// If a mask cannot be read or does not hold its sample's window, or a class has no cells.
    pub fn find(&self, fields: &SampleSet) -> Result<SampleSet> {
        let cells = |field: &Sample| self.cells(fields, field);
        let found = fields.samples.par_iter().map(cells).collect::<Result<Vec<_>>>()?;
        let (root, samples) = (&fields.root, found.into_iter().flatten().collect());
        match &fields.classes[..] {
            [class] => SampleSet::of_one_class(root, class, samples),
            classes => SampleSet::new(root, classes.to_vec(), samples),
        }
    }

    fn cells(&self, fields: &SampleSet, field: &Sample) -> Result<Vec<Sample>> {
        let Some(mask) = field.read_mask(&DecodeConfig::default())? else { return Ok(Vec::new()) };
        let (mask, x, y) = match field.window {
            Some(window) => {
                let place = field.masks.first().unwrap_or(&field.path);
                let part = mask.window(window).map_err(|error| Error::decode(place, error))?;
                (part, window.x, window.y)
            }
            None => (mask, 0, 0),
        };
        let marked: Vec<bool> = mask.data().iter().map(|&value| value >= 0.5).collect();
        let group = field.group.clone().unwrap_or_else(|| fields.relative(&field.path));
        let mut cells = Vec::new();
        for region in components(&marked, mask.width()) {
            if region.len() >= self.min_pixels.max(1) {
                let size = (mask.height(), mask.width());
                let window = self.crop.window(region.into_iter(), size)?;
                let window =
                    Some(Window::new(window.x + x, window.y + y, window.width, window.height));
                cells.push(Sample { window, group: Some(group.clone()), ..field.clone() });
            }
        }
        // Two small regions may have one window.
        cells.dedup_by_key(|cell| cell.window);
        Ok(cells)
    }
}
