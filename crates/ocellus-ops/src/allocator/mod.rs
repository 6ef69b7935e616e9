#![allow(unsafe_code, reason = "an allocator")]

mod zeros;

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use zeros::Zeros;

/// Smaller blocks are left to the system's allocator, which keeps them itself.
const LEAST: usize = 1 << 18;

/// Sizes are rounded up to an eighth of the power of two below: at most 12.5 % are given away.
const STEPS: usize = 8;

/// Classes of sizes from [`LEAST`] up to 2⁴⁷ bytes.
const CLASSES: usize = (47 - LEAST.trailing_zeros() as usize) * STEPS;

/// Alignment of all blocks: a line of the cache.
const ALIGN: usize = 64;

/// Side of a huge page; blocks of several begin at one.
const HUGE: usize = 2 << 20;

/// An allocator that keeps large blocks for the next tensor instead of giving them back to the
/// operating system.
///
/// candle allocates the result of every operation anew. The system hands out large blocks page by
/// page and clears each one when it is touched, which for an operation such as a ReLU or a fast
/// convolution takes as long as its arithmetic (`docs/performance.md`). A program that makes this
/// its global allocator pays for each block once. It holds the memory of its peak until it ends, or
/// until [`Self::release`]; where tensors of many sizes come and go, that is the sum of the peaks of
/// all sizes, which [`Self::limit`] bounds.
///
/// Blocks of four MiB and more ask Linux for huge pages. Those that were asked for with zeros and come
/// back so are not cleared again: Linux maps them to one page of zeros until they are written to.
/// candle's backward pass adds each gradient to such a block.
///
/// # Examples
///
/// ```
/// use ocellus_ops::CachingAllocator;
///
/// #[global_allocator]
/// static ALLOCATOR: CachingAllocator = CachingAllocator::new();
///
/// drop(vec![1u8; 1 << 20]);
/// assert!(ALLOCATOR.kept() >= 1 << 20);
/// let again = vec![2u8; 1 << 20]; // The same memory.
/// assert_eq!(ALLOCATOR.kept(), 0);
/// # drop(again);
/// ALLOCATOR.release();
/// assert_eq!(ALLOCATOR.kept(), 0);
/// ```
#[derive(Debug)]
pub struct CachingAllocator {
    classes: [Mutex<List>; CLASSES],
    zeros: Mutex<Zeros>,
    kept: AtomicUsize,
    /// Bytes of the classes' blocks that are in use.
    used: AtomicUsize,
    /// The most bytes that were in use since the limit was set.
    most: AtomicUsize,
    /// Bytes that are held beyond those.
    spare: AtomicUsize,
    clock: AtomicU64,
}

/// Blocks that nobody uses. Each holds the address of the next: a list that lay elsewhere would have
/// to be allocated, within an allocation.
#[derive(Debug)]
struct List {
    first: *mut u8,
    /// When a block of this class was asked for last.
    asked: u64,
}

// SAFETY: the blocks in a list have no other user.
unsafe impl Send for List {}

impl List {
    fn pop(&mut self) -> Option<*mut u8> {
        let block = self.first;
        if block.is_null() {
            return None;
        }
        // SAFETY: `push` has written it there; blocks are large and aligned enough.
        self.first = unsafe { block.cast::<*mut u8>().read() };
        Some(block)
    }

    /// # Safety
    ///
    /// The block must be of this list's class, and nobody may use it.
    unsafe fn push(&mut self, block: *mut u8) {
        // SAFETY: by the caller's promise; blocks are large and aligned enough.
        unsafe { block.cast::<*mut u8>().write(self.first) };
        self.first = block;
    }
}

