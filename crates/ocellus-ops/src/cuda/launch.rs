//! How a kernel is launched: how many threads, and what it is told.

use candle_core::{Result, bail};

/// The one parameter of every kernel: addresses, integers, and the bits of f64.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Params {
    values: [u64; Self::COUNT],
}

impl Params {
    const COUNT: usize = 32;

    /// Those values, in their order.
    pub(crate) fn new(values: &[u64]) -> Result<Self> {
        let mut all = [0; Self::COUNT];
        match all.get_mut(..values.len()) {
            Some(all) => all.copy_from_slice(values),
            None => bail!("a kernel with {} parameters, of {} at most", values.len(), Self::COUNT),
        }
        Ok(Self { values: all })
    }
}

/// A number that kernels divide by, at least 1: see `divided` in `kernels/prelude.h`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divisor(pub(crate) usize);

impl Divisor {
    /// Itself, and what makes `⌊i / d⌋` of it as `(i · magic) >> shift` for all i below 2³¹: magic in
    /// the low half, shift in the high one.
    pub(crate) fn values(self) -> [u64; 2] {
        let d = self.0.max(1) as u64;
        if d > u64::from(u32::MAX >> 1) {
            return [d, 63 << 32]; // Greater than any such i: the quotient is 0.
        }
        // 2ˢ is the power of two from d on; magic · d exceeds 2³¹⁺ˢ by d at most, so that i · magic
        // exceeds i / d by less than 1 / d.
        let shift = 31 + u64::from(d.next_power_of_two().trailing_zeros());
        [d, ((1 << shift) / d + 1) | shift << 32]
    }
}

/// Blocks of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) blocks: u32,
    /// Threads of a block.
    pub(crate) threads: u32,
}

/// Threads of a block: what kernels are compiled for.
pub(crate) const BLOCK: usize = 256;

/// Blocks of an element-wise kernel at most: enough to fill any GPU many times; each thread then
/// takes several elements.
const MOST_BLOCKS: usize = 1 << 14;

impl Grid {
    /// Blocks whose threads work together.
    pub(crate) fn blocks(blocks: usize) -> Self {
        Self { blocks: blocks as u32, threads: BLOCK as u32 }
    }

    /// Blocks that go on until all is done, however few they are.
    pub(crate) fn blocks_up_to(blocks: usize) -> Self {
        Self::blocks(blocks.clamp(1, MOST_BLOCKS))
    }

    /// One thread for an element, or for several.
    pub(crate) fn elements(count: usize) -> Self {
        let blocks = count.div_ceil(BLOCK).clamp(1, MOST_BLOCKS);
        Self { blocks: blocks as u32, threads: BLOCK as u32 }
    }
}

/// Threads that share the elements of a row: few rows of many elements would else keep few busy. A
/// power of two, a block at most; each takes about eight.
pub(crate) fn lanes(size: usize) -> usize {
    size.div_ceil(8).next_power_of_two().min(BLOCK)
}

/// Elements of a piece, a block's share of a sum: a thread then adds up 16 in single precision.
const PIECE: usize = 16 * BLOCK;

/// Pieces that each of `rows` of `count` elements is cut into: by the sizes alone, so that sums are
/// the same on every GPU.
pub(crate) fn pieces(count: usize, rows: usize) -> usize {
    // Many rows need no more blocks; pieces may be larger then, but not so large that sums in single
    // precision would round.
    let piece = if rows >= MANY { 4 * PIECE } else { PIECE };
    count.div_ceil(piece).max(1)
}

/// Rows that keep a GPU busy by themselves.
const MANY: usize = 1 << 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_a_thread_for_each_element_up_to_a_bound() {
        let blocks = |count| Grid::elements(count).blocks as usize;
        assert_eq!((blocks(0), blocks(1), blocks(BLOCK), blocks(BLOCK + 1)), (1, 1, 1, 2));
        assert_eq!(blocks(1 << 40), MOST_BLOCKS);
    }

    #[test]
    fn lanes_are_powers_of_two_up_to_a_block() {
        assert_eq!([1, 8, 9, 49, 1000, 1 << 20].map(lanes), [1, 1, 2, 8, 128, BLOCK]);
    }

    #[test]
    fn pieces_cover_a_row() {
        assert_eq!([0, 1, PIECE, PIECE + 1].map(|count| pieces(count, 1)), [1, 1, 1, 2]);
        assert_eq!(pieces(4 * PIECE + 1, MANY), 2);
    }

    #[test]
    fn a_divisor_divides_exactly() {
        let small = 1..=300u64;
        let large = (0..31)
            .flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1, 1_000_003 << bit >> 10]);
        for d in small.chain(large).filter(|&d| (1..1 << 31).contains(&d)) {
            let [itself, packed] = Divisor(d as usize).values();
            assert_eq!(itself, d);
            let (magic, shift) = (packed & 0xffff_ffff, packed >> 32);
            let near = (0..6).flat_map(|k| {
                let multiple = ((1u64 << 31) - 1) / d * d / (1 << (5 * k)) / d * d;
                [multiple.saturating_sub(1), multiple, multiple + 1, multiple + d - 1]
            });
            let last = [0, 1, (1 << 31) - 1];
            for i in near.chain(last).filter(|&i| i < 1 << 31) {
                assert_eq!((i * magic) >> shift, i / d, "{i} / {d}");
            }
        }
    }

    #[test]
    fn parameters_keep_their_order_and_have_a_bound() {
        let params = Params::new(&[7, 8]).unwrap();
        assert_eq!(params.values[..3], [7, 8, 0]);
        assert!(Params::new(&[0; Params::COUNT + 1]).is_err());
    }
}
