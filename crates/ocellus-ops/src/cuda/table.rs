//! Small arrays that kernels look things up in: windows, weights, orders.

use candle_core::{DType, Device, Result, Tensor};

/// The entries of a table, which are its key among those that are on the device already.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Table {
    Integers(Vec<u32>),
    /// As bits, and whether the kernel takes f64 (else f32).
    Numbers(Vec<u64>, bool),
}

impl Table {
    /// Numbers in the type in which tensors of `dtype` are computed.
    pub(crate) fn numbers(values: impl Iterator<Item = f64>, dtype: DType) -> Self {
        Self::Numbers(values.map(f64::to_bits).collect(), dtype == DType::F64)
    }

    /// On the device of `x`: sent there once, however often it is asked for.
    pub(crate) fn beside(self, x: &Tensor) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if let Device::Cuda(device) = x.device() {
            return on_device::cached(device, self);
        }
        self.send(x.device())
    }

    fn send(&self, device: &Device) -> Result<Tensor> {
        match self {
            Self::Integers(values) => Tensor::from_slice(values, values.len(), device),
            Self::Numbers(values, wide) => {
                let values: Vec<f64> = values.iter().map(|&bits| f64::from_bits(bits)).collect();
                let values = Tensor::from_slice(&values, values.len(), &Device::Cpu)?;
                let dtype = if *wide { DType::F64 } else { DType::F32 };
                values.to_dtype(dtype)?.to_device(device)
            }
        }
    }
}

#[cfg(feature = "cuda")]
mod on_device {
    use std::collections::HashMap;
    use std::sync::{LazyLock, Mutex, PoisonError};

    use candle_core::cuda_backend::DeviceId;
    use candle_core::{CudaDevice, Device, Result, Tensor};

    use super::Table;

    /// Tables kept at most: a network needs a few dozen.
    const MOST: usize = 512;

    pub(super) fn cached(device: &CudaDevice, table: Table) -> Result<Tensor> {
        static TABLES: LazyLock<Mutex<HashMap<(DeviceId, Table), Tensor>>> =
            LazyLock::new(Mutex::default);
        let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (device.id(), table);
        if let Some(tensor) = tables.get(&key) {
            return Ok(tensor.clone());
        }
        if tables.len() == MOST {
            tables.clear();
        }
        let tensor = key.1.send(&Device::Cuda(device.clone()))?;
        tables.insert(key, tensor.clone());
        Ok(tensor)
    }
}
