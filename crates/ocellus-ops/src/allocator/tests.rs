use super::*;

#[test]
fn classes_are_tight_and_in_order() {
    let mut before = None;
    let mut size = LEAST;
    while let Some((index, bytes)) = class(size) {
        assert!(bytes >= size && bytes <= size + size / STEPS);
        assert_eq!(class(bytes), Some((index, bytes)), "{size}");
        assert_eq!(bytes_of(index), bytes);
        assert!(before.is_none_or(|b| b == index || b + 1 == index), "{size}");
        before = Some(index);
        size += size / 20;
    }
    assert_eq!(before, Some(CLASSES - 1));
    assert_eq!(class(LEAST - 1), None);
    assert_eq!(class(usize::MAX), None);
}

#[test]
fn blocks_are_kept_zeroed_and_released() {
    let allocator = CachingAllocator::new();
    for (size, align) in [(100, 8), (LEAST, 8), (LEAST + 1, 64), (9 << 20, 16), (1 << 20, 4096)] {
        let layout = Layout::from_size_align(size, align).expect("a layout");
        // SAFETY: allocated and freed with the same layout, written within its size.
        unsafe {
            let a = allocator.alloc(layout);
            a.write_bytes(7, size);
            allocator.dealloc(a, layout);
            let b = allocator.alloc_zeroed(layout);
            let bytes = std::slice::from_raw_parts(b, size);
            assert!(bytes.iter().all(|&b| b == 0) && b.addr().is_multiple_of(align));
            let again = class(size).is_some() && align <= ALIGN;
            assert!(!again || a == b, "the block of {size} bytes was not kept");
            allocator.dealloc(b, layout);
        }
    }
    assert!(allocator.kept() > LEAST);
    allocator.release();
    assert_eq!(allocator.kept(), 0);
}

#[test]
fn within_a_limit_the_sizes_asked_for_least_recently_go_first() {
    let allocator = CachingAllocator::new();
    let use_once = |mib: usize| {
        let layout = Layout::from_size_align(mib << 20, 8).expect("a layout");
        // SAFETY: freed with the layout it was allocated with.
        unsafe {
            let block = allocator.alloc(layout);
            allocator.dealloc(block, layout);
        }
    };
    let kept = |mib: usize| {
        let (index, _) = class(mib << 20).expect("a class");
        allocator.classes[index].lock().is_ok_and(|list| !list.first.is_null())
    };
    allocator.limit(8 << 20);
    [8, 4, 3, 8].into_iter().for_each(use_once);
    assert!(kept(8) && kept(4) && kept(3), "15 of 16 MiB");
    use_once(2);
    assert!(kept(8) && !kept(4) && kept(3) && kept(2), "13 MiB, 4 of which have gone");
    use_once(10);
    assert!(kept(10) && !kept(3) && !kept(8) && kept(2), "18 MiB at most");
    assert_eq!(allocator.kept(), 12 << 20);
    assert_eq!(allocator.used.load(Ordering::Relaxed), 0);
    allocator.release();
}

#[test]
fn blocks_that_were_only_read_are_not_cleared_again() {
    let allocator = CachingAllocator::new();
    let layout = Layout::from_size_align(9 << 20, 8).expect("a layout");
    // SAFETY: allocated and freed with the same layout, written within its size.
    unsafe {
        let a = allocator.alloc_zeroed(layout);
        allocator.dealloc(a, layout);
        assert_eq!(allocator.kept(), 0, "it has no memory");
        let b = allocator.alloc_zeroed(layout);
        assert!(!cfg!(target_os = "linux") || a == b);
        b.add(9).write(1); // Where nobody looks.
        allocator.dealloc(b, layout);
        let c = allocator.alloc_zeroed(layout);
        let bytes = std::slice::from_raw_parts(c, layout.size());
        assert!(bytes.iter().all(|&b| b == 0));
        allocator.dealloc(c, layout);
        // More than are remembered.
        let blocks: Vec<_> = (0..zeros::MOST + 2).map(|_| allocator.alloc_zeroed(layout)).collect();
        blocks.into_iter().for_each(|block| allocator.dealloc(block, layout));
        let d = allocator.alloc(layout);
        d.write_bytes(7, layout.size());
        allocator.dealloc(d, layout);
    }
    allocator.release();
    assert_eq!(allocator.kept(), 0);
}
