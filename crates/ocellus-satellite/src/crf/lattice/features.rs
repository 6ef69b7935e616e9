use crate::crf::block::CrfBlock;
use crate::{Error, Result};

/// Coordinates are `i32`; neighbors lie up to d further.
const LARGEST: f64 = (1u32 << 30) as f64;

/// Where a pixel lies for the appearance kernel: (column / θα, row / θα, band₀ / θβ, …).
#[derive(Clone, Copy, Debug)]
pub(in crate::crf) struct Features<'a> {
    block: CrfBlock<'a>,
    position: f64,
    value: f64,
}

impl<'a> Features<'a> {
    /// # Errors
    ///
    /// If the lattice's coordinates or numbers would not fit.
    pub(in crate::crf) fn new(block: CrfBlock<'a>, position: f64, value: f64) -> Result<Self> {
        let dims = block.bands() + 2;
        if block.pixels().saturating_mul(dims + 1) >= u32::MAX as usize {
            return Err(Error::Shape(format!(
                "{}×{} pixels of {} bands are too many for one lattice: refine a scene by blocks",
                block.height(),
                block.width(),
                block.bands()
            )));
        }
        let [row, column] = block.origin.map(|o| o as f64);
        let far = (row + block.height() as f64).max(column + block.width() as f64) / position;
        let pixels = block.pixels();
        let valid = block.image.iter().enumerate().filter(|(at, _)| block.is_valid(at % pixels));
        let largest = valid.fold(0f32, |largest, (_, v)| largest.max(v.abs()));
        let bright = f64::from(largest) / value;
        // |coordinate| ≤ d · scale · Σ|feature| and scale ≤ (d + 1) / √3.
        let dims = dims as f64;
        if dims * (dims + 1.) * (2. * far + dims * bright) < LARGEST {
            return Ok(Self { block, position, value });
        }
        let [what, theta] = if far > bright {
            [format!("the block's far corner is {far:e} appearance_position (θα)"), "θα".into()]
        } else {
            [format!("the value {largest} is {bright:e} appearance_value (θβ)"), "θβ".into()]
        };
        Err(Error::Setting(format!("{what} from zero, too far for the lattice: raise {theta}")))
    }

    pub(in crate::crf) fn block(&self) -> &CrfBlock<'a> {
        &self.block
    }

    /// θα in pixels.
    pub(in crate::crf) fn position(&self) -> f64 {
        self.position
    }

    pub(in crate::crf) fn dims(&self) -> usize {
        self.block.bands() + 2
    }

    pub(in crate::crf) fn write(&self, pixel: usize, into: &mut [f64]) {
        let [row, column] = self.block.origin;
        into[0] = (column + pixel % self.block.width()) as f64 / self.position;
        into[1] = (row + pixel / self.block.width()) as f64 / self.position;
        for (band, into) in into[2..].iter_mut().enumerate() {
            *into = f64::from(self.block.value(band, pixel)) / self.value;
        }
    }
}
