/// No point: an empty slot, a neighbor that does not exist.
pub(super) const NONE: u32 = u32::MAX;

/// Lattice points by their coordinates: open addressing, numbered in the order of insertion.
#[derive(Debug)]
pub(super) struct PointTable {
    dims: usize,
    keys: Vec<i32>,
    /// The number of a point and the upper half of its hash, which tells most keys apart without a look at them.
    slots: Vec<(u32, u32)>,
}

impl PointTable {
    pub(super) fn new(dims: usize) -> Self {
        Self { dims, keys: Vec::new(), slots: vec![(NONE, 0); 64] }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len() / self.dims
    }

    pub(super) fn keys(&self) -> &[i32] {
        &self.keys
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.slots.fill((NONE, 0));
    }

    /// The number of a point, a new one if it was not there.
    pub(super) fn insert(&mut self, key: &[i32]) -> u32 {
        let hash = hash(key);
        let slot = self.probe(key, hash);
        if self.slots[slot].0 != NONE {
            return self.slots[slot].0;
        }
        let number = self.len() as u32;
        self.keys.extend_from_slice(key);
        self.slots[slot] = (number, (hash >> 32) as u32);
        if 2 * self.len() > self.slots.len() {
            self.grow();
        }
        number
    }

    /// The number of a point, or [`NONE`].
    pub(super) fn find(&self, key: &[i32]) -> u32 {
        self.slots[self.probe(key, hash(key))].0
    }

    /// The slot of that key, or the empty one where it belongs.
    fn probe(&self, key: &[i32], hash: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let (number, tag) = self.slots[slot];
            if number == NONE || (tag == (hash >> 32) as u32 && self.key(number) == key) {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn key(&self, number: u32) -> &[i32] {
        &self.keys[number as usize * self.dims..][..self.dims]
    }

    fn grow(&mut self) {
        let size = 2 * self.slots.len();
        self.slots.clear();
        self.slots.resize(size, (NONE, 0));
        for number in 0..self.len() as u32 {
            let hash = hash(self.key(number));
            let mut slot = hash as usize & (size - 1);
            while self.slots[slot].0 != NONE {
                slot = (slot + 1) & (size - 1);
            }
            self.slots[slot] = (number, (hash >> 32) as u32);
        }
    }
}

/// Multiply and fold: both halves of the product depend on all coordinates.
fn hash(key: &[i32]) -> u64 {
    let mut hash = 0x9e37_79b9_7f4a_7c15_u64;
    for &k in key {
        let product = u128::from(hash ^ u64::from(k as u32)) * 0xd6e8_feb8_6659_fd93_u128;
        hash = (product as u64) ^ ((product >> 64) as u64);
    }
    hash
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn numbers_points_in_the_order_of_their_first_appearance() {
        let key = |i: i32| [i * 7 % 1000, -(i * 13 % 500), i / 3000];
        let (mut table, mut expected) = (PointTable::new(3), HashMap::new());
        for i in 0..20_000 {
            let next = expected.len() as u32;
            let number = *expected.entry(key(i)).or_insert(next);
            assert_eq!(table.insert(&key(i)), number);
        }
        assert_eq!(table.len(), expected.len());
        assert!(expected.iter().all(|(key, &number)| table.find(key) == number));
        assert_eq!(table.find(&[5000, 5000, 5000]), NONE);
        table.clear();
        assert_eq!((table.len(), table.find(&key(1))), (0, NONE));
    }
}
