use std::{fmt, sync::Arc};

use ndarray::{Array2, ArrayView2};
use ocellus_kernels::ByteRows;

use super::bytes::Bytes;
use super::search::{Search, norms};
use crate::{Error, Fit, Float, Result, RowSource, check};

/// With fewer rows, rounding them to bytes does not pay.
const MANY: usize = 1024;

/// How far two samples are from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum NeighborDistance {
    /// ‖a − b‖.
    #[default]
    Euclidean,
    /// ‖a − b‖².
    Squared,
}

/// Finds the nearest of many rows, exactly.
///
/// ```text
/// ‖a − b‖² = ‖a‖² + ‖b‖² − 2 a·b
/// ```
///
/// by blocked matrix products finds the few rows that can be among the nearest: all whose distance
/// by this formula, less the bound of its errors, is not above the k-th smallest with it. Their
/// distances are then computed as Σ (a − b)² in double precision. So distances of `f32` are exact to
/// the last digit also where rows are close to each other and far from the origin, where the formula
/// alone gives nonsense; and they do not depend on the other queries or the number of threads.
///
/// Products are of rows rounded to bytes where these are in memory and the processor multiplies bytes
/// faster (AVX-512 VNNI); elsewhere, and for queries of which bytes leave too much open, of the numbers
/// themselves. What is found is the same.
///
/// Of rows that are equally far, the first comes first.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{Fit, NearestNeighbors};
///
/// let x = array![[0f32, 0.], [3., 4.], [0., 1.], [1., 0.]];
/// let model = NearestNeighbors::new().fit(x.view())?;
/// let neighbors = model.find(array![[0., 0.]].view(), 3)?;
/// assert_eq!(neighbors.indices, array![[0, 2, 3]]);
/// assert_eq!(neighbors.distances, array![[0., 1., 1.]]);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NearestNeighbors {
    /// Which distances are given.
    pub distance: NeighborDistance,
}

impl NearestNeighbors {
    /// Euclidean distances.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets which distances are given.
    #[must_use]
    pub fn with_distance(mut self, distance: NeighborDistance) -> Self {
        self.distance = distance;
        self
    }

    /// As [`Fit::fit`], without a copy of the rows.
    ///
    /// # Errors
    ///
    /// If there are none, or a value is not finite.
    pub fn index<T: Float>(&self, rows: Array2<T>) -> Result<NearestNeighborsModel<T>> {
        check::samples(rows.view())?;
        let rows =
            if rows.is_standard_layout() { rows } else { rows.as_standard_layout().into_owned() };
        self.index_rows(rows, ByteRows::are_fast())
    }

    fn index_rows<T: Float>(
        &self,
        rows: Array2<T>,
        bytes: bool,
    ) -> Result<NearestNeighborsModel<T>> {
        let values = rows.as_slice().filter(|_| bytes && rows.nrows() >= MANY);
        let bytes = values.and_then(|values| Bytes::new(values, rows.ncols())).map(Arc::new);
        Ok(NearestNeighborsModel { bytes, ..self.index_source(rows)? })
    }

    /// As [`Fit::fit`], of rows that stay where they are, such as in a file: they are read once now,
    /// and once for each search. What is found is the same, to the bit.
    ///
    /// # Errors
    ///
    /// If there are none, a value is not finite, or they cannot be read.
    pub fn index_source<T: Float>(
        &self,
        rows: impl RowSource<T> + Send + 'static,
    ) -> Result<NearestNeighborsModel<T>> {
        let (count, columns) = rows.size();
        if count == 0 || columns == 0 {
            return Err(Error::Empty { what: "the data", rows: count, columns });
        }
        let norms = norms(&rows)?.into();
        Ok(NearestNeighborsModel {
            distance: self.distance,
            rows: Arc::new(rows),
            norms,
            bytes: None,
        })
    }
}

impl<T: Float> Fit<T> for NearestNeighbors {
    type Model = NearestNeighborsModel<T>;

    fn fit(&self, x: ArrayView2<'_, T>) -> Result<Self::Model> {
        self.index(x.to_owned())
    }
}

