use crate::{Sampling, random::Random};

const STREAM: u64 = 0x0bde;

/// A sample at its place in an epoch; `repeat` counts how often it came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) index: usize,
    pub(crate) repeat: u64,
}

/// The order of an epoch, drawn from the seed and the epoch alone.
pub(crate) fn order(
    sampling: Sampling,
    indices: &[usize],
    label: impl Fn(usize) -> usize,
    seed: u64,
    epoch: u64,
) -> Vec<Place> {
    let mut random = Random::keyed(seed, epoch, indices.len() as u64, STREAM);
    let mut places: Vec<Place> = indices.iter().map(|&index| Place { index, repeat: 0 }).collect();
    match sampling {
        Sampling::Sequential => {}
        Sampling::Shuffled => random.shuffle(&mut places),
        Sampling::Balanced => {
            places = balanced(indices, label, &mut random);
            random.shuffle(&mut places);
        }
    }
    places
}

/// As many of each class: passes over its samples, each in another order, until there are enough.
fn balanced(indices: &[usize], label: impl Fn(usize) -> usize, random: &mut Random) -> Vec<Place> {
    let mut classes = std::collections::BTreeMap::<usize, Vec<usize>>::new();
    for &index in indices {
        classes.entry(label(index)).or_default().push(index);
    }
    let each = (indices.len() / classes.len().max(1)).max(1);
    let mut places = Vec::with_capacity(each * classes.len());
    for members in classes.values_mut() {
        for place in 0..each {
            let at = place % members.len();
            if at == 0 {
                random.shuffle(members);
            }
            places.push(Place { index: members[at], repeat: (place / members.len()) as u64 });
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(places: &[Place]) -> Vec<usize> {
        places.iter().map(|place| place.index).collect()
    }

    #[test]
    fn a_shuffled_epoch_holds_every_sample_once() {
        let all: Vec<usize> = (10..60).collect();
        let epoch = |epoch| indices(&order(Sampling::Shuffled, &all, |_| 0, 1, epoch));
        assert_eq!(epoch(0), epoch(0));
        assert_ne!(epoch(0), epoch(1));
        let mut sorted = epoch(0);
        sorted.sort_unstable();
        assert_eq!(sorted, all);
    }

    #[test]
    fn a_balanced_epoch_holds_as_many_of_each_class() {
        let all: Vec<usize> = (0..40).collect();
        let label = |index| usize::from(index >= 34);
        let places = order(Sampling::Balanced, &all, label, 1, 0);
        let rare: Vec<_> = places.iter().filter(|place| label(place.index) == 1).collect();
        assert_eq!((places.len(), rare.len()), (40, 20));
        for index in 34..40 {
            let mut repeats: Vec<_> =
                rare.iter().filter(|p| p.index == index).map(|p| p.repeat).collect();
            repeats.sort_unstable();
            let expected: Vec<u64> = (0..repeats.len() as u64).collect();
            assert!((3..=4).contains(&repeats.len()));
            assert_eq!(repeats, expected);
        }
    }
}
