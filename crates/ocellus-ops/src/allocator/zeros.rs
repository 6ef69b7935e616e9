use std::ptr::null_mut;

/// How many blocks are remembered.
pub(super) const MOST: usize = 64;

/// Large blocks of zeros.
///
/// Linux maps memory that is only read to one page of zeros: a block that was handed out with zeros
/// and comes back unchanged needs no clearing if nothing has written to it since. Nothing can tell
/// that, so the memory behind it is given back; where there was none, that costs nothing.
#[derive(Debug)]
pub(super) struct Zeros {
    /// Those that nobody uses.
    free: Table,
    /// Those that were handed out with zeros.
    lent: Table,
}

impl Zeros {
    pub(super) const fn new() -> Self {
        Self { free: Table::new(), lent: Table::new() }
    }

    /// A block that reads as zeros; it counts as lent.
    pub(super) fn take(&mut self, bytes: usize) -> Option<*mut u8> {
        let block = self.free.remove(|_, size| size == bytes)?;
        self.lend(block, bytes);
        Some(block)
    }

    /// Remembers that a block is handed out with zeros, if there is room.
    pub(super) fn lend(&mut self, block: *mut u8, bytes: usize) {
        self.lent.push(block, bytes);
    }

    /// Keeps a block that was lent and seems unchanged. False if it is not kept.
    ///
    /// # Safety
    ///
    /// The block must be whole pages that nobody uses.
    pub(super) unsafe fn keep(&mut self, block: *mut u8, bytes: usize) -> bool {
        // SAFETY: by the caller's promise. What is not zero after all becomes zero.
        self.lent.remove(|b, _| b == block).is_some()
            && self.free.has_room()
            && unsafe { seems_zero(block, bytes) && clear(block, bytes) }
            && self.free.push(block, bytes)
    }
}

/// Addresses and sizes of blocks, apart from these: nothing may be written to them.
#[derive(Debug)]
struct Table {
    blocks: [(*mut u8, usize); MOST],
    count: usize,
}

// SAFETY: the blocks that are free have no other user; those that are lent are not touched.
unsafe impl Send for Table {}

impl Table {
    const fn new() -> Self {
        Self { blocks: [(null_mut(), 0); MOST], count: 0 }
    }

    fn has_room(&self) -> bool {
        self.count < MOST
    }

    /// False if there is no room.
    fn push(&mut self, block: *mut u8, bytes: usize) -> bool {
        let room = self.has_room();
        if room {
            self.blocks[self.count] = (block, bytes);
            self.count += 1;
        }
        room
    }

    /// The latest of those that were asked for.
    fn remove(&mut self, is: impl Fn(*mut u8, usize) -> bool) -> Option<*mut u8> {
        let found = self.blocks[..self.count].iter().rposition(|&(b, size)| is(b, size))?;
        let (block, _) = self.blocks[found];
        self.count -= 1;
        self.blocks[found] = self.blocks[self.count];
        Some(block)
    }
}

/// Whether some words of a block are zero.
///
/// # Safety
///
/// The block must be readable.
unsafe fn seems_zero(block: *const u8, bytes: usize) -> bool {
    const SAMPLES: usize = 61;
    let words = bytes / size_of::<u64>();
    let word = |i: usize| block.cast::<u64>().wrapping_add(i * (words / SAMPLES));
    // SAFETY: within the block, whose begin is aligned; volatile, since its end may be unwritten.
    (0..SAMPLES).all(|i| unsafe { word(i).read_volatile() } == 0)
}

/// Gives the memory behind a block back to the system, so that it reads as zeros. False where that
/// cannot be.
///
/// # Safety
///
/// The block must be whole pages that nobody uses.
unsafe fn clear(block: *mut u8, bytes: usize) -> bool {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: by the caller's promise.
        unsafe { libc::madvise(block.cast(), bytes, libc::MADV_DONTNEED) == 0 }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (block, bytes);
        false
    }
}
