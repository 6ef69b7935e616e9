use candle_core::{Device, Result, Shape, Tensor, WithDType};

/// Opens a CUDA device for programs that compute much, on several threads or one.
///
/// Beside candle's [`Device::new_cuda`]:
///
/// - All threads put their work into **one stream**: what one thread computes, another may read. With
///   candle's own a stream belongs to a thread, and nothing orders one after the other.
/// - Memory that tensors give back **stays with the process** for the next ones: the driver would hand it
///   back at each wait for the device.
/// - No events are recorded for tensors, since there is no second stream to wait for them.
///
/// Tensors of it must not be used in other streams. Complexity: O(1), but the first time in a process the
/// driver takes some tenths of a second.
///
/// # Errors
///
/// If there is no such device, its driver fails, or the crate was built without the feature `cuda`.
///
/// # Examples
///
/// ```
/// use candle_core::Device;
/// use ocellus_ops::cuda_device;
///
/// // A GPU where there is one.
/// let device = cuda_device(0).unwrap_or(Device::Cpu);
/// # let _ = device;
/// ```
pub fn cuda_device(ordinal: usize) -> Result<Device> {
    #[cfg(feature = "cuda")]
    return crate::cuda::open(ordinal);
    #[cfg(not(feature = "cuda"))]
    candle_core::bail!(
        "CUDA device {ordinal}: this was built without the feature `cuda`: build with it, or take the CPU"
    )
}

/// A tensor of values that `fill` writes in row-major order; what they are before is of no meaning.
///
/// On a CUDA device they are written to page-locked memory, from which the device fetches them while the
/// caller goes on: neither waits for the other, as they do where a tensor is moved there. The memory is
/// kept for the next calls: as much as the largest few tensors that were made so.
///
/// # Errors
///
/// If the device has no memory left, or is none of CPU and CUDA and cannot take the values.
///
/// # Examples
///
/// ```
/// use candle_core::Device;
/// use ocellus_ops::filled_tensor;
///
/// let squares = |values: &mut [f32]| {
///     values.iter_mut().enumerate().for_each(|(i, value)| *value = (i * i) as f32);
/// };
/// let x = filled_tensor((2, 2), &Device::Cpu, squares)?;
/// assert_eq!(x.to_vec2::<f32>()?, [[0., 1.], [4., 9.]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn filled_tensor<T: WithDType>(
    shape: impl Into<Shape>,
    device: &Device,
    fill: impl FnOnce(&mut [T]),
) -> Result<Tensor> {
    let shape = shape.into();
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = device {
        return crate::cuda::upload(device, shape, fill);
    }
    let mut values = vec![T::zero(); shape.elem_count()];
    fill(&mut values);
    Tensor::from_vec(values, shape, device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_in_their_order_of_any_type_and_size() -> Result<()> {
        let count = |values: &mut [u32]| (0..).zip(values).for_each(|(i, value)| *value = i);
        let x = filled_tensor((2, 1, 3), &Device::Cpu, count)?;
        assert_eq!(x.to_vec3::<u32>()?, [[[0, 1, 2]], [[3, 4, 5]]]);
        let none = filled_tensor((0, 3), &Device::Cpu, |values: &mut [f64]| {
            assert!(values.is_empty());
        })?;
        assert_eq!(none.dims(), [0, 3]);
        Ok(())
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn without_cuda_no_device_opens_and_the_error_says_why() {
        let said = cuda_device(3).unwrap_err().to_string();
        assert!(said.contains("device 3") && said.contains("feature `cuda`"), "{said}");
    }

    #[test]
    #[cfg(feature = "cuda")]
    fn a_gpu_takes_what_is_written_whatever_is_under_way() -> Result<()> {
        let Ok(device) = cuda_device(0) else {
            eprintln!("no GPU: skipped");
            return Ok(());
        };
        // More at once than there are buffers, of growing and falling sizes.
        let sizes = (1..40usize).chain((1..40).rev()).map(|n| n * 40_001);
        let made = sizes.map(|size| {
            let fill = |values: &mut [f32]| values.fill(size as f32);
            Ok((size, filled_tensor(size, &device, fill)?))
        });
        for (size, x) in made.collect::<Result<Vec<_>>>()? {
            let values = x.to_vec1::<f32>()?;
            assert!(values.len() == size && values.iter().all(|&value| value == size as f32));
        }
        Ok(())
    }
}
