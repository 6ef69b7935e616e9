use crate::Float;

/// The rows that may be among the nearest of a query, by approximate distances.
///
/// With an error of at most `margin / 2` each, a row that is among the k nearest is at most `margin`
/// above the k-th smallest approximate distance: those are kept.
#[derive(Clone, Debug)]
pub(super) struct Candidates<T> {
    count: usize,
    margin: T,
    limit: T,
    capacity: usize,
    kept: Vec<(T, u32)>,
}

impl<T: Float> Candidates<T> {
    pub(super) fn new(count: usize, margin: T) -> Self {
        let capacity = (4 * count).max(64);
        Self { count, margin, limit: T::infinity(), capacity, kept: Vec::new() }
    }

    /// Looks at rows from `first` on: `norms[i] − 2 products[i]` is the approximate distance but for
    /// a constant.
    pub(super) fn look(&mut self, first: usize, norms: &[T], products: &[T]) {
        let two = T::one() + T::one();
        let (chunks, rest) = products.as_chunks::<16>();
        let (norm_chunks, norm_rest) = norms.as_chunks::<16>();
        for (number, (norms, products)) in norm_chunks.iter().zip(chunks).enumerate() {
            let mut far = true;
            for lane in 0..16 {
                far &= norms[lane] - two * products[lane] > self.limit;
            }
            if !far {
                self.add(first + number * 16, norms, products);
            }
        }
        self.add(first + products.len() - rest.len(), norm_rest, rest);
    }

    fn add(&mut self, first: usize, norms: &[T], products: &[T]) {
        let two = T::one() + T::one();
        for (place, (norm, product)) in norms.iter().zip(products).enumerate() {
            self.push(*norm - two * *product, (first + place) as u32);
        }
    }

    fn push(&mut self, distance: T, row: u32) {
        // What is not a number passes.
        if distance > self.limit {
            return;
        }
        self.kept.push((distance, row));
        if self.kept.len() >= self.capacity {
            self.prune();
            self.capacity = self.capacity.max(2 * self.kept.len());
        }
    }

    fn prune(&mut self) {
        if self.kept.len() < self.count || !self.margin.is_finite() {
            return;
        }
        let by_distance = |a: &(T, u32), b: &(T, u32)| a.0.widen().total_cmp(&b.0.widen());
        let kth = self.kept.select_nth_unstable_by(self.count - 1, by_distance).1.0;
        self.limit = self.limit.min(kth + self.margin);
        let limit = self.limit;
        self.kept.retain(|(distance, _)| *distance <= limit);
    }

    /// Takes over those of another part of the rows.
    pub(super) fn merge(&mut self, other: Self) {
        for (distance, row) in other.kept {
            self.push(distance, row);
        }
    }

    pub(super) fn rows(mut self) -> impl Iterator<Item = usize> {
        self.prune();
        self.kept.into_iter().map(|(_, row)| row as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(candidates: Candidates<f32>) -> Vec<usize> {
        let mut rows: Vec<usize> = candidates.rows().collect();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn keeps_the_nearest_and_what_may_be() {
        let norms: Vec<f32> = (0..1000).map(|i| ((i * 619) % 1000) as f32).collect();
        let products = vec![0.; 1000];
        let smallest = |limit: f32| (0..1000).filter(|&i| norms[i] <= limit).collect::<Vec<_>>();
        for (count, margin) in [(1, 0.), (3, 5.), (200, 0.), (1000, 0.)] {
            let mut whole = Candidates::new(count, margin);
            whole.look(0, &norms, &products);
            assert_eq!(rows(whole), smallest(count as f32 - 1. + margin));
            let mut parts = Candidates::new(count, margin);
            for start in [0, 333, 666] {
                let end = if start == 666 { 1000 } else { start + 333 };
                let mut part = Candidates::new(count, margin);
                part.look(start, &norms[start..end], &products[start..end]);
                parts.merge(part);
            }
            assert_eq!(rows(parts), smallest(count as f32 - 1. + margin));
        }
    }

    #[test]
    fn what_is_not_a_number_is_kept() {
        let mut candidates = Candidates::new(1, f32::INFINITY);
        let mut norms = vec![1.; 200];
        norms[70] = f32::NAN;
        candidates.look(0, &norms, &vec![0.; 200]);
        assert_eq!(rows(candidates).len(), 200);
    }
}
