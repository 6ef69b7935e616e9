//! What a model measures where the features are.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Device, Tensor};

use crate::Result;

/// Whether `ocellus-ops` is to measure these features on their device: on CUDA. Elsewhere they go to the CPU
/// ([`on_cpu`](crate::on_cpu::on_cpu)), where `ocellus-cluster` and vectors of packed systems are faster than what devices run.
pub(crate) fn stays_there(x: &Tensor) -> bool {
    #[cfg(test)]
    if FORCED.get() {
        return true;
    }
    x.device().is_cuda()
}

#[cfg(test)]
thread_local! {
    static FORCED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs `f` as if tensors of the CPU were on a device: `ocellus-ops` then computes what it computes there.
#[cfg(test)]
pub(crate) fn as_on_a_device<T>(f: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            FORCED.set(self.0);
        }
    }
    let _restore = Restore(FORCED.replace(true));
    f()
}

/// Tensors of a model on the device of the features: sent there once, and shared by its clones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent(Arc<Mutex<Option<Arc<[Tensor]>>>>);

impl Sent {
    /// Those that `make` gives, on the device of `x`; of a model that is asked on several devices, the
    /// last one's are kept.
    pub(crate) fn beside(
        &self,
        x: &Tensor,
        make: impl FnOnce(&Device) -> Result<Vec<Tensor>>,
    ) -> Result<Arc<[Tensor]>> {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tensors) = &*sent
            && tensors.iter().all(|tensor| tensor.device().same_device(x.device()))
        {
            return Ok(tensors.clone());
        }
        let tensors: Arc<[Tensor]> = make(x.device())?.into();
        *sent = Some(tensors.clone());
        Ok(tensors)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::*;

    #[test]
    fn tensors_are_sent_once() -> Result<()> {
        let (x, sent) = (Tensor::zeros(1, DType::F32, &Device::Cpu)?, Sent::default());
        let copy = sent.clone();
        let made = sent.beside(&x, |device| Ok(vec![Tensor::new(&[7f32], device)?]))?;
        let again = copy.beside(&x, |_| panic!("it is there"))?;
        assert_eq!(again[0].to_vec1::<f32>()?, [7.]);
        assert!(Arc::ptr_eq(&made, &again));
        let failed = Sent::default();
        assert!(failed.beside(&x, |_| Err(crate::Error::Value("no".into()))).is_err());
        assert_eq!(failed.beside(&x, |_| Ok(vec![x.clone()]))?.len(), 1);
        Ok(())
    }

    #[test]
    fn the_cpu_is_no_device_unless_it_is_said() -> Result<()> {
        let x = Tensor::zeros(1, DType::F32, &Device::Cpu)?;
        assert!(!stays_there(&x));
        assert!(as_on_a_device(|| stays_there(&x)));
        assert!(!stays_there(&x));
        Ok(())
    }
}