/// Rows among which [`NearestNeighbors`] finds.
#[derive(Clone)]
pub struct NearestNeighborsModel<T = f32> {
    distance: NeighborDistance,
    rows: Arc<dyn RowSource<T> + Send>,
    norms: Arc<[T]>,
    bytes: Option<Arc<Bytes>>,
}

/// What was found: (queries, k), the nearest first.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Neighbors<T = f32> {
    /// How far they are.
    pub distances: Array2<T>,
    /// The numbers of the rows.
    pub indices: Array2<usize>,
}

impl<T: Float> NearestNeighborsModel<T> {
    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &dyn RowSource<T> {
        &*self.rows
    }

    /// The `count` nearest rows of each query.
    ///
    /// # Errors
    ///
    /// If `count` is 0 or there are fewer rows; the queries have another number of features, or
    /// are not finite; or rows that are not in memory cannot be read.
    ///
    /// # Complexity
    ///
    /// 2 · queries · rows · features operations; 8 MiB a thread and some bytes for each neighbor, and
    /// 2,048 rows a thread where they are not in memory. Where it rounds to bytes, the model holds a
    /// quarter of the rows' size in single precision beside them.
    pub fn find(&self, queries: ArrayView2<'_, T>, count: usize) -> Result<Neighbors<T>> {
        let (rows, columns) = self.rows.size();
        check::features(queries, columns)?;
        if count == 0 || count > rows {
            return Err(Error::InvalidSetting {
                name: "the number of neighbors",
                value: format!("{count} of {rows} rows"),
                remedy: "ask for 1 at least, and for no more than there are",
            });
        }
        let search = Search::new(&*self.rows, &self.norms).with_bytes(self.bytes.as_deref());
        let found = search.nearest(queries, count)?;
        let distance = |squared: f64| match self.distance {
            NeighborDistance::Euclidean => T::narrow(squared.sqrt()),
            NeighborDistance::Squared => T::narrow(squared),
        };
        let size = (queries.nrows(), count);
        Ok(Neighbors {
            distances: Array2::from_shape_fn(size, |(i, j)| distance(found[i][j].0)),
            indices: Array2::from_shape_fn(size, |(i, j)| found[i][j].1),
        })
    }
}

