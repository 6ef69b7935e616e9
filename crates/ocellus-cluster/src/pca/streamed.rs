//! Principal components of what does not fit into memory.

use ndarray::{Array1, Array2, Axis, s};

use super::exact::{Method, Spectrum, decompose, right_vectors, variances};
use super::{Components, Pca, PcaModel, PcaSolver};
use crate::linalg::{add_gram, product};
use crate::{Error, Float, Result, RowSource, moments, rows::read_block};

impl Pca {
    /// Fits on a matrix that is read in parts of `block` samples, or of `block` features where there
    /// are fewer samples than features.
    ///
    /// - **samples ≥ features**: one pass over blocks of whole rows adds up mean and scatter matrix.
    /// - **samples < features**: the first pass, over blocks of whole columns, adds up the products of
    ///   samples with each other; the second, over the same blocks, makes the components.
    ///
    /// In memory are two blocks, the smaller Gram matrix and the model: 4 bytes each of
    /// 2 · 2,553 · 8,192, of 2,553² and of 33 · 1,433,600, 0.4 GiB, for 32 components of 2,553
    /// samples with 1,433,600 features in `f32`, which are 13.6 GiB.
    ///
    /// [`PcaSolver::Krylov`] and [`PcaSolver::Gram`] say how the Gram matrix is decomposed.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::array;
    /// use ocellus_cluster::{Fit, Pca};
    ///
    /// let x = array![[1f64, 0., 3.], [2., 1., 0.], [0., 4., 1.], [3., 2., 2.], [5., 0., 1.]];
    /// let (whole, parts) = (Pca::new(2).fit(x.view())?, Pca::new(2).fit_source(&x.view(), 2)?);
    /// assert!((whole.explained_variance()[1] - parts.explained_variance()[1]).abs() < 1e-12);
    /// # Ok::<(), ocellus_cluster::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If reading fails or gives what is not finite, if there are not enough samples or features, or
    /// if another solver is set.
    pub fn fit_source<T: Float>(
        &self,
        source: &(impl RowSource<T> + ?Sized),
        block: usize,
    ) -> Result<PcaModel<T>> {
        let (rows, columns) = source.size();
        if rows == 0 || columns == 0 {
            return Err(Error::Empty { what: "the source", rows, columns });
        }
        self.check(rows, columns)?;
        if block == 0 {
            let (value, remedy) = ("0".to_owned(), "read one sample or feature at least");
            return Err(Error::InvalidSetting { name: "block", value, remedy });
        }
        let method = self.method(rows, columns)?;
        let (mean, spectrum) = if rows >= columns {
            tall(source, block, method)?
        } else {
            wide(source, block, self.components, method)?
        };
        Ok(PcaModel::new(self, rows, mean, spectrum))
    }

    fn method(&self, rows: usize, columns: usize) -> Result<Method> {
        let seed = self.seed;
        match (self.solver, self.components) {
            (PcaSolver::Krylov { tolerance }, Components::Count(count)) => {
                Ok(Method::Top { count, tolerance, seed })
            }
            (PcaSolver::Auto, Components::Count(count)) if count <= rows.min(columns) / 8 => {
                Ok(Method::Top { count, tolerance: 1e-4, seed })
            }
            (PcaSolver::Auto | PcaSolver::Gram, _) => Ok(Method::All),
            (solver, _) => {
                let remedy = "a source is fitted by Gram or Krylov";
                Err(Error::InvalidSetting { name: "solver", value: format!("{solver:?}"), remedy })
            }
        }
    }
}

