use std::borrow::Cow;
use std::ops::{Deref, Range};

use candle_core::{CpuStorage, Layout, Result, Storage, StorageRef, Tensor, WithDType, bail};

/// The elements of a CPU storage in the order of the layout's shape: borrowed if they lie so
/// (an offset is no obstacle), else copied.
pub(crate) fn view<'a, T: WithDType>(
    storage: &'a CpuStorage,
    layout: &Layout,
) -> Result<Cow<'a, [T]>> {
    let all = T::cpu_storage_as_slice(storage)?;
    Ok(match layout.contiguous_offsets() {
        Some((start, end)) => Cow::Borrowed(&all[start..end]),
        None => Cow::Owned(gather(all, layout)),
    })
}

/// The elements of a CPU tensor as a slice, for the backward pass of a kernel.
pub(crate) fn read<T: WithDType>(x: &Tensor) -> Result<Values<'_, T>> {
    let (storage, layout) = x.storage_and_layout();
    let Storage::Cpu(cpu) = &*storage else {
        bail!("a CPU kernel got a tensor on {:?}", x.device().location())
    };
    let all = T::cpu_storage_as_slice(cpu)?;
    Ok(match layout.contiguous_offsets() {
        Some((start, end)) => Values(Source::Borrowed { storage, range: start..end }),
        None => Values(Source::Gathered(gather(all, layout))),
    })
}

/// See [`read`]: dereferences to a slice.
pub(crate) struct Values<'a, T>(Source<'a, T>);

enum Source<'a, T> {
    Borrowed { storage: StorageRef<'a>, range: Range<usize> },
    Gathered(Vec<T>),
}

impl<T: WithDType> Deref for Values<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Source::Gathered(values) => values,
            Source::Borrowed { storage, range } => match &**storage {
                Storage::Cpu(cpu) => {
                    T::cpu_storage_as_slice(cpu).map_or(&[], |s| &s[range.clone()])
                }
                _ => &[], // Not reached: `read` has looked.
            },
        }
    }
}

/// Copies a strided view, innermost dimension by innermost dimension.
fn gather<T: WithDType>(all: &[T], layout: &Layout) -> Vec<T> {
    let (dims, strides) = (layout.dims(), layout.stride());
    let count = layout.shape().elem_count();
    let mut values = Vec::with_capacity(count);
    let Some((&inner, outer)) = dims.split_last() else {
        return vec![all[layout.start_offset()]];
    };
    if count == 0 {
        return values;
    }
    let step = strides[outer.len()];
    let mut index = vec![0; outer.len()];
    loop {
        let start = layout.start_offset()
            + index.iter().zip(strides).map(|(i, stride)| i * stride).sum::<usize>();
        if step == 1 {
            values.extend_from_slice(&all[start..start + inner]);
        } else {
            values.extend((0..inner).map(|i| all[start + i * step]));
        }
        // The next index of the outer dimensions, as an odometer counts.
        let Some(dim) = (0..outer.len()).rev().find(|&d| index[d] + 1 < outer[d]) else {
            return values;
        };
        index[dim] += 1;
        index[dim + 1..].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn views_are_read_in_their_own_order() -> Result<()> {
        let x = Tensor::arange(0f32, 60., &Device::Cpu)?.reshape((3, 4, 5))?;
        let views = [
            x.clone(),
            x.transpose(0, 2)?,
            x.narrow(1, 1, 2)?,
            x.narrow(0, 1, 2)?,
            x.narrow(2, 1, 3)?.transpose(0, 1)?,
            x.narrow(2, 0, 1)?.broadcast_as((3, 4, 7))?,
            x.narrow(0, 0, 0)?,
            x.get(1)?.get(2)?.get(3)?,
        ];
        for view in views {
            let expected = view.flatten_all()?.to_vec1::<f32>()?;
            assert_eq!(&*read::<f32>(&view)?, &expected[..], "{:?}", view.layout());
        }
        Ok(())
    }

    #[test]
    fn another_type_is_an_error() -> Result<()> {
        let x = Tensor::zeros(3, DType::F64, &Device::Cpu)?;
        assert!(read::<f32>(&x).is_err());
        Ok(())
    }
}