/// The class of a size, and the bytes of its blocks.
fn class(size: usize) -> Option<(usize, usize)> {
    if size < LEAST {
        return None;
    }
    let step = (1usize << (usize::BITS - 1 - size.leading_zeros())) / STEPS;
    let bytes = size.checked_next_multiple_of(step)?;
    // Rounded up to a power of two, a size belongs to the next octave.
    let octave = (usize::BITS - 1 - bytes.leading_zeros()) as usize;
    let index = (octave - LEAST.trailing_zeros() as usize) * STEPS
        + (bytes >> (octave - STEPS.trailing_zeros() as usize)) % STEPS;
    (index < CLASSES).then_some((index, bytes))
}

/// The bytes of a class's blocks.
const fn bytes_of(index: usize) -> usize {
    (LEAST << (index / STEPS)) / STEPS * (STEPS + index % STEPS)
}

/// How the system is asked for a block of a class.
fn whole(bytes: usize) -> Layout {
    let align = if is_huge(bytes) { HUGE } else { ALIGN };
    // SAFETY: powers of two, and a class's bytes are far below the largest size.
    unsafe { Layout::from_size_align_unchecked(bytes, align) }
}

impl CachingAllocator {
    /// One that keeps nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            classes: [const { Mutex::new(List { first: null_mut(), asked: 0 }) }; CLASSES],
            zeros: Mutex::new(Zeros::new()),
            kept: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            spare: AtomicUsize::new(usize::MAX),
            clock: AtomicU64::new(0),
        }
    }

    /// Bytes that are kept and not in use.
    pub fn kept(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    /// Gives all that is kept back to the system.
    pub fn release(&self) {
        let mut bytes = LEAST;
        while let Some((index, size)) = class(bytes) {
            while let Some(block) = self.take(index, size).or_else(|| self.take_zeros(size)) {
                // SAFETY: it was allocated so, and nobody uses it.
                unsafe { System.dealloc(block, whole(size)) };
            }
            bytes = size + 1;
        }
    }

    /// Bounds what is held, in use or kept, by the most that is in use at a time from here on and
    /// `spare` bytes: before more is taken from the system, the sizes that were not asked for longest
    /// are given back to it. Without a limit, all is kept.
    ///
    /// A network whose own sizes need more than is spared pays for some of them in each pass.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_ops::CachingAllocator;
    ///
    /// #[global_allocator]
    /// static ALLOCATOR: CachingAllocator = CachingAllocator::new();
    ///
    /// ALLOCATOR.limit(10 << 20);
    /// for size in 4..20 {
    ///     drop(vec![1u8; size << 20]);
    /// }
    /// assert!(ALLOCATOR.kept() <= (20 + 10) << 20);
    /// ```
    pub fn limit(&self, spare: usize) {
        self.most.store(self.used.load(Ordering::Relaxed), Ordering::Relaxed);
        self.spare.store(spare, Ordering::Relaxed);
    }

    /// Counts a block as in use.
    fn lend(&self, bytes: usize) {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.most.fetch_max(used, Ordering::Relaxed);
    }

    /// Gives back what the limit asks for, now that another block is in use, which is not there yet.
    fn make_room(&self) {
        let spare = self.spare.load(Ordering::Relaxed);
        let limit = self.most.load(Ordering::Relaxed).saturating_add(spare);
        while self.used.load(Ordering::Relaxed) + self.kept() > limit {
            let Some((index, bytes)) = self.oldest() else { return };
            if let Some(block) = self.take(index, bytes) {
                // SAFETY: it was allocated so, and nobody uses it.
                unsafe { System.dealloc(block, whole(bytes)) };
            }
        }
    }

    /// The class with blocks to give back that was not asked for longest, and its bytes.
    fn oldest(&self) -> Option<(usize, usize)> {
        let asked = self.classes.iter().enumerate().filter_map(|(index, list)| {
            let list = list.lock().ok()?;
            (!list.first.is_null()).then_some((list.asked, index))
        });
        asked.min().map(|(_, index)| (index, bytes_of(index)))
    }

    /// A kept block of a class that is asked for now.
    fn ask(&self, index: usize, bytes: usize) -> Option<*mut u8> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        if let Ok(mut list) = self.classes[index].lock() {
            list.asked = now;
        }
        self.take(index, bytes)
    }

    fn take(&self, index: usize, bytes: usize) -> Option<*mut u8> {
        let block = self.classes[index].lock().ok()?.pop()?;
        self.kept.fetch_sub(bytes, Ordering::Relaxed);
        Some(block)
    }

    /// A block that reads as zeros without having been cleared.
    fn take_zeros(&self, bytes: usize) -> Option<*mut u8> {
        self.zeros.lock().ok()?.take(bytes)
    }

    /// Remembers that a block is handed out with zeros.
    fn lend_zeros(&self, block: *mut u8, bytes: usize) {
        if is_huge(bytes)
            && let Ok(mut zeros) = self.zeros.lock()
        {
            zeros.lend(block, bytes);
        }
    }

    /// Takes a block back among those of zeros, if it came from there and seems unchanged.
    ///
    /// # Safety
    ///
    /// Nobody may use the block.
    unsafe fn keep_zeros(&self, block: *mut u8, bytes: usize) -> bool {
        // SAFETY: by the caller's promise.
        is_huge(bytes)
            && self.zeros.lock().is_ok_and(|mut zeros| unsafe { zeros.keep(block, bytes) })
    }
}

