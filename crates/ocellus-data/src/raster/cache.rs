use std::{collections::HashMap, sync::Arc};

/// Decoded pieces of a scene, the least recently used of which make room for new ones.
#[derive(Debug)]
pub(crate) struct ChunkCache {
    max_bytes: usize,
    bytes: usize,
    clock: u64,
    chunks: HashMap<u64, Kept>,
}

#[derive(Debug)]
struct Kept {
    data: Arc<[u8]>,
    used: u64,
}

impl ChunkCache {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, bytes: 0, clock: 0, chunks: HashMap::new() }
    }

    pub(crate) fn get(&mut self, index: u64) -> Option<Arc<[u8]>> {
        self.clock += 1;
        let kept = self.chunks.get_mut(&index)?;
        kept.used = self.clock;
        Some(Arc::clone(&kept.data))
    }

    /// Keeps a piece, unless it alone is larger than all that may be kept.
    pub(crate) fn put(&mut self, index: u64, data: Arc<[u8]>) {
        if data.len() > self.max_bytes {
            return;
        }
        self.clock += 1;
        self.bytes += data.len();
        if let Some(old) = self.chunks.insert(index, Kept { data, used: self.clock }) {
            self.bytes -= old.data.len();
        }
        if self.bytes > self.max_bytes {
            self.shrink();
        }
    }

    /// Drops the oldest until a sixteenth is free, so that it need not search at every piece.
    fn shrink(&mut self) {
        let mut by_age: Vec<_> = self.chunks.iter().map(|(&index, k)| (k.used, index)).collect();
        by_age.sort_unstable();
        let target = self.max_bytes - self.max_bytes / 16;
        for (used, index) in by_age {
            if self.bytes <= target || used == self.clock {
                break;
            }
            if let Some(old) = self.chunks.remove(&index) {
                self.bytes -= old.data.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(bytes: usize) -> Arc<[u8]> {
        vec![0; bytes].into()
    }

    #[test]
    fn keeps_what_was_used_last_within_its_bound() {
        let mut cache = ChunkCache::new(100);
        for index in 0..10 {
            cache.put(index, piece(10));
        }
        assert!(cache.get(0).is_some());
        cache.put(10, piece(10));
        assert!(cache.get(0).is_some() && cache.get(10).is_some());
        assert!(cache.get(1).is_none() && cache.bytes <= 100);
    }

    #[test]
    fn does_not_keep_what_is_larger_than_all_of_it() {
        let mut cache = ChunkCache::new(100);
        cache.put(1, piece(60));
        cache.put(2, piece(101));
        assert!(cache.get(1).is_some() && cache.get(2).is_none());
    }

    #[test]
    fn counts_a_replaced_piece_once() {
        let mut cache = ChunkCache::new(100);
        cache.put(1, piece(60));
        cache.put(1, piece(70));
        assert_eq!(cache.bytes, 70);
    }
}