/// Mean and scatter of blocks of rows, merged block by block:
///
/// ```text
/// S ← S + S_b + (n·n_b / (n + n_b))·δδᵀ,   δ = μ_b − μ,   μ ← μ + (n_b / (n + n_b))·δ
/// ```
fn tall<T: Float>(
    source: &(impl RowSource<T> + ?Sized),
    block: usize,
    method: Method,
) -> Result<(Array1<T>, Spectrum<T>)> {
    let (rows, columns) = source.size();
    let mut scatter = Array2::<T>::zeros((columns, columns));
    let (mut mean, mut total, mut seen) = (vec![0.; columns], 0., 0.);
    for start in (0..rows).step_by(block) {
        let mut x = read_block(source, start..rows.min(start + block), 0..columns)?;
        let (count, block_mean) = (x.nrows() as f64, moments::means(x.view()));
        x -= &block_mean.iter().copied().map(T::narrow).collect::<Array1<T>>();
        total += squared_sum(&x);
        add_gram(T::one(), x.view(), scatter.view_mut())?;
        let weight = (seen * count / (seen + count)).sqrt();
        let delta: Vec<f64> = block_mean.iter().zip(&mean).map(|(b, m)| b - m).collect();
        total += delta.iter().map(|d| (d * weight).powi(2)).sum::<f64>();
        let shift = Array2::from_shape_fn((1, columns), |(_, j)| T::narrow(delta[j] * weight));
        add_gram(T::one(), shift.view(), scatter.view_mut())?;
        seen += count;
        for (mean, delta) in mean.iter_mut().zip(delta) {
            *mean += delta * count / seen;
        }
    }
    let degrees = rows as f64 - 1.;
    let (values, vectors, converged) = decompose(scatter, method)?;
    let (variance, components) = (variances(values.view(), degrees), vectors.reversed_axes());
    let total_variance = total / degrees;
    let mean = mean.into_iter().map(T::narrow).collect();
    Ok((mean, Spectrum { components, variance, total_variance, converged }))
}

/// Products of the centered samples with each other, from blocks of columns.
fn wide<T: Float>(
    source: &(impl RowSource<T> + ?Sized),
    block: usize,
    wanted: Components,
    method: Method,
) -> Result<(Array1<T>, Spectrum<T>)> {
    let (rows, columns) = source.size();
    let degrees = rows as f64 - 1.;
    let centered = |start: usize| -> Result<(Array1<T>, Array2<T>)> {
        let mut x = read_block(source, 0..rows, start..columns.min(start + block))?;
        let mean: Array1<T> = moments::means(x.view()).into_iter().map(T::narrow).collect();
        x -= &mean;
        Ok((mean, x))
    };
    let mut products = Array2::<T>::zeros((rows, rows));
    let (mut mean, mut total) = (Array1::<T>::zeros(columns), 0.);
    for start in (0..columns).step_by(block) {
        let (block_mean, x) = centered(start)?;
        total += squared_sum(&x);
        add_gram(T::one(), x.t(), products.view_mut())?;
        mean.slice_mut(s![start..start + block_mean.len()]).assign(&block_mean);
    }
    let (values, vectors, converged) = decompose(products, method)?;
    let (variance, total_variance) = (variances(values.view(), degrees), total / degrees);
    let kept = wanted.among(variance.view(), total_variance);
    let variance = variance.slice(s![..kept]).to_owned();
    let (values, vectors) = (values.slice(s![..kept]), vectors.slice(s![.., ..kept]));
    let components = right_vectors(values, vectors, |scaled| {
        let mut components = Array2::<T>::zeros((scaled.nrows(), columns));
        for start in (0..columns).step_by(block) {
            let (_, x) = centered(start)?;
            let part = product(scaled, x.view())?;
            components.slice_mut(s![.., start..start + x.ncols()]).assign(&part);
        }
        Ok(components)
    })?;
    Ok((mean, Spectrum { components, variance, total_variance, converged }))
}

fn squared_sum<T: Float>(x: &Array2<T>) -> f64 {
    let squares =
        |row: ndarray::ArrayView1<'_, T>| row.iter().map(|v| v.widen().powi(2)).sum::<f64>();
    x.axis_iter(Axis(0)).map(squares).sum()
}
