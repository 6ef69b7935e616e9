//! Distances of rows that are rounded to bytes, with a bound of what rounding has changed.

use std::ops::Range;

use ocellus_kernels::{ByteQueries, ByteRows, PANEL};
use rayon::prelude::*;

use super::candidates::{Candidates, merge};
use super::grid::Grid;
use crate::Float;

/// Queries of a block: its bytes, and the products with a panel, stay in a cache.
const QUERIES: usize = 128;
/// Panels of a task.
const PANELS: usize = 256;

/// Rows on a grid: ‖a − b‖ differs from the distance of their places on it by no more than they are
/// away from these. Distances on the grid are whole numbers of its steps, squared; they are exact.
#[derive(Clone, Debug)]
pub(super) struct Bytes {
    grid: Grid,
    rows: ByteRows,
    /// ‖row‖² on the grid, in steps.
    norms: Vec<i32>,
    /// How far each row is from its place.
    errors: Vec<f64>,
    /// The largest error of each panel.
    panel_errors: Vec<f64>,
}

struct Queries {
    bytes: ByteQueries,
    norms: Vec<i32>,
    errors: Vec<f64>,
}

impl Bytes {
    /// Nothing if there are too many columns.
    pub(super) fn new<T: Float>(rows: &[T], columns: usize) -> Option<Self> {
        let grid = Grid::new(rows, columns);
        let (bytes, norms, errors) = grid.places(rows);
        let panel_errors =
            errors.chunks(PANEL).map(|errors| errors.iter().copied().fold(0., f64::max)).collect();
        Some(Self { grid, rows: ByteRows::new(&bytes, columns)?, norms, errors, panel_errors })
    }

    /// Those of each query; nothing as in [`Self::new`].
    pub(super) fn candidates<T: Float>(
        &self,
        queries: &[T],
        count: usize,
    ) -> Option<Vec<Candidates>> {
        let columns = self.rows.columns();
        let queries = queries.par_chunks(QUERIES * columns).map(|queries| {
            let (bytes, norms, errors) = self.grid.places(queries);
            Some(Queries { bytes: ByteQueries::new(&bytes, columns)?, norms, errors })
        });
        let queries = queries.collect::<Option<Vec<Queries>>>()?;
        let tasks: Vec<(Range<usize>, &Queries)> = (0..self.rows.panels())
            .step_by(PANELS)
            .flat_map(|start| {
                let panels = start..self.rows.panels().min(start + PANELS);
                queries.iter().map(move |queries| (panels.clone(), queries))
            })
            .collect();
        let found: Vec<Vec<Candidates>> = tasks
            .into_par_iter()
            .map_init(Vec::new, |products, (panels, queries)| {
                let mut found = vec![Candidates::new(count); queries.norms.len()];
                for panel in panels {
                    self.rows.multiply(panel, &queries.bytes, products);
                    self.look(panel, queries, products, &mut found);
                }
                found
            })
            .collect();
        Some(merge(found, queries.len()))
    }

    /// Looks at the rows of a panel.
    fn look(&self, panel: usize, queries: &Queries, products: &[i32], found: &mut [Candidates]) {
        let first = panel * PANEL;
        let norms = &self.norms[first..self.norms.len().min(first + PANEL)];
        let errors = &self.errors[first..first + norms.len()];
        let step = self.grid.step();
        let known = queries.norms.iter().zip(&queries.errors);
        for ((found, products), (&norm, &error)) in
            found.iter_mut().zip(products.chunks_exact(PANEL)).zip(known)
        {
            let reach = (found.limit().sqrt() + error + self.panel_errors[panel]) / step;
            // More than rounding can change; the conversion saturates.
            let most = (reach * reach * (1. + 1e-12) - f64::from(norm)) as i32;
            for (chunk, (norms, products)) in norms.chunks(16).zip(products.chunks(16)).enumerate()
            {
                let mut near = false;
                for (row, product) in norms.iter().zip(products) {
                    near |= row - 2 * product <= most;
                }
                if !near {
                    continue;
                }
                for (place, (row, product)) in norms.iter().zip(products).enumerate() {
                    let place = chunk * 16 + place;
                    let distance = step * f64::from(norm + (row - 2 * product)).sqrt();
                    let error = error + errors[place];
                    let (lower, upper) = ((distance - error).max(0.), distance + error);
                    found.push(lower * lower, upper * upper, first + place);
                }
            }
        }
    }
}
