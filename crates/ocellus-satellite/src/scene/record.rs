use std::path::PathBuf;

use ocellus_data::{PartWriter, Parts, TilePlan};

use super::classified::{Classified, NO_DATA};
use super::segmenter::{PieceSink, ScenePiece};
use crate::{Error, Result};

/// Keeps a segmented scene on disk, row of tiles by row of tiles, so that a killed run goes on where
/// it was.
///
/// # Examples
///
/// ```
/// use ocellus_data::raster::MemoryScene;
/// use ocellus_data::{Normalize, TileConfig};
/// use ocellus_satellite::{Record, SegmentConfig, Segmenter};
///
/// let values = (0..20 * 30).map(|n| if n % 30 < 10 { 255. } else { 0. }).collect();
/// let mut scene = MemoryScene::new(1, 20, 30, values)?;
/// let bright = |x: &candle_core::Tensor| candle_core::Tensor::cat(&[&(1. - x)?, x], 1);
/// let normalize = Normalize::constants(&[0.], &[255.])?;
/// let segmenter = Segmenter::new(&bright, 2, &normalize, SegmentConfig::new(TileConfig::new(8, 2)))?;
///
/// let root = tempfile::tempdir()?;
/// let plan = segmenter.plan(&scene)?;
/// let mut record = Record::open(root.path().join("parts"), plan, 2, "weights 1234")?;
/// segmenter.run(&mut scene, &mut record, &mut |_, _| {})?;
///
/// let first = record.read(0)?;
/// assert_eq!((first.rows(), first.classes()[9], first.classes()[10]), (0..6, 1, 0));
/// record.remove()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Record {
    parts: Parts,
    plan: TilePlan,
    classes: usize,
    /// The row of tiles that is being written.
    row: Option<PartWriter>,
}

impl Record {
    /// Takes up what is in the folder, or begins anew if there is none.
    ///
    /// `settings` is whatever else the result depends on, a line each: the scene, the weights. Size of
    /// the scene, tiles and classes are known.
    ///
    /// # Errors
    ///
    /// If what is there was made with other settings, or the folder cannot be read or written, or
    /// there are more than 255 classes.
    pub fn open(
        folder: impl Into<PathBuf>,
        plan: TilePlan,
        classes: usize,
        settings: &str,
    ) -> Result<Self> {
        if classes > usize::from(NO_DATA) {
            return Err(Error::Setting(format!("{classes} classes: at most 255 fit into a byte")));
        }
        let (height, width) = plan.scene();
        let settings = format!(
            "{height}×{width}\n{:?}\nclasses {classes}, by pieces\n{settings}",
            plan.config()
        );
        Ok(Self { parts: Parts::open(folder, &settings)?, plan, classes, row: None })
    }

    /// The rows of pixels that a row of tiles has finished.
    ///
    /// # Errors
    ///
    /// If it is not there yet, or damaged.
    pub fn read(&self, row: usize) -> Result<Classified> {
        let bytes = self.parts.read(row)?;
        let (rows, width) = (self.plan.finished(row), self.plan.scene().1);
        let mut whole = Classified::empty(rows, width, self.classes);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            rest = whole.paste(rest)?;
        }
        Ok(whole)
    }

    /// Whether the whole scene is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.parts.count() >= self.plan.row_count()
    }

    /// Removes it from the disk.
    ///
    /// # Errors
    ///
    /// If a file cannot be removed.
    pub fn remove(self) -> Result<()> {
        Ok(self.parts.remove()?)
    }
}

impl PieceSink for Record {
    fn finished_rows(&self) -> usize {
        self.parts.count()
    }

    fn piece(&mut self, piece: &ScenePiece) -> Result<()> {
        let rows = self.plan.finished(self.parts.count());
        let mut classified = Classified::empty(rows, piece.piece.width, self.classes);
        classified.fill(&piece.piece.values, &piece.valid);
        let mut row = match self.row.take() {
            Some(row) => row,
            None => self.parts.begin()?,
        };
        row.write(&(piece.piece.x as u64).to_le_bytes())?;
        row.write(classified.bytes())?;
        self.row = Some(row);
        Ok(())
    }

    fn row_finished(&mut self) -> Result<()> {
        if let Some(row) = self.row.take() {
            self.parts.add(row)?;
        }
        Ok(())
    }
}
