use std::ops::Range;

/// What light passes through: optical densities of red, green and blue, and which pixels belong to
/// which part of a cell. Lengths are in micrometers from the upper left corner.
#[derive(Clone, Debug)]
pub(super) struct Canvas {
    pub(super) height: usize,
    pub(super) width: usize,
    /// Pixels a micrometer.
    pub(super) scale: f32,
    pub(super) density: [Vec<f32>; 3],
    /// 1 where there is a nucleus, and where there is a cell that has one.
    pub(super) nuclei: Vec<f32>,
    pub(super) cells: Vec<f32>,
}

impl Canvas {
    pub(super) fn new((height, width): (usize, usize), scale: f32) -> Self {
        let plane = || vec![0.; height * width];
        let density = [plane(), plane(), plane()];
        Self { height, width, scale, density, nuclei: plane(), cells: plane() }
    }

    /// Height and width in micrometers.
    pub(super) fn extent(&self) -> (f32, f32) {
        (self.height as f32 / self.scale, self.width as f32 / self.scale)
    }

    /// The rows and columns of the pixels within a distance of a place.
    fn around(&self, (x, y): (f32, f32), reach: f32) -> (Range<usize>, Range<usize>) {
        let span = |at: f32, side: usize| {
            let low = ((at - reach) * self.scale).floor().clamp(0., side as f32);
            let high = ((at + reach) * self.scale).ceil().clamp(0., side as f32);
            low as usize..high as usize
        };
        (span(y, self.height), span(x, self.width))
    }

    /// Calls `paint` with the place of every pixel within a distance of a center, its index, and the
    /// canvas.
    pub(super) fn paint(
        &mut self,
        center: (f32, f32),
        reach: f32,
        mut paint: impl FnMut(&mut Self, usize, f32, f32),
    ) {
        let (rows, columns) = self.around(center, reach);
        for row in rows {
            let y = (row as f32 + 0.5) / self.scale;
            for column in columns.clone() {
                let x = (column as f32 + 0.5) / self.scale;
                paint(self, row * self.width + column, x, y);
            }
        }
    }

    /// Adds a stain of that strength to a pixel.
    pub(super) fn stain(&mut self, at: usize, color: &[f32; 3], strength: f32) {
        for (plane, color) in self.density.iter_mut().zip(color) {
            plane[at] += color * strength;
        }
    }
}
