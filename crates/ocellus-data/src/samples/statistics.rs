use rayon::prelude::*;

use crate::{ChannelStatistics, IGNORED, LabeledScene, Regions, Result, raster::Window};

/// Side of the pieces that are counted at a time.
const PIECE: u32 = 512;

impl ChannelStatistics {
    /// The statistics of a scene's bands, read piece by piece in parallel; the same at any thread
    /// count. Pixels in `except` (validation, or all that is evaluated) and ignored ones do not
    /// count.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::{ChannelStatistics, synthetic::Landscape};
    ///
    /// let statistics = ChannelStatistics::of_scene(&Landscape::new(100, 80, 3), None)?;
    /// assert!(statistics.std().iter().all(|&deviation| deviation > 1.)); // Digital numbers.
    /// # Ok::<(), ocellus_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the scene cannot be read.
    pub fn of_scene(scene: &dyn LabeledScene, except: Option<&Regions>) -> Result<Self> {
        let (width, height) = scene.size();
        let (columns, rows) = (width.div_ceil(PIECE), height.div_ceil(PIECE));
        let count = |n: u32| -> Result<Self> {
            let (x, y) = (n % columns * PIECE, n / columns * PIECE);
            let piece = Window::new(x, y, PIECE.min(width - x), PIECE.min(height - y));
            let (image, mask) = scene.read(piece)?;
            let ignored = IGNORED as f32;
            let mut keep: Vec<bool> = mask.data().iter().map(|&class| class != ignored).collect();
            if let Some(except) = except {
                let outside = except.outside(piece);
                keep.iter_mut().zip(outside).for_each(|(keep, outside)| *keep &= outside);
            }
            let mut statistics = Self::default();
            if keep.contains(&true) {
                statistics.add_where(&image, &keep)?;
            }
            Ok(statistics)
        };
        let parts: Vec<Self> =
            (0..columns * rows).into_par_iter().map(count).collect::<Result<_>>()?;
        let mut all = Self::default();
        for part in &parts {
            all.merge(part)?;
        }
        Ok(all)
    }
}
