use super::{
    SmearCell, canvas::Canvas, cell::Cell, erythrocyte::Erythrocyte, platelet::Platelet,
    slide::Slide,
};
use crate::{random::Random, synthetic::field::Field};

/// What lies in a field: cells with nuclei, red cells, platelets and dirt.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) cells: Vec<Cell>,
    erythrocytes: Vec<Erythrocyte>,
    platelets: Vec<Platelet>,
    /// What platelets are textured by.
    texture: Field,
}

/// Micrometers around the field in which cells lie that reach into it.
const MARGIN: f32 = 8.;

impl Layout {
    /// A field around these cells.
    pub(super) fn around(
        random: &mut Random,
        slide: &Slide,
        (height, width): (f32, f32),
        cells: Vec<Cell>,
    ) -> Self {
        let area = (height + 2. * MARGIN) * (width + 2. * MARGIN);
        let place = |random: &mut Random| {
            let along = |random: &mut Random, side: f32| random.uniform(-MARGIN, side + MARGIN);
            (along(random, width), along(random, height))
        };
        let mut erythrocytes: Vec<Erythrocyte> = Vec::new();
        let wanted = (slide.crowding * area / 42.) as usize;
        for _ in 0..6 * wanted {
            let center = place(random);
            let red = Erythrocyte::draw(random, slide, center);
            let apart = |x: f32, y: f32| (x - center.0).hypot(y - center.1);
            let radius = red.outline.radius;
            let clear = cells.iter().all(|cell| {
                // Red cells give way to cells with nuclei, but may be squeezed a little.
                cell.body.depth(center.0, center.1) < 0.4 - radius
            });
            let clear = clear
                && erythrocytes.iter().all(|other| {
                    let other = &other.outline;
                    apart(other.x, other.y) > radius + other.radius - slide.clumping
                });
            if clear {
                erythrocytes.push(red);
            }
            if erythrocytes.len() >= wanted {
                break;
            }
        }
        let count =
            |random: &mut Random, mean: f32| (mean * (0.5 + random.unit())).round() as usize;
        let specks = count(random, area / 160. * (0.3 + 5. * slide.dirt));
        let platelets = (0..specks).filter_map(|_| {
            let center = place(random);
            let platelet = Platelet::draw(random, center);
            let clear = cells.iter().all(|cell| cell.body.depth(center.0, center.1) < -0.8);
            clear.then_some(platelet)
        });
        let platelets = platelets.collect();
        Self { cells, erythrocytes, platelets, texture: Field::draw(random) }
    }

    /// Paints all, what has a nucleus last.
    pub(super) fn paint(&self, canvas: &mut Canvas, slide: &Slide) {
        self.erythrocytes.iter().for_each(|cell| cell.paint(canvas, slide));
        self.platelets.iter().for_each(|platelet| platelet.paint(canvas, slide, &self.texture));
        self.cells.iter().for_each(|cell| cell.paint(canvas, slide));
    }
}

/// Cells of a field that size, of a kind and, here and there, others; none lies on another.
pub(super) fn scattered(
    random: &mut Random,
    kind: SmearCell,
    atypical: f32,
    (height, width): (f32, f32),
) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let wanted = ((height * width / random.uniform(260., 700.)).round() as usize).max(1);
    for _ in 0..30 * wanted {
        let center = (random.uniform(-2., width + 2.), random.uniform(-2., height + 2.));
        let other = random.chance(0.15);
        let kind = if other { SmearCell::Lymphocyte } else { kind };
        let unlike = random.chance(atypical);
        let cell = Cell::draw(random, kind, unlike, center);
        let clear = cells.iter().all(|other| {
            let apart = (other.body.x - center.0).hypot(other.body.y - center.1);
            apart > 0.97 * (other.body.reach() + cell.body.reach())
        });
        if clear {
            cells.push(cell);
        }
        if cells.len() >= wanted {
            break;
        }
    }
    cells
}
