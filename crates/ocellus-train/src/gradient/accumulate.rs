use std::collections::BTreeMap;

use candle_core::{Result, Tensor, Var, backprop::GradStore};

/// Averages the gradients of several small batches, as if they were one large batch.
///
/// ```text
/// g = 1/k · Σ_{i ≤ k} g_i
/// ```
///
/// A parameter that only some of the batches touch counts as zero in the others.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Var};
/// use ocellus_train::Accumulator;
///
/// let p = Var::new(&[1f64], &Device::Cpu)?;
/// let mut sum = Accumulator::new(vec![("p".to_owned(), p.clone())]);
/// for slope in [1., 3.] {
///     sum.add((p.as_tensor() * slope)?.sum_all()?.backward()?)?;
/// }
/// let mean = sum.take()?;
/// assert_eq!(mean.get(&p).unwrap().to_vec1::<f64>()?, [2.]);
/// assert_eq!(sum.count(), 0);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Accumulator {
    params: Vec<(String, Var)>,
    sums: BTreeMap<usize, Tensor>,
    count: usize,
}

impl Accumulator {
    /// An empty sum for these parameters.
    #[must_use]
    pub fn new(params: Vec<(String, Var)>) -> Self {
        Self { params, sums: BTreeMap::new(), count: 0 }
    }

    /// How many batches are in the sum.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds the gradients of one batch.
    ///
    /// # Errors
    ///
    /// When gradients of one parameter differ in shape.
    pub fn add(&mut self, mut grads: GradStore) -> Result<()> {
        for (i, (_, var)) in self.params.iter().enumerate() {
            let Some(grad) = grads.remove(var) else { continue };
            let sum = match self.sums.remove(&i) {
                Some(sum) => (sum + grad)?,
                None => grad,
            };
            self.sums.insert(i, sum);
        }
        self.count += 1;
        Ok(())
    }

    /// The mean over the batches added since the last call, and an empty sum again.
    ///
    /// # Errors
    ///
    /// When the mean cannot be computed.
    pub fn take(&mut self) -> Result<GradStore> {
        let count = std::mem::take(&mut self.count);
        let mut mean = GradStore::default();
        for (i, sum) in std::mem::take(&mut self.sums) {
            let grad = if count > 1 { sum.affine(1. / count as f64, 0.)? } else { sum };
            mean.insert(self.params[i].1.as_tensor(), grad);
        }
        Ok(mean)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn a_parameter_of_one_batch_only_counts_as_zero_in_the_other() -> Result<()> {
        let var = || Var::new(&[1f32], &Device::Cpu);
        let (p, q) = (var()?, var()?);
        let mut sum = Accumulator::new(vec![("p".into(), p.clone()), ("q".into(), q.clone())]);
        sum.add((p.as_tensor() * 4.)?.sum_all()?.backward()?)?;
        sum.add((q.as_tensor() * 2.)?.sum_all()?.backward()?)?;
        let mean = sum.take()?;
        let value = |v: &Var| mean.get(v).map(Tensor::to_vec1::<f32>).transpose();
        assert_eq!((value(&p)?, value(&q)?), (Some(vec![2.]), Some(vec![1.])));
        Ok(())
    }

    #[test]
    fn one_batch_is_left_as_it_is() -> Result<()> {
        let p = Var::new(&[0.1f32], &Device::Cpu)?;
        let mut sum = Accumulator::new(vec![("p".into(), p.clone())]);
        sum.add(p.sqr()?.sum_all()?.backward()?)?;
        let expected = p.sqr()?.sum_all()?.backward()?;
        let value = |grads: &GradStore| grads.get(&p).map(Tensor::to_vec1::<f32>).transpose();
        assert_eq!(value(&sum.take()?)?, value(&expected)?);
        Ok(())
    }
}
