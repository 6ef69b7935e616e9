use ndarray::ArrayView3;

/// An image as (height, width), gray or RGB.
#[derive(Clone, Copy)]
pub(super) struct Pixels<'a> {
    pub(super) height: usize,
    pub(super) width: usize,
    channels: usize,
    values: ArrayView3<'a, u8>,
}

impl<'a> Pixels<'a> {
    /// Errs with what is wrong with (height, width, channels).
    pub(super) fn new(values: ArrayView3<'a, u8>) -> Result<Self, String> {
        let (height, width, channels) = values.dim();
        if channels != 1 && channels != 3 {
            return Err(format!("has {channels} channels: give gray (1) or RGB (3)"));
        }
        if height == 0 || width == 0 {
            return Err(format!("is {height} × {width}: give one with pixels"));
        }
        Ok(Self { height, width, channels, values })
    }

    pub(super) fn count(&self) -> usize {
        self.height * self.width
    }

    /// Calls `f` with (R, G, B) of each pixel, row by row; gray is red, green and blue alike.
    pub(super) fn for_each(&self, mut f: impl FnMut([u8; 3])) {
        let one = self.channels == 1;
        if let Some(values) = self.values.as_slice() {
            if one {
                values.iter().for_each(|&v| f([v; 3]));
            } else {
                values.as_chunks::<3>().0.iter().for_each(|&rgb| f(rgb));
            }
            return;
        }
        for pixel in self.values.rows() {
            f(if one { [pixel[0]; 3] } else { [pixel[0], pixel[1], pixel[2]] });
        }
    }

    /// ⌊0.299 R + 0.587 G + 0.114 B + ½⌋ of each pixel in 16-bit fixed point, as Pillow has it.
    pub(super) fn gray(&self) -> Vec<u8> {
        if let (1, Some(values)) = (self.channels, self.values.as_slice()) {
            return values.to_vec();
        }
        let mut gray = Vec::with_capacity(self.count());
        self.for_each(|[r, g, b]| {
            let sum = 19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b);
            gray.push(((sum + 0x8000) >> 16) as u8);
        });
        gray
    }
}