/// Whether blocks of that size consist of huge pages.
const fn is_huge(bytes: usize) -> bool {
    bytes >= 2 * HUGE
}

impl Default for CachingAllocator {
    fn default() -> Self {
        Self::new()
    }
}

/// Asks for huge pages where there are such.
fn advise(block: *mut u8, layout: Layout) {
    #[cfg(target_os = "linux")]
    if layout.align() == HUGE && !block.is_null() {
        // SAFETY: advice on memory that is ours; whether it is taken does not matter.
        unsafe { libc::madvise(block.cast(), layout.size(), libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (block, layout);
}

// SAFETY: a block is in use or in one list, never both; all blocks of a class have its size, and
// an alignment of a cache line at least.
unsafe impl GlobalAlloc for CachingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match class(layout.size()) {
            Some((index, bytes)) if layout.align() <= ALIGN => {
                self.lend(bytes);
                self.ask(index, bytes).unwrap_or_else(|| {
                    self.make_room();
                    let layout = whole(bytes);
                    // SAFETY: the size is not zero.
                    let block = unsafe { System.alloc(layout) };
                    if block.is_null() {
                        self.used.fetch_sub(bytes, Ordering::Relaxed);
                    }
                    advise(block, layout);
                    block
                })
            }
            // SAFETY: by the caller's promise.
            _ => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match class(layout.size()) {
            Some((_, bytes)) if layout.align() <= ALIGN => {
                if let Some(block) = self.take_zeros(bytes) {
                    self.lend(bytes);
                    return block;
                }
                // SAFETY: by the caller's promise.
                let block = unsafe { self.alloc(layout) };
                if !block.is_null() {
                    // SAFETY: the block has at least that size.
                    unsafe { block.write_bytes(0, layout.size()) };
                    self.lend_zeros(block, bytes);
                }
                block
            }
            // SAFETY: by the caller's promise.
            _ => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match class(layout.size()) {
            Some((index, bytes)) if layout.align() <= ALIGN => {
                self.used.fetch_sub(bytes, Ordering::Relaxed);
                // SAFETY: the caller gives it back.
                if unsafe { self.keep_zeros(block, bytes) } {
                    return;
                }
                if let Ok(mut list) = self.classes[index].lock() {
                    // SAFETY: the caller gives it back, and its size is of this class.
                    unsafe { list.push(block) };
                    self.kept.fetch_add(bytes, Ordering::Relaxed);
                } else {
                    // SAFETY: it was allocated so.
                    unsafe { System.dealloc(block, whole(bytes)) };
                }
            }
            // SAFETY: by the caller's promise.
            _ => unsafe { System.dealloc(block, layout) },
        }
    }
}

#[cfg(test)]
mod tests;
