use super::Float;

/// Cache lines are 64 bytes: a vector load that straddles two of them takes twice as long.
const ALIGN: usize = 64;

/// Lends `f` a buffer of that many elements, aligned to a cache line, with arbitrary contents.
///
/// Each thread keeps its buffer for the next call, so that kernels do not allocate per tile.
pub(crate) fn with_scratch<T: Float, R>(len: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    let mut buffer = T::scratch().take();
    let slack = ALIGN / size_of::<T>();
    if buffer.len() < len + slack {
        buffer = vec![T::zero(); len + slack];
    }
    // `align_offset` may in theory fail with usize::MAX: alignment is a matter of speed alone.
    let offset = buffer.as_ptr().align_offset(ALIGN).min(slack);
    let result = f(&mut buffer[offset..offset + len]);
    T::scratch().set(buffer);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_is_aligned_and_nests() {
        with_scratch::<f32, _>(100, |a| {
            a.fill(1.);
            assert_eq!(a.as_ptr() as usize % ALIGN, 0);
            with_scratch::<f32, _>(1000, |b| b.fill(2.));
            assert_eq!((a.len(), a[99]), (100, 1.));
        });
    }
}