impl<T: Float> fmt::Debug for NearestNeighborsModel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, columns) = self.rows.size();
        f.debug_struct("NearestNeighborsModel")
            .field("distance", &self.distance)
            .field("rows", &rows)
            .field("columns", &columns)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{array, s};
    use ocellus_testing::with_threads;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn samples(rows: usize, columns: usize, seed: u64, offset: f32) -> Array2<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Array2::from_shape_simple_fn((rows, columns), || offset + rng.random_range(-1f32..1.))
    }

    fn brute_force(rows: &Array2<f32>, query: &[f32], count: usize) -> Vec<(f64, usize)> {
        let distance = |row: ndarray::ArrayView1<'_, f32>| {
            row.iter().zip(query).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>()
        };
        let mut all: Vec<_> =
            rows.rows().into_iter().enumerate().map(|(i, row)| (distance(row), i)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all.truncate(count);
        all
    }

    proptest! {
        #[test]
        fn finds_what_brute_force_finds(
            rows in 1usize..1200, queries in 0usize..6, columns in 1usize..70, k in 1usize..40,
            offset in prop_oneof![Just(0f32), Just(1000.)],
        ) {
            let (bank, queries) = (samples(rows, columns, 1, offset), samples(queries, columns, 2, offset));
            let k = k.min(rows);
            let found = NearestNeighbors::new().fit(bank.view())?.find(queries.view(), k)?;
            prop_assert_eq!(found.indices.dim(), (queries.nrows(), k));
            for (i, query) in queries.rows().into_iter().enumerate() {
                for (j, (squared, row)) in brute_force(&bank, query.to_slice().unwrap(), k).into_iter().enumerate() {
                    let distance = found.distances[[i, j]];
                    prop_assert!((f64::from(distance) - squared.sqrt()).abs() <= 1e-7 * squared.sqrt());
                    prop_assert_eq!(found.indices[[i, j]], row);
                }
            }
        }
    }

    fn with<T: Float>(rows: &Array2<T>, bytes: bool) -> NearestNeighborsModel<T> {
        let settings = NearestNeighbors::new().with_distance(NeighborDistance::Squared);
        settings.index_rows(rows.clone(), bytes).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn bytes_and_floats_find_the_same(
            rows in MANY..2000, queries in 1usize..5, columns in 1usize..40, k in 1usize..20, seed in 0u64..99,
            far in prop_oneof![Just(1f32), Just(30.), Just(1e5)], offset in prop_oneof![Just(0f32), Just(1000.)],
        ) {
            let mut bank = samples(rows, columns, seed, offset);
            // Equal rows, and some that are far from all others.
            let first = bank.row(0).to_owned();
            bank.row_mut(rows / 2).assign(&first);
            for row in [rows / 3, rows - 1] {
                bank.row_mut(row).mapv_inplace(|x| x * far);
            }
            let mut queries = samples(queries, columns, seed + 1, offset);
            queries.row_mut(0).assign(&bank.row(rows - 1));
            let (bytes, floats) = (with(&bank, true), with(&bank, false));
            prop_assert!(bytes.bytes.is_some() && floats.bytes.is_none());
            prop_assert_eq!(bytes.find(queries.view(), k)?, floats.find(queries.view(), k)?);
            let some = bank.mapv(f64::from);
            let (bytes, floats) = (with(&some, true), with(&some, false));
            prop_assert_eq!(bytes.find(some.slice(s![..3, ..]), k)?, floats.find(some.slice(s![..3, ..]), k)?);
        }
    }

    #[test]
    fn queries_of_which_bytes_leave_much_open_are_found_all_the_same() -> Result<()> {
        // Two groups so far from each other that all rows of one have the same place on the grid.
        let mut bank = samples(3000, 5, 1, 0.);
        bank.slice_mut(s![1500.., ..]).mapv_inplace(|x| x + 1e6);
        let model = with(&bank, true);
        let some = bank.slice(s![1400..1600;7, ..]);
        let open =
            model.bytes.as_ref().unwrap().candidates(&some.iter().copied().collect::<Vec<_>>(), 3);
        assert!(open.unwrap().into_iter().all(|mut candidates| candidates.settle() > 1000));
        assert_eq!(model.find(some, 3)?, with(&bank, false).find(some, 3)?);
        Ok(())
    }

    #[test]
    fn many_blocks_give_the_same_as_few() -> Result<()> {
        let (bank, queries) = (samples(20_000, 12, 3, 0.), samples(1100, 12, 4, 0.));
        let model =
            NearestNeighbors::new().with_distance(NeighborDistance::Squared).fit(bank.view())?;
        let all = with_threads(1, || model.find(queries.view(), 9))?;
        assert_eq!(with_threads(4, || model.find(queries.view(), 9))?, all);
        let turned = queries.t().to_owned();
        assert_eq!(model.find(turned.t(), 9)?, all);
        for i in [0, 1023, 1024, 1099] {
            let alone = model.find(queries.slice(s![i..=i, ..]), 9)?;
            assert_eq!(alone.distances.row(0), all.distances.row(i));
            assert_eq!(alone.indices.row(0), all.indices.row(i));
            let expected = brute_force(&bank, queries.row(i).to_slice().unwrap(), 9);
            let indices: Vec<usize> = expected.iter().map(|(_, row)| *row).collect();
            assert_eq!(all.indices.row(i).to_vec(), indices);
        }
        Ok(())
    }

    #[test]
    fn rows_in_a_file_give_the_same_bits_as_in_memory() -> Result<()> {
        let (bank, queries) = (samples(9000, 12, 3, 0.), samples(70, 12, 4, 0.));
        let folder = tempfile::tempdir().unwrap();
        let mut store = crate::RowStore::in_folder(folder.path(), 12)?;
        store.push(bank.as_slice().unwrap())?;
        let (memory, file) = (
            NearestNeighbors::new().fit(bank.view())?,
            NearestNeighbors::new().index_source(store)?,
        );
        assert_eq!(file.find(queries.view(), 5)?, memory.find(queries.view(), 5)?);
        assert_eq!(file.rows().gather(&[8999])?.row(0), bank.row(8999));

        let mut store = crate::RowStore::in_memory(2)?;
        store.push(&[1., 2., f32::INFINITY, 3.])?;
        let message = NearestNeighbors::new().index_source(store).unwrap_err().to_string();
        assert!(message.starts_with("row 1, column 0 is inf"), "{message}");
        let none = crate::RowStore::in_memory(2)?;
        assert!(NearestNeighbors::new().index_source(none).is_err());
        Ok(())
    }

    #[test]
    fn double_precision_tells_rows_apart_that_are_one_in_single() -> Result<()> {
        let bank = Array2::from_shape_fn((300, 3), |(i, _)| 1. + i as f64 * 1e-12);
        let model = NearestNeighbors::new().fit(bank.view())?;
        for i in [0, 150, 299] {
            let found = model.find(bank.slice(s![i..=i, ..]), 2)?;
            assert_eq!((found.indices[[0, 0]], found.distances[[0, 0]]), (i, 0.));
            assert!((found.distances[[0, 1]] / (1e-12 * 3f64.sqrt()) - 1.).abs() < 1e-3);
        }
        Ok(())
    }

    #[test]
    fn close_rows_far_from_the_origin_are_told_apart() -> Result<()> {
        // Squares of 1e8, differences of 1e-3: by the formula alone all distances are 0.
        let bank = Array2::from_shape_fn((50, 3), |(i, _)| 1e4 + i as f32 / 1024.);
        let model = NearestNeighbors::new().fit(bank.view())?;
        let found = model.find(bank.slice(s![7..8, ..]), 3)?;
        assert_eq!(found.indices, array![[7, 6, 8]]);
        assert_eq!(found.distances[[0, 0]], 0.);
        assert!((found.distances[[0, 1]] - 3f32.sqrt() / 1024.).abs() < 1e-9);
        Ok(())
    }

    #[test]
    fn extreme_but_finite_rows_are_found() -> Result<()> {
        let bank = array![[3e38f32, 0.], [1., 1.], [-3e38, 0.]];
        let model = NearestNeighbors::new().fit(bank.view())?;
        let found = model.find(array![[2e38f32, 0.]].view(), 3)?;
        assert_eq!(found.indices, array![[0, 1, 2]]);
        assert!((found.distances[[0, 0]] / 1e38 - 1.).abs() < 1e-6);
        let bank = samples(40, 3, 0, 0.).mapv(|x| x * 1e-30);
        let found = NearestNeighbors::new().fit(bank.view())?.find(bank.slice(s![7..8, ..]), 3)?;
        let expected = brute_force(&bank, bank.row(7).to_slice().unwrap(), 3);
        assert_eq!(found.indices.row(0).to_vec(), [expected[0].1, expected[1].1, expected[2].1]);
        Ok(())
    }

    #[test]
    fn equal_rows_come_in_their_order() -> Result<()> {
        let bank = Array2::from_elem((300, 2), 0.1f32);
        let found = NearestNeighbors::new().fit(bank.view())?.find(bank.slice(s![9..10, ..]), 4)?;
        assert_eq!(found.indices, array![[0, 1, 2, 3]]);
        Ok(())
    }

    #[test]
    fn says_what_cannot_be_found() -> Result<()> {
        let bank = samples(5, 3, 0, 0.);
        let model = NearestNeighbors::new().fit(bank.view())?;
        for count in [0, 6] {
            let message = model.find(bank.view(), count).unwrap_err().to_string();
            assert!(message.contains(&format!("{count} of 5 rows")), "{message}");
        }
        assert!(
            model
                .find(samples(2, 4, 0, 0.).view(), 1)
                .unwrap_err()
                .to_string()
                .contains("4 features")
        );
        let nan = array![[0., 1., 2.], [0., f32::NAN, 0.]];
        assert!(
            model
                .find(nan.view(), 1)
                .unwrap_err()
                .to_string()
                .starts_with("row 1, column 1 is NaN")
        );
        assert!(NearestNeighbors::new().fit(nan.view()).is_err());
        assert!(NearestNeighbors::new().fit(Array2::<f32>::zeros((0, 3)).view()).is_err());
        assert_eq!(model.find(Array2::zeros((0, 3)).view(), 2)?.indices.dim(), (0, 2));
        Ok(())
    }
}
