use std::fmt;

use crate::{ByteQueries, GROUP, dot, is_table};

/// Rows of a panel, which are multiplied at once.
pub const PANEL: usize = 48;
/// Rows of a vector.
pub(crate) const LANES: usize = 16;
/// Vectors of a panel.
pub(crate) const VECTORS: usize = PANEL / LANES;

/// Four values of each of 16 rows: what is loaded at once. Each has 128 added.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Line(pub(crate) [u8; GROUP * LANES]);

/// Rows of bytes, in the order in which they are multiplied. Sums of products, in 32 bits, are exact.
///
/// # Examples
///
/// ```
/// use ocellus_kernels::{ByteQueries, ByteRows, PANEL};
///
/// let rows = ByteRows::new(&[1, 2, 3, -4, 5, 6], 3).ok_or("too many columns")?;
/// let queries = ByteQueries::new(&[1, 0, -2, 0, 1, 0], 3).ok_or("too many columns")?;
/// let mut products = Vec::new();
/// rows.multiply(0, &queries, &mut products);
/// assert_eq!(products[..3], [-5, -16, 0]);
/// assert_eq!(products[PANEL..PANEL + 3], [2, 5, 0]);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone)]
pub struct ByteRows {
    /// For each panel and group of columns, the vectors of the panel.
    lines: Vec<Line>,
    rows: usize,
    columns: usize,
}

impl fmt::Debug for ByteRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, columns, .. } = self;
        f.debug_struct("ByteRows").field("rows", rows).field("columns", columns).finish()
    }
}

impl ByteRows {
    /// Whether the processor multiplies bytes several times faster than numbers of 32 bits.
    #[must_use]
    pub fn are_fast() -> bool {
        dot::is_fast()
    }

    /// Rows of `columns` values each.
    ///
    /// Nothing if there are no columns, so many that sums could overflow (more than 32,768), or values
    /// that do not fill a row.
    #[must_use]
    pub fn new(values: &[i8], columns: usize) -> Option<Self> {
        if !is_table(values.len(), columns) {
            return None;
        }
        let rows = values.len() / columns;
        let groups = columns.div_ceil(GROUP);
        let mut lines = vec![Line([128; GROUP * LANES]); rows.div_ceil(PANEL) * groups * VECTORS];
        for (row, values) in values.chunks_exact(columns).enumerate() {
            let (panel, place) = (row / PANEL, row % PANEL);
            let (vector, lane) = (place / LANES, place % LANES);
            for (group, values) in values.chunks(GROUP).enumerate() {
                let Line(line) = &mut lines[(panel * groups + group) * VECTORS + vector];
                for (to, value) in line[lane * GROUP..].iter_mut().zip(values) {
                    *to = value.cast_unsigned() ^ 128;
                }
            }
        }
        Some(Self { lines, rows, columns })
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How many values each has.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many panels there are.
    #[must_use]
    pub fn panels(&self) -> usize {
        self.rows.div_ceil(PANEL)
    }

    /// The products of the [`PANEL`] rows from `PANEL · panel` on with queries:
    /// `products[PANEL · query + row]`, 0 for rows beyond the last.
    ///
    /// # Panics
    ///
    /// If there is no such panel, or the queries have another number of columns.
    pub fn multiply(&self, panel: usize, queries: &ByteQueries, products: &mut Vec<i32>) {
        assert_eq!(queries.columns(), self.columns, "queries are as long as rows");
        let lines = self.columns.div_ceil(GROUP) * VECTORS;
        let lines = &self.lines[panel * lines..][..lines];
        products.clear();
        products.extend(queries.starts().iter().flat_map(|&start| [start; PANEL]));
        dot::add_products(lines, queries.values(), products);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::MOST_COLUMNS;

    fn check(rows: &[i8], queries: &[i8], columns: usize) {
        let packed = ByteRows::new(rows, columns).unwrap();
        let asked = ByteQueries::new(queries, columns).unwrap();
        let dot = |a: &[i8], b: &[i8]| -> i32 {
            a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
        };
        let mut products = Vec::new();
        for panel in 0..packed.panels() {
            packed.multiply(panel, &asked, &mut products);
            for (i, query) in queries.chunks(columns).enumerate() {
                for place in 0..PANEL {
                    let row = rows.chunks(columns).nth(panel * PANEL + place);
                    let expected = row.map_or(0, |row| dot(row, query));
                    assert_eq!(products[i * PANEL + place], expected);
                }
            }
            let lines = packed.columns.div_ceil(GROUP) * VECTORS;
            let mut portable: Vec<i32> =
                asked.starts().iter().flat_map(|&start| [start; PANEL]).collect();
            let lines = &packed.lines[panel * lines..][..lines];
            dot::portable(lines, asked.values(), &mut portable);
            assert_eq!(products, portable);
        }
    }

    proptest! {
        #[test]
        fn products_are_those_of_integers(
            rows in 1usize..120, queries in 1usize..20, columns in 1usize..700, seed in any::<u64>(),
        ) {
            let mut state = seed;
            let mut draw = |count: usize| -> Vec<i8> {
                let next = |_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 56) as i8
                };
                (0..count).map(next).collect()
            };
            let (rows, queries) = (draw(rows * columns), draw(queries * columns));
            check(&rows, &queries, columns);
        }
    }

    #[test]
    fn the_largest_sums_do_not_overflow() {
        for (row, query) in [(-128, -128), (127, -128), (-128, 127), (127, 127)] {
            check(&vec![row; MOST_COLUMNS], &vec![query; MOST_COLUMNS], MOST_COLUMNS);
        }
    }

    #[test]
    fn what_is_not_a_table_is_nothing() {
        for (values, columns) in [(5, 3), (3, 0), (MOST_COLUMNS + 1, MOST_COLUMNS + 1)] {
            assert!(ByteRows::new(&vec![0; values], columns).is_none());
            assert!(ByteQueries::new(&vec![0; values], columns).is_none());
        }
        assert!(ByteRows::new(&[], 3).unwrap().is_empty());
        assert!(ByteQueries::new(&[], 3).unwrap().is_empty());
    }
}
