use crate::{GROUP, is_table};

/// Rows of bytes with which [`ByteRows`](crate::ByteRows) are multiplied.
///
/// # Examples
///
/// ```
/// use ocellus_kernels::ByteQueries;
///
/// let queries = ByteQueries::new(&[1, -2, 3, 4, 5, -6], 3).ok_or("too many columns")?;
/// assert_eq!((queries.len(), queries.columns()), (2, 3));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Debug)]
pub struct ByteQueries {
    /// Each query, filled up with zeros to whole groups.
    values: Vec<i8>,
    /// What the sums of each begin with.
    starts: Vec<i32>,
    columns: usize,
}

impl ByteQueries {
    /// Queries of `columns` values each.
    ///
    /// Nothing if there are no columns, so many that sums could overflow (more than 32,768), or values
    /// that do not fill a row.
    #[must_use]
    pub fn new(values: &[i8], columns: usize) -> Option<Self> {
        if !is_table(values.len(), columns) {
            return None;
        }
        let mut padded =
            Vec::with_capacity(values.len() / columns * columns.next_multiple_of(GROUP));
        let mut starts = Vec::with_capacity(values.len() / columns);
        for query in values.chunks_exact(columns) {
            padded.extend_from_slice(query);
            padded.resize(padded.len().next_multiple_of(GROUP), 0);
            // Rows are stored with 128 added.
            starts.push(-128 * query.iter().map(|&value| i32::from(value)).sum::<i32>());
        }
        Some(Self { values: padded, starts, columns })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// How many values each has.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn values(&self) -> &[i8] {
        &self.values
    }

    pub(crate) fn starts(&self) -> &[i32] {
        &self.starts
    }
}
