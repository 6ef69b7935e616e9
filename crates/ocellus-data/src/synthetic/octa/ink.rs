/// A plane that lines are drawn on; where they meet, the brighter one shows.
#[derive(Clone, Debug)]
pub(super) struct Ink {
    side: usize,
    pub(super) plane: Vec<f32>,
}

impl Ink {
    pub(super) fn new(side: usize) -> Self {
        Self { side, plane: vec![0.; side * side] }
    }

    /// Draws a line between two places, of that radius, brightness and softness of its border, all
    /// but the brightness in pixels.
    pub(super) fn line(
        &mut self,
        a: (f32, f32),
        b: (f32, f32),
        radius: f32,
        light: f32,
        soft: f32,
    ) {
        let reach = radius + soft;
        let range = |a: f32, b: f32| {
            let low = (a.min(b) - reach).ceil().max(0.);
            let high = (a.max(b) + reach).floor().min(self.side as f32 - 1.);
            if high < low { 0..0 } else { low as usize..high as usize + 1 }
        };
        let (columns, rows) = (range(a.0, b.0), range(a.1, b.1));
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let scale = 1. / (dx * dx + dy * dy).max(1e-6);
        for y in rows {
            let row = &mut self.plane[y * self.side..(y + 1) * self.side];
            for (x, pixel) in columns.clone().zip(&mut row[columns.clone()]) {
                let (px, py) = (x as f32 - a.0, y as f32 - a.1);
                let along = ((px * dx + py * dy) * scale).clamp(0., 1.);
                let (away_x, away_y) = (px - along * dx, py - along * dy);
                let squared = away_x * away_x + away_y * away_y;
                if squared < reach * reach {
                    let inside = ((reach - squared.sqrt()) / (2. * soft)).min(1.);
                    *pixel = pixel.max(light * inside * inside * (3. - 2. * inside));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_bright_and_wide_as_said() {
        let mut ink = Ink::new(21);
        ink.line((2., 10.), (18., 10.), 2., 0.8, 0.5);
        let column: Vec<f32> = (0..21).map(|y| ink.plane[y * 21 + 10]).collect();
        assert_eq!((column[10], column[9], column[13]), (0.8, 0.8, 0.));
        assert!((column[8] - 0.4).abs() < 1e-6, "{column:?}");
        ink.line((10., 0.), (10., 20.), 1., 0.5, 0.5);
        assert_eq!(ink.plane[10 * 21 + 10], 0.8, "the brighter one shows");
    }

    #[test]
    fn what_lies_outside_draws_nothing() {
        let mut ink = Ink::new(8);
        ink.line((-20., -20.), (-5., -9.), 2., 1., 1.);
        ink.line((40., 3.), (90., 3.), 2., 1., 1.);
        assert!(ink.plane.iter().all(|&v| v == 0.));
    }
}
