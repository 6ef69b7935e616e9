use std::iter::zip;

/// Whether pixels lie near a boundary, row by row.
///
/// Of the exact distance transform only the comparison with the tolerance is asked: a boundary pixel
/// g rows away reaches √(θ² − g²) columns to either side, and of a column only the nearest matters.
#[derive(Debug)]
pub(super) struct Near {
    reach: u16,
    /// How many columns a boundary pixel that many rows away reaches.
    half_widths: Vec<usize>,
    /// Rows since the last boundary pixel of each column, before the first row that is open.
    since: Vec<u16>,
    /// Rows to the next boundary pixel, of each open row and column.
    until: Vec<u16>,
    /// By how many more boundary pixels a column is reached than the one before.
    steps: Vec<i32>,
}

impl Near {
    pub(super) fn new(width: usize, tolerance: f64, reach: u16) -> Self {
        let half_width = |rows: u16| {
            let within = |columns: f64| (columns * columns + f64::from(rows).powi(2)).sqrt();
            let mut columns =
                (tolerance * tolerance - f64::from(rows).powi(2)).max(0.).sqrt().floor();
            // Rounding may have missed by one: what decides is the distance itself.
            while within(columns + 1.) <= tolerance {
                columns += 1.;
            }
            while columns > 0. && within(columns) > tolerance {
                columns -= 1.;
            }
            columns as usize
        };
        Self {
            reach,
            half_widths: (0..=reach).map(half_width).collect(),
            since: vec![u16::MAX; width],
            until: Vec::new(),
            steps: vec![0; width + 1],
        }
    }

    /// How many of the `queries` in the first `ready` rows lie near the boundary `edges`; both hold
    /// all open rows. Closes these rows.
    pub(super) fn close(&mut self, edges: &[u8], queries: &[u8], ready: usize) -> u64 {
        let width = self.since.len();
        self.look_ahead(edges);
        let mut hits = 0;
        for row in 0..ready {
            let range = row * width..(row + 1) * width;
            for (since, &edge) in zip(&mut self.since, &edges[range.clone()]) {
                *since = if edge == 1 { 0 } else { since.saturating_add(1) };
            }
            let queries = &queries[range.clone()];
            if queries.contains(&1) {
                hits += self.hits(queries, range.start);
            }
        }
        hits
    }

    fn look_ahead(&mut self, edges: &[u8]) {
        let width = self.since.len();
        self.until.clear();
        self.until.resize(edges.len(), u16::MAX);
        let mut below = vec![u16::MAX; width];
        let rows = zip(self.until.chunks_exact_mut(width), edges.chunks_exact(width));
        for (until, edges) in rows.rev() {
            for ((until, below), &edge) in zip(zip(until, &mut below), edges) {
                *below = if edge == 1 { 0 } else { below.saturating_add(1) };
                *until = *below;
            }
        }
    }

    /// The queries of a row that are reached, the first pixel of which is `first` of the open ones.
    fn hits(&mut self, queries: &[u8], first: usize) -> u64 {
        let width = self.since.len();
        let mut any = false;
        for (column, (&since, &until)) in zip(&self.since, &self.until[first..]).enumerate() {
            let rows = since.min(until);
            if rows <= self.reach {
                let half = self.half_widths[usize::from(rows)];
                self.steps[column.saturating_sub(half)] += 1;
                self.steps[width.min(column + half + 1)] -= 1;
                any = true;
            }
        }
        if !any {
            return 0;
        }
        let (mut reaching, mut hits) = (0, 0);
        for (step, &query) in zip(&mut self.steps, queries) {
            reaching += std::mem::take(step);
            hits += u64::from(query & u8::from(reaching > 0));
        }
        self.steps[width] = 0;
        hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_reaches_a_disk() {
        for tolerance in [0., 1., 2f64.sqrt(), 3f64.sqrt(), 5., 8.06] {
            let near = Near::new(1, tolerance, tolerance as u16);
            for (rows, &half) in near.half_widths.iter().enumerate() {
                let distance = |columns: usize| ((columns * columns + rows * rows) as f64).sqrt();
                assert!(distance(half) <= tolerance && distance(half + 1) > tolerance);
            }
        }
    }
}
